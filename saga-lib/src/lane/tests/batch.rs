//! B1-B6: the way of a batch when all goes well, and what each answer that differs means.

use super::dialogue::{
    Dialogue, at, belief, claimed, commit, later, loads, offset, other, plan, planned, polled,
    rounded, transaction, unwritten,
};
use crate::lane::{Answer, Effect, Event, Failure, Planned, Position};

fn engine_with(lanes: &[u32]) -> Dialogue {
    let mut d = Dialogue::engine();
    d.ready(lanes);
    d
}

/// Lane 0 committed 10..15 with its header at 30; the store does not know yet.
fn committed() -> Dialogue {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 5, 15)])
        .until_commit(&[(0, 15)])
        .says(Event::Committed(Ok(false)));
    d
}

#[test]
fn a_batch_loads_plans_produces_sends_offsets_and_commits_in_this_order() {
    let mut d = engine_with(&[0, 1]);
    d.brings(&[(0, 5, 15), (1, 2, 12)])
        .asks(loads(&[(0, 10, 5), (1, 10, 2)]))
        .says(rounded(vec![], vec![at(10, 20), at(10, 20)]))
        .asks(plan(&[0, 1]))
        .says(planned(&[(0, 15), (1, 12)]))
        .asks(Effect::Begin)
        .says(Event::Begun(Ok(())))
        .asks(Effect::Produce { lanes: vec![0, 1] })
        .says(Event::Produced(Ok(vec![30, 31])))
        .asks(Effect::SendOffsets {
            offsets: vec![(0, 15), (1, 12)],
        })
        .says(Event::OffsetsSent(Ok(())))
        .asks(Effect::CommitTransaction)
        .says(Event::Committed(Ok(false)))
        .tells(transaction("committed"));
    assert_eq!(d.polls(), 0);
    d.is_ready(0, 15).is_ready(1, 12);
}

#[test]
fn store_commits_go_out_with_the_next_load() {
    let mut d = committed();
    let commits = vec![commit(0, (10, 20), (15, 31), d.wall_ms())];
    d.brings(&[(0, 1, 16)]).asks(Effect::Round {
        commits,
        loads: vec![(0, 15, 1)],
    });
    d.says(rounded(vec![Answer::Done], vec![at(15, 31)]))
        .asks(plan(&[0]));
}

#[test]
fn store_commits_go_out_alone_when_nothing_comes() {
    let mut d = committed();
    let commits = vec![commit(0, (10, 20), (15, 31), d.wall_ms())];
    d.nothing().asks(Effect::Round {
        commits,
        loads: vec![],
    });
    d.says(rounded(vec![Answer::Done], vec![]));
    assert!(d.polls() > 0);
}

#[test]
fn records_that_were_applied_already_do_not_keep_store_commits_back() {
    let mut d = committed();
    let commits = vec![commit(0, (10, 20), (15, 31), d.wall_ms())];
    d.brings(&[(0, 1, 15)]).asks(Effect::Round {
        commits,
        loads: vec![],
    });
}

#[test]
fn a_store_call_without_an_answer_is_repeated_identically_once_and_then_the_lanes_recover() {
    let mut d = committed();
    let round = Effect::Round {
        commits: vec![commit(0, (10, 20), (15, 31), d.wall_ms())],
        loads: vec![(0, 15, 1)],
    };
    d.brings(&[(0, 1, 16)])
        .asks(round.clone())
        .after(400)
        .says(Event::Rounded(Err(later())))
        .asks(round)
        .says(Event::Rounded(Err(later())))
        .tells(Effect::Forget { lane: 0 })
        .is_recovering(0);
    assert!(d.polls() > 0, "the store is given a moment");
}

#[test]
fn a_flush_without_an_answer_is_repeated_identically_once_and_then_the_lane_recovers() {
    let mut d = committed();
    let round = Effect::Round {
        commits: vec![commit(0, (10, 20), (15, 31), d.wall_ms())],
        loads: vec![],
    };
    d.nothing()
        .asks(round.clone())
        .says(Event::Rounded(Err(later())))
        .asks(round)
        .says(Event::Rounded(Err(later())))
        .is_recovering(0);
}

#[test]
fn a_refused_store_commit_forgets_the_lane_and_recovers() {
    let mut d = committed();
    d.nothing()
        .says(rounded(vec![Answer::Refused], vec![]))
        .tells(Effect::Forget { lane: 0 })
        .tells(Effect::Recovering {
            lane: 0,
            cause: "refused",
        });
    d.nothing().asks(Effect::Claim { lane: 0 });
}

#[test]
fn a_lane_whose_position_differs_recovers_and_the_others_go_on() {
    let elsewhere: [Position; 5] = [
        at(9, 20),
        at(11, 20),
        at(10, 21),
        unwritten(),
        Position {
            ep: 2,
            ..at(10, 20)
        },
    ];
    for position in elsewhere {
        let mut d = engine_with(&[0, 1]);
        d.brings(&[(0, 5, 15), (1, 2, 12)])
            .says(rounded(vec![], vec![position, at(10, 20)]))
            .tells(Effect::Recovering {
                lane: 0,
                cause: "mismatch",
            })
            .asks(plan(&[1]))
            .is_recovering(0)
            .is_ready(1, 10);
    }
}

#[test]
fn the_epoch_of_the_claim_is_part_of_what_is_believed() {
    let mut d = Dialogue::engine();
    let position = Position {
        ep: 7,
        ..at(10, 20)
    };
    d.assigned(&[0]).says(claimed(position.clone()));
    d.nothing().says(offset(10));
    d.nothing().says(Event::Started(Ok(())));
    d.brings(&[(0, 1, 11)])
        .says(rounded(vec![], vec![position]))
        .asks(plan(&[0]));
}

#[test]
fn a_plan_that_cannot_be_made_stops_its_lane_and_the_others_go_on() {
    let mut d = engine_with(&[0, 1]);
    let unreadable = Planned {
        lane: 0,
        end: Err("layout 9".to_owned()),
    };
    let fine = Planned {
        lane: 1,
        end: Ok(12),
    };
    d.brings(&[(0, 5, 15), (1, 2, 12)])
        .says(rounded(vec![], vec![at(10, 20), at(10, 20)]))
        .says(Event::Planned(vec![unreadable, fine]))
        .asks(Effect::Begin)
        .is_stopped(0, "layout 9");
    d.says(Event::Begun(Ok(())))
        .asks(Effect::Produce { lanes: vec![1] })
        .says(Event::Produced(Ok(vec![30])))
        .asks(Effect::SendOffsets {
            offsets: vec![(1, 12)],
        });
}

#[test]
fn a_header_that_was_not_acknowledged_is_never_committed() {
    for headers in [vec![], vec![-1]] {
        let mut d = engine_with(&[0]);
        d.brings(&[(0, 5, 15)])
            .says(rounded(vec![], vec![at(10, 20)]))
            .says(planned(&[(0, 15)]))
            .says(Event::Begun(Ok(())))
            .says(Event::Produced(Ok(headers)))
            .asks(Effect::ReplaceProducers)
            .is_recovering(0);
    }
}

#[test]
fn a_commit_without_an_answer_makes_no_store_commit() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 5, 15)])
        .until_commit(&[(0, 15)])
        .says(Event::Committed(Err(other())))
        .tells(transaction("timeout"))
        .tells(Effect::Forget { lane: 0 })
        .asks(Effect::ReplaceProducers)
        .says(Event::Replaced(Ok(())));
    d.nothing().asks(Effect::Claim { lane: 0 });
}

#[test]
fn what_was_committed_without_an_answer_is_found_by_reading_again() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 5, 15)])
        .until_commit(&[(0, 15)])
        .says(Event::Committed(Err(other())))
        .says(Event::Replaced(Ok(())));
    d.nothing().says(claimed(at(10, 20)));
    d.nothing()
        .asks(Effect::ReadOffset { lane: 0 })
        .says(offset(15));
    d.nothing().asks(Effect::Sample { lane: 0 });
}

#[test]
fn a_tainted_commit_counts_and_replaces_the_producers_before_anything_else() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 5, 15)])
        .until_commit(&[(0, 15)])
        .says(Event::Committed(Ok(true)))
        .tells(transaction("committed"))
        .asks(Effect::ReplaceProducers)
        .is_ready(0, 15);
}

#[test]
fn a_journal_that_went_back_stops_the_lane() {
    let mut d = engine_with(&[0]);
    d.brings(&[(0, 5, 15)])
        .says(rounded(vec![], vec![at(10, 20)]))
        .says(planned(&[(0, 15)]))
        .says(Event::Begun(Ok(())))
        .says(Event::Produced(Ok(vec![3])))
        .says(Event::OffsetsSent(Ok(())))
        .says(Event::Committed(Ok(false)))
        .is_stopped(0, "the journal went back");
}

#[test]
fn a_refused_output_aborts_and_is_planned_again_at_once_without_a_store_call() {
    let mut d = engine_with(&[0]);
    let refused = |lane| Failure::Output {
        lane,
        input: 12,
        reason: "too large".to_owned(),
    };
    d.brings(&[(0, 5, 15)])
        .says(rounded(vec![], vec![at(10, 20)]))
        .says(planned(&[(0, 15)]))
        .says(Event::Begun(Ok(())))
        .says(Event::Produced(Err(refused(0))))
        .asks(Effect::Abort)
        .says(Event::Aborted(Ok(())))
        .asks(Effect::Plan {
            lanes: vec![0],
            refused: vec![(0, 12, "too large".to_owned())],
            set_aside: None,
        })
        .says(planned(&[(0, 15)]))
        .asks(Effect::Begin);
}

#[test]
fn an_abort_in_doubt_replaces_the_producers_and_recovers() {
    let mut d = engine_with(&[0]);
    let refused = Failure::Output {
        lane: 0,
        input: 12,
        reason: "too large".to_owned(),
    };
    d.brings(&[(0, 5, 15)])
        .says(rounded(vec![], vec![at(10, 20)]))
        .says(planned(&[(0, 15)]))
        .says(Event::Begun(Ok(())))
        .says(Event::Produced(Err(refused)))
        .says(Event::Aborted(Err(other())))
        .asks(Effect::ReplaceProducers)
        .is_recovering(0);
}

#[test]
fn an_assignment_drops_beliefs_and_outstanding_commits() {
    let mut d = committed();
    d.assigned(&[0])
        .tells(Effect::Forget { lane: 0 })
        .asks(Effect::Claim { lane: 0 })
        .says(claimed(at(10, 20)));
    assert_eq!(d.worker.ready(0), None);
    let belief = belief(10, 20);
    assert_ne!(belief, at(15, 31).belief());
    d.says(polled(&[(0, 1, 16)]))
        .asks(Effect::ReadOffset { lane: 0 });
}

#[test]
fn a_lane_that_was_taken_away_is_forgotten() {
    let mut d = engine_with(&[0, 1]);
    d.assigned(&[1])
        .tells(Effect::Forget { lane: 0 })
        .asks(Effect::Claim { lane: 1 });
    assert!(!d.worker.states().contains_key(&0));
}
