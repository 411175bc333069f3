//! Incidents: transitions that cannot be made, the queue, and going on.

use serde_json::json;

use super::definitions::{
    compensatable, definition, expr, object, order, path, publish, set, step, with,
};
use super::dialogue::{Dialogue, given, order_placed, reply_to};
use crate::effect::{Effect, Note};
use crate::id::CommandId;
use crate::input::{Event, Input, Kind, Reply};
use crate::instance::{IncidentKind, Instance, Status};
use crate::ir::{Definition, Finally, StepKind};
use crate::transition::{Applied, QUEUE_MAX, Reason, park};

/// The second step reads a field that the reply may lack.
fn fragile() -> Definition {
    let reads = with(compensatable("stock"), |send| {
        send.payload = path("credit.number")
    });
    definition(vec![compensatable("credit"), reads])
}

fn faulted() -> Dialogue {
    given(fragile())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_event("Stuck")
        .expect_no_command()
}

#[test]
fn p10_an_expression_fault_undoes_the_transition_and_parks() {
    let dialogue = faulted().expect_detail("step stock: `credit.number`: no field `number`");
    let here = dialogue.here();
    assert_eq!(here.queue.len(), 1, "the reply is kept");
    assert!(here.obligations.is_empty(), "its success is undone");
    assert_eq!(
        here.incident.as_ref().unwrap().step.as_deref(),
        Some("stock")
    );
    dialogue
        .retry()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_event("Stuck");
}

#[test]
fn p10_a_cancel_leads_out_of_a_fault() {
    faulted()
        .cancel()
        .expect_command("credit!c")
        .reply_ok()
        .expect_status(Status::Compensated);
}

#[test]
fn a_fault_in_keep_does_not_stop_a_cancel() {
    let kept = with(compensatable("credit"), |send| {
        send.keep = Some([("number".to_owned(), path("reply.number"))].into());
    });
    given(definition(vec![kept]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_parked(IncidentKind::ExpressionFault)
        .cancel()
        .expect_command("credit!c");
}

#[test]
fn an_input_that_applies_after_a_repair_goes_on_in_order() {
    let mut dialogue = faulted();
    // The same definition with the mistake repaired, as a redeploy under the same hash never could: it stands for a newer release.
    dialogue.definition = definition(vec![compensatable("credit"), compensatable("stock")]);
    dialogue
        .retry()
        .expect_command("stock")
        .expect_status(Status::Running)
        .reply_ok()
        .expect_completed();
}

#[test]
fn a_trigger_that_faults_makes_a_parked_instance() {
    let early = with(compensatable("credit"), |send| {
        send.payload = path("order.missing")
    });
    let dialogue = given(definition(vec![early]))
        .event()
        .expect_changed()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_detail("order.missing")
        .event()
        .expect_ignored(Reason::Duplicate);
    assert_eq!(dialogue.here().revision, 1);
    let mut dialogue = dialogue
        .retry()
        .expect_parked(IncidentKind::ExpressionFault);
    dialogue.definition = definition(vec![compensatable("credit")]);
    dialogue
        .retry()
        .expect_command("credit")
        .expect_status(Status::Running);
}

#[test]
fn a_trigger_that_faults_can_be_cancelled() {
    let early = with(compensatable("credit"), |send| {
        send.payload = path("order.missing")
    });
    let dialogue = given(definition(vec![early]))
        .event()
        .cancel()
        .expect_status(Status::Compensated);
    assert!(dialogue.here().queue.is_empty());
}

#[test]
fn a_timer_that_faults_is_evaluated_again_on_resume() {
    let needs_reply = with(compensatable("credit"), |send| {
        send.retry.max = Some(1);
        if let crate::ir::Compensation::Command(counter) = &mut send.compensation {
            let payload = &mut counter.payload;
            *payload = Some(path("reply.from"));
        }
    });
    let dialogue = given(definition(vec![needs_reply]))
        .event()
        .expect_command("credit")
        .silence()
        .expect_parked(IncidentKind::ExpressionFault);
    assert!(dialogue.here().queue.is_empty(), "timers are never queued");
    dialogue
        .retry()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_detail("retry failed")
        .reply_ok()
        .expect_note(|note| *note == Note::Queued)
        .retry()
        .expect_status(Status::Completed);
}

#[test]
fn conditions_must_be_booleans() {
    let mut odd = compensatable("credit");
    odd.when = Some(expr("order.total"));
    given(definition(vec![odd]))
        .event()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_detail("is 10, not a boolean");
}

#[test]
fn a_loop_without_end_parks() {
    let mut turning = definition(vec![set("again", "note", path("note"))]);
    turning.nodes[0].next = Some(0);
    given(turning)
        .event()
        .expect_parked(IncidentKind::Program)
        .expect_detail("more than 10000 nodes");
    let mut astray = definition(vec![set("again", "note", path("note"))]);
    astray.nodes[0].next = Some(7);
    given(astray)
        .event()
        .expect_parked(IncidentKind::Program)
        .expect_detail("no node 7");
}

#[test]
fn finally_parked_never_stops_parking() {
    let mut definition = fragile();
    definition.finally = Finally {
        parked: vec![
            publish("Stuck"),
            crate::ir::Publish {
                payload: object([("x", path("order.missing"))]),
                ..publish("Worse")
            },
        ],
        ..Finally::default()
    };
    given(definition)
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_detail("finally.parked left out")
        .expect_no_event();
}

#[test]
fn finally_completed_that_faults_parks_instead_of_finishing() {
    let mut definition = definition(vec![compensatable("credit")]);
    definition.finally.completed[0].payload = path("order.missing");
    given(definition)
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_detail("finally.completed");
}

/// The pivot is unknown; credit was given up before it and is still open to a late reply.
fn parked_with_a_watched_step() -> Dialogue {
    let credit = with(compensatable("credit"), |send| {
        send.retry.max = Some(1);
    });
    let credit = super::definitions::catching(credit, "timeout", crate::ir::Directive::Continue);
    let payment = with(step("payment", StepKind::Pivot), |send| {
        send.retry.max = Some(1)
    });
    given(definition(vec![
        credit,
        payment,
        step("ship", StepKind::Retriable),
    ]))
    .event()
    .expect_command("credit")
    .silence()
    .expect_command("payment")
    .silence()
    .expect_parked(IncidentKind::UnknownPivot)
    .expect_event("Stuck")
}

#[test]
fn g6_a_parked_instance_keeps_other_inputs_in_order_and_applies_them_when_it_goes_on() {
    let dialogue = parked_with_a_watched_step()
        .reply_of("credit", "ok")
        .expect_changed()
        .expect_note(|note| *note == Note::Queued)
        .expect_no_command()
        .reply_of("credit", "ok")
        .expect_note(|note| *note == Note::Queued)
        .reply_of("payment", "ok")
        .expect_command("ship")
        .expect_command("credit!c")
        .expect_no_command();
    assert!(dialogue.here().queue.is_empty());
    dialogue
        .reply_ok()
        .reply_of("ship", "ok")
        .expect_completed();
}

/// The pivot is unknown, and the step after it needs a field that the pivot's reply may lack.
fn unknown_pivot_before_a_fault() -> Dialogue {
    let payment = with(step("payment", StepKind::Pivot), |send| {
        send.retry.max = Some(1)
    });
    let ship = with(step("ship", StepKind::Retriable), |send| {
        send.payload = path("payment.number")
    });
    given(definition(vec![payment, ship]))
        .event()
        .expect_command("payment")
        .silence()
        .expect_parked(IncidentKind::UnknownPivot)
        .expect_event("Stuck")
}

#[test]
fn an_answer_that_resolves_one_incident_may_open_another_and_is_not_lost() {
    let mut dialogue = unknown_pivot_before_a_fault()
        .reply_ok()
        .expect_changed()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_event("Stuck")
        .retry()
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_event("Stuck")
        .expect_no_command();
    dialogue.definition = definition(vec![
        step("payment", StepKind::Pivot),
        step("ship", StepKind::Retriable),
    ]);
    dialogue
        .retry()
        .expect_command("ship")
        .reply_ok()
        .expect_completed();
}

#[test]
fn g3_a_refused_output_of_a_resolving_answer_keeps_the_answer() {
    let mut dialogue = parked_with_a_watched_step();
    let definition = dialogue.definition.clone();
    let reply = |step: &str| {
        let id = CommandId::parse(&format!("order/ORD-42/{step}")).unwrap();
        Kind::Reply(reply_to(id, "ok"))
    };
    let (_, effects) = parked_by(&mut dialogue, Some(&definition), reply("credit"));
    assert!(matches!(effects[0], Effect::DeadLetter { .. }));
    dialogue = dialogue.expect_parked(IncidentKind::UnknownPivot);
    parked_by(&mut dialogue, Some(&definition), reply("payment"));
    dialogue
        .expect_parked(IncidentKind::OutputRefused)
        .retry()
        .expect_command("ship")
        .expect_status(Status::Running);
}

#[test]
fn a_parked_instance_tells_facts_from_news() {
    parked_with_a_watched_step()
        .reply_of("ship", "ok")
        .expect_orphan()
        .event()
        .expect_ignored(Reason::Duplicate)
        .reply_of("payment", "failed")
        .expect_ignored(Reason::Late);
}

#[test]
fn the_queue_is_bounded_in_number_and_bytes() {
    let mut dialogue = parked_with_a_watched_step();
    for _ in 0..QUEUE_MAX {
        dialogue = dialogue.reply_of("credit", "ok").expect_changed();
    }
    dialogue
        .reply_of("credit", "ok")
        .expect_ignored(Reason::QueueFull)
        .expect_dead_letter("queue_full");
    let mut dialogue = parked_with_a_watched_step();
    let id = CommandId::parse("order/ORD-42/credit").unwrap();
    dialogue.input(Kind::Reply(Reply {
        payload: json!("x".repeat(70_000)),
        ..reply_to(id, "ok")
    }));
    dialogue
        .expect_ignored(Reason::QueueFull)
        .expect_dead_letter("queue_full");
}

fn parked_by(
    dialogue: &mut Dialogue,
    definition: Option<&Definition>,
    kind: Kind,
) -> (Applied, Vec<Effect>) {
    dialogue.now += 1;
    let input = Input {
        id: "I".to_owned(),
        time_ms: dialogue.now,
        kind,
    };
    let mut effects = Vec::new();
    let applied = park(
        definition,
        &mut dialogue.instance,
        &input,
        IncidentKind::OutputRefused,
        "topic credit.commands is unknown",
        &mut effects,
    );
    (applied, effects)
}

fn placed() -> Event {
    Event {
        bind: "order".to_owned(),
        key: "ORD-42".to_owned(),
        r#type: None,
        trigger: "T-1".to_owned(),
        payload: order_placed(),
    }
}

#[test]
fn g3_a_refused_output_parks_with_the_input_and_a_retry_applies_it_again() {
    let mut dialogue = given(order()).event().expect_command("credit");
    let reply = Kind::Reply(reply_to(
        CommandId::parse("order/ORD-42/credit").unwrap(),
        "ok",
    ));
    let (applied, effects) = parked_by(&mut dialogue, Some(&order()), reply);
    assert_eq!(applied, Applied::Changed);
    assert!(matches!(effects[0], Effect::Publish(_)), "finally.parked");
    dialogue
        .expect_parked(IncidentKind::OutputRefused)
        .retry()
        .expect_command("stock")
        .expect_status(Status::Running);
}

#[test]
fn g3_a_refused_output_of_the_trigger_makes_a_parked_instance() {
    let mut dialogue = given(order());
    parked_by(&mut dialogue, Some(&order()), Kind::Event(placed()));
    dialogue
        .expect_parked(IncidentKind::OutputRefused)
        .retry()
        .expect_command("credit");
}

#[test]
fn an_unknown_definition_parks_an_unstarted_instance() {
    let mut dialogue = given(order());
    let (applied, effects) = parked_by(&mut dialogue, None, Kind::Event(placed()));
    assert_eq!(applied, Applied::Ignored(Reason::Orphan));
    assert!(matches!(effects[0], Effect::DeadLetter { .. }));
    let id = crate::id::SagaId::new("order", "ORD-42").unwrap();
    let unstarted = Instance::unstarted(id, "order@1#x".to_owned(), &placed(), dialogue.now);
    dialogue.instance = Some(unstarted);
    parked_by(&mut dialogue, None, Kind::Event(placed()));
    dialogue
        .expect_parked(IncidentKind::OutputRefused)
        .retry()
        .expect_command("credit");
}

#[test]
fn a_refused_output_of_a_signal_is_taken_once() {
    let mut dialogue = given(order()).event().expect_command("credit");
    let cancel = crate::input::Signal {
        id: "S".to_owned(),
        actor: "anna".to_owned(),
        if_revision: Some(1),
        act: crate::input::Act::Cancel { reason: None },
    };
    parked_by(&mut dialogue, Some(&order()), Kind::Signal(cancel.clone()));
    dialogue
        .signal("S", None, cancel.act)
        .expect_ignored(Reason::Duplicate)
        .retry()
        .expect_status(Status::Compensating)
        .reply_ok()
        .expect_command("credit!c");
}

#[test]
fn a_second_refusal_keeps_the_first_incident() {
    let mut dialogue = parked_with_a_watched_step();
    let retry = crate::input::Signal {
        id: "S".to_owned(),
        actor: "anna".to_owned(),
        if_revision: None,
        act: crate::input::Act::Retry,
    };
    let definition = dialogue.definition.clone();
    parked_by(&mut dialogue, Some(&definition), Kind::Signal(retry));
    dialogue
        .expect_parked(IncidentKind::UnknownPivot)
        .expect_detail("(retry failed: topic credit.commands is unknown)")
        .retry()
        .expect_attempt("payment", 2);
}
