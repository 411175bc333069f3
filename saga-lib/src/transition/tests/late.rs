//! Late replies: after a step was given up, while and after it is compensated, and after the end.

use serde_json::json;

use super::definitions::{catching, compensatable, definition, order, step, with};
use super::dialogue::{Dialogue, given};
use crate::effect::Note;
use crate::instance::{IncidentKind, Status, StepStatus, Wake};
use crate::ir::{Directive, StepKind};
use crate::transition::Reason;

/// credit succeeded, stock is given up and being compensated.
fn given_up() -> Dialogue {
    let stock = with(compensatable("stock"), |send| send.retry.max = Some(1));
    given(definition(vec![compensatable("credit"), stock]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .silence()
        .expect_command("stock!c")
}

#[test]
pub fn d5_a_late_success_while_its_compensation_is_pending_sends_nothing_more() {
    given_up()
        .reply_of("stock", "ok")
        .expect_note(|note| matches!(note, Note::LateReply { .. }))
        .expect_no_command()
        .reply_of("stock", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_ok()
        .expect_command("credit!c")
        .reply_of("stock", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn d5_a_late_success_after_a_confirmed_compensation_is_compensated_again() {
    given_up()
        .reply_ok()
        .expect_command("credit!c")
        .reply_of("stock", "ok")
        .expect_changed()
        .expect_no_command()
        .reply_ok()
        .expect_command("stock!c#2")
        .reply_ok()
        .expect_compensated();
}

/// An unknown effect may come after its compensation was confirmed, so its body is kept; that of a known one is not needed again.
#[test]
fn d5_the_body_of_a_compensation_stays_while_the_effect_may_come() {
    let body = json!({ "request": { "total": 10 }, "note": "initial" });
    let dialogue = given_up().expect_payload(body.clone()).reply_ok();
    let dialogue = dialogue.expect_command("credit!c");
    assert_eq!(dialogue.here().obligations[1].payload, body);
    let dialogue = dialogue
        .reply_of("stock", "ok")
        .reply_ok()
        .expect_command("stock!c#2")
        .expect_payload(body);
    assert_eq!(dialogue.here().obligations[0].payload, json!(null));
    dialogue
        .reply_of("credit!c", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("credit", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("stock!c#2", "ok")
        .expect_compensated();
}

#[test]
fn d5_a_compensated_saga_returns_to_compensating_and_says_nothing_twice() {
    let dialogue = given_up()
        .reply_ok()
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated()
        .later(1_000)
        .reply_of("stock", "ok")
        .expect_status(Status::Compensating)
        .expect_command("stock!c#2")
        .silence()
        .silence()
        .expect_attempt("stock!c#2", 2)
        .reply_ok()
        .expect_status(Status::Compensated)
        .expect_no_event()
        .expect_note(|note| !matches!(note, Note::Finished { .. }))
        .reply_of("stock", "ok")
        .expect_ignored(Reason::Duplicate);
    let here = dialogue.here();
    assert_eq!(here.finished_ms, Some(here.updated_ms), "retain restarts");
    assert_eq!(here.wake, Wake::Expire(here.updated_ms + 3_600_000));
}

#[test]
fn d5_late_failures_are_facts() {
    given_up()
        .reply_of("stock", "failed")
        .expect_ignored(Reason::Late)
        .reply_of("stock", "refused")
        .expect_ignored(Reason::Late)
        .reply_ok()
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated()
        .reply_of("stock", "refused")
        .expect_ignored(Reason::Late)
        .expect_status(Status::Compensated);
}

/// credit is given up, the saga goes on with stock.
fn watched() -> Dialogue {
    let credit = with(compensatable("credit"), |send| send.retry.max = Some(1));
    given(definition(vec![
        catching(credit, "timeout", Directive::Continue),
        compensatable("stock"),
    ]))
    .event()
    .expect_command("credit")
    .silence()
    .expect_step("credit", StepStatus::Unknown)
    .expect_command("stock")
}

#[test]
pub fn d5_a_late_refusal_closes_an_obligation_for_which_nothing_was_sent() {
    watched()
        .reply_of("credit", "refused")
        .expect_step("credit", StepStatus::Refused)
        .reply_of("stock", "refused")
        .expect_compensated();
}

#[test]
fn d5_a_step_given_up_is_compensated_when_the_saga_turns_back() {
    watched()
        .reply_refused()
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn d5_a_late_success_of_a_step_given_up_is_compensated_at_once() {
    watched()
        .reply_of("credit", "ok")
        .expect_command("credit!c")
        .expect_status(Status::Running)
        .reply_of("stock", "ok")
        .expect_status(Status::Running)
        .reply_ok()
        .expect_completed();
}

#[test]
fn d5_a_late_success_after_completion_shows_until_it_is_compensated() {
    let dialogue = watched()
        .reply_ok()
        .expect_completed()
        .reply_of("credit", "ok")
        .expect_status(Status::Completed)
        .expect_command("credit!c");
    assert!(dialogue.here().compensation_incomplete());
    let arm = dialogue.here().arm;
    let dialogue = dialogue
        .later(10_000_000)
        .expire(arm)
        .expect_ignored(Reason::StaleTimer)
        .fire()
        .silence()
        .expect_attempt("credit!c", 2)
        .reply_ok()
        .expect_status(Status::Completed)
        .expect_no_event();
    assert!(!dialogue.here().compensation_incomplete());
    let dialogue = dialogue.silence();
    assert_eq!(dialogue.instance, None);
}

#[test]
fn a_refused_compensation_of_a_completed_saga_parks_and_returns_to_completed() {
    watched()
        .reply_ok()
        .expect_completed()
        .reply_of("credit", "ok")
        .expect_command("credit!c")
        .reply_refused()
        .expect_parked(IncidentKind::CompensationRefused)
        .expect_detail("finally.parked left out")
        .cancel()
        .expect_rejected("completed")
        .retry()
        .expect_status(Status::Completed)
        .expect_command("credit!c#2")
        .reply_ok()
        .expect_status(Status::Completed)
        .expect_no_event();
}

#[test]
fn an_obligation_given_up_outlives_the_pivot() {
    let credit = with(compensatable("credit"), |send| send.retry.max = Some(1));
    given(definition(vec![
        catching(credit, "timeout", Directive::Continue),
        compensatable("stock"),
        step("payment", StepKind::Pivot),
        step("ship", StepKind::Retriable),
    ]))
    .event()
    .expect_command("credit")
    .silence()
    .expect_command("stock")
    .reply_ok()
    .expect_command("payment")
    .reply_ok()
    .expect_command("ship")
    .reply_of("credit", "ok")
    .expect_status(Status::Running)
    .expect_command("credit!c")
    .reply_refused()
    .expect_parked(IncidentKind::CompensationRefused)
    .cancel()
    .expect_rejected("past the pivot")
    .reply_of("ship", "ok")
    .expect_note(|note| *note == Note::Queued)
    .retry()
    .expect_command("credit!c#2")
    .reply_ok()
    .expect_status(Status::Completed);
}

#[test]
fn late_replies_of_settled_steps_are_duplicates() {
    given(order())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_refused()
        .expect_command("credit!c")
        .reply_of("credit", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_ok()
        .reply_of("credit", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("stock", "refused")
        .expect_ignored(Reason::Duplicate);
}

#[test]
fn c6_a_refused_compensation_is_settled_before_a_cancel() {
    watched()
        .reply_of("credit", "ok")
        .expect_command("credit!c")
        .reply_refused()
        .expect_parked(IncidentKind::CompensationRefused)
        .cancel()
        .expect_rejected("retry it first")
        .retry()
        .expect_command("credit!c#2")
        .cancel()
        .expect_changed()
        .reply_of("stock", "ok")
        .expect_status(Status::Compensating)
        .expect_no_command()
        .reply_of("credit!c#2", "ok")
        .expect_command("stock!c")
        .reply_ok()
        .expect_status(Status::Compensated);
}
