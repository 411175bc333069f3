//! One turn: a transition under way, with everything that its leaf functions share.
//!
//! Invariant: a turn that ends with [`Halt`] leaves nothing behind; [`super::apply`] puts the instance and the effects back.
//!
//! Absent on purpose: decisions. A turn looks up, evaluates and notes.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::effect::{Effect, Note};
use crate::expr::{Expr, Fault, Scope};
use crate::input::Input;
use crate::instance::{FrameId, IncidentKind, Instance, Moment, Status, StepStatus, Wake};
use crate::ir::{Definition, Kind, Node, NodeIx, Send, Template};

use super::{early, timeline};

/// Moments kept in the timeline.
pub(super) const MOMENTS_MAX: usize = 50;

/// Why a transition cannot be made: it is undone, and the instance is parked.
#[derive(Debug)]
pub(super) struct Halt {
    /// Kind of the incident.
    pub(super) kind: IncidentKind,
    /// Where.
    pub(super) step: Option<String>,
    /// For people.
    pub(super) detail: String,
}

impl Halt {
    /// The program asks for what cannot be run.
    pub(super) fn program(step: Option<&str>, detail: String) -> Self {
        Self {
            kind: IncidentKind::Program,
            step: step.map(str::to_owned),
            detail,
        }
    }

    /// An expression failed.
    pub(super) fn fault(step: &str, fault: &Fault) -> Self {
        Self {
            kind: IncidentKind::ExpressionFault,
            step: Some(step.to_owned()),
            detail: format!("step {step}: {fault}"),
        }
    }
}

/// A transition under way.
pub(super) struct Turn<'a> {
    /// What the instance runs.
    pub(super) definition: &'a Definition,
    /// What changes.
    pub(super) instance: &'a mut Instance,
    /// What is to be done outside.
    pub(super) effects: &'a mut Vec<Effect>,
    /// The transition's time, ms.
    pub(super) now: i64,
    /// Places from which the program is to be run: a frame, and the node or the end of its sequence.
    pub(super) agenda: VecDeque<(FrameId, Option<NodeIx>)>,
}

impl<'a> Turn<'a> {
    /// A transition of `instance` at the time of `input`.
    pub(super) fn new(
        definition: &'a Definition,
        instance: &'a mut Instance,
        input: &Input,
        effects: &'a mut Vec<Effect>,
    ) -> Self {
        Self {
            definition,
            now: instance.updated_ms.max(input.time_ms),
            instance,
            effects,
            agenda: VecDeque::new(),
        }
    }

    /// The program goes on at `position` of this frame's sequence; `None` is its end.
    pub(super) fn go(&mut self, frame: FrameId, position: Option<NodeIx>) {
        self.agenda.push_back((frame, position));
    }

    /// Ends a turn that changed the instance: revision, time and timer entry.
    pub(super) fn seal(&mut self) {
        self.instance.revision += 1;
        self.instance.updated_ms = self.now;
        let wake = self.wake();
        if wake != self.instance.wake {
            self.instance.wake = wake;
            self.instance.arm += 1;
        }
    }

    /// Notes what happened, for history, metrics and the timeline.
    pub(super) fn note(&mut self, note: Note) {
        self.note_with(note, None);
    }

    /// The same with a cause behind the timeline's sentence.
    pub(super) fn note_with(&mut self, note: Note, cause: Option<&str>) {
        if let Some(sentence) = timeline::sentence(&note) {
            let sentence = cause.map_or_else(
                || sentence.clone(),
                |cause| format!("{sentence}: {}", timeline::short(cause)),
            );
            self.moment(sentence);
        }
        self.effects.push(Effect::Note(note));
    }

    /// Adds one line to the timeline.
    pub(super) fn moment(&mut self, what: String) {
        let timeline = &mut self.instance.timeline;
        timeline.push(Moment {
            at_ms: self.now,
            what,
        });
        let surplus = timeline.len().saturating_sub(MOMENTS_MAX);
        timeline.drain(..surplus);
    }

    /// Sets a step's status.
    pub(super) fn step_is(&mut self, step: &str, status: StepStatus) {
        self.instance.steps.insert(step.to_owned(), status);
    }

    /// The node at `ix`.
    pub(super) fn node(&self, ix: NodeIx) -> Result<&'a Node, Halt> {
        let missing = || Halt::program(None, format!("the definition has no node {ix}"));
        self.definition.node(ix).ok_or_else(missing)
    }

    /// The node at `ix`, which sends a command.
    pub(super) fn send_at(&self, ix: NodeIx) -> Result<(&'a Node, &'a Send), Halt> {
        let node = self.node(ix)?;
        match &node.kind {
            Kind::Send(send) => Ok((node, send)),
            _ => Err(Halt::program(
                Some(&node.step),
                format!("step {} sends no command", node.step),
            )),
        }
    }

    /// The value of a template at a place; `names` are visible beside the data.
    pub(super) fn evaluate(
        &self,
        (step, frame): (&str, FrameId),
        template: &Template,
        names: &[(&str, &Value)],
    ) -> Result<Value, Halt> {
        self.with_scope(frame, names, |scope| template.evaluate(scope))
            .map_err(|fault| Halt::fault(step, &fault))
    }

    /// Values of several templates, by name.
    pub(super) fn evaluate_all(
        &self,
        place: (&str, FrameId),
        templates: &BTreeMap<String, Template>,
        names: &[(&str, &Value)],
    ) -> Result<BTreeMap<String, Value>, Halt> {
        let one = |(name, template): (&String, &Template)| {
            Ok((name.clone(), self.evaluate(place, template, names)?))
        };
        templates.iter().map(one).collect()
    }

    /// Is the condition true? Anything but a boolean is a fault, never a silent false.
    pub(super) fn condition(
        &self,
        place: (&str, FrameId),
        expr: &Expr,
        names: &[(&str, &Value)],
    ) -> Result<bool, Halt> {
        match self.value(place, expr, names)? {
            Value::Bool(is) => Ok(is),
            other => Err(wrong(place.0, expr, &other, "a boolean")),
        }
    }

    /// A record key: text, or a whole number as text.
    pub(super) fn record_key(
        &self,
        place: (&str, FrameId),
        expr: Option<&Expr>,
        names: &[(&str, &Value)],
    ) -> Result<Option<String>, Halt> {
        let Some(expr) = expr else { return Ok(None) };
        match self.value(place, expr, names)? {
            Value::String(text) => Ok(Some(text)),
            Value::Number(number) if !number.is_f64() => Ok(Some(number.to_string())),
            other => Err(wrong(place.0, expr, &other, "text or a whole number")),
        }
    }

    /// The value of an expression at a place.
    pub(super) fn value(
        &self,
        (step, frame): (&str, FrameId),
        expr: &Expr,
        names: &[(&str, &Value)],
    ) -> Result<Value, Halt> {
        self.with_scope(frame, names, |scope| expr.evaluate(scope))
            .map_err(|fault| Halt::fault(step, &fault))
    }

    /// Stores a result where its frame lets it be seen: in the nearest frame with names of its own, else in the saga.
    pub(super) fn store(&mut self, frame: FrameId, name: &str, value: Value) {
        let local = self.instance.around(frame).find(|f| f.is_local());
        match local.map(|f| f.id) {
            Some(id) => {
                let frame = self.instance.frame_mut(id);
                frame.map(|f| f.data.insert(name.to_owned(), value));
            }
            None => {
                self.instance.data.insert(name.to_owned(), value);
            }
        }
    }

    fn with_scope<T>(
        &self,
        frame: FrameId,
        names: &[(&str, &Value)],
        read: impl FnOnce(&Scope<'_>) -> T,
    ) -> T {
        let saga = json!({
            "id": self.instance.id.as_str(),
            "key": self.instance.key,
            "version": self.definition.version,
            "started": self.instance.started_ms,
        });
        let now = Value::from(self.now);
        let mut around: Vec<_> = self.instance.around(frame).map(|f| &f.data).collect();
        around.reverse();
        let mut scope = Scope::new().with_map(&self.instance.data);
        for data in &around {
            scope = scope.with_map(data);
        }
        scope = scope.with("saga", &saga).with("now", &now);
        let inner = around.iter().any(|data| data.contains_key("error"));
        if let Some(error) = self.instance.error.as_ref().filter(|_| !inner) {
            scope = scope.with("error", error);
        }
        for (name, value) in names {
            scope = scope.with(name, value);
        }
        read(&scope)
    }

    fn wake(&self) -> Wake {
        let instance = &*self.instance;
        let retained = |end: i64| Wake::Expire(end.saturating_add(self.definition.retain_ms));
        match instance.status {
            Status::Parked | Status::Suspended => Wake::Never,
            Status::Early => early::expiry(instance),
            // Nobody but an operator settles what a terminated instance owes.
            Status::Terminated if instance.compensation_incomplete() => Wake::Never,
            Status::Terminated => instance.finished_ms.map_or(Wake::Never, retained),
            _ => match (instance.next_due_ms(), instance.finished_ms) {
                (Some(due), _) => Wake::At(due),
                (None, Some(end)) => retained(end),
                (None, None) => Wake::Never,
            },
        }
    }
}

pub(super) fn wrong(step: &str, expr: &Expr, value: &Value, expected: &str) -> Halt {
    let fault = Fault {
        expression: expr.source().to_owned(),
        message: format!("is {value}, not {expected}"),
    };
    Halt::fault(step, &fault)
}
