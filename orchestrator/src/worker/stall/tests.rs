//! A lane at offset 5, looked at once a second.

use super::*;

const LANE: LaneNo = 3;

struct Bench {
    begun: Instant,
    stalls: Stalls,
}

impl Bench {
    fn new() -> Self {
        let begun = Instant::now();
        let stalls = Stalls::new(PATIENCE, begun);
        Self { begun, stalls }
    }

    /// Seconds from..=to, in which the lane stands at `at`; the second and what it is then.
    fn look(
        &mut self,
        seconds: std::ops::RangeInclusive<u64>,
        at: Option<i64>,
        seen: (Extent, Between),
        idle: bool,
    ) -> Option<(u64, Stall)> {
        for second in seconds {
            let now = self.begun + Duration::from_secs(second);
            let owned = BTreeMap::from([(LANE, at)]);
            for (lane, _) in self.stalls.suspects(now, &owned) {
                if let Some(stall) = self.stalls.seen(now, lane, seen, idle) {
                    return Some((second, stall));
                }
            }
        }
        None
    }
}

fn extent(stable_end: i64, end: i64) -> Extent {
    Extent {
        begin: 0,
        end,
        stable_end,
    }
}

const THERE: (Extent, Between) = (
    Extent {
        begin: 0,
        end: 9,
        stable_end: 9,
    },
    Between::Record(7),
);

fn not_delivered() -> Stall {
    Stall {
        cause: StallCause::NotDelivered,
        at: 5,
        there: 7,
    }
}

#[test]
fn a_lane_that_is_not_given_a_record_for_five_seconds_is_stalled() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.look(0..=60, Some(5), THERE, true),
        Some((15, not_delivered()))
    );
    // While it recovers nobody looks, and it is not forgotten.
    assert_eq!(bench.look(16..=20, None, THERE, true), None);
    assert_eq!(
        bench.stalls.all(),
        BTreeMap::from([(LANE, not_delivered())])
    );
    assert_eq!(
        bench.look(21..=60, Some(5), THERE, true),
        Some((25, not_delivered()))
    );
    // It moves.
    bench.look(26..=26, Some(8), THERE, true);
    assert!(bench.stalls.all().is_empty());
}

#[test]
fn a_busy_worker_gets_more_time_and_still_less_than_thirty_seconds() {
    let found = Bench::new().look(0..=60, Some(5), THERE, false);
    assert_eq!(found, Some((25, not_delivered())));
}

#[test]
fn a_record_that_has_just_come_to_a_quiet_lane_is_no_stall() {
    for idle in [true, false] {
        let mut bench = Bench::new();
        let nothing = (extent(5, 5), Between::Nothing);
        assert_eq!(bench.look(0..=99, Some(5), nothing, idle), None);
        assert_eq!(bench.look(100..=104, Some(5), THERE, idle), None);
        // Another one each time, or none between: the lane is not known to be kept from one of them.
        let later = (extent(9, 9), Between::Record(8));
        assert_eq!(bench.look(105..=109, Some(5), later, idle), None);
        assert_eq!(bench.look(110..=114, Some(5), nothing, idle), None);
        assert_eq!(bench.look(115..=119, Some(5), later, idle), None);
    }
}

#[test]
fn a_lane_that_moves_or_has_nothing_to_do_is_never_stalled() {
    let mut bench = Bench::new();
    for second in 0..60 {
        let at = Some(i64::try_from(second / 9).expect("small"));
        assert_eq!(bench.look(second..=second, at, THERE, true), None);
    }
    let mut bench = Bench::new();
    let marker = (extent(6, 6), Between::Nothing);
    assert_eq!(bench.look(0..=100, Some(5), marker, true), None);
    assert!(
        !bench.stalls.wants_read(LANE, extent(6, 6)),
        "once is enough"
    );
    assert!(bench.stalls.wants_read(LANE, extent(7, 7)));
    // A lane that recovers by itself begins anew.
    assert_eq!(bench.look(101..=101, None, THERE, true), None);
    assert_eq!(bench.look(102..=111, Some(5), THERE, true), None);
}

#[test]
fn an_open_transaction_is_told_from_a_stall_within_thirty_seconds() {
    let mut bench = Bench::new();
    let held = (extent(5, 9), Between::Nothing);
    let stall = Stall {
        cause: StallCause::OpenTransaction,
        at: 5,
        there: 9,
    };
    assert_eq!(bench.look(0..=60, Some(5), held, true), Some((20, stall)));
    // It ended with nothing for this lane.
    let over = (extent(9, 9), Between::Nothing);
    assert_eq!(bench.look(21..=30, Some(5), over, true), None);
    assert!(bench.stalls.all().is_empty());
}

#[test]
fn transactions_that_end_and_follow_each_other_hold_nothing_up() {
    let mut bench = Bench::new();
    for second in 0..100 {
        let stable = 5 + i64::try_from(second / 8).expect("small");
        let seen = (extent(stable, 90), Between::Nothing);
        assert_eq!(bench.look(second..=second, Some(5), seen, true), None);
    }
}

#[test]
fn what_could_not_be_read_changes_nothing() {
    let mut bench = Bench::new();
    let unknown = (extent(9, 9), Between::Unknown);
    assert_eq!(bench.look(0..=60, Some(5), unknown, true), None);
    assert!(bench.stalls.wants_read(LANE, extent(9, 9)));
    assert!(bench.look(61..=75, Some(5), THERE, true).is_some());
}

#[test]
fn many_lanes_are_looked_at_in_turn() {
    let mut bench = Bench::new();
    let owned: BTreeMap<_, _> = (0..16).map(|lane| (lane, Some(5))).collect();
    let mut seen = std::collections::BTreeSet::new();
    for second in 0..14 {
        let now = bench.begun + Duration::from_secs(second);
        let suspects = bench.stalls.suspects(now, &owned);
        assert!(suspects.len() <= LOOKS_MAX);
        for (lane, _) in suspects {
            bench
                .stalls
                .seen(now, lane, (extent(5, 5), Between::Nothing), true);
            seen.insert(lane);
        }
    }
    assert_eq!(seen.len(), 16);
}
