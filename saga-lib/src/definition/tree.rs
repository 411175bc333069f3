//! The spanned tree: YAML without its surprises.
//!
//! Invariants: a mapping has each key once; scalars are text (the field that reads one gives it a type, so `no`, `on` and `010` never
//! change their meaning); the tree is at most [`DEPTH_MAX`] deep, so walking and dropping it needs a bounded stack.
//!
//! Absent on purpose: anchors, aliases, tags, merges and second documents. Each of them is an error.

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle};

use super::codes;
use super::context::Context;
use super::diagnostic::{Diagnostic, Span};

/// Longest source, in bytes.
const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// Deepest nesting. Stored as JSON, a definition nests about twice as deep, and a reader of JSON gives up at 128.
const DEPTH_MAX: usize = 48;

/// Most nodes.
const NODES_MAX: usize = 20_000;

/// Most keys of one mapping: each is compared with those before it, and with every key of the language if it is none.
const KEYS_MAX: usize = 1_000;

/// A node.
#[derive(Debug)]
pub(super) struct Tree {
    /// Where it begins (a scalar: all of it).
    pub(super) span: Span,
    /// What it is.
    pub(super) kind: Kind,
}

impl Tree {
    /// A scalar with this text.
    pub(super) fn text(text: &str, span: Span) -> Self {
        let text = text.to_owned();
        let kind = Kind::Scalar { text, plain: true };
        Self { span, kind }
    }
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Text.
    Scalar {
        /// The text.
        text: String,
        /// Written without quotes?
        plain: bool,
    },
    /// A list.
    List(Vec<Tree>),
    /// A mapping, in the order of the source.
    Map(Vec<Entry>),
    /// Something that was reported.
    Broken,
}

impl Kind {
    /// What it is, for people.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Scalar { plain: true, text } if text == "~" || text.is_empty() => "nothing",
            Self::Scalar { .. } => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Broken => "something else",
        }
    }
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key is.
    pub(super) key_span: Span,
    /// The value.
    pub(super) value: Tree,
}

/// Parses `source`. `None`: it is no YAML, nothing else can be checked.
pub(super) fn parse(context: &mut Context) -> Option<Tree> {
    let source = context.source();
    let source = source.as_ref();
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("the file is larger than {SOURCE_BYTES_MAX} bytes");
        context.report(Diagnostic::new(codes::BUDGET, Span::default(), message));
        return None;
    }
    let options = granit_parser::options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut builder = Builder::default();
    for next in Parser::new_from_str_with_options(source, options) {
        let result = match next {
            Ok((event, span)) => builder.take(event, place(&span), context),
            Err(error) => Err(syntax(source, &error)),
        };
        if let Err(diagnostic) = result {
            context.report(*diagnostic);
            return None;
        }
    }
    Some(builder.finish())
}

/// Boxed: it is the rare case of a small result.
type Stop = Box<Diagnostic>;

/// Builds the tree without recursion: a stack of open collections.
#[derive(Default)]
struct Builder {
    open: Vec<Frame>,
    root: Option<Tree>,
    nodes: usize,
    documents: usize,
}

struct Frame {
    span: Span,
    content: Content,
}

/// A key that waits for its value. `None`: it was reported, and its value is dropped.
type Key = Option<(String, Span)>;

enum Content {
    List(Vec<Tree>),
    Map(Vec<Entry>, Option<Key>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span, context: &mut Context) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(..) => self.document(span, context),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span, context);
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                self.put(span, Kind::Scalar { text, plain }, context)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span, context);
                self.push(span, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span, context);
                self.push(span, Content::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.pop(context),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                forbidden(context, span, "aliases are not part of the language");
                self.put(span, Kind::Broken, context)
            }
            _ => Ok(()),
        }
    }

    fn document(&mut self, span: Span, context: &mut Context) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents == 2 {
            forbidden(
                context,
                span,
                "a file holds one definition: a second document begins here",
            );
        }
        Ok(())
    }

    fn refuse(&mut self, anchor: usize, tag: bool, span: Span, context: &mut Context) {
        if anchor != 0 {
            forbidden(context, span, "anchors are not part of the language");
        }
        if tag {
            forbidden(context, span, "tags are not part of the language");
        }
    }

    fn push(&mut self, span: Span, content: Content) -> Result<(), Stop> {
        if self.open.len() >= DEPTH_MAX {
            return Err(too_deep(span));
        }
        self.open.push(Frame { span, content });
        Ok(())
    }

    fn pop(&mut self, context: &mut Context) -> Result<(), Stop> {
        let Some(frame) = self.open.pop() else {
            return Ok(());
        };
        let kind = match frame.content {
            Content::List(items) => Kind::List(items),
            Content::Map(entries, _) => Kind::Map(entries),
        };
        self.put(frame.span, kind, context)
    }

    fn put(&mut self, span: Span, kind: Kind, context: &mut Context) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} values");
            return Err(Box::new(Diagnostic::new(codes::BUDGET, span, message)));
        }
        let tree = Tree { span, kind };
        match self.open.last_mut().map(|frame| &mut frame.content) {
            Some(Content::List(items)) => items.push(tree),
            Some(Content::Map(entries, key)) => {
                put_in_map(entries, key, tree, context);
                if entries.len() > KEYS_MAX {
                    let message = format!("more than {KEYS_MAX} keys in one mapping");
                    return Err(Box::new(Diagnostic::new(codes::BUDGET, span, message)));
                }
            }
            None if self.documents <= 1 => self.root = Some(tree),
            None => {}
        }
        Ok(())
    }

    fn finish(self) -> Tree {
        let nothing = Kind::Scalar {
            text: String::new(),
            plain: true,
        };
        self.root.unwrap_or(Tree {
            span: Span::default(),
            kind: nothing,
        })
    }
}

fn put_in_map(entries: &mut Vec<Entry>, key: &mut Option<Key>, tree: Tree, context: &mut Context) {
    let Some(waiting) = key.take() else {
        *key = Some(key_of(tree, context));
        return;
    };
    let Some((name, key_span)) = waiting else {
        return;
    };
    if let Some(first) = entries.iter().find(|e| e.key == name) {
        duplicate(context, &name, first.key_span, key_span);
        return;
    }
    entries.push(Entry {
        key: name,
        key_span,
        value: tree,
    });
}

/// The text of a key.
fn key_of(tree: Tree, context: &mut Context) -> Key {
    match tree.kind {
        Kind::Scalar { text, plain: true } if text == "<<" => {
            forbidden(context, tree.span, "merges are not part of the language");
            None
        }
        Kind::Scalar { text, .. } => Some((text, tree.span)),
        _ => {
            context.wrong_shape(&tree, "text as the key");
            None
        }
    }
}

fn duplicate(context: &mut Context, name: &str, first: Span, second: Span) {
    let place = context.place_of(first);
    let message = format!("the key `{name}` comes twice");
    let found = Diagnostic::new(codes::DUPLICATE_KEY, second, message)
        .label(format!("the first one is in {place}"));
    context.report(found);
}

fn forbidden(context: &mut Context, span: Span, message: &str) {
    context.report(Diagnostic::new(codes::FORBIDDEN_YAML, span, message));
}

fn syntax(source: &str, error: &granit_parser::ScanError) -> Stop {
    let at = error.marker().byte_offset().unwrap_or(source.len());
    let span = Span::new(at, at + 1);
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(span),
        _ => Box::new(Diagnostic::new(codes::SYNTAX, span, error.info())),
    }
}

fn too_deep(span: Span) -> Stop {
    let message = format!("nested more than {DEPTH_MAX} deep");
    Box::new(Diagnostic::new(codes::BUDGET, span, message))
}

fn place(span: &granit_parser::Span) -> Span {
    span.byte_range()
        .map_or_else(Span::default, |range| Span::new(range.start, range.end))
}
