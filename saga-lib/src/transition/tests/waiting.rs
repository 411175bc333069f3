//! Waits: events, early ones, alternatives, delays; deadlines, service levels, milestones, measures.

use serde_json::{Value, json};

use super::definitions::{awaiting, expr, node, path};
use super::dialogue::{Dialogue, T0, given};
use super::program::{Part, block, comp, each, parallel, pivot, program, retriable};
use crate::effect::{Effect, Note};
use crate::instance::{IncidentKind, Status};
use crate::ir::{Await, Deadline, Definition, Directive, Kind, Rung, RungAction, Wait};
use crate::transition::{EARLY_MAX, EARLY_TTL_MS, Reason};

fn begin(parts: Vec<Part>) -> Dialogue {
    given(program(parts)).event()
}

fn wait(step: &str) -> Part {
    awaiting(step, "Came").into()
}

/// Alternatives `won` and `lost`, each with a filter on the payload.
fn either() -> Part {
    let alternative = |name: &str| Await {
        name: name.to_owned(),
        topic: "logistics".to_owned(),
        r#type: Some("Came".to_owned()),
        key: expr("event.order"),
        filter: Some(expr(&format!("event.result == \"{name}\""))),
    };
    let wait = Wait {
        events: vec![alternative("won"), alternative("lost")],
        ladder: vec![Rung {
            after_ms: 60_000,
            repeat_ms: None,
            action: RungAction::Route("timeout".to_owned()),
        }],
        ..Wait::default()
    };
    node("either", Kind::Wait(wait)).into()
}

fn delay(after_ms: i64) -> Part {
    let ladder = vec![Rung {
        after_ms,
        repeat_ms: None,
        action: RungAction::Route("ok".to_owned()),
    }];
    let wait = Wait {
        ladder,
        ..Wait::default()
    };
    node("delay", Kind::Wait(wait)).into()
}

fn until(source: &str) -> Part {
    let wait = Wait {
        until: Some(expr(source)),
        ..Wait::default()
    };
    node("delay", Kind::Wait(wait)).into()
}

fn bounded(parts: Vec<Part>, then: Directive) -> Definition {
    let mut definition = program(parts);
    definition.deadline = Some(Deadline {
        after_ms: 10_000,
        then,
        warn_ms: Some(8_000),
    });
    definition
}

#[test]
fn an_event_goes_on_with_what_waits_for_it() {
    let last = comp("last").but(|node| {
        if let Kind::Send(send) = &mut node.kind {
            send.payload = path("event.event");
        }
    });
    begin(vec![wait("event"), last])
        .expect_no_command()
        .awaited("Came", "E-1")
        .expect_command("last")
        .expect_payload(json!("E-1"))
        .awaited("Came", "E-1")
        .expect_ignored(Reason::Duplicate);
}

#[test]
fn a_wait_that_nothing_ends_is_a_timeout() {
    begin(vec![comp("first"), wait("event")])
        .expect_command("first")
        .reply_ok()
        .silence()
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
    begin(vec![
        wait("event").catch("timeout", Directive::Continue),
        comp("last"),
    ])
    .silence()
    .expect_command("last")
    .awaited("Came", "E")
    .expect_changed();
}

#[test]
fn an_alternative_leads_where_catch_says() {
    let lost = either().catch("lost", Directive::Compensate);
    let came =
        |d: Dialogue, result: &str| d.awaited_with("Came", result, json!({ "result": result }));
    let begun = || begin(vec![comp("first"), lost.clone(), comp("last")]).reply_of("first", "ok");
    came(begun(), "won")
        .expect_command("first")
        .expect_command("last");
    came(begun(), "lost")
        .expect_command("first")
        .expect_command("first!c");
    let neither = came(begun(), "drawn");
    assert_eq!(neither.here().early.len(), 1, "it may be for a later wait");
}

#[test]
fn d6_early_event_is_taken_when_its_wait_begins() {
    begin(vec![comp("first"), wait("event"), comp("last")])
        .expect_command("first")
        .awaited("Came", "E")
        .expect_changed()
        .awaited("Came", "E")
        .expect_ignored(Reason::Duplicate)
        .reply_ok()
        .expect_command("last");
}

#[test]
fn d6_early_events_before_the_trigger_are_adopted_by_it() {
    given(program(vec![wait("event"), comp("last")]))
        .awaited("Came", "E")
        .expect_status(Status::Early)
        .awaited("Came", "E")
        .expect_ignored(Reason::Duplicate)
        .event()
        .expect_command("last")
        .event()
        .expect_ignored(Reason::Duplicate)
        .reply_ok()
        .expect_completed();
}

#[test]
pub fn d6_orphans_are_events_that_nothing_will_await() {
    begin(vec![comp("first"), wait("event")])
        .awaited("Strange", "E")
        .expect_orphan();
    let ended = begin(vec![
        comp("first"),
        wait("event").catch("timeout", Directive::Continue),
    ])
    .awaited("Came", "E-1")
    .awaited("Came", "E-2")
    .reply_of("first", "ok");
    let orphans = ended
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::Orphan { early: Some(_), .. }));
    assert_eq!(
        orphans.count(),
        1,
        "the saga ended with one event that nobody took"
    );
    ended.awaited("Came", "E-3").expect_orphan();
}

#[test]
fn d6_orphans_are_events_beyond_the_bound() {
    let mut dialogue = begin(vec![comp("first"), wait("event")]);
    for number in 0..EARLY_MAX {
        dialogue = dialogue
            .awaited("Came", &format!("E-{number}"))
            .expect_changed();
    }
    dialogue.awaited("Came", "E-more").expect_orphan();
}

#[test]
pub fn d6_orphans_are_events_that_were_kept_for_too_long() {
    let swept = begin(vec![comp("first").attempts(1), wait("event")])
        .awaited("Came", "E-1")
        .later(EARLY_TTL_MS)
        .awaited("Came", "E-2");
    let orphans = swept
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::Orphan { early: Some(_), .. }));
    assert_eq!(orphans.count(), 1);
    let mut alone = given(program(vec![wait("event")]))
        .awaited("Came", "E")
        .silence();
    assert_eq!(alone.instance.take(), None);
}

#[test]
fn d6_early_events_that_do_not_fit_after_parking_are_orphans_of_their_own() {
    let parts = vec![
        comp("first").catch("refused", Directive::Park),
        wait("event"),
    ];
    let mut dialogue = begin(parts).reply_of("first", "refused");
    for number in 0..=EARLY_MAX {
        dialogue = dialogue
            .awaited("Came", &format!("E-{number}"))
            .expect_changed();
    }
    let dialogue = dialogue.retry();
    let orphan =
        |e: &&Effect| matches!(e, Effect::Orphan { early: Some(e), .. } if e.event.event == "E-16");
    assert_eq!(
        dialogue.effects.iter().filter(orphan).count(),
        1,
        "{:?}",
        dialogue.effects
    );
}

#[test]
fn h1_an_event_that_turns_back_one_wait_ends_the_other() {
    let lost = wait("a").catch("ok", Directive::Compensate);
    let fork = |one: Part, other: Part| parallel("fork", None, vec![vec![one], vec![other]]);
    for fork in [fork(lost.clone(), wait("b")), fork(wait("b"), lost.clone())] {
        begin(vec![comp("first"), fork, comp("last")])
            .expect_command("first")
            .reply_ok()
            .awaited("Came", "E")
            .expect_command("first!c")
            .expect_no_command();
    }
}

#[test]
fn an_event_goes_on_with_every_wait_that_wants_it() {
    let fork = parallel("fork", None, vec![vec![wait("a")], vec![wait("b")]]);
    begin(vec![fork, comp("last")])
        .awaited("Came", "E")
        .expect_command("last");
}

#[test]
fn p10_a_fault_in_a_filter_parks_with_the_event() {
    let strange = either().but(|node| {
        if let Kind::Wait(wait) = &mut node.kind {
            wait.events[0].filter = Some(expr("event.nothing.here"));
        }
    });
    begin(vec![strange])
        .awaited("Came", "E")
        .expect_parked(IncidentKind::ExpressionFault)
        .then(|d| {
            assert_eq!(d.here().queue.len(), 1);
            d
        })
        .retry()
        .expect_parked(IncidentKind::ExpressionFault)
        .cancel()
        .expect_status(Status::Compensated);
}

#[test]
fn a_delay_ends_at_its_time_and_not_before() {
    begin(vec![delay(5_000), comp("last")])
        .expect_no_command()
        .fire()
        .expect_ignored(Reason::EarlyTimer)
        .silence()
        .expect_command("last");
}

#[test]
fn a_delay_until_takes_numbers_and_texts() {
    let at = |value: Value| {
        let payload = json!({ "id": "ORD-42", "total": 1, "at": value });
        given(program(vec![until("order.at"), comp("last")])).event_with("T-1", payload)
    };
    let dialogue = at(json!(T0 + 9_000));
    assert_eq!(dialogue.due(), T0 + 9_000);
    dialogue.silence().expect_command("last");
    at(json!("2030-01-01T00:00:00Z"))
        .silence()
        .expect_command("last");
    at(json!(T0 - 1)).expect_command("last");
    at(json!("tomorrow"))
        .expect_parked(IncidentKind::ExpressionFault)
        .expect_detail("not a time")
        .retry()
        .expect_parked(IncidentKind::ExpressionFault);
}

#[test]
fn a_deadline_before_the_pivot_turns_back_after_its_warning() {
    given(bounded(
        vec![comp("first"), wait("event")],
        Directive::Compensate,
    ))
    .event()
    .expect_command("first")
    .reply_ok()
    .silence()
    .expect_note(|note| *note == Note::DeadlineNear)
    .expect_status(Status::Running)
    .silence()
    .expect_note(|note| *note == Note::DeadlinePassed)
    .expect_command("first!c")
    .reply_ok()
    .expect_compensated();
}

#[test]
fn a_deadline_at_the_pivot_takes_effect_only_if_that_is_refused() {
    let at_pivot = || {
        given(bounded(
            vec![comp("first"), pivot("pay"), retriable("ship")],
            Directive::Compensate,
        ))
        .event()
        .reply_of("first", "ok")
        .silence()
        .silence()
        .expect_note(|note| *note == Note::DeadlinePassed)
        .expect_status(Status::Running)
        .expect_command("first")
        .expect_command("pay")
        .expect_no_command()
    };
    at_pivot().reply_refused().expect_command("first!c");
    at_pivot()
        .reply_ok()
        .expect_command("ship")
        .reply_ok()
        .expect_completed();
}

#[test]
fn a_deadline_after_the_pivot_is_only_told() {
    given(bounded(
        vec![pivot("pay"), retriable("ship")],
        Directive::Compensate,
    ))
    .event()
    .reply_of("pay", "ok")
    .silence()
    .silence()
    .expect_note(|note| *note == Note::DeadlinePassed)
    .expect_status(Status::Running)
    .reply_of("ship", "ok")
    .expect_status(Status::Completed);
}

#[test]
fn a_deadline_may_park() {
    given(bounded(vec![comp("first")], Directive::Park))
        .event()
        .expect_command("first")
        .silence()
        .silence()
        .expect_parked(IncidentKind::Declared)
        .expect_detail("the deadline passed")
        .retry()
        .expect_status(Status::Running)
        .reply_ok()
        .expect_completed();
}

#[test]
fn h1_a_deadline_that_passes_with_an_exhausted_step_is_not_lost() {
    let mut definition = bounded(
        vec![pivot("pay"), retriable("ship").attempts(1)],
        Directive::Park,
    );
    definition.deadline = definition.deadline.map(|deadline| Deadline {
        after_ms: 1_000,
        warn_ms: None,
        ..deadline
    });
    given(definition)
        .event()
        .reply_of("pay", "ok")
        .later(60_000)
        .fire()
        .expect_parked(IncidentKind::RetriesExhausted)
        .retry()
        .expect_parked(IncidentKind::Declared)
        .expect_detail("the deadline passed");
}

#[test]
fn a_service_level_is_told_once() {
    let slow = |part: Part| part.but(|node| node.sla_ms = Some(1_000));
    let missed = |note: &Note| matches!(note, Note::ServiceLevelMissed { .. });
    let told = |d: &Dialogue| {
        d.effects
            .iter()
            .any(|e| matches!(e, Effect::Note(n) if missed(n)))
    };
    let fork = parallel("fork", None, vec![vec![comp("a")]]);
    let all = [
        slow(comp("a")),
        slow(wait("a")),
        slow(fork),
        slow(block("block", vec![comp("a")])),
        slow(each("each", "order.items", 1, vec![comp("a")])),
    ];
    for part in all {
        let payload = json!({ "id": "ORD-42", "total": 1, "items": [1] });
        let mut dialogue = given(program(vec![part]))
            .event_with("T-1", payload)
            .silence();
        assert!(told(&dialogue));
        for _ in 0..3 {
            if dialogue.here().status == Status::Running {
                dialogue = dialogue.silence();
                assert!(!told(&dialogue));
            }
        }
    }
}

#[test]
fn a_service_level_that_is_kept_is_told_once() {
    let quick = |part: Part| part.but(|node| node.sla_ms = Some(1_000));
    let met = |note: &Note| matches!(note, Note::ServiceLevelMet { .. });
    let steps = [
        quick(comp("a")),
        quick(parallel("fork", None, vec![vec![comp("a")]])),
        quick(block("block", vec![comp("a")])),
    ];
    for part in steps {
        begin(vec![part]).reply_of("a", "ok").expect_note(met);
    }
    begin(vec![quick(wait("a"))])
        .awaited("Came", "E")
        .expect_note(met);
    let late = begin(vec![quick(comp("a"))]).silence().reply_of("a", "ok");
    let told = |e: &Effect| matches!(e, Effect::Note(n) if met(n));
    assert!(!late.effects.iter().any(told), "missed before");
}

#[test]
fn milestones_are_told_when_the_step_succeeds() {
    let point = |part: Part| part.but(|node| node.milestone = Some("paid".to_owned()));
    let reached = |note: &Note| matches!(note, Note::Milestone { name, .. } if name == "paid");
    begin(vec![point(comp("a"))])
        .reply_of("a", "ok")
        .expect_note(reached);
    begin(vec![point(wait("a"))])
        .awaited("Came", "E")
        .expect_note(reached);
    begin(vec![point(block("b", vec![comp("a")]))])
        .reply_of("a", "ok")
        .expect_note(reached);
}

#[test]
fn measures_are_taken_when_the_saga_completes() {
    let mut definition = program(vec![comp("a")]);
    definition.measure = [("revenue".to_owned(), path("order.total"))].into();
    let measured =
        |note: &Note| matches!(note, Note::Measured { values } if values["revenue"] == 10);
    given(definition.clone())
        .event()
        .reply_of("a", "ok")
        .expect_note(measured)
        .expect_status(Status::Completed);
    let failed = given(definition)
        .event()
        .reply_of("a", "refused")
        .expect_status(Status::Compensated);
    assert!(
        !failed
            .effects
            .iter()
            .any(|e| matches!(e, Effect::Note(n) if measured(n)))
    );
}

#[test]
fn h1_a_deadline_that_passes_with_a_wait_that_parks_is_not_lost() {
    let mut definition = bounded(
        vec![wait("event").catch("timeout", Directive::Park)],
        Directive::Compensate,
    );
    definition.deadline = definition.deadline.map(|deadline| Deadline {
        after_ms: 60_000,
        warn_ms: None,
        ..deadline
    });
    given(definition)
        .event()
        .silence()
        .expect_parked(IncidentKind::Declared)
        .expect_detail("step event")
        .retry()
        .expect_note(|note| *note == Note::DeadlinePassed)
        .expect_compensated();
}
