//! What a worker's shell does with effects, and what goes wrong with each.
//!
//! Absent on purpose: time and fates of whole workers (see `world`).

use saga_lib::lane::{Answer, Effect, Event, Waiting};

use super::keep::later;
use super::store::Script;
use super::world::World;

impl World {
    /// Executes an effect of a worker; the answer and how long it took.
    pub fn act(&mut self, at: usize, effect: Effect) -> (Event, i64) {
        let cost = self.chance.ms(0, 6);
        let event = match effect {
            Effect::Poll { .. } => self.poll(at),
            Effect::Claim { lane } => {
                let owner = self.nodes[at].name();
                self.claimed(Script::Claim { lane, owner })
            }
            Effect::ReadOffset { lane } => Event::Offset(self.read_offset(lane)),
            Effect::Fence { ids } => self.fence(at, &ids),
            Effect::Sample { lane } => Event::Sampled(self.sample(lane)),
            Effect::Clear { lane, ep } => self.clear(lane, ep),
            Effect::ReadJournal { lane, from, to } => {
                Event::JournalRead(self.read_journal(at, lane, from, to))
            }
            Effect::Apply(chunk) => self.apply(at, chunk),
            Effect::Start { lane, offset } => self.start(at, lane, offset),
            Effect::Round { commits, loads } => Event::Rounded(self.round(at, &commits, &loads)),
            Effect::Plan {
                lanes,
                refused,
                set_aside,
            } => self.plan(at, &lanes, &refused, set_aside.is_some()),
            Effect::Begin => self.begin(at),
            Effect::Produce { lanes } => {
                let produced = self.produce(at, &lanes);
                Event::Produced(self.counted(at, produced))
            }
            Effect::SendOffsets { offsets } => {
                let sent = self.send_offsets(at, &offsets);
                Event::OffsetsSent(self.counted(at, sent))
            }
            Effect::CommitTransaction => {
                let committed = self.commit(at);
                Event::Committed(self.counted(at, committed))
            }
            Effect::Abort => self.abort(at),
            Effect::ReplaceProducers => self.replace(at),
            Effect::Probe { lane } => Event::Probed(self.probe(at, lane)),
            other => panic!("{other:?} is not executed by an engine"),
        };
        // A call that failed took its time.
        let failed = is_failure(&event);
        (
            event,
            if failed {
                cost + self.chance.ms(0, 200)
            } else {
                cost
            },
        )
    }

    /// Effects that are not answered.
    pub fn told(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Forget { lane } => {
                self.nodes[at].kept.remove(&lane);
                self.nodes[at].positions.remove(&lane);
            }
            Effect::Ready { lane } => self.nodes[at].kept(lane).chunks.clear(),
            Effect::Stopped { lane, reason } => {
                let owned = self.is_owner(at, lane);
                if owned {
                    self.broken(format!("lane {lane} stopped: {reason}"));
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self, at: usize) -> Event {
        if self.nodes[at].in_transaction {
            self.broken("polled with an open transaction".to_owned());
        }
        let id = self.nodes[at].id;
        let mut assigned = None;
        if !self.log.members.contains(&id) {
            self.log.join(id);
            self.wake_pollers();
        }
        if self.nodes[at].generation != Some(self.log.generation) {
            self.nodes[at].generation = Some(self.log.generation);
            self.nodes[at].positions.clear();
            assigned = Some(self.log.assigned(id));
        }
        let waiting = if self.log_out() {
            Vec::new()
        } else {
            self.deliver(at)
        };
        Event::Polled {
            assigned,
            waiting,
            broken: Vec::new(),
        }
    }

    fn deliver(&mut self, at: usize) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        let most = 1 + self.chance.below(6);
        let positions: Vec<_> = self.nodes[at]
            .positions
            .iter()
            .map(|(l, p)| (*l, *p))
            .collect();
        for (lane, position) in positions {
            let inbox = &self.log.inbox[lane as usize];
            let from = usize::try_from(position).unwrap();
            let offsets = (from..inbox.len())
                .filter(|o| inbox[*o].is_some())
                .take(most);
            let offsets: Vec<_> = offsets.map(|o| i64::try_from(o).unwrap()).collect();
            let Some(last) = offsets.last() else { continue };
            let (end, records) = (*last + 1, u32::try_from(offsets.len()).unwrap());
            waiting.push(Waiting { lane, records, end });
            self.nodes[at].positions.insert(lane, end);
            self.nodes[at].kept(lane).entries.extend(offsets);
        }
        waiting
    }

    /// Would a poll bring anything now?
    pub fn has_news(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        if node.generation != Some(self.log.generation) || !self.log.members.contains(&node.id) {
            return true;
        }
        node.positions.iter().any(|(lane, position)| {
            let inbox = &self.log.inbox[*lane as usize];
            inbox[usize::try_from(*position).unwrap()..]
                .iter()
                .any(Option::is_some)
        })
    }

    fn start(&mut self, at: usize, lane: u32, offset: i64) -> Event {
        if self.log_fails(self.faults.read) {
            return Event::Started(Err(later()));
        }
        self.nodes[at].kept(lane).entries.clear();
        let owned = self.nodes[at].generation == Some(self.log.generation);
        if owned || self.nodes[at].machine.states().contains_key(&lane) {
            self.nodes[at].positions.insert(lane, offset);
        }
        Event::Started(Ok(()))
    }
}

fn is_failure(event: &Event) -> bool {
    matches!(
        event,
        Event::Claimed(Err(_))
            | Event::Offset(Err(_))
            | Event::JournalRead(Err(_))
            | Event::Applied(Err(_))
            | Event::Rounded(Err(_))
            | Event::Committed(Err(_))
            | Event::Applied(Ok(Answer::Refused))
    )
}
