//! How a dialogue is written: `says` reports an event, `asks` checks the effect to be answered, `tells` one that is not.

use crate::lane::{
    Answer, Belief, Config, Effect, Event, Failure, JournalRead, LaneNo, LaneState, Now, Planned,
    Position, Round, Sample, Stable, StoreCommit, Trouble, Waiting, Worker,
};

/// Wall clock of all dialogues at monotonic time 0, ms.
pub const WALL_MS: i64 = 1_000_000_000;
/// A store older than this is rebuilt, ms.
pub const OLD_MS: i64 = 100_000;

/// A dialogue with one worker.
pub struct Dialogue {
    pub worker: Worker,
    now_ms: i64,
    told: Vec<Effect>,
    asked: Effect,
}

impl Dialogue {
    /// With an engine that polled nothing yet.
    pub fn engine() -> Self {
        Self::with(true)
    }

    /// With an ingress that polled nothing yet.
    pub fn ingress() -> Self {
        Self::with(false)
    }

    fn with(store: bool) -> Self {
        let config = Config {
            own_id: "own".to_owned(),
            store,
            installation: "here".to_owned(),
            rebuild_after_ms: OLD_MS,
            poll_ms: 100,
            idle_check_ms: 1000,
        };
        let mut dialogue = Self {
            worker: Worker::new(config),
            now_ms: 0,
            told: Vec::new(),
            asked: Effect::Begin,
        };
        dialogue.says(Event::Opened);
        dialogue
    }

    /// Reports an event.
    pub fn says(&mut self, event: Event) -> &mut Self {
        let now = Now {
            mono_ms: self.now_ms,
            wall_ms: WALL_MS + self.now_ms,
        };
        self.told = self.worker.step(now, event);
        self.asked = self.told.pop().unwrap();
        self
    }

    /// Time passes.
    pub fn after(&mut self, ms: i64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    /// What is to be answered.
    pub fn asked(&self) -> Effect {
        self.asked.clone()
    }

    /// The wall clock now.
    pub fn wall_ms(&self) -> i64 {
        WALL_MS + self.now_ms
    }

    #[track_caller]
    pub fn asks(&mut self, effect: Effect) -> &mut Self {
        assert_eq!(self.asked, effect, "told before: {:?}", self.told);
        self
    }

    #[track_caller]
    pub fn tells(&mut self, effect: Effect) -> &mut Self {
        assert!(self.told.contains(&effect), "told: {:?}", self.told);
        self
    }

    /// The machine polls; the longest wait.
    #[track_caller]
    pub fn polls(&mut self) -> u64 {
        match self.asked {
            Effect::Poll { wait_ms } => wait_ms,
            ref other => panic!("asks {other:?} instead of polling; told {:?}", self.told),
        }
    }

    /// The poll waits as long as it may and brings nothing.
    #[track_caller]
    pub fn nothing(&mut self) -> &mut Self {
        let wait = self.polls();
        self.after(i64::try_from(wait).unwrap()).says(polled(&[]))
    }

    /// The poll brings records: lane, how many, end.
    #[track_caller]
    pub fn brings(&mut self, waiting: &[(LaneNo, u32, i64)]) -> &mut Self {
        self.polls();
        self.says(polled(waiting))
    }

    /// The group gives these lanes.
    #[track_caller]
    pub fn assigned(&mut self, lanes: &[LaneNo]) -> &mut Self {
        self.polls();
        self.says(Event::Polled {
            assigned: Some(lanes.to_vec()),
            waiting: Vec::new(),
            broken: Vec::new(),
        })
    }

    /// Assigns lanes and answers their recoveries: all stand at wm 10, jpos 20.
    #[track_caller]
    pub fn ready(&mut self, lanes: &[LaneNo]) -> &mut Self {
        self.assigned(lanes);
        for _ in 0..1000 {
            match self.asked.clone() {
                Effect::Poll { .. } if lanes.iter().all(|l| self.worker.ready(*l).is_some()) => {
                    return self;
                }
                Effect::Poll { .. } => self.nothing(),
                Effect::Claim { .. } => self.says(claimed(at(10, 20))),
                Effect::ReadOffset { .. } => self.says(offset(10)),
                Effect::Start { .. } => self.says(Event::Started(Ok(()))),
                other => panic!("{other:?} does not belong to a recovery where all agree"),
            };
        }
        panic!("the lanes do not become ready")
    }

    /// Answers the batch that was asked for by [`Effect::Round`] until it is to be committed.
    #[track_caller]
    pub fn until_commit(&mut self, lanes: &[(LaneNo, i64)]) -> &mut Self {
        let positions = lanes.iter().map(|_| at(10, 20)).collect();
        let headers = lanes.iter().map(|_| 30).collect();
        self.says(rounded(vec![], positions))
            .says(planned(lanes))
            .asks(Effect::Begin)
            .says(Event::Begun(Ok(())))
            .says(Event::Produced(Ok(headers)))
            .asks(Effect::SendOffsets {
                offsets: lanes.to_vec(),
            })
            .says(Event::OffsetsSent(Ok(())))
            .asks(Effect::CommitTransaction)
    }

    #[track_caller]
    pub fn is_ready(&mut self, lane: LaneNo, next: i64) -> &mut Self {
        assert_eq!(self.worker.ready(lane), Some(next));
        self
    }

    #[track_caller]
    pub fn is_recovering(&mut self, lane: LaneNo) -> &mut Self {
        let state = self.worker.states()[&lane].clone();
        assert!(matches!(state, LaneState::Recovering(_)), "{state:?}");
        self
    }

    #[track_caller]
    pub fn is_stopped(&mut self, lane: LaneNo, words: &str) -> &mut Self {
        match &self.worker.states()[&lane] {
            LaneState::Stopped(reason) if reason.contains(words) => self,
            state => panic!("{state:?} does not say {words:?}"),
        }
    }
}

pub fn polled(waiting: &[(LaneNo, u32, i64)]) -> Event {
    let waiting = waiting.iter().map(|(lane, records, end)| Waiting {
        lane: *lane,
        records: *records,
        end: *end,
    });
    Event::Polled {
        assigned: None,
        waiting: waiting.collect(),
        broken: Vec::new(),
    }
}

/// A position of epoch 1 with a recent commit.
pub fn at(wm: i64, jpos: i64) -> Position {
    Position {
        ep: 1,
        wm: Some(wm),
        jpos: Some(jpos),
        owners: vec!["own".to_owned()],
        at_ms: Some(WALL_MS),
        installation: Some("here".to_owned()),
    }
}

/// A lane nobody committed to, just claimed.
pub fn unwritten() -> Position {
    Position {
        ep: 1,
        owners: vec!["own".to_owned()],
        ..Position::default()
    }
}

pub fn belief(wm: i64, jpos: i64) -> Belief {
    at(wm, jpos).belief()
}

pub fn claimed(position: Position) -> Event {
    Event::Claimed(Ok(position))
}

pub fn offset(offset: i64) -> Event {
    Event::Offset(Ok(Stable {
        offset: Some(offset),
        owner: "other".to_owned(),
    }))
}

pub fn no_offset() -> Event {
    Event::Offset(Ok(Stable::default()))
}

pub fn sampled(journal_begin: i64, journal_end: i64, inbox_begin: i64) -> Event {
    Event::Sampled(Ok(Sample {
        journal_begin,
        journal_end,
        inbox_begin,
    }))
}

pub fn read(next: i64, records: u32, header: Option<(i64, i64)>) -> Event {
    Event::JournalRead(Ok(JournalRead {
        next,
        records,
        header,
    }))
}

pub fn applied() -> Event {
    Event::Applied(Ok(Answer::Done))
}

pub fn rounded(answers: Vec<Answer>, positions: Vec<Position>) -> Event {
    Event::Rounded(Ok(Round { answers, positions }))
}

pub fn planned(lanes: &[(LaneNo, i64)]) -> Event {
    let plan = |(lane, end): &(LaneNo, i64)| Planned {
        lane: *lane,
        end: Ok(*end),
    };
    Event::Planned(lanes.iter().map(plan).collect())
}

pub fn plan(lanes: &[LaneNo]) -> Effect {
    Effect::Plan {
        lanes: lanes.to_vec(),
        refused: Vec::new(),
        set_aside: None,
    }
}

pub fn loads(loads: &[(LaneNo, i64, u32)]) -> Effect {
    Effect::Round {
        commits: Vec::new(),
        loads: loads.to_vec(),
    }
}

pub fn read_journal(from: i64, to: i64) -> Effect {
    Effect::ReadJournal { lane: 0, from, to }
}

pub fn apply(from: (i64, i64), to: (i64, i64), at_ms: i64) -> Effect {
    Effect::Apply(commit(0, from, to, at_ms))
}

pub fn commit(lane: LaneNo, from: (i64, i64), to: (i64, i64), at_ms: i64) -> StoreCommit {
    StoreCommit {
        lane,
        expect: belief(from.0, from.1),
        target: belief(to.0, to.1),
        at_ms,
    }
}

pub fn transaction(outcome: &'static str) -> Effect {
    Effect::Transaction { outcome }
}

pub fn later() -> Trouble {
    Trouble::Later("no answer".to_owned())
}

pub fn other() -> Failure {
    Failure::Other("no answer".to_owned())
}
