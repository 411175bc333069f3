//! A worker of the model: the machine and what its shell keeps.
//!
//! Absent on purpose: execution of effects (see `act`).

use std::collections::{BTreeMap, VecDeque};

use saga_lib::lane::{Config, Effect, Event, Worker};

use super::log::{Document, Said};
use super::store::Images;

/// A store this old is rebuilt, ms: half of what deletions stay for.
const REBUILD_AFTER_MS: i64 = super::log::DELETE_RETENTION_MS / 2;

/// Records of one lane that belong together.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub end: i64,
    pub outputs: Vec<(i64, Said)>,
    pub images: Images,
    pub count: i64,
}

/// A chunk of a journal.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    pub images: Images,
    pub count: Option<i64>,
}

/// What a shell keeps of a lane.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub entries: Vec<i64>,
    pub taken: usize,
    pub documents: BTreeMap<u8, Document>,
    pub count: i64,
    pub verdicts: BTreeMap<i64, u32>,
    pub plan: Option<Plan>,
    pub outstanding: Option<Plan>,
    pub chunks: VecDeque<Chunk>,
}

/// What a worker is about to do.
#[derive(Debug)]
pub enum Turn {
    /// Execute this.
    Do(Effect),
    /// Give this answer to the machine.
    Answer(Event),
}

/// A worker.
#[derive(Debug)]
pub struct Node {
    pub id: usize,
    pub machine: Worker,
    pub turn: Turn,
    pub alive: bool,
    /// Nothing happens before, ms.
    pub wake_ms: i64,
    /// The group removes it then, if it is dead or stands still.
    pub evict_ms: Option<i64>,
    pub epoch: u64,
    /// Generation of the last poll.
    pub generation: Option<u64>,
    pub kept: BTreeMap<u32, Kept>,
    /// Next offset to deliver of each started lane.
    pub positions: BTreeMap<u32, i64>,
    pub in_transaction: bool,
    /// Records whose transaction failed alone, and whether something of this worker went through since.
    pub struck: BTreeMap<(u32, i64), bool>,
}

impl Node {
    pub fn new(id: usize) -> Self {
        Self {
            id,
            machine: machine(id),
            turn: Turn::Answer(Event::Opened),
            alive: false,
            wake_ms: 0,
            evict_ms: None,
            epoch: 0,
            generation: None,
            kept: BTreeMap::new(),
            positions: BTreeMap::new(),
            in_transaction: false,
            struck: BTreeMap::new(),
        }
    }

    pub fn name(&self) -> String {
        format!("w{}", self.id)
    }

    pub fn kept(&mut self, lane: u32) -> &mut Kept {
        self.kept.entry(lane).or_default()
    }

    /// The single record of the transaction, if it has one only.
    pub fn alone(&self) -> Option<(u32, i64)> {
        let planned = |(lane, kept): (&u32, &Kept)| {
            let outputs = &kept.plan.as_ref()?.outputs;
            Some(
                outputs
                    .iter()
                    .map(|(offset, _)| (*lane, *offset))
                    .collect::<Vec<_>>(),
            )
        };
        match self
            .kept
            .iter()
            .filter_map(planned)
            .flatten()
            .collect::<Vec<_>>()[..]
        {
            [only] => Some(only),
            _ => None,
        }
    }

    /// A record that failed alone, while others could be committed since, has no further bad luck in this model.
    pub fn is_spared(&self) -> bool {
        self.alone()
            .is_some_and(|record| self.struck.get(&record) == Some(&true))
    }

    /// Something went through.
    pub fn went_through(&mut self) {
        self.struck.values_mut().for_each(|through| *through = true);
    }
}

fn machine(id: usize) -> Worker {
    Worker::new(Config {
        own_id: format!("w{id}"),
        store: true,
        installation: "i".to_owned(),
        rebuild_after_ms: REBUILD_AFTER_MS,
        poll_ms: 400,
        idle_check_ms: 1000,
    })
}
