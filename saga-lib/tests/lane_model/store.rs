//! The store of the model: what the scripts do, and snapshots to fall back to.
//!
//! Absent on purpose: faults (see `act`); what is asked here happens.

use std::collections::BTreeMap;

use saga_lib::lane::{Answer, Position, StoreCommit};

use super::log::Document;

/// Changes of documents.
pub type Images = Vec<(u8, Option<Document>)>;

#[derive(Debug, Clone, Default)]
pub struct Lane {
    pub position: Position,
    pub documents: BTreeMap<u8, Document>,
    pub count: i64,
}

/// A script with its arguments.
#[derive(Debug, Clone)]
pub enum Script {
    Claim {
        lane: u32,
        owner: String,
    },
    Commit {
        commit: StoreCommit,
        owner: String,
        images: Images,
        count: Option<i64>,
    },
    Clear {
        lane: u32,
        ep: u64,
        at_ms: i64,
        most: usize,
    },
}

/// What a script answers.
#[derive(Debug, Clone)]
pub enum Answered {
    Position(Position),
    Commit(Answer),
    /// Empty now? `None`: the epoch is another one.
    Clear(Option<bool>),
}

#[derive(Debug, Default)]
pub struct Store {
    pub lanes: Vec<Lane>,
    snapshots: Vec<Vec<Lane>>,
}

impl Store {
    pub fn new(lanes: usize) -> Self {
        Self {
            lanes: vec![Lane::default(); lanes],
            snapshots: Vec::new(),
        }
    }

    pub fn run(&mut self, script: Script) -> Answered {
        match script {
            Script::Claim { lane, owner } => {
                let position = &mut self.lanes[lane as usize].position;
                position.ep += 1;
                position.owners.retain(|o| *o != owner);
                position.owners.push(owner);
                Answered::Position(position.clone())
            }
            Script::Commit {
                commit,
                owner,
                images,
                count,
            } => {
                let lane = &mut self.lanes[commit.lane as usize];
                Answered::Commit(lane.commit(&commit, owner, images, count))
            }
            Script::Clear {
                lane,
                ep,
                at_ms,
                most,
            } => Answered::Clear(self.lanes[lane as usize].clear(ep, at_ms, most)),
        }
    }

    pub fn snapshot(&mut self) {
        self.snapshots.push(self.lanes.clone());
    }

    pub fn snapshots(&self) -> usize {
        self.snapshots.len()
    }

    pub fn go_back(&mut self, snapshot: usize) {
        self.lanes.clone_from(&self.snapshots[snapshot]);
        self.snapshots.truncate(snapshot + 1);
    }

    pub fn flush_all(&mut self) {
        self.lanes.fill(Lane::default());
    }
}

impl Lane {
    fn commit(
        &mut self,
        commit: &StoreCommit,
        owner: String,
        images: Images,
        count: Option<i64>,
    ) -> Answer {
        let (now, target) = (self.position.belief(), commit.target);
        if (now.wm, now.jpos) == (target.wm, target.jpos) {
            return Answer::Done;
        }
        if now != commit.expect {
            return Answer::Refused;
        }
        for (key, document) in images {
            match document {
                Some(document) => self.documents.insert(key, document),
                None => self.documents.remove(&key),
            };
        }
        self.count = count.unwrap_or(self.count);
        self.position = Position {
            ep: commit.expect.ep,
            wm: target.wm,
            jpos: target.jpos,
            owners: vec![owner],
            at_ms: Some(commit.at_ms),
            installation: Some("i".to_owned()),
        };
        Answer::Done
    }

    fn clear(&mut self, ep: u64, at_ms: i64, most: usize) -> Option<bool> {
        if self.position.ep != ep {
            return None;
        }
        (self.position.wm, self.position.jpos) = (None, None);
        self.position.at_ms = Some(at_ms);
        for _ in 0..most {
            self.documents.pop_first();
        }
        if self.documents.is_empty() {
            self.count = 0;
        }
        Some(self.documents.is_empty())
    }
}
