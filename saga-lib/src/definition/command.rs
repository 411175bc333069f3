//! The `command` step: request, reply, second provider, question for an unknown outcome.
//!
//! Without a contract `credit.reserve` means topic `credit.commands`, type `reserve`, outcomes ok and refused.
//!
//! Absent on purpose: spacing of attempts (see [`super::retry`]) and the way back (see [`super::compensation`]).

use std::rc::Rc;

use super::codes;
use super::compensation::{self, TIMEOUT_MS, compensation};
use super::contract::{Effect, Operation};
use super::counter;
use super::data;
use super::diagnostic::Diagnostic;
use super::fields::FALLBACK;
use super::names::Names;
use super::object::Reader;
use super::place::{Phase, Place};
use super::retry;
use super::step::{Head, Lowering, Meaning};
use super::tree::{Kind, Tree};
use super::typed;
use super::types::Slot;
use crate::ir::{self, Compensation, Node, NodeIx, Send, StepKind, Target, Template};
use crate::mutant::{Mutant, planted};

impl Lowering<'_> {
    /// Lowers a command.
    pub(super) fn command(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let reader = head.reader;
        let tree = reader.get("command");
        let target = tree.and_then(|tree| self.library.target(self.context, tree));
        let operation = target.as_ref().map(|target| self.library.operation(target));
        let kind = self.kind(reader, operation.as_deref(), place);
        let Some(operation) = operation else {
            return self.unknown(head, place, kind);
        };
        let own = compensation::undo(self.context, self.library, &place.names, reader, head.id);
        let back = compensation(self.context, self.library, reader, &operation, kind, own);
        let send = self.send(head, place, &operation, kind, back);
        let Some(mut send) = send else {
            return Self::meaning_of(&operation, None, None);
        };
        self.check_attempts(reader, place, &send);
        counter::check(self.context, self.library, reader, &send);
        send.query = self.query(head, &operation, &send);
        let slot = self.result(place, &operation, &send);
        let fallback = self.fallback(head, place, &send);
        send.fallback = fallback.as_ref().map(|(at, _)| *at);
        // The second provider's reply may look different; what is kept of it has the same names.
        let known = send.keep.is_some() || fallback.is_none();
        Meaning {
            slot: slot.filter(|_| known),
            ..Self::meaning_of(&operation, Some(send), fallback)
        }
    }

    /// A step whose operation is not one: what else is wrong with it is told all the same.
    fn unknown(&mut self, head: &Head<'_, '_>, place: &Place, kind: StepKind) -> Meaning {
        let plain = Operation::plain(Target {
            operation: String::new(),
            topic: String::new(),
            r#type: String::new(),
            replies: None,
        });
        let reader = head.reader;
        let own = compensation::undo(self.context, self.library, &place.names, reader, head.id);
        compensation(self.context, self.library, reader, &plain, kind, own);
        self.send(head, place, &plain, kind, None);
        Meaning {
            has_result: true,
            ..Meaning::default()
        }
    }

    /// Where the step stands relative to the pivot; `place` becomes the place after it.
    fn kind(
        &mut self,
        reader: &Reader<'_>,
        operation: Option<&Operation>,
        place: &mut Place,
    ) -> StepKind {
        if reader.flag(self.context, "pivot") == Some(true) {
            return self.pivot(reader, place);
        }
        if operation.is_some_and(|operation| operation.effect == Effect::None) {
            return StepKind::ReadOnly;
        }
        match place.phase {
            Phase::Before => StepKind::Compensatable,
            Phase::After => StepKind::Retriable,
            Phase::Mixed => {
                // Once is enough: every further step would say the same.
                if !std::mem::replace(&mut self.torn, true) && !planted(Mutant::C1TornPivot) {
                    self.context.report(torn(reader));
                }
                match reader.has("compensate") {
                    true => StepKind::Compensatable,
                    false => StepKind::Retriable,
                }
            }
        }
    }

    fn pivot(&mut self, reader: &Reader<'_>, place: &mut Place) -> StepKind {
        let span = reader.get("pivot").map_or(reader.at, |tree| tree.span);
        if place.phase != Phase::Before && !planted(Mutant::C1SecondPivot) {
            let message = "a path has at most one pivot";
            let found = Diagnostic::new(codes::SECOND_PIVOT, span, message)
                .label("an earlier step is the pivot");
            self.context.report(found);
            return StepKind::Retriable;
        }
        if let Some(why) = place.no_pivot {
            let found =
                Diagnostic::new(codes::MISPLACED_PIVOT, span, "the pivot cannot stand here")
                    .label(why)
                    .help("move it before or after this part of the saga");
            self.context.report(found);
            return StepKind::Pivot;
        }
        place.phase = Phase::After;
        StepKind::Pivot
    }

    /// The command itself; `back` is how it is compensated, `None` if that was reported.
    fn send(
        &mut self,
        head: &Head<'_, '_>,
        place: &Place,
        operation: &Operation,
        kind: StepKind,
        back: Option<Compensation>,
    ) -> Option<Send> {
        let (reader, names) = (head.reader, &place.names);
        let payload = reader.data(self.context, names, "with");
        self.check_payload(reader, names, operation, payload.as_ref());
        let key = reader.expression(self.context, names, "key");
        let reply = self.with_reply(names, operation);
        let keep = reader.named_data(self.context, &reply, "keep");
        let timeout_ms = reader.duration(self.context, "timeout");
        let retry = retry::retry(self.context, reader, kind);
        Some(Send {
            target: operation.target.clone(),
            payload: payload?,
            key,
            keep,
            kind,
            success: operation.success.clone(),
            refusal: operation.refusal.clone(),
            compensation: back?,
            timeout_ms: timeout_ms.or(operation.timeout_ms).unwrap_or(TIMEOUT_MS),
            retry,
            types: operation.types.clone(),
            outcome: operation.outcome.clone(),
            fallback: None,
            query: None,
        })
    }

    /// These names and the reply.
    fn with_reply(&mut self, names: &Names, operation: &Operation) -> Names {
        let mut names = names.clone();
        let slot = self.library.reply(self.context, operation);
        names.define_typed("reply", slot);
        names
    }

    /// Compares the body with the schema of the contract.
    fn check_payload(
        &mut self,
        reader: &Reader<'_>,
        names: &Names,
        operation: &Operation,
        payload: Option<&Template>,
    ) {
        let span = reader.key_span("command");
        let name = operation.target.r#type.as_str();
        let folder = operation.schemas.as_deref();
        let schema = folder.and_then(|f| self.library.schema(self.context, f, name, span));
        let Some((schema, payload)) = schema.zip(payload) else {
            return;
        };
        let nothing = Tree::text("", span);
        let at = reader.get("with").unwrap_or(&nothing);
        typed::check_body(self.context, names, &schema, payload, at);
    }

    /// What the step leaves: what is kept of the reply, else the reply.
    fn result(&mut self, place: &Place, operation: &Operation, send: &Send) -> Option<Rc<Slot>> {
        let Some(keep) = &send.keep else {
            return self.library.reply(self.context, operation);
        };
        let names = self.with_reply(&place.names, operation);
        let kept = names.type_of_data(&Template::Object(keep.clone()));
        Some(Rc::new(Slot::of(kept)))
    }

    fn check_attempts(&mut self, reader: &Reader<'_>, place: &Place, send: &Send) {
        let whole = retry::whole_ms(&send.retry, send.timeout_ms).unwrap_or(send.timeout_ms);
        let key = if reader.has("timeout") {
            "timeout"
        } else {
            "command"
        };
        self.check_time(place, send.timeout_ms, whole, reader.key_span(key));
    }

    fn meaning_of(
        operation: &Operation,
        send: Option<Send>,
        fallback: Option<(NodeIx, Rc<Operation>)>,
    ) -> Meaning {
        let mut meaning = Meaning {
            kind: send.map(|send| ir::Kind::Send(Box::new(send))),
            success: operation.success.clone(),
            outcomes: operation.refusal.clone(),
            has_result: true,
            ..Meaning::default()
        };
        if let Some((at, second)) = fallback {
            let new = |name: &&String| !operation.success.contains(name);
            meaning
                .success
                .extend(second.success.iter().filter(new).cloned());
            meaning.outcomes.extend(second.refusal.iter().cloned());
            meaning.ends.push(at);
            meaning.twins.push(at);
        }
        // A success of one provider that the other calls a refusal is caught as what it is for each.
        meaning
            .outcomes
            .retain(|name| !meaning.success.contains(name));
        meaning
    }

    /// The node of the contract's question for an unknown outcome.
    fn query(&mut self, head: &Head<'_, '_>, operation: &Operation, send: &Send) -> Option<NodeIx> {
        let query = operation.query.as_ref()?;
        if send.kind == StepKind::ReadOnly {
            return None;
        }
        let asked = self.library.operation(&query.target);
        let payload = query.payload.clone();
        let question = Send {
            target: asked.target.clone(),
            payload: payload.unwrap_or_else(|| send.payload.clone()),
            keep: None,
            kind: StepKind::ReadOnly,
            success: asked.success.clone(),
            refusal: asked.refusal.clone(),
            compensation: Compensation::NotApplicable,
            timeout_ms: asked.timeout_ms.unwrap_or(TIMEOUT_MS),
            types: asked.types.clone(),
            outcome: asked.outcome.clone(),
            ..send.clone()
        };
        Some(self.beside(head, "query", question, false))
    }

    /// The node of the second provider, and its operation.
    fn fallback(
        &mut self,
        head: &Head<'_, '_>,
        place: &Place,
        first: &Send,
    ) -> Option<(NodeIx, Rc<Operation>)> {
        let tree = head.reader.get("fallback")?;
        let second = self.second(head, place, first, tree)?;
        let (operation, payload, back) = second;
        let send = Send {
            target: operation.target.clone(),
            payload: payload.unwrap_or_else(|| first.payload.clone()),
            success: operation.success.clone(),
            refusal: operation.refusal.clone(),
            compensation: back,
            timeout_ms: operation.timeout_ms.unwrap_or(first.timeout_ms),
            types: operation.types.clone(),
            outcome: operation.outcome.clone(),
            query: None,
            ..first.clone()
        };
        Some((self.beside(head, "fallback", send, true), operation))
    }

    fn second(
        &mut self,
        head: &Head<'_, '_>,
        place: &Place,
        first: &Send,
        tree: &Tree,
    ) -> Option<(Rc<Operation>, Option<Template>, Compensation)> {
        let names = &place.names;
        let reader = match &tree.kind {
            Kind::Map(_) => Some(Reader::open(self.context, tree, &FALLBACK)?),
            _ => None,
        };
        let named = reader.as_ref().map_or(Some(tree), |r| r.get("command"))?;
        let target = self.library.target(self.context, named)?;
        let operation = self.library.operation(&target);
        let with = reader.as_ref().and_then(|reader| reader.get("with"));
        let payload = with.map(|with| data::template(self.context, names, with));
        let own = reader.as_ref().and_then(|reader| {
            compensation::undo(self.context, self.library, names, reader, head.id)
        });
        let at = reader.as_ref().unwrap_or(head.reader);
        if reader.is_none() && own.is_none() && needs_undo(&operation, first.kind) {
            self.context.report(second_undeclared(head.reader));
            return None;
        }
        let only_reads = first.kind == StepKind::ReadOnly && place.phase != Phase::After;
        if only_reads && operation.effect != Effect::None {
            self.context.report(second_leaves(head.reader));
            return None;
        }
        let back = match reader {
            Some(_) => compensation(self.context, self.library, at, &operation, first.kind, own),
            None => from_contract(self, &operation, first.kind),
        };
        Some((
            operation,
            payload.map_or(Some(None), |p| p.map(Some))?,
            back?,
        ))
    }

    /// A node that belongs to the step: `<step>-<suffix>`.
    fn beside(&mut self, head: &Head<'_, '_>, suffix: &str, send: Send, twin: bool) -> NodeIx {
        let at = self.reserve();
        let node = Node::new(
            format!("{}-{suffix}", head.name),
            ir::Kind::Send(Box::new(send)),
        );
        *self.node(at) = Node {
            result: head.id.filter(|_| twin).map(str::to_owned),
            ..node
        };
        at
    }
}

/// Without a mapping of its own a fallback is compensated as its contract says.
fn from_contract(
    lowering: &mut Lowering<'_>,
    operation: &Operation,
    kind: StepKind,
) -> Option<Compensation> {
    if kind != StepKind::Compensatable {
        return Some(Compensation::NotApplicable);
    }
    if operation.effect == Effect::None {
        return Some(compensation::only_reads());
    }
    compensation::by_contract(lowering.library, operation)
}

fn needs_undo(operation: &Operation, kind: StepKind) -> bool {
    let has = operation.undo.is_some() && operation.effect != Effect::Final;
    kind == StepKind::Compensatable && operation.effect != Effect::None && !has
}

fn second_undeclared(reader: &Reader<'_>) -> Diagnostic {
    let message = "the fallback does not say how it is compensated";
    Diagnostic::new(codes::NO_COMPENSATION, reader.key_span("fallback"), message)
        .label("the step's own compensation asks the first provider")
        .help("write `fallback: { command: ..., compensate: ... }`, or declare it in a contract")
}

fn second_leaves(reader: &Reader<'_>) -> Diagnostic {
    let message = "the fallback may leave an effect that nobody takes back";
    Diagnostic::new(codes::NO_COMPENSATION, reader.key_span("fallback"), message)
        .label("the step only reads, says its contract, and is not compensated")
        .help(
            "declare `effect: none` for the fallback in a contract, or ask it in a step of its own",
        )
}

fn torn(reader: &Reader<'_>) -> Diagnostic {
    let message = "on some paths to this step the pivot is passed, on others it is not";
    Diagnostic::new(codes::TORN_PIVOT, reader.key_span("command"), message)
        .label("it would have to be compensated and must not be")
        .help("let every path pass the pivot before it, or none; a step with an outcome that goes on passes it only sometimes")
}
