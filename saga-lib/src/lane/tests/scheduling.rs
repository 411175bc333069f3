//! What happens between two polls, and B8.

use super::dialogue::{
    Dialogue, at, claimed, later, loads, offset, plan, planned, polled, rounded, unwritten,
};
use crate::lane::{Effect, Event};

fn engine_with(lanes: &[u32]) -> Dialogue {
    let mut d = Dialogue::engine();
    d.ready(lanes);
    d
}

fn idle_round(lanes: &[u32]) -> Effect {
    let all: Vec<_> = lanes.iter().map(|lane| (*lane, 0, 0)).collect();
    loads(&all)
}

/// Polls without a record until something else is asked for; the time that took, ms.
#[track_caller]
fn idle(d: &mut Dialogue) -> i64 {
    let before = d.wall_ms();
    while matches!(d.asked(), Effect::Poll { .. }) {
        d.nothing();
    }
    d.wall_ms() - before
}

#[test]
fn a_worker_without_lanes_polls() {
    let mut d = Dialogue::engine();
    assert_eq!(d.polls(), 100);
    assert_eq!(d.nothing().polls(), 100);
}

#[test]
fn an_idle_lane_is_checked_every_second() {
    let mut d = engine_with(&[0]);
    for _ in 0..3 {
        assert_eq!(idle(&mut d), 1000);
        d.asks(idle_round(&[0]))
            .says(rounded(vec![], vec![at(10, 20)]))
            .is_ready(0, 10);
    }
}

#[test]
fn an_idle_lane_that_stands_elsewhere_recovers() {
    let mut d = engine_with(&[0]);
    idle(&mut d);
    d.says(rounded(vec![], vec![unwritten()]))
        .tells(Effect::Recovering {
            lane: 0,
            cause: "mismatch",
        });
    d.nothing().asks(Effect::Claim { lane: 0 });
}

#[test]
fn an_idle_lane_is_checked_although_another_one_is_busy() {
    let mut d = engine_with(&[0, 1]);
    let mut asked = Vec::new();
    for turn in 0..12 {
        let next = 10 + turn;
        d.after(100).brings(&[(0, 1, next + 1)]);
        let position = if turn == 0 {
            at(10, 20)
        } else {
            at(next, 30 + turn)
        };
        let answers = vec![crate::lane::Answer::Done; usize::from(turn > 0)];
        d.says(rounded(answers, vec![position]))
            .asks(plan(&[0]))
            .says(planned(&[(0, next + 1)]))
            .says(Event::Begun(Ok(())))
            .says(Event::Produced(Ok(vec![30 + turn])))
            .says(Event::OffsetsSent(Ok(())))
            .says(Event::Committed(Ok(false)));
        if let Effect::Round { commits, loads } = d.asked() {
            asked.push(loads);
            let answers = vec![crate::lane::Answer::Done; commits.len()];
            d.says(rounded(answers, vec![at(10, 20)]));
            break;
        }
    }
    assert_eq!(asked, [vec![(1, 0, 0)]]);
}

#[test]
fn ready_lanes_work_while_another_one_recovers() {
    let mut d = engine_with(&[0, 1]);
    idle(&mut d);
    d.says(rounded(vec![], vec![unwritten(), at(10, 20)]))
        .is_recovering(0);
    d.brings(&[(1, 1, 11)]).asks(loads(&[(1, 10, 1)]));
    d.until_commit(&[(1, 11)])
        .says(Event::Committed(Ok(false)))
        .asks(Effect::Claim { lane: 0 });
}

#[test]
fn records_of_a_lane_that_is_not_ready_are_not_taken() {
    let mut d = Dialogue::engine();
    d.assigned(&[0]).says(claimed(at(10, 20)));
    d.says(polled(&[(0, 5, 15)]))
        .asks(Effect::ReadOffset { lane: 0 });
}

#[test]
fn records_below_the_watermark_are_not_taken() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 3, 10)]).polls();
}

#[test]
fn a_store_that_is_away_is_asked_less_and_less_and_polling_goes_on() {
    let mut d = Dialogue::engine();
    d.assigned(&[0]);
    let mut waits = Vec::new();
    for _ in 0..8 {
        d.asks(Effect::Claim { lane: 0 })
            .says(Event::Claimed(Err(later())));
        let before = d.wall_ms();
        while matches!(d.asked(), Effect::Poll { .. }) {
            assert!(d.polls() <= 1000);
            d.nothing();
        }
        waits.push(d.wall_ms() - before);
    }
    assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 1600, 1600]);
}

#[test]
fn recoveries_that_take_long_let_a_poll_come_between_and_take_turns() {
    let mut d = Dialogue::engine();
    d.assigned(&[0, 1])
        .asks(Effect::Claim { lane: 0 })
        .after(2000)
        .says(Event::Claimed(Err(later())))
        .polls();
    d.says(polled(&[])).asks(Effect::Claim { lane: 1 });
    d.after(2000).says(Event::Claimed(Err(later()))).polls();
    d.says(polled(&[])).asks(Effect::Claim { lane: 0 });
}

#[test]
fn slow_batches_do_not_keep_a_lane_from_recovering() {
    let mut d = engine_with(&[0, 1]);
    idle(&mut d);
    d.says(rounded(vec![], vec![unwritten(), at(10, 20)]));
    d.brings(&[(1, 1, 11)])
        .after(5000)
        .until_commit(&[(1, 11)])
        .says(Event::Committed(Ok(false)))
        .asks(Effect::Claim { lane: 0 });
}

#[test]
fn a_partition_whose_offset_is_gone_stops_its_lane() {
    let mut d = engine_with(&[0, 1]);
    let broken = vec![(0, "out of range".to_owned())];
    d.says(Event::Polled {
        assigned: None,
        waiting: Vec::new(),
        broken,
    })
    .is_stopped(0, "out of range")
    .is_ready(1, 10);
}

#[test]
fn an_answer_that_belongs_to_nothing_begins_the_recovery_again() {
    let mut d = Dialogue::engine();
    d.assigned(&[0]).says(offset(10));
    d.nothing().asks(Effect::Claim { lane: 0 });
}
