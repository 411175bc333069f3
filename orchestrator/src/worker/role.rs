//! What differs between the loops of engine and ingress.
//!
//! Absent on purpose: the transaction itself, which the shell runs the same way for both.

use connectors::log::{Delivery, Log};
use saga_lib::lane::{Effect, Event, LaneNo, Planned, Waiting, Worker};
use schemas::record::{Outgoing, Partition, Received};

/// Token of plain records that are forwarded replies; other plain tokens are the role's own.
pub const FORWARD_TOKEN: u64 = u64::MAX;

/// A record of a lane's plan.
#[derive(Debug, Clone)]
pub struct Output {
    /// The record.
    pub record: Outgoing,
    /// Offset of the input that caused it.
    pub input: i64,
    /// What it is, for counting and for what follows when it is refused.
    pub class: OutputClass,
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputClass {
    /// A command.
    Command,
    /// A published event.
    Event,
    /// A history fact.
    History,
    /// A journal image.
    Journal,
    /// The lane's header, always last.
    Header,
    /// An inbox record (ingress).
    Inbox,
    /// A dead letter.
    DeadLetter,
    /// A copy for the orphans topic.
    Orphan,
}

/// The plan of one lane for one transaction.
#[derive(Debug, Clone, Default)]
pub struct LanePlan {
    /// Records of the transaction; a header, if any, is last.
    pub outputs: Vec<Output>,
    /// Records to be written by the plain producer and acknowledged before B5 (forwarded replies).
    pub plain: Vec<Outgoing>,
}

/// What a loop does with its lanes.
pub trait Role<L: Log> {
    /// `engine` or `ingress`.
    fn name(&self) -> &'static str;

    /// Handles of newly assigned partitions.
    fn assigned(&mut self, log: &mut L, partitions: &[Partition]) -> Vec<LaneNo>;

    /// The partition of a lane.
    fn partition(&self, lane: LaneNo) -> Partition;

    /// The lane of a partition.
    fn lane(&self, partition: &Partition) -> Option<LaneNo>;

    /// Keeps what a poll brought.
    fn keep(&mut self, lane: LaneNo, records: Vec<Received>);

    /// What can be planned of the records kept, given what the poll brought. A role may hold records back, and offer them later.
    fn waiting(&mut self, _log: &mut L, polled: Vec<Waiting>) -> Vec<Waiting> {
        polled
    }

    /// Does the role hold this lane back on purpose? Then it is no wonder that it stands still.
    fn holds_back(&self, _lane: LaneNo) -> bool {
        false
    }

    /// What was polled and not committed is delivered again: it must not be kept twice.
    fn rewind(&mut self, lane: LaneNo);

    /// Forgets everything about a lane.
    fn forget(&mut self, lane: LaneNo);

    /// A lane became ready.
    fn ready(&mut self, lane: LaneNo);

    /// Executes an effect of its own: Claim, Sample, Clear, ReadJournal, Apply, Origin, Round.
    fn execute(&mut self, log: &mut L, effect: Effect) -> Event;

    /// B3: plans the records taken.
    fn plan(
        &mut self,
        log: &mut L,
        lanes: &[LaneNo],
        refused: &[(LaneNo, i64, String)],
        set_aside: Option<&str>,
    ) -> Vec<Planned>;

    /// The plan of a lane.
    fn planned(&self, lane: LaneNo) -> Option<&LanePlan>;

    /// B6: the transaction is committed; `headers` in the order of `lanes`.
    fn committed(&mut self, lanes: &[LaneNo]);

    /// Before a poll, no transaction open: timers, definitions, metrics.
    fn between(&mut self, log: &mut L, machine: &mut Worker);

    /// A recovery met the transactional id of another owner.
    fn met(&mut self, transactional_id: &str);

    /// B7: may this process go on under its name? `Err` names the foreign holder.
    fn still_ours(&mut self) -> Result<(), String>;

    /// A record of this topic for a probe of this lane (acknowledged, then aborted).
    fn probe(&self, lane: LaneNo) -> Option<Outgoing>;

    /// A plain record was written or not.
    fn delivered(&mut self, delivery: &Delivery);

    /// The producers are replaced: nothing more is heard of plain records whose fate is not known yet.
    fn replaced(&mut self);
}
