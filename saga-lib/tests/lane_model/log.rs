//! The log of the model: inboxes, journals, transactions, one consumer group.
//!
//! Transactions follow Kafka's first protocol: an epoch per transactional id, an end request that names no transaction (so that a
//! late repeat can hit a later one), markers that are written after the answer and in no order, and a timeout that aborts.
//!
//! Absent on purpose: faults (see `act`); what is asked here happens.

use std::collections::{BTreeMap, BTreeSet};

/// A transaction open for longer is aborted, ms.
const TRANSACTION_MS: i64 = 4000;
/// How long a deletion stays in the journal after its first compaction, ms.
pub const DELETE_RETENTION_MS: i64 = 20_000;

/// A document: offsets applied to its key, in order.
pub type Document = Vec<i64>;

/// A record of an inbox.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub key: u8,
    /// Its transaction never commits.
    pub poison: bool,
    /// Plans of it that are refused before one is taken.
    pub refusals: u32,
    /// It removes its document.
    pub removes: bool,
}

/// What a plan says of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Applied,
    Removed,
    SetAside,
}

/// A record of a journal.
#[derive(Debug, Clone)]
pub enum Body {
    Image(u8, Option<Document>),
    Header { end: i64, count: i64 },
    Probe,
    Marker,
    Compacted,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub txn: usize,
    pub body: Body,
    /// When a deletion may go.
    horizon: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Open,
    /// Decided; markers are on their way.
    Ending(bool),
    Committed,
    Aborted,
}

#[derive(Debug)]
pub struct Txn {
    pub fate: Fate,
    tid: usize,
    began_ms: i64,
    /// Offsets not yet visible: lane, end.
    pub pending: Vec<(u32, i64)>,
    /// Lanes whose journal has no marker yet.
    unmarked: BTreeSet<u32>,
    offsets_ms: i64,
    markers_ms: i64,
}

#[derive(Debug, Default, Clone)]
struct Id {
    epoch: u64,
    current: Option<usize>,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Fenced,
    Generation,
    State,
}

#[derive(Debug)]
pub struct Log {
    /// `None` is a gap, as markers and aborted records leave it.
    pub inbox: Vec<Vec<Option<Input>>>,
    pub journal: Vec<Vec<Entry>>,
    pub outputs: Vec<(usize, u32, i64, Said)>,
    pub txns: Vec<Txn>,
    ids: Vec<Id>,
    pub committed: Vec<Option<(i64, usize)>>,
    pub generation: u64,
    pub members: BTreeSet<usize>,
    rotation: usize,
}

impl Log {
    pub fn new(lanes: usize, ids: usize) -> Self {
        Self {
            inbox: vec![Vec::new(); lanes],
            journal: vec![Vec::new(); lanes],
            outputs: Vec::new(),
            txns: Vec::new(),
            ids: vec![Id::default(); ids],
            committed: vec![None; lanes],
            generation: 0,
            members: BTreeSet::new(),
            rotation: 0,
        }
    }

    // The group.

    pub fn join(&mut self, member: usize) {
        self.members.insert(member);
        self.generation += 1;
    }

    pub fn leave(&mut self, member: usize) {
        if self.members.remove(&member) {
            self.generation += 1;
        }
    }

    pub fn rotate(&mut self) {
        self.rotation += 1;
        self.generation += 1;
    }

    pub fn assigned(&self, member: usize) -> Vec<u32> {
        let members: Vec<_> = self.members.iter().copied().collect();
        let lanes = 0..self.inbox.len();
        lanes
            .filter(|lane| members[(lane + self.rotation) % members.len()] == member)
            .map(|lane| u32::try_from(lane).unwrap())
            .collect()
    }

    // Transactions.

    pub fn init(&mut self, tid: usize, now: i64) -> u64 {
        if let Some(txn) = self.ids[tid].current.take() {
            if self.txns[txn].fate == Fate::Open {
                self.decide(txn, false, now, 0);
            }
            self.complete(txn, i64::MAX);
        }
        self.ids[tid].epoch += 1;
        self.ids[tid].epoch
    }

    fn check(&self, tid: usize, epoch: u64) -> Result<(), Refused> {
        if self.ids[tid].epoch == epoch {
            Ok(())
        } else {
            Err(Refused::Fenced)
        }
    }

    /// The transaction of the next record or offset; the one before must have its markers first.
    pub fn open(&mut self, tid: usize, epoch: u64, now: i64) -> Result<usize, Refused> {
        self.check(tid, epoch)?;
        if let Some(txn) = self.ids[tid].current {
            if self.txns[txn].fate == Fate::Open {
                return Ok(txn);
            }
            self.complete(txn, i64::MAX);
        }
        self.txns.push(Txn {
            fate: Fate::Open,
            tid,
            began_ms: now,
            pending: Vec::new(),
            unmarked: BTreeSet::new(),
            offsets_ms: 0,
            markers_ms: 0,
        });
        self.ids[tid].current = Some(self.txns.len() - 1);
        Ok(self.txns.len() - 1)
    }

    pub fn journal(&mut self, txn: usize, lane: u32, body: Body) -> i64 {
        self.txns[txn].unmarked.insert(lane);
        self.append(lane, txn, body)
    }

    fn append(&mut self, lane: u32, txn: usize, body: Body) -> i64 {
        let journal = &mut self.journal[lane as usize];
        let horizon = None;
        journal.push(Entry { txn, body, horizon });
        i64::try_from(journal.len()).unwrap() - 1
    }

    pub fn send_offsets(
        &mut self,
        (tid, epoch): (usize, u64),
        generation: u64,
        offsets: &[(u32, i64)],
        now: i64,
    ) -> Result<(), Refused> {
        if generation != self.generation || !self.members.contains(&tid) {
            return Err(Refused::Generation);
        }
        let txn = self.open(tid, epoch, now)?;
        self.txns[txn].pending.extend(offsets);
        Ok(())
    }

    /// Ends whatever transaction of the id is open: the request names none.
    pub fn end(
        &mut self,
        tid: usize,
        epoch: u64,
        commit: bool,
        now: i64,
        slow: i64,
    ) -> Result<(), Refused> {
        self.check(tid, epoch)?;
        let txn = self.ids[tid].current.ok_or(Refused::State)?;
        match self.txns[txn].fate {
            Fate::Open => self.decide(txn, commit, now, slow),
            Fate::Ending(as_asked) if as_asked == commit => {}
            Fate::Committed if commit => {}
            Fate::Aborted if !commit => {}
            _ => return Err(Refused::State),
        }
        Ok(())
    }

    fn decide(&mut self, txn: usize, commit: bool, now: i64, slow: i64) {
        let txn = &mut self.txns[txn];
        txn.fate = Fate::Ending(commit);
        // Which marker comes first is not said.
        let (sooner, later) = (now + slow / 3, now + slow);
        let offsets_first = slow % 2 == 0;
        (txn.offsets_ms, txn.markers_ms) = if offsets_first {
            (sooner, later)
        } else {
            (later, sooner)
        };
    }

    /// Writes the markers that are due.
    fn complete(&mut self, at: usize, now: i64) {
        let Fate::Ending(commit) = self.txns[at].fate else {
            return;
        };
        if self.txns[at].offsets_ms <= now {
            let tid = self.txns[at].tid;
            for (lane, end) in std::mem::take(&mut self.txns[at].pending) {
                if commit {
                    self.committed[lane as usize] = Some((end, tid));
                }
            }
        }
        if self.txns[at].markers_ms <= now {
            for lane in std::mem::take(&mut self.txns[at].unmarked) {
                self.append(lane, at, Body::Marker);
            }
        }
        if self.txns[at].pending.is_empty() && self.txns[at].unmarked.is_empty() {
            self.txns[at].fate = if commit {
                Fate::Committed
            } else {
                Fate::Aborted
            };
        }
    }

    /// What the log does by itself as time passes.
    pub fn tick(&mut self, now: i64) {
        for tid in 0..self.ids.len() {
            let Some(txn) = self.ids[tid].current else {
                continue;
            };
            if self.txns[txn].fate == Fate::Open && self.txns[txn].began_ms + TRANSACTION_MS <= now
            {
                // The epoch is raised as well, so that the slow producer cannot go on in the middle of its transaction.
                self.ids[tid].epoch += 1;
                self.decide(txn, false, now, 0);
            }
            self.complete(txn, now);
        }
    }

    // Reading.

    /// The stable committed offset; `None` while one is pending.
    pub fn stable_offset(&self, lane: u32) -> Option<Option<(i64, usize)>> {
        let holds = |t: &Txn| t.pending.iter().any(|(l, _)| *l == lane);
        let held = self.txns.iter().any(holds);
        (!held).then(|| self.committed[lane as usize])
    }

    fn undecided(&self, entry: &Entry, lane: u32) -> bool {
        let txn = &self.txns[entry.txn];
        matches!(txn.fate, Fate::Open | Fate::Ending(_)) && txn.unmarked.contains(&lane)
    }

    fn was_committed(&self, entry: &Entry) -> bool {
        matches!(
            self.txns[entry.txn].fate,
            Fate::Committed | Fate::Ending(true)
        )
    }

    /// Last stable offset of a journal.
    pub fn stable_end(&self, lane: u32) -> usize {
        let journal = &self.journal[lane as usize];
        let open = journal.iter().position(|entry| self.undecided(entry, lane));
        open.unwrap_or(journal.len())
    }

    /// Committed records of a journal in `from..to` with their offsets, at most `most`, and the position behind.
    pub fn read(&self, lane: u32, from: i64, to: i64, most: usize) -> (Vec<(i64, Body)>, i64) {
        let to = to.min(i64::try_from(self.stable_end(lane)).unwrap());
        let (mut found, mut next) = (Vec::new(), from);
        while next < to && found.len() < most {
            let entry = &self.journal[lane as usize][usize::try_from(next).unwrap()];
            let data = matches!(entry.body, Body::Image(..) | Body::Header { .. });
            if data && self.was_committed(entry) {
                found.push((next, entry.body.clone()));
            }
            next += 1;
        }
        (found, next)
    }

    /// Keeps the newest image per key; a deletion goes once it was seen for long enough.
    pub fn compact(&mut self, lane: u32, now: i64) {
        let mut newest: BTreeMap<Option<u8>, usize> = BTreeMap::new();
        for at in 0..self.stable_end(lane) {
            let entry = &self.journal[lane as usize][at];
            let key = match (&entry.body, self.was_committed(entry)) {
                (Body::Image(key, _), true) => Some(*key),
                (Body::Header { .. }, true) => None,
                _ => continue,
            };
            if let Some(older) = newest.insert(key, at) {
                self.journal[lane as usize][older].body = Body::Compacted;
            }
            let entry = &mut self.journal[lane as usize][at];
            if matches!(entry.body, Body::Image(_, None)) {
                let horizon = *entry.horizon.get_or_insert(now + DELETE_RETENTION_MS);
                if horizon < now {
                    entry.body = Body::Compacted;
                }
            }
        }
    }

    /// Group offsets expire, which they do only without members and without pending transactions.
    pub fn expire(&mut self) {
        let busy = |t: &Txn| matches!(t.fate, Fate::Open | Fate::Ending(_));
        if self.members.is_empty() && !self.txns.iter().any(busy) {
            self.committed.fill(None);
        }
    }
}
