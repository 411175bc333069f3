//! The plan: which fault begins and ends when. It follows from the seed alone.
//!
//! Faults are dealt like cards, so that every kind comes before one comes twice. What a fault strikes is free until it is over; faults
//! on different things overlap.
//!
//! Absent on purpose: how a fault is made (see `site`).

use std::fmt;
use std::time::Duration;

use super::chance::Chance;
use super::profile::Profile;

/// Requests of Kafka's protocol that are lost or late on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum Api {
    /// Records to the broker.
    Produce = 0,
    /// Records from the broker.
    Fetch = 1,
    /// Committed offsets of a group.
    OffsetFetch = 9,
    /// Where the coordinator is.
    FindCoordinator = 10,
    /// Entering a group.
    JoinGroup = 11,
    /// Staying in a group.
    Heartbeat = 12,
    /// Learning the assignment.
    SyncGroup = 14,
    /// A producer's epoch.
    InitProducerId = 22,
    /// Partitions of a transaction.
    AddPartitionsToTxn = 24,
    /// The group of a transaction.
    AddOffsetsToTxn = 25,
    /// The end of a transaction.
    EndTxn = 26,
    /// Offsets of a transaction.
    TxnOffsetCommit = 28,
}

/// What happens to a request or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The request never arrives; nobody is told.
    RequestLost,
    /// The request arrives, its answer does not; nobody is told.
    AnswerLost,
    /// The request arrives, then the connection breaks without an answer.
    Broken,
    /// The answer comes late.
    AnswerLate,
    /// The connection breaks, and the request arrives long after that.
    RequestLate,
}

/// What happens between a process and the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// Answers come late.
    Slow,
    /// A script runs, then the connection breaks without an answer.
    Broken,
    /// Scripts run, no answer comes.
    Silent,
    /// The connection breaks before a script arrives.
    Cut,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// kill -9 of a process, which starts again.
    Kill(usize),
    /// kill -9 of both processes at once.
    KillBoth,
    /// SIGSTOP, then SIGCONT.
    Freeze(usize),
    /// SIGTERM, then a new start.
    Stop(usize),
    /// kill -9 of the participants.
    KillParticipants,
    /// SIGSTOP of the participants, then SIGCONT.
    FreezeParticipants,
    /// kill -9 of the broker.
    KillBroker,
    /// SIGSTOP of the broker, then SIGCONT.
    FreezeBroker,
    /// kill -9 of the store, which forgets everything since its last snapshot, if there was one.
    KillStore,
    /// SIGSTOP of the store, then SIGCONT.
    FreezeStore,
    /// FLUSHALL.
    Flush,
    /// A snapshot, to which the store goes back later.
    RollBack,
    /// The store has no memory left for writes.
    StoreFull,
    /// The store takes no writes, as a demoted master.
    StoreReadOnly,
    /// Trouble on the way to the store.
    Store(StoreTrouble),
    /// Trouble on the way to the broker.
    Kafka(Api, Trouble),
    /// All connections to the broker break, new ones too.
    KafkaCut,
    /// Nothing goes through to the broker or back, and no connection breaks.
    KafkaSilent,
}

/// Things that one fault at a time strikes, one bit each.
pub type Struck = u8;
const ONE: Struck = 1;
const TWO: Struck = 2;
const PARTICIPANTS: Struck = 4;
const BROKER: Struck = 8;
const STORE: Struck = 16;
const KAFKA_WAY: Struck = 32;
const STORE_WAY: Struck = 64;

impl Fault {
    /// The word of its kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::KillBoth => "kill_both",
            Self::Freeze(_) => "freeze",
            Self::Stop(_) => "stop",
            Self::KillParticipants => "kill_participants",
            Self::FreezeParticipants => "freeze_participants",
            Self::KillBroker => "kill_broker",
            Self::FreezeBroker => "freeze_broker",
            Self::KillStore => "kill_store",
            Self::FreezeStore => "freeze_store",
            Self::Flush => "flush_store",
            Self::RollBack => "roll_back_store",
            Self::StoreFull => "store_full",
            Self::StoreReadOnly => "store_read_only",
            Self::Store(trouble) => trouble.kind(),
            Self::Kafka(_, trouble) => trouble.kind(),
            Self::KafkaCut => "kafka_cut",
            Self::KafkaSilent => "kafka_silent",
        }
    }

    /// What it strikes.
    pub fn strikes(self) -> Struck {
        match self {
            Self::Kill(0) | Self::Freeze(0) | Self::Stop(0) => ONE,
            Self::Kill(_) | Self::Freeze(_) | Self::Stop(_) => TWO,
            Self::KillBoth => ONE | TWO,
            Self::KillParticipants | Self::FreezeParticipants => PARTICIPANTS,
            Self::KillBroker | Self::FreezeBroker => BROKER,
            Self::KillStore
            | Self::FreezeStore
            | Self::Flush
            | Self::RollBack
            | Self::StoreFull
            | Self::StoreReadOnly => STORE,
            Self::Store(_) => STORE_WAY,
            Self::Kafka(..) | Self::KafkaCut | Self::KafkaSilent => KAFKA_WAY,
        }
    }

    /// How long it lasts, in ms: around the time limits of the test profile (transaction 1.5 s, session 2 s, a request or the store 5 s).
    fn lasting(self, chance: &mut Chance) -> u64 {
        let (from, to) = match self {
            Self::Flush | Self::Stop(_) => (0, 1),
            Self::Kill(_) | Self::KillBoth | Self::KillParticipants | Self::KillStore => {
                (50, 2_500)
            }
            Self::Freeze(_) => (300, 6_000),
            Self::FreezeParticipants => (300, 3_000),
            Self::KillBroker => (50, 500),
            Self::FreezeBroker => (500, 8_000),
            Self::FreezeStore => (300, 6_000),
            Self::RollBack => (1_000, 4_000),
            Self::KafkaCut | Self::KafkaSilent => (300, 3_000),
            // The client asks again every 2 s; only after 5 s it has to give up and not know.
            Self::Kafka(Api::EndTxn, Trouble::RequestLost | Trouble::AnswerLost) => (4_000, 7_000),
            _ => (500, 2_500),
        };
        chance.within(from, to)
    }

    /// A broker that starts again is not struck until it is up.
    fn aftermath_ms(self) -> u64 {
        if self == Self::KillBroker { 8_000 } else { 500 }
    }
}

impl StoreTrouble {
    fn kind(self) -> &'static str {
        match self {
            Self::Slow => "store_slow",
            Self::Broken => "store_answer_broken",
            Self::Silent => "store_answer_lost",
            Self::Cut => "store_cut",
        }
    }
}

impl Trouble {
    fn kind(self) -> &'static str {
        match self {
            Self::RequestLost => "kafka_request_lost",
            Self::AnswerLost => "kafka_answer_lost",
            Self::Broken => "kafka_answer_broken",
            Self::AnswerLate => "kafka_answer_late",
            Self::RequestLate => "kafka_request_late",
        }
    }
}

/// A fault and its time, in ms since the load began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it begins.
    pub begin_ms: u64,
    /// When it ends.
    pub end_ms: u64,
    /// What.
    pub fault: Fault,
}

/// All faults of a run, by their begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The seed it follows from.
    pub seed: u64,
    /// Faults.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64, profile: &Profile) -> Self {
        let mut chance = Chance::of(seed, u64::MAX);
        let mut steps: Vec<Step> = Vec::new();
        let (mut deck, mut now_ms) = (Vec::new(), 2_000);
        while steps.len() < profile.faults && now_ms < ms(profile.lasting) {
            if deck.len() < HAND {
                let mut more = cards(&mut chance);
                chance.shuffle(&mut more);
                deck.splice(0..0, more);
            }
            let free = |fault: &Fault| is_free(&steps, fault.strikes(), now_ms);
            if let Some(at) = deck.iter().rposition(free) {
                let fault = deck.remove(at);
                let end_ms = now_ms + fault.lasting(&mut chance);
                steps.push(Step {
                    begin_ms: now_ms,
                    end_ms,
                    fault,
                });
            }
            now_ms += chance.within(profile.gap_ms.0, profile.gap_ms.1);
        }
        Self { seed, steps }
    }

    /// Kinds of faults, sorted.
    pub fn kinds(&self) -> std::collections::BTreeSet<&'static str> {
        self.steps.iter().map(|step| step.fault.kind()).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} faults", self.seed, self.steps.len())?;
        self.steps.iter().try_for_each(|step| {
            let (begin, end) = (step.begin_ms, step.end_ms);
            writeln!(f, "{begin:>7} ms to {end:>7} ms: {:?}", step.fault)
        })
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_free(steps: &[Step], struck: Struck, now_ms: u64) -> bool {
    let busy = |step: &&Step| step.end_ms + step.fault.aftermath_ms() > now_ms;
    let mut busy = steps.iter().filter(busy);
    busy.all(|step| step.fault.strikes() & struck == 0)
}

/// One of every kind, with what it strikes drawn anew.
fn cards(chance: &mut Chance) -> Vec<Fault> {
    let one_of_two = chance.below(2) as usize;
    let mut cards = vec![
        Fault::Kill(one_of_two),
        Fault::Kill(1 - one_of_two),
        Fault::KillBoth,
        Fault::Freeze(chance.below(2) as usize),
        Fault::Stop(chance.below(2) as usize),
        Fault::KillParticipants,
        Fault::FreezeParticipants,
        Fault::KillBroker,
        Fault::FreezeBroker,
        Fault::KillStore,
        Fault::FreezeStore,
        Fault::Flush,
        Fault::RollBack,
        Fault::StoreFull,
        Fault::StoreReadOnly,
        Fault::KafkaCut,
        Fault::KafkaSilent,
    ];
    cards.extend(STORE_TROUBLES.map(Fault::Store));
    cards.extend(TROUBLES.map(|trouble| Fault::Kafka(chance.weighted(&APIS), trouble)));
    // Whether a transaction was committed is the one thing that must never be guessed.
    cards.extend(UNKNOWN_ENDS.map(|trouble| Fault::Kafka(Api::EndTxn, trouble)));
    cards
}

const STORE_TROUBLES: [StoreTrouble; 4] = [
    StoreTrouble::Slow,
    StoreTrouble::Broken,
    StoreTrouble::Silent,
    StoreTrouble::Cut,
];

const TROUBLES: [Trouble; 5] = [
    Trouble::RequestLost,
    Trouble::AnswerLost,
    Trouble::Broken,
    Trouble::AnswerLate,
    Trouble::RequestLate,
];

const UNKNOWN_ENDS: [Trouble; 3] = [
    Trouble::RequestLost,
    Trouble::AnswerLost,
    Trouble::RequestLate,
];

const APIS: [(u64, Api); 12] = [
    (1, Api::EndTxn),
    (3, Api::TxnOffsetCommit),
    (3, Api::Produce),
    (2, Api::AddPartitionsToTxn),
    (1, Api::AddOffsetsToTxn),
    (1, Api::InitProducerId),
    (1, Api::OffsetFetch),
    (1, Api::Fetch),
    (1, Api::FindCoordinator),
    (1, Api::JoinGroup),
    (1, Api::SyncGroup),
    (1, Api::Heartbeat),
];

/// Cards in hand at least: what is struck now may make all of fewer cards unplayable.
const HAND: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let plan = |seed| Plan::new(seed, &Profile::short());
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7).steps, plan(8).steps);
    }

    #[test]
    fn a_short_plan_has_enough_faults_of_enough_kinds() {
        for seed in 0..200 {
            let plan = Plan::new(seed, &Profile::short());
            assert!(plan.steps.len() >= 25, "{plan}");
            assert!(plan.kinds().len() >= 15, "{plan}");
        }
    }

    #[test]
    fn nothing_is_struck_twice_at_a_time() {
        for seed in 0..200 {
            let steps = Plan::new(seed, &Profile::long()).steps;
            for (n, step) in steps.iter().enumerate() {
                let others = &steps[..n];
                assert!(is_free(others, step.fault.strikes(), step.begin_ms));
            }
        }
    }
}
