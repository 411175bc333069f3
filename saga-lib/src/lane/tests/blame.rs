//! B7: what follows when a transaction fails, and who is blamed.

use super::dialogue::{Dialogue, at, claimed, loads, offset, other, planned, rounded, transaction};
use crate::lane::{Answer, Effect, Event, Failure};

fn engine_with(lanes: &[u32]) -> Dialogue {
    let mut d = Dialogue::engine();
    d.ready(lanes);
    d
}

/// The batch that was asked for fails when it is committed; its lanes are ready again afterwards.
#[track_caller]
fn fails(d: &mut Dialogue, lanes: &[(u32, i64)], failure: Failure) {
    d.until_commit(lanes)
        .says(Event::Committed(Err(failure)))
        .asks(Effect::ReplaceProducers)
        .says(Event::Replaced(Ok(())));
    recovers(d, lanes);
}

#[track_caller]
fn recovers(d: &mut Dialogue, lanes: &[(u32, i64)]) {
    while lanes.iter().any(|(l, _)| d.worker.ready(*l).is_none()) {
        match d.asked() {
            Effect::Poll { .. } => d.nothing(),
            Effect::Claim { .. } => d.says(claimed(at(10, 20))),
            Effect::ReadOffset { .. } => d.says(offset(10)),
            Effect::Start { .. } => d.says(Event::Started(Ok(()))),
            effect => panic!("{effect:?} does not belong to a recovery where all agree"),
        };
    }
}

/// One record fails alone.
#[track_caller]
fn fails_alone(d: &mut Dialogue, failure: Failure) {
    fails(d, &[(0, 11)], failure);
}

fn ownership() -> Failure {
    Failure::Ownership("fenced".to_owned())
}

fn round_of_one() -> Effect {
    loads(&[(0, 10, 1)])
}

/// The batch of the only record says whether the record is set aside.
#[track_caller]
fn sets_aside(d: &mut Dialogue) -> bool {
    d.says(rounded(vec![], vec![at(10, 20)]));
    match d.asked() {
        Effect::Plan { set_aside, .. } => set_aside.is_some(),
        effect => panic!("asks {effect:?} instead of planning"),
    }
}

#[test]
fn a_batch_of_several_lanes_that_failed_is_committed_lane_by_lane() {
    let mut d = engine_with(&[0, 1]);
    let both = [(0, 4, 14), (1, 4, 14)];
    d.brings(&both);
    fails(&mut d, &[(0, 14), (1, 14)], other());
    d.brings(&both).asks(loads(&[(0, 10, 4)]));
    d.until_commit(&[(0, 14)]).says(Event::Committed(Ok(false)));
    let commits = vec![super::dialogue::commit(0, (10, 20), (14, 31), d.wall_ms())];
    d.asks(Effect::Round {
        commits,
        loads: vec![(1, 10, 4)],
    });
}

#[test]
fn a_failure_of_one_lane_keeps_the_others_of_the_turn_going() {
    let mut d = engine_with(&[0, 1]);
    d.brings(&[(0, 4, 14), (1, 4, 14)]);
    fails(&mut d, &[(0, 14), (1, 14)], other());
    d.brings(&[(0, 4, 14), (1, 4, 14)])
        .until_commit(&[(0, 14)])
        .says(Event::Committed(Err(other())))
        .asks(Effect::ReplaceProducers)
        .says(Event::Replaced(Ok(())))
        .asks(loads(&[(1, 10, 4)]));
}

#[test]
fn a_lane_that_failed_alone_is_halved_and_the_rest_is_delivered_again() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 8, 18)]);
    fails(&mut d, &[(0, 18)], other());
    d.brings(&[(0, 8, 18)]).asks(loads(&[(0, 10, 4)]));
    fails(&mut d, &[(0, 14)], other());
    d.brings(&[(0, 8, 18)])
        .asks(loads(&[(0, 10, 2)]))
        .until_commit(&[(0, 12)])
        .says(Event::Committed(Ok(false)))
        .asks(Effect::Start {
            lane: 0,
            offset: 12,
        });
}

#[test]
fn a_rewind_that_fails_recovers_the_lane() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 2, 12)]);
    fails(&mut d, &[(0, 12)], other());
    d.brings(&[(0, 2, 12)])
        .until_commit(&[(0, 11)])
        .says(Event::Committed(Ok(false)))
        .says(Event::Started(Err(super::dialogue::later())))
        .is_recovering(0);
}

#[test]
fn a_record_that_failed_alone_is_tried_again_only_after_a_probe() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 1, 11)]);
    fails_alone(&mut d, other());
    d.brings(&[(0, 1, 11)])
        .asks(Effect::Probe { lane: 0 })
        .says(Event::Probed(true))
        .asks(round_of_one());
    assert!(!sets_aside(&mut d));
}

#[test]
fn a_record_that_failed_alone_twice_with_a_probe_between_is_set_aside() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 1, 11)]);
    fails_alone(&mut d, other());
    d.brings(&[(0, 1, 11)]).says(Event::Probed(true));
    fails_alone(&mut d, other());
    d.brings(&[(0, 1, 11)]).asks(round_of_one());
    assert!(sets_aside(&mut d));
}

#[test]
fn another_lanes_commit_is_as_good_as_a_probe() {
    let mut d = engine_with(&[0, 1]);
    d.brings(&[(0, 1, 11)]);
    fails_alone(&mut d, other());
    d.brings(&[(1, 1, 11)])
        .until_commit(&[(1, 11)])
        .says(Event::Committed(Ok(false)));
    d.nothing().says(rounded(vec![Answer::Done], vec![]));
    d.brings(&[(0, 1, 11)]).asks(round_of_one());
    fails_alone(&mut d, other());
    d.brings(&[(0, 1, 11)]).asks(round_of_one());
    assert!(sets_aside(&mut d));
}

#[test]
fn an_outage_sets_nobody_aside() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 1, 11)]);
    fails_alone(&mut d, other());
    for _ in 0..10 {
        d.brings(&[(0, 1, 11)])
            .asks(Effect::Probe { lane: 0 })
            .says(Event::Probed(false))
            .asks(Effect::ReplaceProducers)
            .says(Event::Replaced(Ok(())));
        recovers(&mut d, &[(0, 11)]);
    }
}

#[test]
fn fenced_and_generation_aborts_never_count() {
    let mut d = engine_with(&[0]);
    for _ in 0..5 {
        d.brings(&[(0, 1, 11)]).asks(round_of_one());
        fails_alone(&mut d, ownership());
    }
    d.brings(&[(0, 1, 11)]).asks(round_of_one());
    assert!(!sets_aside(&mut d));
}

#[test]
fn a_failure_to_begin_never_counts() {
    let mut d = engine_with(&[0]);
    for _ in 0..5 {
        d.brings(&[(0, 1, 11)])
            .asks(round_of_one())
            .says(rounded(vec![], vec![at(10, 20)]))
            .says(planned(&[(0, 11)]))
            .says(Event::Begun(Err(other())))
            .asks(Effect::ReplaceProducers)
            .says(Event::Replaced(Ok(())));
        recovers(&mut d, &[(0, 11)]);
    }
}

#[test]
fn a_fenced_lane_recovers_at_once_and_any_other_after_a_moment() {
    for (failure, at_once) in [(ownership(), true), (other(), false)] {
        let mut d = engine_with(&[0]);
        d.brings(&[(0, 1, 11)])
            .until_commit(&[(0, 11)])
            .says(Event::Committed(Err(failure)))
            .says(Event::Replaced(Ok(())));
        assert_eq!(d.polls() == 0, at_once);
    }
}

#[test]
fn failures_of_one_record_wait_longer_each_time() {
    let mut d = engine_with(&[0]);
    let mut waits = Vec::new();
    for _ in 0..3 {
        d.brings(&[(0, 1, 11)]);
        if d.asked() == (Effect::Probe { lane: 0 }) {
            d.says(Event::Probed(true));
        }
        d.until_commit(&[(0, 11)])
            .says(Event::Committed(Err(other())))
            .says(Event::Replaced(Ok(())));
        let before = d.wall_ms();
        while d.asked() != (Effect::Claim { lane: 0 }) {
            d.nothing();
        }
        waits.push(d.wall_ms() - before);
        recovers(&mut d, &[(0, 11)]);
    }
    assert_eq!(waits, [50, 100, 200]);
}

#[test]
fn what_is_held_against_a_record_is_not_held_against_the_next_one() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 1, 11)]);
    fails_alone(&mut d, other());
    d.brings(&[(0, 1, 11)])
        .says(Event::Probed(true))
        .until_commit(&[(0, 11)])
        .says(Event::Committed(Err(other())))
        .says(Event::Replaced(Ok(())));
    // It had been committed after all: the store is repaired from the journal, and record 11 is the next.
    d.nothing().says(claimed(at(11, 31)));
    d.nothing().says(offset(11));
    d.nothing().says(Event::Started(Ok(()))).is_ready(0, 11);
    d.brings(&[(0, 1, 12)]).asks(loads(&[(0, 11, 1)]));
    d.says(rounded(vec![], vec![at(11, 31)]));
    assert_eq!(d.asked(), super::dialogue::plan(&[0]));
}

#[test]
fn a_dead_letter_that_cannot_be_written_stops_the_lane_and_recovers_the_others() {
    let mut d = engine_with(&[0, 1]);
    let failure = Failure::DeadLetter {
        lane: 0,
        reason: "no topic".to_owned(),
    };
    d.brings(&[(0, 1, 11), (1, 1, 11)])
        .says(rounded(vec![], vec![at(10, 20), at(10, 20)]))
        .says(planned(&[(0, 11), (1, 11)]))
        .says(Event::Begun(Ok(())))
        .says(Event::Produced(Err(failure)))
        .asks(Effect::Abort)
        .says(Event::Aborted(Ok(())))
        .tells(transaction("aborted"))
        .is_stopped(0, "a dead letter cannot be written: no topic")
        .is_recovering(1)
        .asks(Effect::ReplaceProducers);
}

#[test]
fn a_plan_that_is_refused_for_ever_stops_the_lane() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 1, 11)])
        .says(rounded(vec![], vec![at(10, 20)]));
    for _ in 0..10 {
        if d.asked() == Effect::ReplaceProducers {
            break;
        }
        let failure = Failure::Output {
            lane: 0,
            input: 10,
            reason: "too large".to_owned(),
        };
        d.says(planned(&[(0, 11)]))
            .says(Event::Begun(Ok(())))
            .says(Event::Produced(Err(failure)))
            .asks(Effect::Abort)
            .says(Event::Aborted(Ok(())));
    }
    d.is_stopped(0, "too large");
}

#[test]
fn without_producers_every_lane_waits_and_replacing_is_tried_again() {
    let mut d = engine_with(&[0, 1]);
    d.brings(&[(0, 1, 11)])
        .until_commit(&[(0, 11)])
        .says(Event::Committed(Err(other())))
        .says(Event::Replaced(Err(super::dialogue::later())))
        .is_recovering(0)
        .is_recovering(1);
    assert!(d.polls() <= 50);
    d.nothing()
        .asks(Effect::ReplaceProducers)
        .says(Event::Replaced(Ok(())));
    while matches!(d.asked(), Effect::Poll { .. }) {
        d.nothing();
    }
    assert!(matches!(d.asked(), Effect::Claim { .. }));
}

#[test]
fn a_name_that_another_process_took_ends_this_one() {
    let mut d = engine_with(&[0]);
    let stop = crate::lane::Trouble::Stop("node-b".to_owned());
    d.brings(&[(0, 1, 11)])
        .until_commit(&[(0, 11)])
        .says(Event::Committed(Err(ownership())))
        .says(Event::Replaced(Err(stop)))
        .tells(Effect::Exit {
            reason: "node-b".to_owned(),
        });
}
