//! Going forward: start, commands, replies, attempts, data.

use serde_json::json;

use super::definitions::{
    booking, catching, compensatable, definition, expr, literal, node, object, order, path,
    publish, set, step, with,
};
use super::dialogue::{T0, given, order_placed};
use crate::effect::{Effect, Note};
use crate::id::SagaId;
use crate::input::{Event, Input, Kind};
use crate::instance::{IncidentKind, Instance, Status, StepStatus, Wake};
use crate::ir::{Directive, Duplicates, Jitter, Kind as NodeKind, StepKind};
use crate::transition::{Applied, Reason, apply, saga_id};

#[test]
fn a1_every_step_succeeds_and_the_saga_completes() {
    given(order())
        .event()
        .expect_command("credit")
        .expect_payload(json!({ "total": 10 }))
        .reply_ok()
        .expect_command("stock")
        .reply_ok()
        .expect_command("payment")
        .reply_ok()
        .expect_command("ship")
        .reply_ok()
        .expect_command("invoice")
        .reply_ok()
        .expect_completed();
}

#[test]
fn a_command_names_its_target_key_and_expiry() {
    let dialogue = given(order()).event();
    let command = &dialogue.commands[0];
    assert_eq!(command.topic, "credit.commands");
    assert_eq!(command.r#type, "do");
    assert_eq!(command.key, "ORD-42");
    assert_eq!(command.compensates, None);
    assert_eq!(command.expires_ms, Some(T0 + 1 + 30_000));
    let pending = dialogue.here().pending_commands(&dialogue.definition);
    assert_eq!(pending, vec![(command.id.clone(), 1, T0 + 30_001)]);
}

#[test]
fn a_step_may_choose_its_record_key() {
    let keyed = with(compensatable("credit"), |send| {
        send.key = Some(expr("note"));
    });
    let definition = definition(vec![
        keyed,
        set("change", "note", literal(json!("later"))),
        step("next", StepKind::Compensatable),
    ]);
    let dialogue = given(definition).event();
    assert_eq!(dialogue.commands[0].key, "initial");
    let dialogue = dialogue
        .expect_command("credit")
        .reply_ok()
        .expect_command("next")
        .reply_refused();
    assert_eq!(dialogue.commands[0].key, "initial", "as it was at the step");
}

#[test]
fn a_whole_number_is_a_record_key_and_a_list_is_a_fault() {
    let keyed = |source: &str| {
        let key = expr(source);
        definition(vec![with(compensatable("credit"), |send| {
            send.key = Some(key);
        })])
    };
    let dialogue = given(keyed("order.total")).event();
    assert_eq!(dialogue.commands[0].key, "10");
    given(keyed("order.yes"))
        .event()
        .expect_detail("is true, not text or a whole number");
}

#[test]
fn names_of_the_saga_and_the_time_are_visible() {
    let event = crate::ir::Publish {
        payload: object([
            ("id", path("saga.id")),
            ("key", path("saga.key")),
            ("version", path("saga.version")),
            ("started", path("saga.started")),
            ("now", path("now")),
        ]),
        ..publish("Seen")
    };
    let dialogue = given(definition(vec![node("seen", NodeKind::Publish(event))])).event();
    let expected = json!({ "id": "order/ORD-42", "key": "ORD-42", "version": 1, "started": T0 + 1, "now": T0 + 1 });
    assert_eq!(dialogue.events[0].payload, expected);
    assert_eq!(dialogue.events[0].id, "order/ORD-42/seen");
    dialogue
        .expect_event("Seen")
        .expect_completed()
        .expect_step("seen", StepStatus::Succeeded);
}

#[test]
fn when_false_skips_a_step() {
    let mut skipped = compensatable("credit");
    skipped.when = Some(expr("order.no"));
    let mut taken = compensatable("stock");
    taken.when = Some(expr("order.yes"));
    given(definition(vec![skipped, taken]))
        .event()
        .expect_step("credit", StepStatus::Skipped)
        .expect_note(
            |note| matches!(note, Note::StepFinished { outcome, .. } if outcome == "skipped"),
        )
        .expect_command("stock")
        .reply_ok()
        .expect_completed();
}

#[test]
fn keep_stores_what_later_steps_read() {
    let kept = with(compensatable("credit"), |send| {
        send.keep = Some([("origin".to_owned(), path("reply.from"))].into());
    });
    let reads = with(compensatable("stock"), |send| {
        send.payload = path("credit.origin");
    });
    given(definition(vec![kept, reads]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .expect_payload(json!("ok"));
}

#[test]
fn without_keep_the_whole_reply_is_stored() {
    let reads = with(compensatable("stock"), |send| send.payload = path("credit"));
    given(definition(vec![compensatable("credit"), reads]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .expect_payload(json!({ "from": "ok" }));
}

#[test]
pub fn d1_a_failed_attempt_is_sent_again_with_the_same_id_after_a_back_off() {
    let dialogue = given(order())
        .event()
        .expect_command("credit")
        .reply_failed();
    let wait = dialogue.due() - dialogue.now;
    assert!((1..=200).contains(&wait), "{wait}");
    dialogue
        .expect_no_command()
        .silence()
        .expect_note(|note| {
            matches!(
                note,
                Note::Resent {
                    attempt: 2,
                    compensation: false,
                    ..
                }
            )
        })
        .expect_attempt("credit", 2)
        .reply_ok()
        .expect_command("stock");
}

#[test]
pub fn d4_a_timeout_sends_the_same_id_again_before_it_fails_the_step() {
    given(order())
        .event()
        .expect_command("credit")
        .silence()
        .expect_attempt("credit", 2)
        .silence()
        .expect_attempt("credit", 3)
        .expect_status(Status::Running)
        .reply_ok()
        .expect_command("stock");
}

/// Unknown is no failure: what follows it is declared, and without a declaration the step counts as possibly done.
#[test]
pub fn d4_what_follows_an_unknown_outcome_is_declared() {
    let at_stock = |then: Option<Directive>| {
        let stock = with(compensatable("stock"), |send| send.retry.max = Some(1));
        let stock = match then {
            Some(then) => catching(stock, "timeout", then),
            None => stock,
        };
        let nodes = vec![compensatable("credit"), stock, compensatable("carrier")];
        given(definition(nodes))
            .event()
            .expect_command("credit")
            .reply_ok()
            .expect_command("stock")
            .silence()
    };
    at_stock(None).expect_command("stock!c");
    at_stock(Some(Directive::Compensate)).expect_command("stock!c");
    at_stock(Some(Directive::Continue)).expect_command("carrier");
    at_stock(Some(Directive::Park)).expect_parked(IncidentKind::Declared);
    at_stock(Some(Directive::Retry))
        .expect_no_command()
        .silence()
        .expect_attempt("stock", 2);
}

#[test]
fn an_unknown_outcome_name_is_a_technical_failure() {
    given(order())
        .event()
        .expect_command("credit")
        .reply("exploded")
        .expect_no_command()
        .expect_status(Status::Running)
        .silence()
        .expect_attempt("credit", 2);
}

#[test]
fn an_answer_during_the_back_off_counts() {
    given(order())
        .event()
        .expect_command("credit")
        .reply_failed()
        .reply_ok()
        .expect_command("stock");
}

#[test]
pub fn d3_a_repeated_failure_does_not_use_up_an_attempt() {
    let mut dialogue = given(order())
        .event()
        .expect_command("credit")
        .reply_failed()
        .reply_failed()
        .expect_ignored(Reason::Duplicate)
        .silence()
        .expect_attempt("credit", 2);
    let mut old = super::dialogue::reply_to(
        dialogue.here().pending_commands(&dialogue.definition)[0]
            .0
            .clone(),
        "failed",
    );
    old.attempt = Some(1);
    dialogue.input(Kind::Reply(old));
    dialogue.expect_ignored(Reason::Duplicate);
}

#[test]
fn retry_may_exclude_causes_and_bound_the_time() {
    let once = |change: fn(&mut crate::ir::Retry)| {
        given(definition(vec![with(compensatable("credit"), |send| {
            change(&mut send.retry);
        })]))
        .event()
        .expect_command("credit")
    };
    once(|retry| retry.after_failed = false)
        .reply_failed()
        .expect_command("credit!c");
    once(|retry| retry.after_timeout = false)
        .silence()
        .expect_command("credit!c");
    once(|retry| retry.within_ms = Some(1_000))
        .silence()
        .expect_command("credit!c");
}

#[test]
pub fn c5_waits_grow_to_the_cap_and_jitter_stays_inside() {
    let waits = |jitter| {
        let definition = definition(vec![with(compensatable("credit"), |send| {
            send.retry.jitter = jitter;
            send.retry.max = Some(9);
        })]);
        let mut dialogue = given(definition).event().expect_command("credit");
        let mut waits = Vec::new();
        for attempt in 2..=9 {
            dialogue = dialogue.reply_failed();
            waits.push(dialogue.due() - dialogue.now);
            dialogue = dialogue.silence().expect_attempt("credit", attempt);
        }
        waits
    };
    let exact = waits(Jitter::None);
    assert_eq!(exact, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    let half = waits(Jitter::Equal);
    for (wait, whole) in half.iter().zip(&exact) {
        assert!((whole / 2..=*whole).contains(wait), "{wait} of {whole}");
    }
    // A golden value: every build and machine computes the same waits, or stored instances would wake at other times.
    assert_eq!(
        waits(Jitter::Full),
        [62, 25, 102, 1175, 367, 5693, 1183, 2523]
    );
}

#[test]
fn d3_duplicate_replies_are_facts() {
    given(order())
        .event()
        .expect_command("credit")
        .reply_ok()
        .reply_ok()
        .expect_ignored(Reason::Duplicate)
        .reply_refused()
        .expect_ignored(Reason::Duplicate)
        .expect_command("stock")
        .expect_no_command();
}

#[test]
pub fn d6_a_reply_for_a_command_never_sent_is_an_orphan() {
    given(order())
        .event()
        .reply_of("stock", "ok")
        .expect_orphan()
        .reply_of("nothing", "ok")
        .expect_orphan()
        .reply_of("credit#2", "ok")
        .expect_orphan()
        .reply_of("credit!c", "ok")
        .expect_orphan();
}

#[test]
fn d6_inputs_without_an_instance_are_facts() {
    given(order()).reply_of("credit", "ok").expect_orphan();
    given(order()).cancel().expect_rejected("no such instance");
    given(order()).timer(1).expect_ignored(Reason::StaleTimer);
    given(order()).expire(1).expect_ignored(Reason::StaleTimer);
}

#[test]
fn p1_a_second_trigger_is_a_duplicate_while_the_saga_lives_and_after_it() {
    let dialogue = given(definition(vec![compensatable("credit")]))
        .event()
        .event()
        .expect_ignored(Reason::Duplicate)
        .expect_command("credit")
        .expect_no_command()
        .reply_ok()
        .expect_completed()
        .event_with("T-2", order_placed())
        .expect_ignored(Reason::Duplicate);
    assert!(dialogue.effects.is_empty());
}

#[test]
fn p1_a_definition_may_refuse_duplicates_into_a_dead_letter() {
    let mut definition = order();
    definition.starts[0].duplicates = Duplicates::Reject;
    given(definition)
        .event()
        .event_with("T-2", order_placed())
        .expect_ignored(Reason::Duplicate)
        .expect_dead_letter("duplicate");
}

#[test]
fn ids_of_occurrences_differ_by_trigger() {
    let mut definition = order();
    let event = |trigger: &str| Event {
        bind: "order".to_owned(),
        key: "a/b".to_owned(),
        r#type: None,
        trigger: trigger.to_owned(),
        payload: json!({}),
    };
    let plain = saga_id(&definition, &event("1")).unwrap();
    assert_eq!(plain.as_str(), "order/a%2Fb");
    definition.starts[0].duplicates = Duplicates::New;
    let first = saga_id(&definition, &event("1")).unwrap();
    assert_eq!(first, SagaId::occurrence("order", "a/b", "1").unwrap());
    assert_ne!(first, saga_id(&definition, &event("2")).unwrap());
    let mut keyless = event("1");
    keyless.key.clear();
    assert!(saga_id(&definition, &keyless).is_err());
}

#[test]
fn a_caller_that_knows_the_hash_may_bring_the_unstarted_instance() {
    let trigger = Event {
        bind: "order".to_owned(),
        key: "ORD-42".to_owned(),
        r#type: None,
        trigger: "T-1".to_owned(),
        payload: order_placed(),
    };
    let definition = order();
    let id = saga_id(&definition, &trigger).unwrap();
    let version = format!("order@1#{}", definition.hash());
    let mut dialogue = given(definition);
    dialogue.instance = Some(Instance::unstarted(id, version, &trigger, T0 + 1));
    let brought = dialogue.event().expect_command("credit");
    assert_eq!(brought.instance, given(order()).event().instance);
}

#[test]
fn timers_that_are_stale_or_early_are_facts() {
    let dialogue = given(order()).event();
    let arm = dialogue.here().arm;
    let dialogue = dialogue
        .timer(arm)
        .expect_ignored(Reason::EarlyTimer)
        .expect_command("credit")
        .reply_ok()
        .later(60_000)
        .timer(arm)
        .expect_ignored(Reason::StaleTimer);
    let arm = dialogue.here().arm;
    dialogue.expire(arm).expect_ignored(Reason::StaleTimer);
}

#[test]
fn time_never_runs_backwards() {
    let mut dialogue = given(order()).event().expect_command("credit");
    dialogue.now -= 10_000;
    let dialogue = dialogue.reply_ok();
    assert_eq!(dialogue.here().updated_ms, T0 + 1);
    assert_eq!(dialogue.commands[0].expires_ms, Some(T0 + 30_001));
}

#[test]
fn a_finished_saga_keeps_a_small_tombstone_until_it_expires() {
    let dialogue = given(definition(vec![compensatable("credit")]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_completed()
        .reply_of("credit", "ok")
        .expect_ignored(Reason::Duplicate);
    let here = dialogue.here().clone();
    assert!(here.data.is_empty() && here.tokens.is_empty() && here.obligations.is_empty());
    assert_eq!(here.wake, Wake::Expire(here.updated_ms + 3_600_000));
    let dialogue = dialogue
        .fire()
        .expect_ignored(Reason::EarlyTimer)
        .expire(here.arm + 1)
        .expect_ignored(Reason::StaleTimer)
        .timer(here.arm)
        .expect_ignored(Reason::StaleTimer)
        .silence()
        .expect_changed()
        .expect_note(|note| *note == Note::Expired);
    assert_eq!(dialogue.instance, None);
}

#[test]
fn set_computes_every_value_before_it_assigns_one() {
    let swap = NodeKind::Set(
        [
            ("note".to_owned(), path("order.id")),
            ("other".to_owned(), path("note")),
        ]
        .into(),
    );
    let reads = with(compensatable("credit"), |send| send.payload = path("other"));
    given(definition(vec![node("swap", swap), reads]))
        .event()
        .expect_command("credit")
        .expect_payload(json!("initial"));
}

#[test]
fn a_definition_without_nodes_completes_at_once() {
    given(definition(Vec::new())).event().expect_completed();
}

#[test]
fn the_timeline_tells_the_story_in_sentences() {
    let dialogue = given(booking())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply("declined")
        .expect_command("credit!c")
        .reply_ok();
    let lines: Vec<&str> = dialogue
        .here()
        .timeline
        .iter()
        .map(|moment| moment.what.as_str())
        .collect();
    assert_eq!(
        lines,
        [
            "started",
            "credit: command sent",
            "credit succeeded",
            "stock: command sent",
            "stock refused: code-7",
            "turned back because of stock",
            "compensation of credit: command sent",
            "compensation of credit confirmed",
            "compensated",
        ]
    );
}

#[test]
fn p7_the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut instance = None;
        let mut effects: Vec<Effect> = Vec::new();
        for (n, outcome) in ["failed", "failed", "ok"].iter().enumerate() {
            let kind = Kind::Reply(super::dialogue::reply_to(
                crate::id::CommandId::parse("order/ORD-42/credit").unwrap(),
                outcome,
            ));
            if instance.is_none() {
                let event = Event {
                    bind: "order".to_owned(),
                    key: "ORD-42".to_owned(),
                    r#type: None,
                    trigger: "T".to_owned(),
                    payload: order_placed(),
                };
                let input = Input {
                    id: "E".to_owned(),
                    time_ms: T0,
                    kind: Kind::Event(event),
                };
                assert_eq!(
                    apply(&order(), &mut instance, &input, &mut effects),
                    Applied::Changed
                );
            }
            let input = Input {
                id: format!("I{n}"),
                time_ms: T0 + n as i64 * 60_000,
                kind,
            };
            apply(&order(), &mut instance, &input, &mut effects);
        }
        format!(
            "{}{}",
            serde_json::to_string(&instance).unwrap(),
            serde_json::to_string(&effects).unwrap()
        )
    };
    assert_eq!(run(), run());
}
