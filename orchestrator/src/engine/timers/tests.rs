use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::store::{Answer, Commit};
use saga_lib::input::Kind as InputKind;
use schemas::inbox::Inbox;

use super::*;

const LANE: LaneNo = 0;
const BUDGET: Budget = Budget {
    per_second: 100.0,
    burst: 50.0,
};
const TICK_MS: i64 = 20;

/// One lane with its store, and a clock in ticks.
struct Bench {
    store: MemoryStore,
    timers: Timers,
    names: Topics,
    jpos: i64,
    begun: Instant,
    now_ms: i64,
    /// Timers written and not applied.
    written: Vec<(u64, Timer)>,
    delayed: usize,
}

impl Bench {
    fn new() -> Self {
        let server = MemoryStoreServer::default();
        let mut store = MemoryStore::open(&server, "skald").expect("a store");
        store.claim(LANE, "me").expect("claimed");
        Self {
            store,
            timers: Timers::new(BUDGET, 1),
            names: Topics::new("skald").expect("names"),
            jpos: 0,
            begun: Instant::now(),
            now_ms: 0,
            written: Vec::new(),
            delayed: 0,
        }
    }

    /// Stores headers as the engine does after a commit of the log.
    fn store(&mut self, documents: &[(String, Option<String>)]) {
        let bytes = |text: &String| (text.clone() + "{}").into_bytes();
        let documents: Vec<_> = documents
            .iter()
            .map(|(id, text)| (id.clone(), text.as_ref().map(bytes)))
            .collect();
        let expected = (self.jpos > 0).then_some(self.jpos);
        self.jpos += 1;
        let commit = Commit {
            lane: LANE,
            owner: "me".to_owned(),
            ep: 1,
            wm: expected,
            jpos: expected,
            wm_to: Some(self.jpos),
            jpos_to: Some(self.jpos),
            documents: documents.clone(),
            ..Commit::default()
        };
        let (answers, _) = self.store.round(&[commit], &[]).expect("stored");
        assert_eq!(answers, [Answer::Done]);
        for (id, document) in &documents {
            self.timers.stored(LANE, id, document.as_deref());
        }
    }

    /// `count` instances whose re-send to `target` was due long ago.
    fn storm(&mut self, target: &str, count: usize) {
        let id = |n| format!("order/{target}-{n:06}");
        let header = |n| format!("1J:1:w1:{}:r:@{target}:", -1_000_000 + n as i64);
        let documents: Vec<_> = (0..count).map(|n| (id(n), Some(header(n)))).collect();
        self.store(&documents);
    }

    fn one(&mut self, id: &str, header: &str) {
        self.store(&[(id.to_owned(), Some(header.to_owned()))]);
    }

    /// One look of the engine; says what it wrote.
    fn tick(&mut self) -> Vec<Timer> {
        self.now_ms += TICK_MS;
        let passed = Duration::from_millis(self.now_ms.unsigned_abs());
        let now = Now {
            lane_ms: self.now_ms,
            monotonic: self.begun + passed,
        };
        if !self.timers.has_room(LANE) {
            return Vec::new();
        }
        let place = (&self.names, 1);
        let (fired, result) = self.timers.tick(&mut self.store, place, LANE, now);
        result.expect("read");
        self.delayed += fired.delayed.len();
        let new: Vec<(u64, Timer)> = fired
            .records
            .iter()
            .flat_map(|(record, token)| timers_of(record).into_iter().map(|t| (*token, t)))
            .collect();
        self.written.extend(new.clone());
        new.into_iter().map(|(_, timer)| timer).collect()
    }

    fn ticks(&mut self, count: usize) -> Vec<Timer> {
        (0..count).flat_map(|_| self.tick()).collect()
    }

    /// What was written is applied: each instance is armed anew, far ahead.
    fn apply(&mut self) {
        let written = std::mem::take(&mut self.written);
        let ahead = |arm: u64| Some(format!("1J:2:w{}:999999999:r:", arm + 1));
        let documents: Vec<_> = written
            .iter()
            .map(|(_, (id, arm))| (id.clone(), ahead(*arm)))
            .collect();
        self.store(&documents);
        self.came_by(&written);
    }

    fn came_by(&mut self, written: &[(u64, Timer)]) {
        for (_, (id, arm)) in written {
            let saga = SagaId::parse(id).expect("an id");
            self.timers.came_by(LANE, &saga, *arm);
        }
    }
}

fn timers_of(record: &Outgoing) -> Vec<Timer> {
    match inbox::decode(&record.clone().received(LANE, 0, 0)) {
        Ok(Inbox::Timer { saga, input }) => match input.kind {
            InputKind::TimerFired { arm } => vec![(saga.to_string(), arm)],
            other => panic!("{other:?}"),
        },
        Ok(Inbox::Expire { entries, .. }) => entries
            .into_iter()
            .map(|(saga, arm)| (saga.to_string(), arm))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn timer(id: &str, arm: u64) -> Timer {
    (id.to_owned(), arm)
}

#[test]
fn a_storm_goes_out_at_its_rate_oldest_first_and_each_once() {
    let mut bench = Bench::new();
    bench.storm("credit", 3_000);
    let mut seen = Vec::new();
    for second in 1..=30 {
        for _ in 0..50 {
            seen.extend(bench.tick());
            bench.apply();
        }
        assert!(seen.len() <= 100 * second, "{second} s: {}", seen.len());
    }
    assert!(seen.len() >= 2_900, "{}", seen.len());
    assert!(seen.is_sorted());
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
    seen.extend(bench.ticks(50));
    assert_eq!(seen.len(), 3_000);
    assert!(bench.delayed >= 2_900);
}

#[test]
fn other_timers_are_written_through_a_storm() {
    let mut bench = Bench::new();
    bench.storm("credit", 20_000);
    bench.ticks(45);
    bench.one(
        "order/deadline",
        &format!("1J:1:w7:{}:r:", bench.now_ms + 1),
    );
    bench.one("order/gone", &format!("1J:1:x3:{}:c:", bench.now_ms + 1));
    let written = bench.tick();
    assert!(written.contains(&timer("order/deadline", 7)), "{written:?}");
    assert!(written.contains(&timer("order/gone", 3)), "{written:?}");
}

#[test]
fn one_target_does_not_hold_up_another() {
    let mut bench = Bench::new();
    bench.storm("credit", 20_000);
    bench.ticks(60);
    bench.one("order/x", &format!("1J:1:w1:{}:r:@stock:", bench.now_ms));
    assert!(bench.ticks(2).contains(&timer("order/x", 1)));
}

#[test]
fn a_re_send_waits_no_longer_than_it_may() {
    let mut bench = Bench::new();
    bench.storm("credit", 5_000);
    let due = bench.now_ms + 10;
    bench.one("order/z", &format!("1J:1:w9:{due}:r:@credit+500:"));
    let early = bench.ticks(25);
    assert!(!early.contains(&timer("order/z", 9)));
    assert!(bench.ticks(2).contains(&timer("order/z", 9)));
}

#[test]
fn what_may_not_wait_is_paid_by_what_follows() {
    let mut bench = Bench::new();
    let over = |n: usize| (format!("order/{n}"), Some("1J:1:w1:-5:r:@credit+1:".into()));
    bench.store(&(0..40).map(over).collect::<Vec<_>>());
    assert_eq!(bench.tick().len(), 40);
    bench.apply();
    bench.storm("credit", 100);
    assert_eq!(bench.ticks(18), []);
    bench.apply();
    assert!(!bench.ticks(10).is_empty());
}

#[test]
fn a_wake_up_with_several_commands_pays_for_each() {
    let mut bench = Bench::new();
    bench.ticks(50);
    let fork = |n: usize| (format!("order/{n}"), Some("1J:1:w1:0:r:@credit*10:".into()));
    bench.store(&(0..20).map(fork).collect::<Vec<_>>());
    let mut sent = 0;
    for _ in 0..50 {
        sent += bench.tick().len();
        bench.apply();
    }
    assert!((13..=16).contains(&sent), "burst and a second: {sent}");
}

#[test]
fn a_new_belief_finds_what_waited() {
    let mut bench = Bench::new();
    bench.storm("credit", 1_000);
    let before: BTreeSet<_> = bench.ticks(5).into_iter().collect();
    bench.apply();
    bench.timers.forget(LANE);
    let mut after = BTreeSet::new();
    for _ in 0..600 {
        after.extend(bench.tick());
        bench.apply();
    }
    assert_eq!(before.len() + after.len(), 1_000);
    assert!(before.is_disjoint(&after));
}

#[test]
fn what_is_armed_in_the_past_is_found() {
    let mut bench = Bench::new();
    bench.storm("credit", 20_000);
    bench.ticks(50);
    bench.one("order/late", "1J:1:w4:-500000:r:");
    let written = bench.ticks(15);
    assert!(written.contains(&timer("order/late", 4)));
}

#[test]
fn an_answer_ends_the_waiting() {
    let mut bench = Bench::new();
    bench.storm("credit", 1_000);
    bench.ticks(3);
    bench.apply();
    let answered = |n| (format!("order/credit-{n:06}"), None);
    bench.store(&(0..1_000).map(answered).collect::<Vec<_>>());
    assert_eq!(bench.timers.waiting(LANE), 0);
    assert_eq!(bench.ticks(100), []);
}

#[test]
fn a_lost_record_is_written_again() {
    let mut bench = Bench::new();
    bench.one("order/a", "1J:1:w1:-1:r:");
    bench.one("order/b", "1J:1:w1:-1:r:@credit:");
    assert_eq!(bench.ticks(5).len(), 2);
    for (token, _) in std::mem::take(&mut bench.written) {
        bench.timers.delivered(token, false);
    }
    let again: BTreeSet<_> = bench.ticks(5).into_iter().collect();
    assert_eq!(again, [timer("order/a", 1), timer("order/b", 1)].into());
}

/// A belief outlives the producers: they are replaced after any doubt, and lanes without a part in it do not recover.
#[test]
fn what_a_replaced_producer_did_not_tell_is_written_again() {
    let mut bench = Bench::new();
    bench.one("order/a", "1J:1:w1:-1:r:");
    bench.one("order/b", "1J:1:w1:-1:r:@credit:");
    assert_eq!(bench.ticks(5).len(), 2);
    bench.timers.unheard();
    let again: BTreeSet<_> = bench.ticks(5).into_iter().collect();
    assert_eq!(again, [timer("order/a", 1), timer("order/b", 1)].into());
}

#[test]
fn a_timer_that_changed_nothing_is_written_again() {
    let mut bench = Bench::new();
    bench.one("order/a", "1J:1:w1:-1:r:");
    assert_eq!(bench.tick().len(), 1);
    assert_eq!(bench.ticks(10), []);
    let written = std::mem::take(&mut bench.written);
    bench.came_by(&written);
    assert_eq!(bench.ticks(2), [timer("order/a", 1)]);
}

#[test]
fn an_engine_that_lags_has_no_more_than_a_burst_ahead() {
    let mut bench = Bench::new();
    bench.storm("credit", 5_000);
    assert_eq!(bench.ticks(500).len(), 50);
    bench.apply();
    assert_eq!(bench.tick().len(), 50);
}

#[test]
fn a_lost_document_is_told() {
    let mut bench = Bench::new();
    let server = MemoryStoreServer::default();
    bench.store = MemoryStore::open(&server, "skald").expect("a store");
    bench.store.claim(LANE, "me").expect("claimed");
    bench.one("order/a", "1J:1:w1:-1:r:@credit:");
    server.lose_document("skald", LANE, "order/a");
    let now = Now {
        lane_ms: 10,
        monotonic: bench.begun,
    };
    let place = (&bench.names, 1);
    let (fired, _) = bench.timers.tick(&mut bench.store, place, LANE, now);
    assert_eq!(fired.lost.as_deref(), Some("order/a"));
}

/// More than a lane remembers: nothing is forgotten, and what may not wait is written.
#[test]
fn a_storm_beyond_all_memory_is_read_again() {
    let mut bench = Bench::new();
    bench.storm("credit", 100_200);
    let last = (0..300).find(|_| {
        bench.tick();
        bench.timers.waiting(LANE) == 100_000
    });
    assert!(last.is_some());
    let until = bench.now_ms + 2_000;
    let slack = until - bench.now_ms;
    let header = format!("1J:1:w5:{}:r:@credit+{slack}:", bench.now_ms);
    bench.one("order/bounded", &header);
    let header = format!("1J:1:w5:{}:r:@credit+{}:", bench.now_ms, i64::MAX);
    bench.one("order/patient", &header);
    let written = bench.ticks(usize::try_from(slack / TICK_MS).expect("positive") + 100);
    assert!(written.contains(&timer("order/bounded", 5)));
    let mut left: BTreeMap<String, u64> = BTreeMap::new();
    let answered = |n: usize| (format!("order/credit-{n:06}"), None);
    bench.store(&(0..100_000).map(answered).collect::<Vec<_>>());
    let written = std::mem::take(&mut bench.written);
    bench.came_by(&written);
    for _ in 0..400 {
        left.extend(bench.tick());
        bench.apply();
    }
    let rest = left.keys().filter(|id| id.starts_with("order/credit-1"));
    assert_eq!(rest.count(), 200);
}
