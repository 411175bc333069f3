//! Scalars, typed by the field that reads them.
//!
//! Absent on purpose: guessing. A field that is text reads `no`, `on` and `010` as text.

use super::codes;
use super::context::{Context, nearest};
use super::diagnostic::{Diagnostic, Span};
use super::fields::Shape;
use super::object::Reader;
use super::time;
use super::tree::{Kind, Tree};
use crate::expr::{is_identifier, is_word_of_cel};
use crate::id::is_name;
use crate::ir::Target;

/// Longest name, in bytes: names are parts of ids, which have a bound of their own.
const NAME_BYTES_MAX: usize = 64;

/// Longest name of a topic in Kafka.
const TOPIC_BYTES_MAX: usize = 249;

/// Names the engine defines.
const RESERVED: [&str; 7] = ["error", "event", "flag", "now", "reply", "request", "saga"];

impl Reader<'_> {
    /// Text that is not empty.
    pub(super) fn text(&self, context: &mut Context, name: &str) -> Option<String> {
        text(context, self.get(name)?, "text").map(str::to_owned)
    }

    /// A name that may be part of an id.
    pub(super) fn id(&self, context: &mut Context, name: &str) -> Option<String> {
        id(context, self.get(name)?)
    }

    /// A topic.
    pub(super) fn topic(&self, context: &mut Context, name: &str) -> Option<String> {
        let tree = self.get(name)?;
        let text = text(context, tree, "the name of a topic")?;
        topic_text(context, text, tree.span)
    }

    /// A whole number within the bounds of the table.
    pub(super) fn integer(&self, context: &mut Context, name: &str) -> Option<i64> {
        let tree = self.get(name)?;
        let text = text(context, tree, "a whole number")?;
        let Some(Shape::Integer(low, high)) = self.object.field(name).map(|f| f.shape) else {
            return None;
        };
        let number = plain_integer(text).filter(|n| (low..=high).contains(n));
        if number.is_none() {
            let message = format!("`{text}` is not a whole number from {low} to {high}");
            context.report(Diagnostic::new(codes::BAD_NUMBER, tree.span, message));
        }
        number
    }

    /// A number within the bounds of the table.
    pub(super) fn number(&self, context: &mut Context, name: &str) -> Option<f64> {
        let tree = self.get(name)?;
        let text = text(context, tree, "a number")?;
        let Some(Shape::Number(low, high)) = self.object.field(name).map(|f| f.shape) else {
            return None;
        };
        let number = serde_json::from_str::<f64>(text).ok();
        let number = number.filter(|n| (low..=high).contains(n));
        if number.is_none() {
            let message = format!("`{text}` is not a number from {low} to {high}");
            context.report(Diagnostic::new(codes::BAD_NUMBER, tree.span, message));
        }
        number
    }

    /// A duration in ms.
    pub(super) fn duration(&self, context: &mut Context, name: &str) -> Option<i64> {
        let tree = self.get(name)?;
        let text = text(context, tree, "a duration")?;
        let ms = time::duration_ms(text).filter(|ms| *ms > 0);
        if ms.is_none() {
            let message = format!("`{text}` is not a duration");
            let found = Diagnostic::new(codes::BAD_DURATION, tree.span, message)
                .help("write a whole number and a unit: 200ms, 10s, 5m, 2h, 4d (at most 3650d)");
            context.report(found);
        }
        ms
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, context: &mut Context, name: &str) -> Option<bool> {
        let tree = self.get(name)?;
        match one_of(context, tree, &["true", "false"])? {
            "true" => Some(true),
            _ => Some(false),
        }
    }

    /// One of the words of the table.
    pub(super) fn word(&self, context: &mut Context, name: &str) -> Option<&'static str> {
        let tree = self.get(name)?;
        let Some(Shape::Word(words)) = self.object.field(name).map(|f| f.shape) else {
            return None;
        };
        one_of(context, tree, words)
    }
}

/// The text of a scalar that is not empty.
pub(super) fn text<'t>(context: &mut Context, tree: &'t Tree, expected: &str) -> Option<&'t str> {
    match &tree.kind {
        Kind::Scalar { text, plain } if !(text.is_empty() || *plain && text == "~") => Some(text),
        Kind::Scalar { plain: false, .. } => {
            let message = format!("expected {expected}, found empty text");
            context.report(Diagnostic::new(codes::EMPTY, tree.span, message));
            None
        }
        _ => {
            context.wrong_shape(tree, expected);
            None
        }
    }
}

/// One of `words`.
pub(super) fn one_of(
    context: &mut Context,
    tree: &Tree,
    words: &[&'static str],
) -> Option<&'static str> {
    let choice = words.join(", ");
    let text = text(context, tree, &format!("one of {choice}"))?;
    let word = words.iter().copied().find(|word| *word == text);
    if word.is_none() {
        let message = format!("`{text}` is not possible here");
        let found = Diagnostic::new(codes::BAD_WORD, tree.span, message)
            .label(format!("expected one of {choice}"))
            .suggest(nearest(text, words.iter().copied()));
        context.report(found);
    }
    word
}

/// A topic, given as text.
pub(super) fn topic_text(context: &mut Context, text: &str, span: Span) -> Option<String> {
    if !is_topic(text) {
        context.report(bad_topic(text, span));
        return None;
    }
    Some(text.to_owned())
}

/// A name that may be part of an id.
fn id(context: &mut Context, tree: &Tree) -> Option<String> {
    let text = text(context, tree, "a name")?;
    id_text(context, text, tree.span)
}

/// A name that may be part of an id, given as text.
pub(super) fn id_text(context: &mut Context, text: &str, span: Span) -> Option<String> {
    let long = text.len() > NAME_BYTES_MAX;
    let problem = match text {
        _ if long => format!("longer than {NAME_BYTES_MAX} characters"),
        _ if !is_name(text) => "a name has letters, digits, `_` and `-` only".to_owned(),
        _ if text.starts_with('_') => "names that begin with `_` are generated".to_owned(),
        _ if is_reserved(text) => "this name is reserved".to_owned(),
        _ => return Some(text.to_owned()),
    };
    context.report(bad_name(text, span, problem));
    None
}

/// A name that expressions read after a dot: nothing is reserved there.
pub(super) fn field(context: &mut Context, name: &str, span: Span) -> Option<String> {
    if name.len() <= NAME_BYTES_MAX && is_identifier(name) {
        return Some(name.to_owned());
    }
    let problem = format!("at most {NAME_BYTES_MAX} letters, digits and `_`, no digit first");
    context.report(bad_name(name, span, problem));
    None
}

/// A name that expressions begin with.
pub(super) fn variable(context: &mut Context, name: &str, span: Span) -> Option<String> {
    let problem = match name {
        _ if name.len() > NAME_BYTES_MAX => format!("longer than {NAME_BYTES_MAX} characters"),
        _ if !is_identifier(name) || name.starts_with('_') => {
            "it begins with a letter and has letters, digits and `_` only".to_owned()
        }
        _ if is_reserved(name) => "this name is reserved".to_owned(),
        _ => return Some(name.to_owned()),
    };
    context.report(bad_name(name, span, problem));
    None
}

/// `service.operation`, without a contract: topic `service.commands`, message type `operation`.
pub(super) fn operation(context: &mut Context, tree: &Tree) -> Option<Target> {
    let text = text(context, tree, "an operation")?;
    let parts = text.rsplit_once('.');
    let valid = |(service, operation): &(&str, &str)| {
        !service.is_empty() && service.split('.').all(is_name) && is_name(operation)
    };
    let Some((service, operation)) = parts.filter(valid) else {
        let message = format!("`{text}` is not an operation");
        let found = Diagnostic::new(codes::BAD_OPERATION, tree.span, message)
            .help("write `service.operation`, for example `credit.reserve`");
        context.report(found);
        return None;
    };
    let topic = format!("{service}.commands");
    if !is_topic(&topic) {
        context.report(bad_topic(&topic, tree.span));
        return None;
    }
    Some(Target {
        operation: text.to_owned(),
        topic,
        r#type: operation.to_owned(),
        replies: None,
    })
}

/// Digits with an optional sign and no leading zero: `010` is not ten, and not eight either.
fn plain_integer(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || is_word_of_cel(name)
}

fn is_topic(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !matches!(text, "." | "..") && text.len() <= TOPIC_BYTES_MAX && text.bytes().all(legal)
}

fn bad_topic(text: &str, span: Span) -> Diagnostic {
    let message = format!("`{text}` is not the name of a topic");
    Diagnostic::new(codes::BAD_TOPIC, span, message)
        .help("a topic has 1 to 249 letters, digits, `.`, `_` and `-`")
}

fn bad_name(text: &str, span: Span, problem: String) -> Diagnostic {
    let message = format!("`{text}` cannot be a name here");
    Diagnostic::new(codes::BAD_NAME, span, message).label(problem)
}
