//! A participant that was silent comes back: what waited for it is sent again within the budget, not all at once.

use std::collections::BTreeMap;
use std::time::Duration;

use connectors::participant::Answer;
use saga_lib::instance::Status;
use schemas::command;
use serde_json::json;
use tests::harness::eventually;
use tests::world::{LANES, World};

const SAGAS: usize = 2_000;
/// Of the installation.
const PER_SECOND: u64 = 40;
const BURST: u64 = 40;
/// Without a budget every saga would send again this often while its participant is silent.
const SILENCE: Duration = Duration::from_secs(10);

/// A re-send as a read_committed reader sees it.
struct Seen {
    at_ms: i64,
    lane: u32,
    attempt: u32,
}

fn impatient(world: &World) {
    let text = include_str!("../../src/world/order.yaml");
    let text = text.replace("timeout: 1s", "timeout: 300ms");
    world.define("order.yaml", &text.replace("max: 60", "max: 1000"));
    world.configure(&format!(
        "\n[resend]\nper_second = {PER_SECOND}\nburst = {BURST}\n"
    ));
}

fn commands(world: &World) -> Vec<Seen> {
    let records = world.follow(&format!("{}-stock.commands", world.app));
    let seen = |record| Seen {
        attempt: command::decode_command(record).expect("a command").attempt,
        lane: record.partition.number,
        at_ms: record.timestamp_ms,
    };
    records.iter().map(seen).collect()
}

/// Most records in any window of this length.
fn densest(times: &[i64], window_ms: i64) -> usize {
    let within = |(n, begin): (usize, &i64)| times[n..].partition_point(|t| *t < begin + window_ms);
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

fn resent(seen: &[Seen]) -> Vec<i64> {
    let again = seen.iter().filter(|one| one.attempt > 1);
    let mut times: Vec<i64> = again.map(|one| one.at_ms).collect();
    times.sort_unstable();
    times
}

#[test]
fn a_silent_participant_gets_no_more_re_sends_than_the_budget() {
    let world = World::new();
    impatient(&world);
    let skald = world.start("one");
    let ok = |_: &connectors::participant::Command| Answer::ok(json!({ "ok": true }));
    let others = [
        world.participant("payment", "charge", "refund", ok),
        world.participant("shipping", "dispatch", "recall", ok),
    ];
    world.trigger(SAGAS);
    eventually("every saga waits", Duration::from_secs(60), || {
        let first = commands(&world).iter().filter(|c| c.attempt == 1).count();
        (first == SAGAS).then_some(())
    });
    std::thread::sleep(SILENCE);
    let silent = commands(&world);
    let stock = world.participant("stock", "reserve", "release", ok);
    world.wait_for_ends(Duration::from_secs(120), false);

    check_turns(&silent);
    check_rate(&resent(&commands(&world)));
    let completed = world.instances();
    assert_eq!(completed.len(), SAGAS);
    assert!(completed.values().all(|i| i.status == Status::Completed));
    stock.stop();
    others
        .into_iter()
        .for_each(|participant| participant.stop());
    skald.stop();
    world.check();
}

/// The budget is used, by every lane, and each saga waits its turn.
fn check_turns(silent: &[Seen]) {
    let sent = resent(silent).len();
    let least = (PER_SECOND * SILENCE.as_secs() / 2) as usize;
    assert!(sent >= least, "only {sent} re-sends in {SILENCE:?}");
    let mut lanes: BTreeMap<u32, u32> = BTreeMap::new();
    for one in silent {
        *lanes.entry(one.lane).or_default() += u32::from(one.attempt > 1);
        let twice = "sent twice again although others were not sent again once";
        assert!(one.attempt <= 2 || sent > SAGAS, "{twice}: {}", one.attempt);
    }
    assert_eq!(lanes.len(), LANES as usize);
    assert!(lanes.values().all(|sent| *sent > 0), "{lanes:?}");
}

/// What is on its way when the engine was held up, and what the buckets saved meanwhile, may come together: a burst each.
fn check_rate(times: &[i64]) {
    for seconds in [1, 5] {
        let most = densest(times, seconds * 1_000);
        let bound = PER_SECOND * seconds.unsigned_abs() + 2 * BURST;
        assert!(most as u64 <= bound, "{most} re-sends within {seconds} s");
    }
    let all_ms = times.last().unwrap_or(&0) - times.first().unwrap_or(&0);
    let bound = PER_SECOND * all_ms.unsigned_abs() / 1_000 + 2 * BURST;
    let sent = times.len() as u64;
    assert!(sent <= bound, "{sent} re-sends in {all_ms} ms");
    println!(
        "{sent} re-sends in {all_ms} ms, {} within 1 s",
        densest(times, 1_000)
    );
}
