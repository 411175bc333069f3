//! One turn: a transition under way, with everything that its leaf functions share.
//!
//! Invariant: a turn that ends with [`Halt`] leaves nothing behind; [`super::apply`] puts the instance and the effects back.
//!
//! Absent on purpose: decisions. A turn looks up, evaluates and notes.

use serde_json::{Value, json};

use crate::effect::{Effect, Note};
use crate::expr::{Expr, Fault, Scope};
use crate::instance::{IncidentKind, Instance, Moment, Status, StepStatus, Wake};
use crate::ir::{Definition, Kind, Node, NodeIx, Send, Template};

use super::timeline;

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
}

impl<'a> Turn<'a> {
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

    /// The value of a template; `names` are visible beside the data.
    pub(super) fn evaluate(
        &self,
        step: &str,
        template: &Template,
        names: &[(&str, &Value)],
    ) -> Result<Value, Halt> {
        self.with_scope(names, |scope| template.evaluate(scope))
            .map_err(|fault| Halt::fault(step, &fault))
    }

    /// Is the condition true? Anything but a boolean is a fault, never a silent false.
    pub(super) fn condition(&self, step: &str, expr: &Expr) -> Result<bool, Halt> {
        match self.value(step, expr)? {
            Value::Bool(is) => Ok(is),
            other => Err(wrong(step, expr, &other, "a boolean")),
        }
    }

    /// A record key: text, or a whole number as text.
    pub(super) fn record_key(
        &self,
        step: &str,
        expr: Option<&Expr>,
    ) -> Result<Option<String>, Halt> {
        let Some(expr) = expr else { return Ok(None) };
        match self.value(step, expr)? {
            Value::String(text) => Ok(Some(text)),
            Value::Number(number) if !number.is_f64() => Ok(Some(number.to_string())),
            other => Err(wrong(step, expr, &other, "text or a whole number")),
        }
    }

    fn value(&self, step: &str, expr: &Expr) -> Result<Value, Halt> {
        self.with_scope(&[], |scope| expr.evaluate(scope))
            .map_err(|fault| Halt::fault(step, &fault))
    }

    fn with_scope<T>(&self, names: &[(&str, &Value)], read: impl FnOnce(&Scope<'_>) -> T) -> T {
        let saga = json!({
            "id": self.instance.id.as_str(),
            "key": self.instance.key,
            "version": self.definition.version,
            "started": self.instance.started_ms,
        });
        let now = Value::from(self.now);
        let mut scope = Scope::new()
            .with_map(&self.instance.data)
            .with("saga", &saga)
            .with("now", &now);
        if let Some(error) = &self.instance.error {
            scope = scope.with("error", error);
        }
        for (name, value) in names {
            scope = scope.with(name, value);
        }
        read(&scope)
    }

    fn wake(&self) -> Wake {
        if matches!(self.instance.status, Status::Parked | Status::Suspended) {
            return Wake::Never;
        }
        match (self.instance.next_due_ms(), self.instance.finished_ms) {
            (Some(due), _) => Wake::At(due),
            (None, Some(end)) => Wake::Expire(end.saturating_add(self.definition.retain_ms)),
            (None, None) => Wake::Never,
        }
    }
}

fn wrong(step: &str, expr: &Expr, value: &Value, expected: &str) -> Halt {
    let fault = Fault {
        expression: expr.source().to_owned(),
        message: format!("is {value}, not {expected}"),
    };
    Halt::fault(step, &fault)
}
