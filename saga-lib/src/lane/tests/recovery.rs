//! R1-R5.

use super::dialogue::{
    Dialogue, OLD_MS, WALL_MS, applied, apply, at, claimed, later, no_offset, offset, read,
    read_journal, sampled, unwritten,
};
use crate::lane::{Answer, Belief, Effect, Event, Position, StoreCommit, Trouble};

const CLAIM: Effect = Effect::Claim { lane: 0 };
const READ_OFFSET: Effect = Effect::ReadOffset { lane: 0 };
const SAMPLE: Effect = Effect::Sample { lane: 0 };
const CLEAR: Effect = Effect::Clear { lane: 0, ep: 1 };

fn start(offset: i64) -> Effect {
    Effect::Start { lane: 0, offset }
}

/// Up to the answer of R2.
fn claimed_then_offset(position: Position, event: Event) -> Dialogue {
    let mut d = Dialogue::engine();
    d.assigned(&[0]).asks(CLAIM).says(claimed(position));
    d.nothing().asks(READ_OFFSET).says(event);
    d
}

/// A store at wm 10, jpos 20, and a group at 15.
fn behind() -> Dialogue {
    let mut d = claimed_then_offset(at(10, 20), offset(15));
    d.nothing().asks(SAMPLE);
    d
}

/// Goes through R1-R3 again with the same answers.
fn again(d: &mut Dialogue, position: &Position, event: &Event) {
    d.nothing().asks(CLAIM).says(claimed(position.clone()));
    d.nothing().asks(READ_OFFSET).says(event.clone());
}

#[test]
fn an_assignment_forgets_then_claims_then_reads_the_offset_after_the_claim() {
    let mut d = Dialogue::engine();
    d.assigned(&[0])
        .tells(Effect::Forget { lane: 0 })
        .tells(Effect::Recovering {
            lane: 0,
            cause: "assigned",
        })
        .asks(CLAIM)
        .says(claimed(at(10, 20)));
    d.nothing().asks(READ_OFFSET);
}

#[test]
fn a_lane_whose_store_stands_at_the_committed_offset_is_ready() {
    let mut d = claimed_then_offset(at(10, 20), offset(10));
    d.nothing()
        .asks(start(10))
        .says(Event::Started(Ok(())))
        .tells(Effect::Ready { lane: 0 })
        .is_ready(0, 10);
}

#[test]
fn polling_goes_on_between_all_steps_of_a_recovery() {
    let mut d = behind();
    d.says(sampled(0, 40, 0)).polls();
    d.nothing().says(read(30, 3, None)).polls();
    d.nothing().says(read(40, 3, Some((39, 15)))).polls();
    d.nothing().says(applied()).polls();
}

#[test]
fn a_stable_answer_that_is_held_up_is_waited_for_without_a_new_claim() {
    let mut d = claimed_then_offset(at(10, 20), Event::Offset(Err(Trouble::Held)));
    assert_eq!(d.polls(), 50);
    d.nothing().asks(READ_OFFSET);
}

#[test]
fn who_holds_an_answer_up_for_300_ms_is_fenced_once_and_never_oneself() {
    let owners = ["dead", "own", "older"].map(str::to_owned).to_vec();
    let position = Position {
        owners,
        ..at(10, 20)
    };
    let held = || Event::Offset(Err(Trouble::Held));
    let mut d = claimed_then_offset(position, held());
    for _ in 0..5 {
        d.nothing().asks(READ_OFFSET).says(held()).polls();
    }
    let ids = ["dead", "older"].map(str::to_owned).to_vec();
    d.nothing()
        .says(held())
        .asks(Effect::Fence { ids })
        .says(Event::Fenced);
    for _ in 0..20 {
        d.nothing().asks(READ_OFFSET).says(held()).polls();
    }
}

#[test]
fn a_journal_that_is_held_up_is_waited_for_and_its_committer_is_fenced() {
    let mut d = behind();
    d.says(sampled(0, 40, 0));
    let held = || Event::JournalRead(Err(Trouble::Held));
    for _ in 0..6 {
        d.nothing().asks(read_journal(20, 40)).says(held()).polls();
    }
    let ids = vec!["other".to_owned()];
    d.nothing().says(held()).asks(Effect::Fence { ids });
    d.says(Event::Fenced).nothing().asks(read_journal(20, 40));
}

#[test]
fn a_store_ahead_of_the_group_is_looked_at_again_and_then_stops_the_lane() {
    let mut d = claimed_then_offset(at(10, 20), offset(9));
    again(&mut d, &at(10, 20), &offset(9));
    again(&mut d, &at(10, 20), &offset(9));
    d.is_stopped(0, "ahead of the committed offset 9");
}

#[test]
fn a_store_ahead_of_the_group_at_first_sight_only_is_ready() {
    let mut d = claimed_then_offset(at(10, 20), offset(9));
    again(&mut d, &at(10, 20), &offset(10));
    d.nothing().asks(start(10));
}

#[test]
fn a_lane_is_new_only_if_nothing_was_ever_written() {
    let mut d = claimed_then_offset(unwritten(), no_offset());
    d.nothing().asks(SAMPLE).says(sampled(0, 0, 0));
    d.nothing().asks(start(0));
}

#[test]
fn a_journal_of_aborted_transactions_only_is_that_of_a_new_lane() {
    let mut d = claimed_then_offset(unwritten(), no_offset());
    d.nothing().says(sampled(0, 4, 0));
    d.nothing().asks(CLEAR).says(Event::Cleared(Ok(true)));
    d.nothing().asks(read_journal(0, 4)).says(read(4, 0, None));
    d.nothing().asks(start(0));
}

#[test]
fn nothing_written_but_an_inbox_that_lost_its_beginning_stops_the_lane() {
    let mut d = claimed_then_offset(unwritten(), no_offset());
    d.nothing().says(sampled(0, 0, 7));
    for _ in 0..2 {
        again(&mut d, &unwritten(), &no_offset());
        d.nothing().says(sampled(0, 0, 7));
    }
    d.is_stopped(0, "the inbox begins at 7");
}

#[test]
fn a_committed_offset_without_a_journal_stops_the_lane() {
    let mut d = claimed_then_offset(unwritten(), offset(5));
    d.nothing().says(sampled(0, 0, 0));
    for _ in 0..2 {
        again(&mut d, &unwritten(), &offset(5));
        d.nothing().says(sampled(0, 0, 0));
    }
    d.is_stopped(0, "the journal is empty");
}

#[test]
fn a_store_ahead_of_the_journal_stops_the_lane() {
    let mut d = claimed_then_offset(at(10, 50), no_offset());
    d.nothing().says(sampled(0, 40, 0));
    for _ in 0..2 {
        again(&mut d, &at(10, 50), &no_offset());
        d.nothing().says(sampled(0, 40, 0));
    }
    d.is_stopped(0, "50 of the journal, which ends at 40");
}

#[test]
fn a_missing_offset_is_taken_from_the_newest_header() {
    let mut d = claimed_then_offset(at(10, 20), no_offset());
    d.nothing().says(sampled(0, 40, 0));
    d.nothing()
        .says(read(40, 3, Some((38, 15))))
        .tells(Effect::Warn {
            lane: 0,
            message: "no committed offset; 15 is taken from the journal's newest header".to_owned(),
        });
    d.nothing().says(applied());
    d.nothing().asks(start(15));
}

#[test]
fn a_missing_offset_and_nothing_behind_the_store_means_the_store_is_right() {
    let mut d = claimed_then_offset(at(10, 20), no_offset());
    d.nothing().says(sampled(0, 21, 0));
    d.nothing().says(read(21, 0, None));
    d.nothing().asks(start(10));
}

#[test]
fn a_catch_up_reads_from_jpos_and_moves_wm_and_jpos_together() {
    let mut d = behind();
    let sampled_ms = d.says(sampled(0, 40, 0)).wall_ms();
    d.nothing()
        .asks(read_journal(20, 40))
        .says(read(40, 3, Some((38, 15))));
    d.nothing()
        .asks(apply((10, 20), (15, 39), sampled_ms))
        .says(applied());
    d.nothing().asks(start(15)).says(Event::Started(Ok(())));
    d.is_ready(0, 15);
}

#[test]
fn only_the_last_chunk_moves_wm_and_says_how_new_the_documents_are() {
    let mut d = behind();
    let sampled_ms = d.says(sampled(0, 40, 0)).wall_ms();
    d.nothing().says(read(28, 3, Some((26, 12))));
    d.nothing()
        .asks(read_journal(28, 40))
        .says(read(35, 3, None));
    d.nothing()
        .asks(apply((10, 20), (10, 28), WALL_MS))
        .says(applied());
    d.nothing()
        .asks(read_journal(35, 40))
        .says(read(40, 3, Some((38, 15))));
    d.nothing()
        .asks(apply((10, 28), (10, 35), WALL_MS))
        .says(applied());
    d.nothing()
        .asks(apply((10, 35), (15, 39), sampled_ms))
        .says(applied());
    d.nothing().asks(start(15));
}

#[test]
fn a_last_chunk_without_records_does_not_hide_the_one_before() {
    let mut d = behind();
    let sampled_ms = d.says(sampled(0, 40, 0)).wall_ms();
    d.nothing().says(read(30, 3, Some((29, 15))));
    d.nothing()
        .asks(read_journal(30, 40))
        .says(read(40, 0, None));
    d.nothing().asks(apply((10, 20), (15, 30), sampled_ms));
}

#[test]
fn a_header_that_contradicts_the_group_is_looked_at_again_and_then_stops_the_lane() {
    let mut d = behind();
    d.says(sampled(0, 40, 0));
    d.nothing().says(read(40, 3, Some((38, 14))));
    for _ in 0..2 {
        again(&mut d, &at(10, 20), &offset(15));
        d.nothing().says(sampled(0, 40, 0));
        d.nothing().says(read(40, 3, Some((38, 14))));
    }
    d.is_stopped(0, "log and journal disagree");
}

#[test]
fn a_refused_chunk_begins_again_at_the_claim() {
    let mut d = behind();
    d.says(sampled(0, 40, 0));
    d.nothing().says(read(40, 3, Some((38, 15))));
    d.nothing().says(Event::Applied(Ok(Answer::Refused)));
    d.tells(Effect::Forget { lane: 0 });
    d.nothing().asks(CLAIM);
}

#[test]
fn an_empty_store_is_cleared_page_by_page_and_read_from_the_beginning() {
    let mut d = claimed_then_offset(unwritten(), offset(15));
    let sampled_ms = d.nothing().says(sampled(3, 40, 0)).wall_ms();
    d.nothing().asks(CLEAR).says(Event::Cleared(Ok(false)));
    d.nothing().asks(CLEAR).says(Event::Cleared(Ok(true)));
    d.nothing()
        .asks(read_journal(3, 40))
        .says(read(40, 9, Some((39, 15))));
    d.nothing().asks(Effect::Apply(StoreCommit {
        lane: 0,
        expect: Belief {
            ep: 1,
            wm: None,
            jpos: None,
        },
        target: Belief {
            ep: 1,
            wm: Some(15),
            jpos: Some(40),
        },
        at_ms: sampled_ms,
    }));
}

#[test]
fn a_store_that_could_have_missed_a_deletion_is_rebuilt() {
    let old = Position {
        at_ms: Some(WALL_MS - OLD_MS - 1),
        ..at(10, 20)
    };
    let mut d = claimed_then_offset(old, offset(15));
    d.nothing().says(sampled(0, 40, 0));
    d.nothing().asks(CLEAR).says(Event::Cleared(Ok(true)));
    d.nothing().asks(read_journal(0, 40));
}

#[test]
fn a_catch_up_that_stood_still_for_as_long_begins_again() {
    let mut d = behind();
    d.says(sampled(0, 40, 0));
    d.nothing().says(read(28, 3, None));
    d.after(OLD_MS + 1)
        .nothing()
        .says(read(40, 3, Some((39, 15))));
    d.tells(Effect::Forget { lane: 0 });
    d.nothing().asks(CLAIM);
}

#[test]
fn an_old_store_at_the_committed_offset_missed_nothing() {
    let old = Position {
        at_ms: Some(0),
        ..at(10, 20)
    };
    claimed_then_offset(old, offset(10))
        .nothing()
        .asks(start(10));
}

#[test]
fn a_store_that_lost_documents_is_rebuilt_although_the_positions_agree() {
    let mut d = Dialogue::engine();
    d.ready(&[0]);
    d.worker.rebuild(0);
    d.nothing().asks(CLAIM).says(claimed(at(10, 20)));
    d.nothing().says(offset(10));
    d.nothing().asks(SAMPLE).says(sampled(0, 21, 0));
    d.nothing().asks(CLEAR);
}

#[test]
fn a_lane_that_is_not_delivered_begins_again() {
    let mut d = Dialogue::engine();
    d.ready(&[0]);
    d.worker.redeliver(0);
    d.nothing().asks(CLAIM);
}

#[test]
fn a_rebuild_that_was_interrupted_is_a_rebuild_still() {
    let mut d = Dialogue::engine();
    d.ready(&[0]);
    d.worker.rebuild(0);
    d.nothing().says(claimed(at(10, 20)));
    d.nothing().says(offset(10));
    d.nothing().says(Event::Sampled(Err(later())));
    again(&mut d, &at(10, 20), &offset(10));
    d.nothing().asks(SAMPLE);
}

#[test]
fn a_store_of_another_installation_is_never_touched() {
    let foreign = Position {
        installation: Some("elsewhere".to_owned()),
        ..at(10, 20)
    };
    let mut d = Dialogue::engine();
    d.assigned(&[0]).says(claimed(foreign));
    d.is_stopped(0, "installation elsewhere");
}

#[test]
fn a_stopped_lane_waits_for_a_new_assignment() {
    let mut d = Dialogue::engine();
    d.assigned(&[0])
        .says(Event::Claimed(Err(Trouble::Stop("why".to_owned()))))
        .tells(Effect::Stopped {
            lane: 0,
            reason: "why".to_owned(),
        });
    d.nothing().polls();
    d.worker.rebuild(0);
    d.nothing().is_stopped(0, "why");
    d.assigned(&[0]).asks(CLAIM);
}
