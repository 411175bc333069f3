//! Contracts: what an operation is, said once for every saga that uses it.
//!
//! Absent on purpose: where the files are read (see [`super::uses`]).

use std::collections::BTreeMap;

use super::catch::is_own_outcome;
use super::codes;
use super::compensation::{self, Undo};
use super::context::Context;
use super::data;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{OPERATION, QUERY, REPLIES};
use super::flow::key_of;
use super::names::Names;
use super::object::Reader;
use super::scalar;
use super::tree::{Entry, Kind, Tree};
use super::uses::Library;
use crate::expr::Expr;
use crate::ir::{Replies, Target, Template};

/// What an operation leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it only reads.
    None,
    /// Something that can be taken back.
    Compensatable,
    /// Something that cannot.
    Final,
}

/// An operation, by contract or by default.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// Who is asked.
    pub(super) target: Target,
    /// Outcomes that leave an effect.
    pub(super) success: Vec<String>,
    /// Outcomes that definitely leave none.
    pub(super) refusal: Vec<String>,
    /// Message types of replies, and their outcomes.
    pub(super) types: BTreeMap<String, String>,
    /// What it leaves.
    pub(super) effect: Effect,
    /// How it is taken back, if the contract says so.
    pub(super) undo: Option<Undo>,
    /// How long an attempt may take.
    pub(super) timeout_ms: Option<i64>,
    /// A question for an unknown outcome.
    pub(super) query: Option<Query>,
    /// Outcome of replies that do not say it.
    pub(super) outcome: Option<Expr>,
    /// Folder of the schemas of its messages.
    pub(super) schemas: Option<String>,
    /// How its command is sent; as its contract says, if `None`.
    pub(super) format: Option<Format>,
}

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// As JSON.
    Json,
    /// In Avro, in the framing of a schema registry.
    Avro,
}

/// A question for an unknown outcome.
#[derive(Debug, Clone)]
pub(super) struct Query {
    /// Who is asked.
    pub(super) target: Target,
    /// Body; that of the step, if `None`.
    pub(super) payload: Option<Template>,
}

impl Operation {
    /// An operation that no contract describes.
    pub(super) fn plain(target: Target) -> Self {
        Self {
            target,
            success: vec!["ok".to_owned()],
            refusal: vec!["refused".to_owned()],
            types: BTreeMap::new(),
            effect: Effect::Compensatable,
            undo: None,
            timeout_ms: None,
            query: None,
            outcome: None,
            schemas: None,
            format: None,
        }
    }
}

/// Lowers one operation of a contract, whose name is known to be one.
pub(super) fn operation(
    context: &mut Context,
    library: &Library<'_>,
    plain: Target,
    entry: &Entry,
) -> Option<Operation> {
    let reader = Reader::open(context, &entry.value, &OPERATION)?;
    let names = Names::begun();
    let mut types = BTreeMap::new();
    let success = outcomes(context, &reader, "success", &mut types);
    let refusal = outcomes(context, &reader, "refusal", &mut types);
    check_apart(context, &reader, &success, &refusal);
    let topic = reader.topic(context, "topic");
    let send = reader.text(context, "send");
    let replies = reader.get("replies");
    let target = Target {
        topic: topic.unwrap_or(plain.topic),
        r#type: send.unwrap_or(plain.r#type),
        replies: replies.and_then(|tree| self::replies(context, tree)),
        operation: plain.operation,
    };
    let effect = match reader.word(context, "effect") {
        Some("none") => Effect::None,
        Some("final") => Effect::Final,
        _ => Effect::Compensatable,
    };
    let query = reader.get("query");
    Some(Operation {
        target,
        success,
        refusal,
        types,
        effect,
        undo: compensation::undo(context, library, &names, &reader, None),
        timeout_ms: reader.duration(context, "timeout"),
        query: query.and_then(|tree| self::query(context, library, &names, tree)),
        outcome: reader.expression(context, &reply_names(), "outcome"),
        schemas: None,
        format: format(context, &reader),
    })
}

/// The word under `format` of a contract or an operation.
pub(super) fn format(context: &mut Context, reader: &Reader<'_>) -> Option<Format> {
    match reader.word(context, "format")? {
        "avro" => Some(Format::Avro),
        _ => Some(Format::Json),
    }
}

/// Names of outcomes in the order of the source; their message types go to `types`.
fn outcomes(
    context: &mut Context,
    reader: &Reader<'_>,
    key: &str,
    types: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let default = if key == "success" { "ok" } else { "refused" };
    let Some(tree) = reader.get(key) else {
        return vec![default.to_owned()];
    };
    let mut names = Vec::new();
    for entry in data::entries(context, tree).unwrap_or_default() {
        let name = scalar::id_text(context, &entry.key, entry.key_span);
        let r#type = scalar::text(context, &entry.value, "a message type");
        let Some((name, r#type)) = name.zip(r#type) else {
            continue;
        };
        if !is_own_outcome(context, "an outcome", &name, entry.key_span) {
            continue;
        }
        if let Some(first) = types.insert(r#type.to_owned(), name.clone()) {
            let message = format!("the message type `{type}` means two outcomes");
            let found = Diagnostic::new(codes::NAME_TAKEN, entry.value.span, message)
                .label(format!("`{first}` has it"));
            context.report(found);
        }
        names.push(name);
    }
    names
}

fn check_apart(context: &mut Context, reader: &Reader<'_>, success: &[String], refusal: &[String]) {
    if let Some(both) = success.iter().find(|name| refusal.contains(name)) {
        let message = format!("`{both}` is a success and a refusal");
        let found = Diagnostic::new(codes::NAME_TAKEN, reader.key_span("refusal"), message)
            .label("a refusal definitely leaves no effect, a success does");
        context.report(found);
    }
}

fn replies(context: &mut Context, tree: &Tree) -> Option<Replies> {
    let by_key = key_of(tree, "key").filter(|_| key_of(tree, "command").is_none());
    if let Some(span) = by_key {
        context.report(only_by_command(span));
        return None;
    }
    let reader = Reader::open(context, tree, &REPLIES)?;
    let topic = reader.topic(context, "topic");
    let names = Names::new().with(&["event"]);
    let command = reader.expression(context, &names, "command");
    Some(Replies {
        topic: topic?,
        command: command?,
    })
}

fn only_by_command(span: Span) -> Diagnostic {
    let message = "replies that name only the business key are not supported by this release yet";
    Diagnostic::new(codes::NOT_SUPPORTED, span, message)
        .label("several commands may wait for a reply with this key")
        .help("let the service send the command id back, and name it: `command: event.commandId`")
}

fn query(
    context: &mut Context,
    library: &Library<'_>,
    names: &Names,
    tree: &Tree,
) -> Option<Query> {
    if !matches!(tree.kind, Kind::Map(_)) {
        let target = library.target(context, tree)?;
        return Some(Query {
            target,
            payload: None,
        });
    }
    let reader = Reader::open(context, tree, &QUERY)?;
    let target = reader
        .get("command")
        .and_then(|tree| library.target(context, tree));
    let with = reader.get("with");
    let payload = with.and_then(|tree| data::template(context, names, tree));
    Some(Query {
        target: target?,
        payload,
    })
}

/// What the outcome of a reply is computed from.
fn reply_names() -> Names {
    let mut names = Names::new().with(&["reply"]);
    for name in ["saga", "now"] {
        names.refuse(
            name,
            "a reply means the same for every saga: only `reply` is known",
        );
    }
    names
}
