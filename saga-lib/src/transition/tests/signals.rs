//! Signals: cancel and retry in every status, once each.

use super::definitions::{booking, compensatable, definition, order, with};
use super::dialogue::{Dialogue, given};
use crate::input::Act;
use crate::instance::{IncidentKind, Status};
use crate::transition::Reason;

fn at_stock() -> Dialogue {
    given(booking())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
}

fn at_payment() -> Dialogue {
    given(order())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_ok()
        .expect_command("payment")
}

#[test]
pub fn c6_e2_a_cancel_awaits_what_is_in_flight_and_turns_back() {
    at_stock()
        .cancel()
        .expect_changed()
        .expect_status(Status::Compensating)
        .expect_no_command()
        .reply_ok()
        .expect_command("stock!c")
        .reply_ok()
        .expect_command("credit!c")
        .reply_ok()
        .expect_status(Status::Compensated);
}

#[test]
fn c6_a_cancel_ends_with_the_refusal_of_what_is_in_flight() {
    let dialogue = at_stock()
        .cancel()
        .reply_refused()
        .expect_command("credit!c");
    let error = dialogue.here().error.clone().unwrap();
    assert_eq!(error["outcome"], "cancel");
    assert_eq!(error["reason"], "changed my mind");
}

#[test]
fn c6_a_cancel_ends_with_the_ladder_of_what_is_in_flight() {
    at_stock()
        .cancel()
        .silence()
        .expect_attempt("stock", 2)
        .silence()
        .expect_attempt("stock", 3)
        .silence()
        .expect_command("stock!c")
        .reply_ok()
        .expect_command("credit!c");
}

#[test]
pub fn c6_a_second_cancel_is_told_so() {
    at_stock()
        .cancel()
        .cancel()
        .expect_rejected("compensating already");
    at_payment()
        .cancel()
        .cancel()
        .expect_ignored(Reason::Duplicate);
}

#[test]
fn c6_a_cancel_at_the_pivot_takes_effect_only_if_it_is_refused() {
    at_payment()
        .cancel()
        .expect_changed()
        .reply_refused()
        .expect_command("stock!c");
    at_payment()
        .cancel()
        .reply_ok()
        .expect_command("ship")
        .reply_ok()
        .expect_command("invoice")
        .reply_ok()
        .expect_completed();
}

#[test]
pub fn c6_a_cancel_of_an_unknown_pivot_is_recorded() {
    let unknown = at_payment().silence().silence().silence();
    let unknown = unknown
        .expect_parked(IncidentKind::UnknownPivot)
        .cancel()
        .expect_changed()
        .expect_parked(IncidentKind::UnknownPivot);
    assert_eq!(unknown.here().cancel.as_deref(), Some("changed my mind"));
    unknown
        .expect_attempt("payment", 2)
        .expect_attempt("payment", 3)
        .reply_refused()
        .expect_command("stock!c");
}

#[test]
pub fn c6_a_cancel_after_the_pivot_is_rejected_with_a_reason() {
    at_payment()
        .reply_ok()
        .cancel()
        .expect_rejected("past the pivot");
}

#[test]
fn c6_a_cancel_while_compensating_or_finished_is_rejected() {
    let dialogue = at_stock()
        .reply_refused()
        .cancel()
        .expect_rejected("compensating already")
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated()
        .cancel()
        .expect_rejected("compensated")
        .retry()
        .expect_rejected("no command is pending");
    assert!(dialogue.effects.is_empty());
}

#[test]
fn a_retry_sends_what_is_pending_now() {
    at_stock()
        .retry()
        .expect_attempt("stock", 2)
        .reply_failed()
        .retry()
        .expect_attempt("stock", 3)
        .reply_refused()
        .expect_command("credit!c")
        .retry()
        .expect_attempt("credit!c", 2)
        .reply_failed()
        .retry()
        .expect_attempt("credit!c", 3)
        .reply_ok()
        .expect_compensated();
}

#[test]
fn a_signal_is_applied_once() {
    at_stock()
        .signal("S", None, Act::Retry)
        .expect_attempt("stock", 2)
        .signal("S", None, Act::Retry)
        .expect_ignored(Reason::Duplicate)
        .expect_no_command();
}

#[test]
fn only_the_last_signals_are_remembered() {
    let mut dialogue = at_stock();
    for n in 0..20 {
        dialogue = dialogue.signal(&format!("S{n}"), None, Act::Retry);
    }
    assert_eq!(dialogue.here().signals.len(), 16);
    dialogue
        .signal("S19", None, Act::Retry)
        .expect_ignored(Reason::Duplicate);
}

#[test]
fn a_signal_for_another_revision_is_rejected() {
    let dialogue = at_stock();
    let revision = dialogue.here().revision;
    dialogue
        .signal("S", Some(revision + 1), Act::Retry)
        .expect_rejected("the revision is 2, not 3")
        .signal("S", Some(revision), Act::Retry)
        .expect_attempt("stock", 2);
}

#[test]
fn a_retry_counts_as_an_attempt_but_never_repeats_one() {
    let once = with(compensatable("credit"), |send| send.retry.max = Some(2));
    given(definition(vec![once]))
        .event()
        .expect_command("credit")
        .retry()
        .expect_attempt("credit", 2)
        .silence()
        .expect_command("credit!c");
}
