//! The plan of one source partition, pure: business events in, inbox records and dead letters out.
//!
//! A record whose schema is not known yet ends the plan before it: it is planned when it is.
//!
//! Absent on purpose: I/O.

use saga_lib::expr::{Expr, Fault, Scope};
use saga_lib::input::Event;
use saga_lib::ir::{Definition, From, Start};
use saga_lib::transition;
use schemas::bundle::Active;
use schemas::dead_letter;
use schemas::event::{Decoded, Reading};
use schemas::inbox::{Origin, encode_event};
use schemas::record::{Outgoing, Received};
use schemas::signature::{self, Keys};
use schemas::topics::Topics;
use serde_json::Value;

use super::reader::{Reader, original};
use crate::registry::Definitions;
use crate::stats::Stats;
use crate::worker::role::{LanePlan, Output, OutputClass};

mod correlate;

/// What a plan needs to know.
pub struct Context<'a> {
    /// Topic names.
    pub names: &'a Topics,
    /// Lanes of the installation.
    pub lanes: u32,
    /// Keys of internal records.
    pub keys: &'a Keys,
    /// Definitions known to this process.
    pub definitions: &'a Definitions,
    /// Group id, for dead letters.
    pub group: &'a str,
    /// Largest inbox record.
    pub bytes_max: usize,
    /// Reads records.
    pub reader: &'a Reader,
}

/// A complete plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Records.
    pub plan: LanePlan,
    /// For metrics.
    pub stats: Stats,
    /// Offset behind the last record.
    pub end: i64,
    /// For every record that some definition wants: did nothing but a dead letter come of it?
    pub dead: Vec<bool>,
}

impl Outcome {
    /// Notes what came of `record`: the outputs from number `from` on. A good output makes a good record: a definition that refuses an
    /// event costs the others nothing, so it must not stop their topic either.
    fn judge(&mut self, cx: &Context<'_>, record: &Received, from: usize) {
        let made = &self.plan.outputs[from..];
        let has = |class| made.iter().any(|output| output.class == class);
        let dead = (!made.is_empty()).then(|| !has(OutputClass::Inbox));
        self.dead.extend(dead);
        if record.partition.topic == cx.names.redrive() {
            self.stats.redriven(record, dead);
        }
    }
}

/// Why a record is set aside.
struct Refusal {
    class: &'static str,
    stage: &'static str,
    message: String,
    definition: Option<String>,
}

/// Plans `records` in order. `refused` names offsets whose outputs the log refused, with the reason.
pub fn plan(cx: &Context<'_>, records: &[Received], refused: &[(i64, String)]) -> Outcome {
    let mut out = Outcome::default();
    for record in records {
        let from = out.plan.outputs.len();
        out.end = record.offset;
        if let Some((_, reason)) = refused.iter().find(|(offset, _)| *offset == record.offset) {
            let refusal = Refusal {
                class: "output_refused",
                stage: "produce",
                message: reason.clone(),
                definition: None,
            };
            set_aside(cx, &mut out, record, &refusal);
        } else if !one(cx, &mut out, record) {
            break;
        }
        out.end += 1;
        out.stats.arrived("event", record.timestamp_ms);
        out.judge(cx, record, from);
    }
    out
}

/// False: the record's schema is not there yet, although it was when the batch was taken. The plan ends before it.
fn one(cx: &Context<'_>, out: &mut Outcome, record: &Received) -> bool {
    let (record, only) = match original(cx.names, record) {
        Ok(original) => original,
        Err(error) => {
            let refusal = Refusal {
                class: "undecodable",
                stage: "decode",
                message: error.to_string(),
                definition: None,
            };
            set_aside(cx, out, record, &refusal);
            return true;
        }
    };
    let record = &*record;
    match cx.reader.read(record) {
        Ok(Reading::NotYet) => return false,
        Ok(Reading::Nothing) => out.stats.skip("tombstone"),
        Ok(Reading::Event(decoded)) => decoded_event(cx, out, record, &decoded, only.as_deref()),
        Err(error) => {
            *out.stats.undecodable.entry("event").or_default() += 1;
            let refusal = Refusal {
                class: "undecodable",
                stage: "decode",
                message: error.to_string(),
                definition: only,
            };
            set_aside(cx, out, record, &refusal);
        }
    }
    true
}

/// One inbox record per matching definition; a definition that refuses the event costs the others nothing.
fn decoded_event(
    cx: &Context<'_>,
    out: &mut Outcome,
    record: &Received,
    decoded: &Decoded,
    only: Option<&str>,
) {
    let mut matched = false;
    let readers = cx.definitions.sources_read().get(&record.partition.topic);
    for (version, active) in readers.iter().flat_map(|readers| &readers.starts) {
        let (reference, definition) = (&version.reference, &*version.definition);
        if only.is_some_and(|only| !names_same(only, reference)) {
            continue;
        }
        for start in definition
            .starts
            .iter()
            .filter(|s| matches_record(s, record, decoded))
        {
            if only.is_none() && before_activation(start, active, record) {
                continue;
            }
            matched = true;
            match inbox_record(cx, record, decoded, (reference, definition), start) {
                Ok(Some(outgoing)) => sign_and_push(cx, out, record, outgoing, reference),
                Ok(None) => out.stats.skip("filtered"),
                Err(refusal) => set_aside(cx, out, record, &refusal),
            }
        }
    }
    let correlated = correlate::correlate(cx, out, record, decoded, only);
    if !matched && !correlated {
        out.stats.skip("no_match");
    }
}

/// A dead letter names the version that refused it; a newer version of the same saga takes its place.
fn names_same(only: &str, reference: &str) -> bool {
    only.split('@').next() == reference.split('@').next()
}

fn matches_record(start: &Start, record: &Received, decoded: &Decoded) -> bool {
    start.topic == record.partition.topic
        && start.r#type.as_ref().is_none_or(|t| decoded.is_type(t))
}

/// A definition deployed later skips events before its own start point.
fn before_activation(start: &Start, active: &Active, record: &Received) -> bool {
    match start.from {
        From::Activation => record.timestamp_ms < active.activated_ms,
        From::Time(ms) => record.timestamp_ms < ms,
        From::Earliest | From::Latest => false,
    }
}

fn inbox_record(
    cx: &Context<'_>,
    record: &Received,
    decoded: &Decoded,
    (reference, definition): (&str, &Definition),
    start: &Start,
) -> Result<Option<Outgoing>, Refusal> {
    let refuse = |class, message| Refusal {
        class,
        stage: class,
        message,
        definition: Some(reference.to_owned()),
    };
    let scope = Scope::new().with(&start.bind, &decoded.payload);
    let wanted = start
        .filter
        .as_ref()
        .map_or(Ok(true), |filter| truth(filter, &scope));
    if !wanted.map_err(|fault| refuse("filter", format!("`where` of {reference}: {fault}")))? {
        return Ok(None);
    }
    let key = text(&start.key, &scope)
        .map_err(|fault| refuse("key", format!("`key` of {reference}: {fault}")))?;
    let place = format!(
        "{}/{}/{}",
        record.partition.topic, record.partition.number, record.offset
    );
    let trigger = match (&decoded.trigger, &start.id) {
        (Some(trigger), _) => trigger.clone(),
        (None, Some(id)) => text(id, &scope)
            .map_err(|fault| refuse("key", format!("`id` of {reference}: {fault}")))?,
        (None, None) => place.clone(),
    };
    let event = Event {
        bind: start.bind.clone(),
        key,
        // By the name that the definition knows it by.
        r#type: start.r#type.clone().or_else(|| decoded.r#type.clone()),
        trigger,
        payload: decoded.payload.clone(),
    };
    let saga = transition::saga_id(definition, &event)
        .map_err(|error| refuse("key", format!("`key` of {reference}: {error}")))?;
    let origin = Origin {
        id: &event.trigger,
        traceparent: decoded.traceparent.as_deref(),
    };
    Ok(Some(encode_event(
        cx.names, cx.lanes, &saga, reference, &event, &origin,
    )))
}

/// Signs an internal record and plans it, unless it is too large.
fn sign_and_push(
    cx: &Context<'_>,
    out: &mut Outcome,
    record: &Received,
    mut outgoing: Outgoing,
    reference: &str,
) {
    if outgoing.size() > cx.bytes_max {
        let refusal = Refusal {
            class: "too_large",
            stage: "too_large",
            message: format!(
                "the inbox record would have {} bytes, more than {}",
                outgoing.size(),
                cx.bytes_max
            ),
            definition: Some(reference.to_owned()),
        };
        return set_aside(cx, out, record, &refusal);
    }
    let lane = outgoing.partition.unwrap_or_default();
    signature::sign(cx.keys, cx.names.app(), lane, &mut outgoing);
    out.plan.outputs.push(Output {
        record: outgoing,
        input: record.offset,
        class: OutputClass::Inbox,
    });
}

fn truth(expr: &Expr, scope: &Scope<'_>) -> Result<bool, Fault> {
    match expr.evaluate(scope)? {
        Value::Bool(truth) => Ok(truth),
        other => Err(Fault {
            expression: expr.source().to_owned(),
            message: format!("{other} is not true or false"),
        }),
    }
}

/// A business key: text or a whole number.
fn text(expr: &Expr, scope: &Scope<'_>) -> Result<String, Fault> {
    match expr.evaluate(scope)? {
        Value::String(text) if !text.is_empty() => Ok(text),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        other => Err(Fault {
            expression: expr.source().to_owned(),
            message: format!("{other} is no text or whole number"),
        }),
    }
}

fn set_aside(cx: &Context<'_>, out: &mut Outcome, record: &Received, refusal: &Refusal) {
    out.stats.dead_letter(refusal.class);
    let cause = dead_letter::Cause {
        class: refusal.class.to_owned(),
        stage: refusal.stage.to_owned(),
        message: refusal.message.clone(),
        saga: None,
        definition: refusal.definition.clone(),
        group: cx.group.to_owned(),
        delivery_count: 1,
    };
    let letter = dead_letter::encode(cx.names, record, &cause);
    out.plan.outputs.push(Output {
        record: letter,
        input: record.offset,
        class: OutputClass::DeadLetter,
    });
}

#[cfg(test)]
mod tests;
