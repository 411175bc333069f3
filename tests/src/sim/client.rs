//! Everybody who writes into the inbox beside participants: triggers, awaited events, operators; and the one who deploys.
//!
//! Absent on purpose: ingress. Its records are written here as it would write them.

use std::collections::BTreeMap;

use saga_lib::id::SagaId;
use saga_lib::input::{Act, Awaited, Event, Signal};
use schemas::inbox::{self, Origin};
use schemas::record::Outgoing;
use serde_json::json;

use super::definitions::{self, SAGAS};
use super::fault::Fault;
use super::world::State;

/// Who asks for sagas and acts on them.
#[derive(Debug, Default)]
pub struct Client {
    /// Definition of every saga that was asked for.
    pub triggered: BTreeMap<SagaId, String>,
    most: usize,
    later: Vec<(i64, Outgoing)>,
    signals: u64,
    upgraded: bool,
}

impl Client {
    /// One who asks for so many sagas at most.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Creates topics and deploys.
    pub fn prepare(state: &mut State) {
        let (names, lanes) = (state.names.clone(), state.lanes);
        for topic in [names.inbox(), names.journal(), names.history()] {
            state.broker.create(&topic, lanes);
        }
        let dead = names.dead_letter(&names.inbox());
        for topic in [names.definitions(), names.orphans(), dead] {
            state.broker.create(&topic, 1);
        }
        for (topic, partitions) in super::services::TOPICS {
            state.broker.create(topic, partitions);
        }
        state.broker.create("order-events", 1);
        write(state, &definitions::installation(&names, lanes));
        for saga in SAGAS.iter().filter(|saga| saga.early) {
            let records = saga.records(&names, state.now_ms);
            records.iter().for_each(|record| write(state, record));
        }
    }

    /// A few sagas begin.
    pub fn arrive(&mut self, state: &mut State) {
        for _ in 0..=state.chance.below(3) {
            if self.triggered.len() < self.most {
                self.trigger(state);
            }
        }
    }

    fn trigger(&mut self, state: &mut State) {
        let mut at = state.chance.below(3);
        if at == 0 && self.upgraded {
            at = 3;
        }
        let saga = &SAGAS[at];
        let key = format!("K-{}", self.triggered.len());
        let id = SagaId::new(&saga.bundle.ir.name, &key).expect("a legal id");
        let event = Event {
            bind: saga.bind.to_owned(),
            trigger: format!("event/{key}"),
            payload: json!({ "id": key }),
            key,
            r#type: None,
        };
        let origin = Origin {
            id: &event.trigger,
            traceparent: None,
        };
        let (names, reference) = (state.names.clone(), saga.reference());
        let record = inbox::encode_event(&names, state.lanes, &id, &reference, &event, &origin);
        state.tell(|| format!("trigger {id}"));
        write(state, &record);
        if state.strikes(Fault::TriggerAgain) {
            let at_ms = state.now_ms + state.luck.ms(0, 4000);
            self.later.push((at_ms, record));
        }
        if at == 2 && state.chance.hits(8000) {
            self.open_door(state, &id, &reference);
        }
        self.triggered.insert(id, reference);
    }

    fn open_door(&mut self, state: &mut State, id: &SagaId, reference: &str) {
        let event = Awaited {
            key: id.key(),
            topic: "doors".to_owned(),
            r#type: Some("Opened".to_owned()),
            event: format!("door/{id}"),
            payload: json!({ "id": id.key() }),
        };
        let origin = Origin {
            id: &event.event,
            traceparent: None,
        };
        let record =
            inbox::encode_awaited(&state.names, state.lanes, id, reference, &event, &origin);
        let at_ms = state.now_ms + state.chance.ms(0, 4000);
        self.later.push((at_ms, record));
    }

    /// The second version of the order is deployed.
    pub fn upgrade(&mut self, state: &mut State) {
        if self.upgraded {
            return;
        }
        self.upgraded = true;
        state.tell(|| "a second version is deployed".to_owned());
        let names = state.names.clone();
        for saga in SAGAS.iter().filter(|saga| !saga.early) {
            let records = saga.records(&names, state.now_ms);
            records.iter().for_each(|record| write(state, record));
        }
    }

    /// An operator acts on some saga.
    pub fn operate(&mut self, state: &mut State) {
        let at = state.chance.below(self.triggered.len());
        let Some(id) = self.triggered.keys().nth(at).cloned() else {
            return;
        };
        let act = match state.chance.below(5) {
            0 => Act::Cancel { reason: None },
            1 => Act::Suspend,
            2 | 3 => Act::Resume,
            _ => Act::Retry,
        };
        self.signal(state, &id, act);
    }

    /// Sends a signal.
    pub fn signal(&mut self, state: &mut State, id: &SagaId, act: Act) {
        state.tell(|| format!("signal {act:?} to {id}"));
        self.signals += 1;
        let signal = Signal {
            id: format!("signal-{}", self.signals),
            actor: "operator".to_owned(),
            if_revision: None,
            act,
        };
        let record = inbox::encode_signal(&state.names, state.lanes, id, &signal);
        write(state, &record);
    }

    /// Writes what is due.
    pub fn work(&mut self, state: &mut State) {
        let now = state.now_ms;
        for (_, record) in self.later.extract_if(.., |(at, _)| *at <= now) {
            write(state, &record);
        }
    }

    /// When something is due.
    pub fn next_event(&self) -> Option<i64> {
        self.later.iter().map(|(at, _)| *at).min()
    }
}

/// The topics exist from the beginning.
fn write(state: &mut State, record: &Outgoing) {
    let now = state.now_ms;
    state.broker.append(record, now).expect("the topic exists");
}
