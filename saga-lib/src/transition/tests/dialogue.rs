//! Dialogues: what comes in, what is expected to go out. Every input is checked against the laws that hold everywhere.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use crate::effect::{Command, Effect, Note, Publish};
use crate::id::CommandId;
use crate::input::{Act, Awaited, Event, Input, Kind, KindName, Reply, Signal};
use crate::instance::{IncidentKind, Instance, Status, StepStatus, Wake};
use crate::ir::Definition;
use crate::transition::{Applied, Reason, apply, park};

pub const T0: i64 = 1_700_000_000_000;

pub struct Dialogue {
    pub definition: Definition,
    pub instance: Option<Instance>,
    pub now: i64,
    /// Commands not yet expected.
    pub commands: VecDeque<Command>,
    /// Events not yet expected.
    pub events: VecDeque<Publish>,
    /// Effects of the last input.
    pub effects: Vec<Effect>,
    pub applied: Applied,
    /// Pairs of status and input that were visited.
    pub visited: BTreeSet<(Status, KindName)>,
    /// Are the costly laws checked, too?
    pub thorough: bool,
    sent: BTreeSet<(String, u32)>,
    command: Option<Command>,
    inputs: u64,
}

pub fn given(definition: Definition) -> Dialogue {
    Dialogue {
        definition,
        instance: None,
        now: T0,
        commands: VecDeque::new(),
        events: VecDeque::new(),
        effects: Vec::new(),
        applied: Applied::Changed,
        visited: BTreeSet::new(),
        thorough: true,
        sent: BTreeSet::new(),
        command: None,
        inputs: 0,
    }
}

pub fn order_placed() -> Value {
    json!({ "id": "ORD-42", "total": 10, "yes": true, "no": false })
}

pub fn reply_to(command: CommandId, outcome: &str) -> Reply {
    Reply {
        command,
        outcome: outcome.to_owned(),
        r#type: None,
        attempt: None,
        payload: json!({ "from": outcome }),
        code: (outcome != "ok").then(|| "code-7".to_owned()),
        reason: (outcome != "ok").then(|| "no reason".to_owned()),
    }
}

impl Dialogue {
    pub fn event(self) -> Self {
        self.event_with("T-1", order_placed())
    }

    pub fn event_with(mut self, trigger: &str, payload: Value) -> Self {
        let event = Event {
            bind: "order".to_owned(),
            key: "ORD-42".to_owned(),
            r#type: None,
            trigger: trigger.to_owned(),
            payload,
        };
        self.input(Kind::Event(event));
        self
    }

    /// An event of this type for the saga's key.
    pub fn awaited(self, r#type: &str, event: &str) -> Self {
        let payload = json!({ "type": r#type, "event": event });
        self.awaited_with(r#type, event, payload)
    }

    pub fn awaited_with(mut self, r#type: &str, event: &str, payload: Value) -> Self {
        self.input(Kind::Awaited(Awaited {
            key: "ORD-42".to_owned(),
            topic: "logistics".to_owned(),
            r#type: Some(r#type.to_owned()),
            event: event.to_owned(),
            payload,
        }));
        self
    }

    pub fn reply(mut self, outcome: &str) -> Self {
        let command = self.command.clone().expect("a command was expected before");
        self.input(Kind::Reply(reply_to(command.id, outcome)));
        self
    }

    pub fn reply_ok(self) -> Self {
        self.reply("ok")
    }

    pub fn reply_refused(self) -> Self {
        self.reply("refused")
    }

    pub fn reply_failed(self) -> Self {
        self.reply("failed")
    }

    /// A reply to any command, e.g. `credit#2!c`.
    pub fn reply_of(mut self, command: &str, outcome: &str) -> Self {
        let id = CommandId::parse(&format!("order/ORD-42/{command}")).unwrap();
        self.input(Kind::Reply(reply_to(id, outcome)));
        self
    }

    /// Nobody answers: the next timer fires at its due time.
    pub fn silence(mut self) -> Self {
        let due = self.due();
        self.now = self.now.max(due);
        self.fire()
    }

    pub fn due(&self) -> i64 {
        match self.here().wake {
            Wake::At(due) | Wake::Expire(due) => due,
            Wake::Never => panic!("no timer: {:?}", self.here()),
        }
    }

    /// The current timer fires now.
    pub fn fire(mut self) -> Self {
        let arm = self.here().arm;
        let kind = match self.here().wake {
            Wake::Expire(_) => Kind::Expire { arm },
            _ => Kind::TimerFired { arm },
        };
        self.input(kind);
        self
    }

    pub fn timer(mut self, arm: u64) -> Self {
        self.input(Kind::TimerFired { arm });
        self
    }

    pub fn expire(mut self, arm: u64) -> Self {
        self.input(Kind::Expire { arm });
        self
    }

    pub fn later(mut self, ms: i64) -> Self {
        self.now += ms;
        self
    }

    pub fn cancel(self) -> Self {
        let reason = Some("changed my mind".to_owned());
        self.act(Act::Cancel { reason })
    }

    pub fn retry(self) -> Self {
        self.act(Act::Retry)
    }

    pub fn act(self, act: Act) -> Self {
        let id = format!("S-{}", self.inputs);
        self.signal(&id, None, act)
    }

    pub fn signal(mut self, id: &str, if_revision: Option<u64>, act: Act) -> Self {
        self.input(Kind::Signal(Signal {
            id: id.to_owned(),
            actor: "anna".to_owned(),
            if_revision,
            act,
        }));
        self
    }

    /// Applies one input and checks what holds for every input.
    pub fn input(&mut self, kind: Kind) {
        self.now += 1;
        self.inputs += 1;
        let input = Input {
            id: format!("I-{}", self.inputs),
            time_ms: self.now,
            kind,
        };
        self.apply(&input);
    }

    pub fn apply(&mut self, input: &Input) {
        let before = self.instance.clone();
        if let Some(instance) = &before {
            self.visited.insert((instance.status, input.kind.name()));
        }
        let mut effects = Vec::new();
        let applied = apply(&self.definition, &mut self.instance, input, &mut effects);
        if self.thorough {
            self.check_repeatable(&before, input, &applied, &effects);
        }
        self.check_revision(&before, &applied);
        self.check_alive();
        self.take(&effects);
        self.applied = applied;
        self.effects = effects;
    }

    /// The caller could not write what the transition wanted: it parks the instance as it was.
    pub fn refuse_output(&mut self, kind: Kind) {
        self.now += 1;
        let input = Input {
            id: "refused".to_owned(),
            time_ms: self.now,
            kind,
        };
        let (definition, incident) = (Some(&self.definition), IncidentKind::OutputRefused);
        let mut effects = Vec::new();
        let before = self.instance.clone();
        self.applied = park(
            definition,
            &mut self.instance,
            &input,
            incident,
            "too large",
            &mut effects,
        );
        self.check_revision(&before, &self.applied);
        self.check_alive();
        self.take(&effects);
        self.effects = effects;
    }

    /// P7: the same input gives the same bytes, also after a trip through the document.
    fn check_repeatable(
        &self,
        before: &Option<Instance>,
        input: &Input,
        applied: &Applied,
        effects: &[Effect],
    ) {
        let text = serde_json::to_string(before).unwrap();
        let mut again: Option<Instance> = serde_json::from_str(&text).unwrap();
        let mut effects_again = Vec::new();
        let applied_again = apply(&self.definition, &mut again, input, &mut effects_again);
        assert_eq!(&applied_again, applied);
        assert_eq!(effects_again, effects);
        let bytes = |instance: &Option<Instance>| serde_json::to_string(instance).unwrap();
        assert_eq!(bytes(&again), bytes(&self.instance));
    }

    fn check_revision(&self, before: &Option<Instance>, applied: &Applied) {
        let (Some(before), Some(after)) = (before, &self.instance) else {
            return;
        };
        if *applied == Applied::Changed {
            assert_eq!(after.revision, before.revision + 1);
            assert_eq!(after.arm != before.arm, after.wake != before.wake);
            assert!(after.updated_ms >= before.updated_ms);
        } else {
            assert_eq!(after, before, "an input without effect changed the state");
        }
        assert!(after.timeline.len() <= 50);
    }

    /// H1: no state without an exit.
    fn check_alive(&self) {
        let Some(instance) = &self.instance else {
            return;
        };
        match instance.status {
            Status::Parked => {
                assert!(instance.incident.is_some());
                assert_eq!(instance.wake, Wake::Never);
            }
            Status::Running | Status::Compensating => {
                assert!(matches!(instance.wake, Wake::At(_)), "stuck: {instance:?}");
            }
            Status::Completed | Status::Compensated => assert_ne!(instance.wake, Wake::Never),
            Status::Suspended => assert_eq!(instance.wake, Wake::Never),
            Status::Terminated => assert_eq!(
                instance.wake == Wake::Never,
                instance.compensation_incomplete()
            ),
            Status::Early => assert!(matches!(instance.wake, Wake::Expire(_))),
        }
        if instance.status == Status::Compensated {
            assert!(!instance.compensation_incomplete());
        }
    }

    /// P2: each pair of command id and attempt goes out once.
    fn take(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Command(command) => {
                    let pair = (command.id.to_string(), command.attempt);
                    assert!(self.sent.insert(pair.clone()), "sent twice: {pair:?}");
                    assert_eq!(
                        CommandId::parse(&pair.0).unwrap(),
                        command.id,
                        "ids are read back"
                    );
                    self.commands.push_back(command.clone());
                }
                Effect::Publish(event) => self.events.push_back(event.clone()),
                _ => {}
            }
        }
    }

    pub fn here(&self) -> &Instance {
        self.instance.as_ref().expect("an instance")
    }

    /// The next command is this one, e.g. `credit!c`; replies answer it.
    pub fn expect_command(self, step: &str) -> Self {
        self.expect_attempt(step, 1)
    }

    pub fn expect_attempt(mut self, step: &str, attempt: u32) -> Self {
        let command = self.commands.pop_front();
        let command = command.unwrap_or_else(|| panic!("no command {step}: {:?}", self.here()));
        assert_eq!(command.id.to_string(), format!("order/ORD-42/{step}"));
        assert_eq!(command.attempt, attempt);
        self.command = Some(command);
        self
    }

    /// What the last expected command carries.
    pub fn expect_payload(self, payload: Value) -> Self {
        let command = self.command.as_ref().expect("a command");
        assert_eq!(command.payload, payload);
        self
    }

    pub fn expect_no_command(self) -> Self {
        assert_eq!(self.commands.front(), None);
        self
    }

    pub fn expect_event(mut self, r#type: &str) -> Self {
        let event = self.events.pop_front().expect("an event");
        assert_eq!(event.r#type, r#type);
        self
    }

    pub fn expect_no_event(self) -> Self {
        assert_eq!(self.events.front(), None);
        self
    }

    pub fn expect_status(self, status: Status) -> Self {
        assert_eq!(self.here().status, status, "{:?}", self.here().incident);
        self
    }

    pub fn expect_parked(self, kind: IncidentKind) -> Self {
        let incident = self.here().incident.clone().expect("an incident");
        assert_eq!(incident.kind, kind, "{}", incident.detail);
        self.expect_status(Status::Parked)
    }

    pub fn expect_detail(self, part: &str) -> Self {
        let incident = self.here().incident.clone().expect("an incident");
        assert!(incident.detail.contains(part), "{}", incident.detail);
        self
    }

    pub fn expect_completed(self) -> Self {
        self.expect_no_command()
            .expect_status(Status::Completed)
            .expect_event("Done")
            .expect_no_event()
    }

    pub fn expect_compensated(self) -> Self {
        self.expect_no_command()
            .expect_status(Status::Compensated)
            .expect_event("Cancelled")
            .expect_no_event()
    }

    pub fn expect_ignored(self, reason: Reason) -> Self {
        assert_eq!(self.applied, Applied::Ignored(reason));
        self
    }

    pub fn expect_changed(self) -> Self {
        assert_eq!(self.applied, Applied::Changed);
        self
    }

    pub fn expect_rejected(self, part: &str) -> Self {
        match &self.applied {
            Applied::Rejected(why) => assert!(why.contains(part), "{why}"),
            other => panic!("{other:?}"),
        }
        self
    }

    pub fn expect_step(self, step: &str, status: StepStatus) -> Self {
        assert_eq!(self.here().steps.get(step), Some(&status));
        self
    }

    pub fn expect_note(self, is: impl Fn(&Note) -> bool) -> Self {
        let found = self
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Note(note) if is(note)));
        assert!(found, "{:?}", self.effects);
        self
    }

    pub fn expect_orphan(self) -> Self {
        let found = self
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Orphan { .. }));
        assert!(found, "{:?}", self.effects);
        self.expect_ignored(Reason::Orphan)
    }

    pub fn expect_dead_letter(self, expected: &str) -> Self {
        let found = self
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::DeadLetter { class, .. } if class == expected));
        assert!(found, "{:?}", self.effects);
        self
    }

    /// Everything that `part` says.
    pub fn then(self, part: impl FnOnce(Self) -> Self) -> Self {
        part(self)
    }
}
