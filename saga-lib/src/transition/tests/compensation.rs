//! Going back: order, payloads, refusals, failures, and what the pivot forbids.

use serde_json::json;

use super::definitions::{
    booking, catching, compensatable, definition, literal, order, path, set, step, with,
};
use super::dialogue::{Dialogue, given};
use crate::effect::Note;
use crate::instance::{IncidentKind, Status, StepStatus};
use crate::ir::{Compensation, Directive, Jitter, StepKind};
use crate::transition::{FAILURES_BEFORE_INCIDENT, Reason};

/// credit and stock succeeded, carrier is in flight.
fn booking_at_carrier() -> Dialogue {
    given(booking())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_ok()
        .expect_command("carrier")
}

#[test]
pub fn a1_b1_compensation_is_strictly_reverse_and_one_at_a_time() {
    booking_at_carrier()
        .reply_refused()
        .expect_status(Status::Compensating)
        .expect_command("stock!c")
        .expect_no_command()
        .later(5_000)
        .expect_no_command()
        .reply_ok()
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated()
        .expect_step("carrier", StepStatus::Refused)
        .expect_step("stock", StepStatus::Compensated);
}

#[test]
fn a_compensation_names_the_execution_it_compensates() {
    let dialogue = booking_at_carrier().reply_refused();
    let command = &dialogue.commands[0];
    let forward = command.compensates.clone().unwrap();
    assert_eq!(forward.to_string(), "order/ORD-42/stock");
    assert_eq!(command.r#type, "undo");
    let pending = dialogue.here().pending_commands(&dialogue.definition);
    assert_eq!(pending[0].0, command.id);
}

/// What a counter-command answers is no state to put back: data, variables and results stay as they were seen.
#[test]
pub fn a2_a_compensation_restores_nothing_but_what_its_participant_undid() {
    let changing = set("changed", "note", literal(json!("changed")));
    let steps = ["credit", "stock", "carrier"].map(compensatable);
    let [credit, stock, carrier] = steps;
    let turned = given(definition(vec![credit, changing, stock, carrier]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_ok()
        .expect_command("carrier");
    let seen = turned.here().data.clone();
    assert_eq!(seen["note"], json!("changed"));
    assert_eq!(seen["stock"], json!({ "from": "ok" }));
    let between = turned
        .reply_refused()
        .expect_command("stock!c")
        .reply_ok()
        .expect_command("credit!c");
    assert_eq!(between.here().data, seen);
    let confirmed = between.reply_ok().expect_compensated();
    assert_eq!(confirmed.here().steps["credit"], StepStatus::Compensated);
}

#[test]
pub fn a4_a_refused_step_is_never_compensated() {
    given(booking())
        .event()
        .expect_command("credit")
        .reply_refused()
        .expect_compensated();
}

#[test]
pub fn a1_a_step_of_unknown_outcome_is_compensated() {
    given(booking())
        .event()
        .expect_command("credit")
        .silence()
        .expect_attempt("credit", 2)
        .silence()
        .expect_attempt("credit", 3)
        .silence()
        .expect_step("credit", StepStatus::Compensating)
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn b3_the_payload_is_computed_when_the_step_completes() {
    let definition = definition(vec![
        compensatable("credit"),
        set("change", "note", literal(json!("changed"))),
        compensatable("stock"),
    ]);
    given(definition)
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_refused()
        .expect_command("credit!c")
        .expect_payload(json!({ "request": { "total": 10 }, "note": "initial" }));
}

#[test]
pub fn b3_without_a_payload_the_request_is_sent_back() {
    let plain = with(compensatable("credit"), |send| {
        if let Compensation::Command(counter) = &mut send.compensation {
            let payload = &mut counter.payload;
            *payload = None;
        }
    });
    given(definition(vec![plain, compensatable("stock")]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_refused()
        .expect_command("credit!c")
        .expect_payload(json!({ "total": 10 }));
}

/// The result is told where it is known; after an unknown outcome there is none, and the body says so.
#[test]
pub fn b3_the_reply_is_seen_if_it_is_known() {
    let telling = with(compensatable("credit"), |send| {
        send.retry.max = Some(1);
        if let Compensation::Command(counter) = &mut send.compensation {
            let told = r#"has(reply.from) ? reply.from : "unknown""#;
            counter.payload = Some(path(told));
        }
    });
    let definition = definition(vec![telling, compensatable("stock")]);
    given(definition.clone())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_refused()
        .expect_command("credit!c")
        .expect_payload(json!("ok"));
    given(definition)
        .event()
        .expect_command("credit")
        .silence()
        .expect_command("credit!c")
        .expect_payload(json!("unknown"));
}

#[test]
fn error_is_visible_at_the_end() {
    let mut dialogue = given(booking())
        .event()
        .expect_command("credit")
        .reply_failed()
        .silence()
        .expect_attempt("credit", 2)
        .reply("declined");
    let event = dialogue.events.pop_front().unwrap();
    assert_eq!(
        event.payload,
        json!({ "reason": "code-7", "step": "credit" })
    );
    assert_eq!(event.id, "order/ORD-42/finally.compensated");
    let error = dialogue.here().error.clone().unwrap();
    assert_eq!(error["outcome"], "declined");
    assert_eq!(error["attempts"], 2);
}

#[test]
pub fn b4_a_refused_compensation_parks_and_a_retry_begins_a_new_execution_of_it() {
    booking_at_carrier()
        .reply_refused()
        .expect_command("stock!c")
        .reply_refused()
        .expect_parked(IncidentKind::CompensationRefused)
        .expect_event("Stuck")
        .expect_no_command()
        .then(incomplete)
        .retry()
        .expect_command("stock!c#2")
        .reply_ok()
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated();
}

/// A compensation is tried again by its own policy, whatever that of its step allows, and has no last attempt.
#[test]
pub fn b4_a_failing_compensation_is_tried_again_by_its_own_policy() {
    let patient = with(compensatable("credit"), |send| {
        send.retry.max = Some(1);
        if let Compensation::Command(counter) = &mut send.compensation {
            counter.retry.first_ms = 60_000;
            counter.retry.factor = 1.0;
            counter.retry.cap_ms = 60_000;
            counter.retry.jitter = Jitter::None;
        }
    });
    let mut dialogue = given(definition(vec![patient, compensatable("stock")]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_refused()
        .expect_command("credit!c");
    for attempt in 2..10 {
        dialogue = dialogue.reply_failed();
        assert_eq!(dialogue.due() - dialogue.now, 60_000);
        dialogue = dialogue.silence().expect_attempt("credit!c", attempt);
    }
}

fn incomplete(dialogue: Dialogue) -> Dialogue {
    assert!(dialogue.here().compensation_incomplete());
    dialogue
}

#[test]
fn a_refused_compensation_that_is_confirmed_after_all_goes_on() {
    booking_at_carrier()
        .reply_refused()
        .expect_command("stock!c")
        .reply_refused()
        .expect_event("Stuck")
        .reply_refused()
        .expect_ignored(Reason::Duplicate)
        .expect_status(Status::Parked)
        .reply_ok()
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn a3_p5_a_failing_compensation_is_retried_for_ever_with_an_open_incident() {
    let mut dialogue = booking_at_carrier()
        .reply_refused()
        .expect_command("stock!c");
    for attempt in 2..60 {
        dialogue = if attempt % 2 == 0 {
            dialogue.reply_failed()
        } else {
            dialogue.silence().expect_no_command()
        };
        let open = dialogue.here().incident.is_some();
        assert_eq!(open, attempt > FAILURES_BEFORE_INCIDENT, "{attempt}");
        dialogue = dialogue
            .expect_status(Status::Compensating)
            .then(incomplete)
            .silence()
            .expect_attempt("stock!c", attempt);
    }
    let kind = dialogue.here().incident.as_ref().map(|i| i.kind);
    assert_eq!(kind, Some(IncidentKind::CompensationFailing));
    let dialogue = dialogue
        .reply_ok()
        .expect_note(|note| *note == Note::Resumed)
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated();
    assert_eq!(dialogue.here().incident, None);
}

#[test]
pub fn d1_a_failed_compensation_is_sent_again_with_the_same_id() {
    booking_at_carrier()
        .reply_refused()
        .expect_command("stock!c")
        .reply_failed()
        .silence()
        .expect_attempt("stock!c", 2)
        .silence()
        .expect_no_command()
        .silence()
        .expect_attempt("stock!c", 3)
        .reply_ok()
        .expect_command("credit!c");
}

#[test]
pub fn d3_duplicates_of_a_compensation_change_nothing() {
    booking_at_carrier()
        .reply_refused()
        .expect_command("stock!c")
        .reply_failed()
        .reply_failed()
        .expect_ignored(Reason::Duplicate)
        .reply_ok()
        .reply_ok()
        .expect_ignored(Reason::Duplicate)
        .expect_command("credit!c")
        .expect_no_command()
        .reply_of("stock!c#2", "ok")
        .expect_orphan()
        .reply_ok()
        .expect_compensated()
        .reply_ok()
        .expect_ignored(Reason::Duplicate)
        .reply_of("carrier!c", "ok")
        .expect_orphan();
}

#[test]
fn b5_a_failure_that_arrives_twice_turns_back_once() {
    booking_at_carrier()
        .reply_refused()
        .expect_command("stock!c")
        .reply_of("carrier", "refused")
        .expect_ignored(Reason::Duplicate)
        .expect_no_command();
}

#[test]
pub fn b6_a_step_with_nothing_to_compensate_is_left_out() {
    let nothing = with(step("quote", StepKind::Compensatable), |send| {
        send.compensation = Compensation::Nothing {
            because: "it is only a quote".to_owned(),
        };
    });
    given(definition(vec![
        compensatable("credit"),
        nothing,
        step("check", StepKind::ReadOnly),
        compensatable("stock"),
    ]))
    .event()
    .expect_command("credit")
    .reply_ok()
    .expect_command("quote")
    .reply_ok()
    .expect_command("check")
    .reply_ok()
    .expect_command("stock")
    .reply_refused()
    .expect_command("credit!c")
    .reply_ok()
    .expect_compensated();
}

/// payment, the pivot, is in flight.
fn order_at_payment() -> Dialogue {
    given(order())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_ok()
        .expect_command("payment")
}

fn order_past_payment() -> Dialogue {
    order_at_payment().reply_ok().expect_command("ship")
}

#[test]
fn c2_a_refused_pivot_turns_back() {
    order_at_payment()
        .reply_refused()
        .expect_command("stock!c")
        .reply_ok()
        .expect_command("credit!c")
        .reply_ok()
        .expect_compensated();
}

fn unknown_pivot() -> Dialogue {
    order_at_payment()
        .silence()
        .expect_attempt("payment", 2)
        .silence()
        .expect_attempt("payment", 3)
        .silence()
        .expect_parked(IncidentKind::UnknownPivot)
        .expect_event("Stuck")
        .expect_no_command()
}

#[test]
pub fn c3_an_unknown_pivot_goes_in_neither_direction() {
    unknown_pivot()
        .reply_failed()
        .expect_ignored(Reason::Late)
        .expect_status(Status::Parked)
        .timer(99)
        .expect_ignored(Reason::StaleTimer);
}

#[test]
fn c3_its_own_reply_resolves_an_unknown_pivot() {
    unknown_pivot()
        .reply_ok()
        .expect_note(|note| *note == Note::Resumed)
        .expect_command("ship");
    unknown_pivot().reply_refused().expect_command("stock!c");
}

#[test]
fn c3_a_retry_asks_an_unknown_pivot_again_with_the_same_id() {
    unknown_pivot()
        .retry()
        .expect_attempt("payment", 4)
        .expect_status(Status::Running)
        .silence()
        .expect_attempt("payment", 5)
        .silence()
        .expect_attempt("payment", 6)
        .silence()
        .expect_parked(IncidentKind::UnknownPivot)
        .expect_event("Stuck")
        .reply_ok()
        .expect_command("ship");
}

#[test]
pub fn c2_c5_a_step_after_the_pivot_parks_and_never_turns_back() {
    order_past_payment()
        .reply_failed()
        .silence()
        .expect_attempt("ship", 2)
        .reply_failed()
        .silence()
        .expect_attempt("ship", 3)
        .reply_failed()
        .expect_parked(IncidentKind::RetriesExhausted)
        .expect_event("Stuck")
        .expect_detail("step ship: failed after 3 attempt(s): no reason")
        .retry()
        .expect_attempt("ship", 4)
        .reply_ok()
        .expect_command("invoice")
        .reply_ok()
        .expect_completed();
}

#[test]
fn c5_a_late_success_resolves_used_up_attempts() {
    order_past_payment()
        .silence()
        .expect_attempt("ship", 2)
        .silence()
        .expect_attempt("ship", 3)
        .silence()
        .expect_parked(IncidentKind::RetriesExhausted)
        .expect_event("Stuck")
        .reply_ok()
        .expect_command("invoice")
        .reply_ok()
        .expect_completed();
}

#[test]
pub fn c2_a_refusal_after_the_pivot_parks_and_a_retry_is_a_new_execution() {
    order_past_payment()
        .reply_refused()
        .expect_parked(IncidentKind::RetriesExhausted)
        .expect_event("Stuck")
        .reply_refused()
        .expect_ignored(Reason::Duplicate)
        .retry()
        .expect_command("ship#2")
        .reply_of("ship", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_ok()
        .expect_command("invoice")
        .reply_ok()
        .expect_completed();
}

#[test]
fn c2_a_retriable_step_without_a_pivot_before_it_only_goes_forward() {
    given(definition(vec![
        compensatable("credit"),
        step("ship", StepKind::Retriable),
    ]))
    .event()
    .expect_command("credit")
    .reply_ok()
    .expect_command("ship")
    .reply_refused()
    .expect_parked(IncidentKind::RetriesExhausted)
    .cancel()
    .expect_rejected("past the pivot");
}

#[test]
fn a_read_only_step_of_unknown_outcome_turns_back_without_compensation() {
    let check = with(step("check", StepKind::ReadOnly), |send| {
        send.retry.max = Some(1)
    });
    given(definition(vec![compensatable("credit"), check]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("check")
        .reply_failed()
        .expect_command("credit!c")
        .reply_of("check", "ok")
        .expect_ignored(Reason::Late)
        .expect_note(|note| matches!(note, Note::LateReply { .. }))
        .reply_ok()
        .expect_compensated();
}

#[test]
fn catch_continues_after_a_refusal() {
    let soft = catching(compensatable("credit"), "declined", Directive::Continue);
    given(definition(vec![soft, compensatable("stock")]))
        .event()
        .expect_command("credit")
        .reply("declined")
        .expect_command("stock")
        .reply_ok()
        .expect_completed();
}

#[test]
fn catch_any_covers_refusals_and_misses() {
    let soft = |directive| {
        let step = with(compensatable("credit"), |send| send.retry.max = Some(1));
        definition(vec![
            catching(step, "any", directive),
            compensatable("stock"),
        ])
    };
    given(soft(Directive::Continue))
        .event()
        .expect_command("credit")
        .reply_refused()
        .expect_command("stock");
    given(soft(Directive::Continue))
        .event()
        .expect_command("credit")
        .silence()
        .expect_command("stock");
}

#[test]
fn catch_retries_a_refusal_as_a_new_execution_and_an_unknown_with_the_same_id() {
    let again = |outcome| {
        let step = with(compensatable("credit"), |send| send.retry.max = Some(1));
        given(definition(vec![catching(step, outcome, Directive::Retry)]))
            .event()
            .expect_command("credit")
    };
    again("declined")
        .reply("declined")
        .expect_command("credit#2")
        .reply_of("credit", "declined")
        .expect_ignored(Reason::Duplicate)
        .reply_ok()
        .expect_completed();
    again("failed")
        .reply_failed()
        .expect_no_command()
        .silence()
        .expect_attempt("credit", 2)
        .reply_failed()
        .silence()
        .expect_attempt("credit", 3)
        .reply_ok()
        .expect_completed();
}

#[test]
fn catch_retry_ends_at_a_bound() {
    let step = catching(compensatable("credit"), "refused", Directive::Retry);
    let mut dialogue = given(definition(vec![step]))
        .event()
        .expect_command("credit");
    for execution in 2..=100 {
        dialogue = dialogue
            .reply_refused()
            .expect_command(&format!("credit#{execution}"));
    }
    dialogue
        .reply_refused()
        .expect_parked(IncidentKind::RetriesExhausted)
        .expect_event("Stuck")
        .cancel()
        .expect_status(Status::Compensated);
}

#[test]
fn catch_parks_where_the_definition_says_so() {
    let held = |outcome| {
        let step = with(compensatable("stock"), |send| send.retry.max = Some(1));
        given(definition(vec![
            compensatable("credit"),
            catching(step, outcome, Directive::Park),
        ]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
    };
    held("declined")
        .reply("declined")
        .expect_parked(IncidentKind::Declared)
        .retry()
        .expect_command("stock#2")
        .reply_ok()
        .expect_status(Status::Completed);
    held("timeout")
        .silence()
        .expect_parked(IncidentKind::Declared)
        .retry()
        .expect_attempt("stock", 2)
        .reply_ok()
        .expect_status(Status::Completed);
    held("timeout")
        .silence()
        .cancel()
        .expect_command("stock!c")
        .reply_ok()
        .expect_command("credit!c");
    held("declined")
        .reply("declined")
        .cancel()
        .expect_command("credit!c");
}

#[test]
fn catch_turns_a_success_back() {
    let strict = with(compensatable("credit"), |send| {
        send.success.push("partial".to_owned());
    });
    given(definition(vec![
        catching(strict, "partial", Directive::Compensate),
        compensatable("stock"),
    ]))
    .event()
    .expect_command("credit")
    .reply("partial")
    .expect_command("credit!c")
    .reply_ok()
    .expect_compensated();
}

#[test]
pub fn c2_past_the_pivot_nothing_is_owed() {
    let pivot = with(compensatable("payment"), |send| send.kind = StepKind::Pivot);
    let dialogue = given(definition(vec![
        compensatable("credit"),
        pivot,
        step("ship", StepKind::Retriable),
    ]))
    .event()
    .expect_command("credit")
    .reply_ok()
    .expect_command("payment")
    .reply_ok()
    .expect_command("ship");
    assert!(dialogue.here().past_pivot);
    assert!(dialogue.here().obligations.is_empty());
}
