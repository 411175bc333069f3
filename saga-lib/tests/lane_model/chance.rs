//! Chance: one seed decides everything a run does.
//!
//! Absent on purpose: any other source of randomness, and time.

/// A stream of numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5ca1_ab1e_0000_0001)
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n` (0 if `n` is 0).
    pub fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n.max(1)).unwrap();
        usize::try_from(self.number() % n).unwrap()
    }

    /// A number in `from..to`.
    pub fn ms(&mut self, from: i64, to: i64) -> i64 {
        let span = usize::try_from((to - from).max(1)).unwrap();
        from + i64::try_from(self.below(span)).unwrap()
    }

    /// Does something of this rate (per 10,000) happen now?
    pub fn hits(&mut self, rate: u32) -> bool {
        rate > 0 && self.below(10_000) < rate as usize
    }
}

/// Rates per 10,000. Each run draws its own: most faults are absent from most runs, so that the others show in long sequences.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The store does not answer and did nothing.
    pub store_before: u32,
    /// The store does not answer and did it.
    pub store_after: u32,
    /// The store does not answer and does it later.
    pub store_late: u32,
    /// Everything in the store is lost.
    pub flush_all: u32,
    /// The store goes back to a snapshot.
    pub store_back: u32,
    /// The store does not answer for a while.
    pub store_outage: u32,
    /// The log does not answer for a while.
    pub log_outage: u32,
    /// Reading offsets, extents or the journal fails.
    pub read: u32,
    /// Beginning or aborting fails.
    pub begin: u32,
    /// A record is not acknowledged.
    pub produce: u32,
    /// Offsets are not sent.
    pub offsets_before: u32,
    /// Offsets are sent, the answer is lost.
    pub offsets_after: u32,
    /// A commit is lost before it happens.
    pub commit_before: u32,
    /// A commit happens, the answer is lost.
    pub commit_after: u32,
    /// A commit without an answer happens later.
    pub commit_late: u32,
    /// A commit is answered after a repeat that is still on its way.
    pub commit_tainted: u32,
    /// Producers cannot be replaced, owners not be fenced.
    pub replace: u32,
    /// Markers are written late.
    pub markers: u32,
    /// A worker dies.
    pub crash: u32,
    /// A worker stands still and goes on later.
    pub freeze: u32,
    /// The group moves lanes.
    pub rebalance: u32,
    /// The journal is compacted.
    pub compact: u32,
    /// A long time passes.
    pub leap: u32,
    /// Group offsets expire while nobody is a member.
    pub expire: u32,
    /// The store tells that it lost a document.
    pub rebuild: u32,
}

impl Faults {
    /// The rates of a run.
    pub fn draw(chance: &mut Chance) -> Self {
        let busy = chance.below(4);
        let mut rate = |most: usize| {
            let present = chance.below(4) < busy;
            let rate = chance.below(most) + 1;
            if present {
                u32::try_from(rate).unwrap()
            } else {
                0
            }
        };
        Self {
            store_before: rate(2000),
            store_after: rate(2000),
            store_late: rate(2000),
            flush_all: rate(250),
            store_back: rate(300),
            store_outage: rate(60),
            log_outage: rate(60),
            read: rate(1000),
            begin: rate(1000),
            produce: rate(1000),
            offsets_before: rate(1000),
            offsets_after: rate(1000),
            commit_before: rate(2500),
            commit_after: rate(2500),
            commit_late: rate(2500),
            commit_tainted: rate(4000),
            replace: rate(1000),
            markers: rate(8000),
            crash: rate(250),
            freeze: rate(300),
            rebalance: rate(300),
            compact: rate(1500),
            leap: rate(150),
            expire: rate(5000),
            rebuild: rate(80),
        }
    }
}
