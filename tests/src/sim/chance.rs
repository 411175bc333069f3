//! Chance: one seed decides everything a run does.
//!
//! The schedule and the faults draw from streams of their own, and whether a fault strikes is drawn also where it is switched off. So a
//! run can be repeated with fewer faults and stays as similar as it can be.
//!
//! Absent on purpose: any other source of randomness, and time.

use super::fault::{Fault, KINDS};

/// A stream of numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (stream << 56) ^ 0x5ca1_ab1e_0000_0001)
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
        (self.number() % n.max(1) as u64) as usize
    }

    /// A number in `from..to`.
    pub fn ms(&mut self, from: i64, to: i64) -> i64 {
        from + (self.number() % (to - from).max(1) as u64) as i64
    }

    /// Does something of this rate (per 10,000) happen now?
    pub fn hits(&mut self, rate: u32) -> bool {
        self.below(10_000) < rate as usize
    }
}

/// Which faults may strike: the knobs of a minimisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A bit per kind of fault that may strike.
    pub kinds: u64,
    /// So many faults strike, then none.
    pub faults: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            kinds: u64::MAX,
            faults: u32::MAX,
        }
    }
}

/// The faults of a run: rates per 10,000, drawn once, and what struck so far.
///
/// Most faults are absent from most runs, so that the others show in long sequences.
#[derive(Debug)]
pub struct Luck {
    chance: Chance,
    rates: [u32; KINDS],
    limits: Limits,
    healed: bool,
    /// How often each kind struck.
    pub struck: [u32; KINDS],
}

impl Luck {
    /// The luck of a seed.
    pub fn new(seed: u64, limits: Limits) -> Self {
        let mut chance = Chance::new(seed, 1);
        // One run of four has few kinds: what the others would repair on the way stays broken then.
        let busy = [2, 8, 16, 24][chance.below(4)];
        let mut rates = [0; KINDS];
        for fault in Fault::ALL {
            let present = chance.below(32) < busy;
            let rate = 1 + chance.below(fault.most() as usize) as u32;
            rates[fault as usize] = if present { rate } else { 0 };
        }
        Self {
            chance,
            rates,
            limits,
            healed: false,
            struck: [0; KINDS],
        }
    }

    /// Does this fault strike now?
    pub fn strikes(&mut self, fault: Fault) -> bool {
        if self.healed {
            return false;
        }
        let drawn = self.chance.hits(self.rates[fault as usize]);
        let may = self.limits.kinds >> (fault as usize) & 1 == 1 && self.limits.faults > 0;
        if drawn && may {
            self.limits.faults -= 1;
            self.struck[fault as usize] += 1;
        }
        drawn && may
    }

    /// Can it strike at all in this run?
    pub fn is_possible(&self, fault: Fault) -> bool {
        self.rates[fault as usize] > 0 && self.limits.kinds >> (fault as usize) & 1 == 1
    }

    /// How long or how many, of a fault that struck.
    pub fn ms(&mut self, from: i64, to: i64) -> i64 {
        self.chance.ms(from, to)
    }

    /// Which one, of a fault that struck.
    pub fn below(&mut self, n: usize) -> usize {
        self.chance.below(n)
    }

    /// No more faults.
    pub fn heal(&mut self) {
        self.healed = true;
    }
}
