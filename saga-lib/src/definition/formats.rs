//! Formats: which messages are sent in Avro, and with which schema.
//!
//! A message is a type in a topic: every command or event of that type goes there in one format, whoever sends it. So a contract is
//! obeyed by compensations, second providers and questions without a word of theirs.
//!
//! Absent on purpose: ids of schemas, and whether a registry takes them (see `skald deploy`).

use std::collections::BTreeMap;

use super::codes;
use super::context::Context;
use super::contract::{self, Format, Operation};
use super::data;
use super::diagnostic::{Diagnostic, Span};
use super::inline::{self, Inlined};
use super::object::Reader;
use super::scalar;
use super::tree::{Entry, Kind, Tree};
use super::types::{self, Slot};
use super::uses::Files;
use crate::ir::{AvroMessage, Definition};

/// Most bytes of all schemas that one definition sends with: they are part of it.
const BYTES_MAX: usize = 256 * 1024;

/// How messages are sent that contracts speak of, by topic and type.
#[derive(Debug, Default)]
pub(super) struct Formats(BTreeMap<(String, String), Sent>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sent {
    Json,
    Avro(AvroMessage),
    /// A mistake that was reported.
    Broken,
}

impl Formats {
    /// What a definition sends in Avro.
    pub(super) fn used_by(
        &self,
        context: &mut Context,
        definition: &Definition,
    ) -> Vec<AvroMessage> {
        let mut used = BTreeMap::new();
        for (topic, r#type) in definition.sent() {
            let message = (topic.to_owned(), r#type.to_owned());
            if let Some(Sent::Avro(avro)) = self.0.get(&message) {
                used.insert(message, avro.clone());
            }
        }
        let used: Vec<AvroMessage> = used.into_values().collect();
        let bytes: usize = used.iter().map(|message| message.schema.len()).sum();
        if bytes > BYTES_MAX {
            let message = "the Avro schemas of this definition are too large";
            let found = Diagnostic::new(codes::BUDGET, Span::default(), message)
                .label(format!("{bytes} bytes together, at most {BYTES_MAX}"));
            context.report(found);
        }
        used
    }

    /// What an Avro message looks like.
    pub(super) fn slot(&self, topic: &str, r#type: &str) -> Option<Slot> {
        match self.0.get(&(topic.to_owned(), r#type.to_owned()))? {
            Sent::Avro(message) => types::parse(".avsc", &message.schema).ok(),
            _ => None,
        }
    }

    fn add(&mut self, context: &mut Context, message: (String, String), sent: Sent, span: Span) {
        let known = self.0.get(&message);
        if known.is_some_and(|known| *known != sent && *known != Sent::Broken) {
            let (topic, r#type) = &message;
            let text = format!("`{type}` in `{topic}` is sent in two formats");
            let found = Diagnostic::new(codes::NO_AVRO, span, text)
                .label("another operation or contract sends it otherwise")
                .help("a reader must know what it gets: give both the same `format` and schema, or another `send`");
            context.report(found);
            return;
        }
        self.0.insert(message, sent);
    }
}

/// What one contract says about its messages.
pub(super) struct OfContract<'c> {
    format: Format,
    folder: Option<&'c str>,
    files: &'c Files<'c>,
}

impl<'c> OfContract<'c> {
    /// Reads the contract's own format. `folder` is that of its schemas.
    pub(super) fn open(
        context: &mut Context,
        header: &Reader<'_>,
        folder: Option<&'c str>,
        files: &'c Files<'c>,
    ) -> Self {
        Self {
            format: contract::format(context, header).unwrap_or(Format::Json),
            folder,
            files,
        }
    }

    /// How the command of an operation is sent.
    pub(super) fn of(&self, operation: &Operation) -> Format {
        operation.format.unwrap_or(self.format)
    }

    /// Notes how the command of an operation is sent.
    pub(super) fn command(
        &self,
        context: &mut Context,
        formats: &mut Formats,
        operation: &Operation,
        entry: &Entry,
    ) {
        let target = &operation.target;
        let message = (target.topic.clone(), target.r#type.clone());
        let sent = self.sent(context, &message, self.of(operation), entry.key_span);
        formats.add(context, message, sent, entry.key_span);
    }

    /// Notes how the events under `events` are sent.
    pub(super) fn events(&self, context: &mut Context, formats: &mut Formats, header: &Reader<'_>) {
        let entries = header
            .get("events")
            .and_then(|tree| data::entries(context, tree));
        for entry in entries.unwrap_or_default() {
            let Some(topic) = scalar::topic_text(context, &entry.key, entry.key_span) else {
                continue;
            };
            for tree in one_or_many(&entry.value) {
                let Some(r#type) = scalar::text(context, tree, "a message type") else {
                    continue;
                };
                let message = (topic.clone(), r#type.to_owned());
                let sent = self.sent(context, &message, self.format, tree.span);
                formats.add(context, message, sent, tree.span);
            }
        }
    }

    fn sent(
        &self,
        context: &mut Context,
        (topic, r#type): &(String, String),
        format: Format,
        span: Span,
    ) -> Sent {
        if format == Format::Json {
            return Sent::Json;
        }
        match self.schema(r#type) {
            Ok(found) => Sent::Avro(AvroMessage {
                topic: topic.clone(),
                r#type: r#type.clone(),
                name: found.name,
                schema: found.schema,
            }),
            Err((message, help)) => {
                let message = format!("`{type}` cannot be sent in Avro: {message}");
                context.report(Diagnostic::new(codes::NO_AVRO, span, message).help(help));
                Sent::Broken
            }
        }
    }

    /// The schema of a message; else why there is none, and what to do.
    fn schema(&self, r#type: &str) -> Result<Inlined, (String, String)> {
        let Some(folder) = self.folder else {
            let message = "its contract names no folder of schemas".to_owned();
            let help = format!("add `types: <folder>`, with `{type}.avsc` in it, to the contract");
            return Err((message, help));
        };
        let text = inline::file(self.files, folder, r#type).ok_or_else(|| {
            let message = format!("there is no `{type}.avsc` in `{folder}`");
            let help =
                "add it, name the type of an existing one with `send`, or write `format: json`";
            (message, help.to_owned())
        })?;
        inline::inline(self.files, folder, &text).map_err(|problem| {
            let help = format!("mend `{type}.avsc`, or write `format: json`");
            (problem, help)
        })
    }
}

fn one_or_many(tree: &Tree) -> &[Tree] {
    match &tree.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(tree),
    }
}

#[cfg(test)]
mod tests;
