//! Blocks, repetitions, catch, second providers and questions.

use serde_json::json;

use super::definitions::{awaiting, expr, path};
use super::dialogue::{Dialogue, given};
use super::program::{
    Part, assign, block, choice, collecting, comp, each, emit, harmless, parallel, pivot, program,
    read, retriable, rounds, stop, timed,
};
use crate::instance::{IncidentKind, ObligationState, Status, StepStatus};
use crate::ir::{Directive, Kind};
use crate::transition::Reason;

fn items(parts: Vec<Part>, items: serde_json::Value) -> Dialogue {
    let payload = json!({ "id": "ORD-42", "total": 1, "yes": true, "no": false, "items": items });
    given(program(parts)).event_with("T-1", payload)
}

fn begin(parts: Vec<Part>) -> Dialogue {
    items(parts, json!([1, 2, 3]))
}

fn three_misses(dialogue: Dialogue, step: &str) -> Dialogue {
    dialogue
        .silence()
        .expect_attempt(step, 2)
        .silence()
        .expect_attempt(step, 3)
        .silence()
}

#[test]
pub fn c4_a_block_that_catches_compensated_is_a_save_point() {
    let body = vec![comp("a"), comp("b"), comp("c")];
    let inner = block("block", body).catch("compensated", Directive::Continue);
    begin(vec![comp("first"), inner, comp("last")])
        .expect_command("first")
        .reply_ok()
        .expect_command("a")
        .reply_ok()
        .expect_command("b")
        .reply_ok()
        .expect_command("c")
        .reply_refused()
        .expect_status(Status::Running)
        .expect_command("b!c")
        .expect_no_command()
        .reply_ok()
        .expect_command("a!c")
        .reply_ok()
        .expect_command("last")
        .reply_ok()
        .expect_completed();
}

#[test]
pub fn c4_what_was_undone_in_a_block_is_not_undone_again() {
    let inner = block("block", vec![comp("a"), comp("b")]);
    let inner = inner.catch("compensated", Directive::Continue);
    begin(vec![comp("first"), inner, comp("last")])
        .reply_of("first", "ok")
        .reply_of("a", "ok")
        .reply_of("b", "refused")
        .reply_of("a!c", "ok")
        .then(|mut d| {
            d.commands.clear();
            d
        })
        .reply_of("last", "refused")
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn c4_a_block_is_tried_again_with_new_executions() {
    let body = vec![comp("a"), emit("tell", "Told"), comp("b")];
    let inner = block("block", body).catch("compensated", Directive::Retry);
    let dialogue = begin(vec![inner])
        .expect_command("a")
        .reply_ok()
        .expect_command("b")
        .reply_refused()
        .expect_command("a!c")
        .reply_ok()
        .expect_command("a#2")
        .reply_ok()
        .expect_command("b#2")
        .reply_refused()
        .expect_command("a#2!c")
        .reply_ok()
        .expect_command("a#3")
        .reply_ok()
        .expect_command("b#3")
        .reply_ok();
    let ids: Vec<&str> = dialogue.events.iter().map(|e| e.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "order/ORD-42/tell",
            "order/ORD-42/tell#2",
            "order/ORD-42/tell#3",
            "order/ORD-42/finally.completed"
        ]
    );
}

/// A block that is undone again and again: what is settled keeps its identity, which tells duplicates, and nothing else.
#[test]
fn p10_rounds_that_were_undone_take_little_room() {
    let body = vec![comp("a"), comp("b")];
    let inner = block("block", body).catch("compensated", Directive::Retry);
    let mut dialogue = begin(vec![inner]).expect_command("a");
    for execution in 2..=50 {
        dialogue = dialogue
            .reply_ok()
            .then(|d| d.expect_command(&numbered("b", execution - 1)))
            .reply_refused()
            .then(|d| d.expect_command(&format!("{}!c", numbered("a", execution - 1))))
            .reply_ok()
            .then(|d| d.expect_command(&numbered("a", execution)));
    }
    let settled = &dialogue.here().obligations;
    let bytes = serde_json::to_string(settled).unwrap().len();
    assert_eq!(settled.len(), 49);
    assert!(bytes < 49 * 80, "{bytes}");
    dialogue
        .reply_of("a#7", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("a#7!c", "ok")
        .expect_ignored(Reason::Duplicate);
}

fn numbered(step: &str, execution: u32) -> String {
    match execution {
        1 => step.to_owned(),
        more => format!("{step}#{more}"),
    }
}

#[test]
pub fn d3_late_replies_to_closed_executions_are_facts() {
    let inner = block("block", vec![comp("a"), comp("b")]);
    begin(vec![inner.catch("compensated", Directive::Retry)])
        .expect_command("a")
        .reply_ok()
        .expect_command("b")
        .reply_refused()
        .expect_command("a!c")
        .reply_ok()
        .expect_command("a#2")
        .reply_of("a", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("b", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("a!c", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("a#3", "ok")
        .expect_orphan();
}

#[test]
fn l1_a_block_that_takes_too_long_turns_back_by_default() {
    let body = vec![comp("a"), awaiting("wait", "Came").into()];
    begin(vec![timed("block", 10_000, body)])
        .expect_command("a")
        .reply_ok()
        .silence()
        .expect_status(Status::Compensating)
        .expect_command("a!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
fn l1_a_block_that_takes_too_long_may_be_gone_past() {
    let body = vec![comp("a"), comp("b")];
    let inner = timed("block", 10_000, body).catch("timeout", Directive::Continue);
    begin(vec![inner, comp("last")])
        .expect_command("a")
        .silence()
        .expect_status(Status::Running)
        .expect_no_command()
        .reply_of("a", "ok")
        .expect_command("last")
        .reply_refused()
        .expect_command("a!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
fn l1_a_block_that_is_gone_past_is_watched_if_it_never_answers() {
    let body = vec![comp("a").attempts(1)];
    let inner = timed("block", 10_000, body).catch("timeout", Directive::Continue);
    begin(vec![inner, comp("last")])
        .expect_command("a")
        .silence()
        .silence()
        .expect_command("last")
        .reply_of("a", "ok")
        .expect_command("a!c")
        .reply_ok()
        .reply_of("last", "ok")
        .expect_completed();
}

#[test]
fn l1_a_block_that_takes_too_long_is_undone_before_it_is_tried_again() {
    let tries = |steps: Vec<Part>| {
        let body = vec![comp("a"), comp("b")];
        let inner = timed("block", 10_000, body);
        if steps.is_empty() {
            inner.catch("timeout", Directive::Retry)
        } else {
            inner.catch_do("timeout", steps, Directive::Retry)
        }
    };
    let undone = |part: Part| {
        begin(vec![part])
            .expect_command("a")
            .reply_ok()
            .expect_command("b")
            .silence()
            .expect_no_command()
            .reply_of("b", "ok")
            .expect_command("b!c")
            .reply_ok()
            .expect_command("a!c")
            .reply_ok()
    };
    undone(tries(vec![])).expect_command("a#2");
    undone(tries(vec![comp("tell")]))
        .expect_command("tell")
        .reply_ok()
        .expect_command("a#2");
}

#[test]
fn l1_a_block_that_takes_too_long_may_park() {
    let inner = timed("block", 10_000, vec![comp("a")]).catch("timeout", Directive::Park);
    begin(vec![inner])
        .expect_command("a")
        .silence()
        .expect_parked(IncidentKind::Declared)
        .retry()
        .reply_of("a", "ok")
        .expect_completed();
}

#[test]
fn c2_a_block_past_the_pivot_parks_at_its_time_limit() {
    let inner = timed("block", 10_000, vec![retriable("a")]);
    begin(vec![pivot("pay"), inner])
        .expect_command("pay")
        .reply_ok()
        .expect_command("a")
        .silence()
        .expect_parked(IncidentKind::RetriesExhausted)
        .retry()
        .reply_of("a", "ok")
        .expect_completed();
}

#[test]
pub fn c3_a_block_around_the_pivot_waits_for_it_at_its_time_limit() {
    for then in [Directive::Retry, Directive::Continue, Directive::Compensate] {
        let inner = timed("block", 10_000, vec![comp("a"), pivot("pay")]).catch("timeout", then);
        begin(vec![inner])
            .expect_command("a")
            .reply_ok()
            .expect_command("pay")
            .silence()
            .expect_status(Status::Running)
            .expect_no_command()
            .reply_ok()
            .expect_completed();
    }
}

#[test]
pub fn b2_each_round_of_a_loop_is_compensated_with_its_own_data() {
    let body = vec![
        assign("count", "note", "tries"),
        comp("try"),
        choice("more", "order.no", vec![], vec![]),
    ];
    let until = rounds("loop", "order.no", 3, body).catch("exhausted", Directive::Continue);
    let mut definition = program(vec![until, comp("last")]);
    definition.data[0].name = "tries".to_owned();
    definition.data[0].init = crate::ir::Template::Literal(json!(0));
    definition.nodes[1].kind = Kind::Set([("tries".to_owned(), path("tries + 1"))].into());
    let mut note = definition.data[0].clone();
    note.name = "note".to_owned();
    definition.data.push(note);
    for node in &mut definition.nodes {
        if let Kind::Send(send) = &mut node.kind {
            send.payload = path("tries");
        }
    }
    let payload = json!({ "id": "ORD-42", "no": false });
    let undone = |number: u32| json!({ "request": number, "note": 0 });
    given(definition)
        .event_with("T-1", payload)
        .expect_command("try.1")
        .expect_payload(json!(1))
        .reply_ok()
        .expect_command("try.2")
        .reply_ok()
        .expect_command("try.3")
        .reply_ok()
        .expect_command("last")
        .reply_refused()
        .expect_command("try.3!c")
        .expect_payload(undone(3))
        .expect_no_command()
        .reply_ok()
        .expect_command("try.2!c")
        .expect_payload(undone(2))
        .reply_ok()
        .expect_command("try.1!c")
        .expect_payload(undone(1))
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn b2_elements_are_compensated_like_they_ran() {
    let sequential = |limit| {
        vec![
            each("each", "order.items", limit, vec![comp("a")]),
            comp("last"),
        ]
    };
    items(sequential(1), json!([1, 2]))
        .expect_command("a[0]")
        .expect_no_command()
        .reply_ok()
        .expect_command("a[1]")
        .reply_ok()
        .expect_command("last")
        .reply_refused()
        .expect_command("a[1]!c")
        .expect_no_command()
        .reply_ok()
        .expect_command("a[0]!c");
    items(sequential(2), json!([1, 2]))
        .expect_command("a[0]")
        .expect_command("a[1]")
        .reply_of("a[1]", "ok")
        .reply_of("a[0]", "ok")
        .expect_command("last")
        .reply_refused()
        .expect_command("a[0]!c")
        .expect_command("a[1]!c");
}

#[test]
fn a_for_each_runs_no_more_than_its_limit_at_once() {
    begin(vec![each("each", "order.items", 2, vec![comp("a")])])
        .expect_command("a[0]")
        .expect_command("a[1]")
        .expect_no_command()
        .reply_of("a[1]", "ok")
        .expect_command("a[2]")
        .reply_of("a[0]", "ok")
        .reply_of("a[2]", "ok")
        .expect_completed();
}

#[test]
fn a_for_each_collects_in_the_order_of_its_list() {
    let body = vec![read("ask")];
    let all = collecting(
        each("each", "order.items", 3, body),
        path("ask.from + string(item)"),
    );
    let last = comp("last").but(|node| {
        if let Kind::Send(send) = &mut node.kind {
            send.payload = path("each");
        }
    });
    begin(vec![all, last])
        .reply_of("ask[2]", "ok")
        .reply_of("ask[0]", "ok")
        .reply_of("ask[1]", "ok")
        .expect_command("ask[0]")
        .expect_command("ask[1]")
        .expect_command("ask[2]")
        .expect_command("last")
        .expect_payload(json!(["ok1", "ok2", "ok3"]));
}

#[test]
fn a_for_each_over_nothing_goes_on() {
    let all = collecting(
        each("each", "order.items", 3, vec![comp("a")]),
        path("item"),
    );
    items(vec![all, comp("last")], json!([])).expect_command("last");
}

#[test]
fn a_for_each_over_too_much_is_exhausted() {
    let many: Vec<u32> = (0..11).collect();
    let all = || each("each", "order.items", 3, vec![comp("a")]);
    items(vec![all(), comp("last")], json!(many)).expect_status(Status::Compensated);
    items(
        vec![all().catch("exhausted", Directive::Continue), comp("last")],
        json!(many),
    )
    .expect_command("last");
    let dialogue = items(vec![all().catch("any", Directive::Park)], json!(many));
    dialogue
        .expect_parked(IncidentKind::Declared)
        .expect_detail("11 elements, more than 10");
}

#[test]
fn p10_a_for_each_over_no_list_parks_and_says_so() {
    items(
        vec![each("each", "order.items", 3, vec![comp("a")])],
        json!("text"),
    )
    .expect_parked(IncidentKind::ExpressionFault)
    .expect_detail("not a list")
    .retry()
    .expect_parked(IncidentKind::ExpressionFault)
    .cancel()
    .expect_status(Status::Compensated);
}

#[test]
fn loops_inside_a_for_each_have_ids_of_both() {
    let inner = rounds("loop", "order.no", 2, vec![comp("a")]);
    let inner = inner.catch("exhausted", Directive::Continue);
    items(
        vec![each("each", "order.items", 2, vec![inner])],
        json!([1, 2]),
    )
    .expect_command("a[0].1")
    .expect_command("a[1].1")
    .reply_of("a[1].1", "ok")
    .expect_command("a[1].2")
    .reply_of("a[0].1", "ok")
    .expect_command("a[0].2")
    .reply_of("a[1].1", "ok")
    .expect_ignored(Reason::Duplicate)
    .reply_of("a[0].2", "refused")
    .reply_of("a[1].2", "ok")
    .expect_command("a[1].2!c")
    .expect_command("a[0].1!c")
    .expect_no_command();
}

#[test]
fn a_loop_that_ends_at_once_has_one_round() {
    begin(vec![
        rounds("loop", "order.yes", 3, vec![comp("a")]),
        comp("last"),
    ])
    .expect_command("a.1")
    .reply_ok()
    .expect_command("last");
}

#[test]
fn a_stop_ends_the_element_or_the_saga() {
    let body = vec![comp("a"), stop("enough", "completed"), comp("never")];
    items(
        vec![each("each", "order.items", 1, body), comp("last")],
        json!([1, 2]),
    )
    .expect_command("a[0]")
    .reply_ok()
    .expect_command("a[1]")
    .reply_ok()
    .expect_command("last");
    let body = vec![comp("a"), stop("enough", "sold_out"), comp("never")];
    let dialogue = begin(vec![rounds("loop", "order.no", 9, body), comp("last")])
        .expect_command("a.1")
        .reply_ok()
        .expect_completed();
    assert_eq!(dialogue.here().outcome.as_deref(), Some("sold_out"));
}

#[test]
fn a_stop_in_catch_watches_what_it_gave_up() {
    for then in [Directive::Compensate, Directive::Retry, Directive::Park] {
        let steps = vec![stop("enough", "completed")];
        let tried = comp("a").attempts(1).catch_do("timeout", steps, then);
        begin(vec![tried, comp("never")])
            .expect_command("a")
            .silence()
            .expect_completed()
            .reply_of("a", "ok")
            .expect_command("a!c")
            .reply_ok()
            .expect_status(Status::Completed);
    }
}

#[test]
fn a_stop_in_catch_keeps_the_answer_that_came_meanwhile() {
    let steps = vec![comp("tell"), stop("enough", "completed")];
    let tried = comp("a")
        .attempts(1)
        .catch_do("timeout", steps, Directive::Park);
    begin(vec![tried])
        .expect_command("a")
        .silence()
        .expect_command("tell")
        .reply_of("a", "ok")
        .expect_changed()
        .reply_of("tell", "ok")
        .expect_completed()
        .reply_of("a", "ok")
        .expect_ignored(Reason::Duplicate);
}

#[test]
fn steps_in_catch_run_again_under_new_numbers() {
    let tried = comp("a")
        .attempts(1)
        .catch_do("any", vec![comp("tell")], Directive::Retry);
    begin(vec![tried])
        .expect_command("a")
        .reply_refused()
        .expect_command("tell")
        .reply_ok()
        .expect_command("a#2")
        .reply_refused()
        .expect_command("tell#2")
        .reply_ok()
        .expect_command("a#3")
        .reply_ok()
        .expect_completed();
}

#[test]
fn catch_sees_the_error_and_the_reply() {
    let tell = comp("tell").but(|node| {
        if let Kind::Send(send) = &mut node.kind {
            send.payload = path("error.outcome + \" \" + reply.from");
        }
    });
    let tried = comp("a").catch_do("declined", vec![tell], Directive::Continue);
    begin(vec![tried, comp("last")])
        .expect_command("a")
        .reply("declined")
        .expect_command("tell")
        .expect_payload(json!("declined declined"))
        .reply_ok()
        .expect_command("last");
}

#[test]
fn d5_an_answer_while_steps_in_catch_run_says_more_than_they_do() {
    let tried = |then| {
        comp("a")
            .attempts(1)
            .catch_do("timeout", vec![comp("tell")], then)
    };
    for then in [Directive::Retry, Directive::Park] {
        begin(vec![tried(then), comp("last")])
            .expect_command("a")
            .silence()
            .expect_command("tell")
            .reply_of("a", "failed")
            .expect_ignored(Reason::Late)
            .reply_of("a", "ok")
            .expect_changed()
            .reply_of("a", "ok")
            .expect_ignored(Reason::Duplicate)
            .expect_no_command()
            .reply_of("tell", "ok")
            .expect_command("last");
    }
}

#[test]
fn d5_an_answer_that_is_held_counts_when_the_saga_turns_back() {
    let tried = comp("a")
        .attempts(1)
        .catch_do("timeout", vec![comp("tell")], Directive::Retry);
    let at_tell = || {
        begin(vec![tried.clone()])
            .expect_command("a")
            .silence()
            .expect_command("tell")
    };
    at_tell()
        .reply_of("a", "refused")
        .cancel()
        .reply_of("tell", "ok")
        .expect_command("tell!c")
        .reply_ok()
        .expect_compensated();
    let known = at_tell().reply_of("a", "ok").cancel();
    let log = &known.here().obligations;
    assert!(log.iter().all(|o| !o.unknown), "{log:?}");
    known
        .reply_of("tell", "ok")
        .expect_command("tell!c")
        .reply_ok()
        .expect_command("a!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn b1_steps_in_catch_are_compensated_before_the_step_they_ran_for() {
    let steps = vec![comp("x"), comp("y")];
    let tried = comp("a")
        .attempts(1)
        .catch_do("timeout", steps, Directive::Retry);
    begin(vec![tried])
        .expect_command("a")
        .silence()
        .expect_command("x")
        .reply_ok()
        .expect_command("y")
        .cancel()
        .reply_refused()
        .expect_command("x!c")
        .expect_no_command()
        .reply_ok()
        .expect_command("a!c")
        .reply_ok()
        .expect_compensated();
}

/// However often it is tried again: what ran because its outcome was unknown came later.
#[test]
pub fn b1_steps_in_catch_are_compensated_first_although_the_step_was_parked_behind_them() {
    let parked = || {
        let tried = comp("a")
            .attempts(1)
            .catch_do("timeout", vec![comp("tell")], Directive::Park);
        begin(vec![comp("first"), tried])
            .reply_of("first", "ok")
            .expect_command("first")
            .expect_command("a")
            .silence()
            .expect_command("tell")
            .reply_ok()
            .expect_parked(IncidentKind::Declared)
    };
    let undone = |dialogue: Dialogue, steps: &[&str]| {
        let undo = |d: Dialogue, step: &&str| d.expect_command(step).expect_no_command().reply_ok();
        steps.iter().fold(dialogue, undo).expect_compensated()
    };
    undone(parked().cancel(), &["tell!c", "a!c", "first!c"]);
    let again = || parked().retry().expect_attempt("a", 2);
    undone(again().cancel().silence(), &["tell!c", "a!c", "first!c"]);
    let twice = again().silence().expect_command("tell#2");
    undone(
        twice.cancel().reply_of("tell#2", "ok"),
        &["tell#2!c", "tell!c", "a!c", "first!c"],
    );
}

#[test]
fn a_success_may_park_and_goes_on_with_a_retry() {
    for steps in [vec![], vec![comp("tell")]] {
        let tried = if steps.is_empty() {
            comp("a").catch("ok", Directive::Park)
        } else {
            comp("a").catch_do("ok", steps, Directive::Park)
        };
        begin(vec![tried, comp("last")])
            .reply_of("a", "ok")
            .then(|d| {
                if d.here().status == Status::Running {
                    d.reply_of("tell", "ok")
                } else {
                    d
                }
            })
            .expect_parked(IncidentKind::Declared)
            .then(|mut d| {
                d.commands.clear();
                d
            })
            .retry()
            .expect_command("last")
            .expect_no_command()
            .reply_refused()
            .then(|d| d.cancel().expect_rejected("compensating"));
    }
}

#[test]
fn a_success_that_parks_can_be_cancelled() {
    begin(vec![comp("a").catch("ok", Directive::Park)])
        .expect_command("a")
        .reply_ok()
        .expect_parked(IncidentKind::Declared)
        .cancel()
        .expect_command("a!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
fn fallback_runs_at_once_after_a_refusal() {
    let provided = comp("a").fallback(comp("b"));
    begin(vec![provided, comp("last")])
        .expect_command("a")
        .reply_refused()
        .expect_command("b")
        .reply_ok()
        .expect_command("last")
        .reply_refused()
        .expect_command("b!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
fn fallback_after_a_timeout_waits_for_the_compensation_of_the_first_provider() {
    let provided = comp("a").fallback(comp("b"));
    let dialogue = begin(vec![provided, comp("last")]).expect_command("a");
    three_misses(dialogue, "a")
        .expect_status(Status::Running)
        .expect_command("a!c")
        .expect_no_command()
        .reply_failed()
        .silence()
        .expect_attempt("a!c", 2)
        .reply_ok()
        .expect_command("b")
        .reply_ok()
        .expect_command("last");
}

#[test]
fn fallback_after_a_late_success_of_the_first_provider_undoes_that() {
    let provided = comp("a").fallback(comp("b"));
    let dialogue = begin(vec![provided, comp("last")]).expect_command("a");
    three_misses(dialogue, "a")
        .expect_command("a!c")
        .reply_of("a", "ok")
        .expect_no_command()
        .reply_of("a!c", "ok")
        .expect_command("b")
        .reply_ok()
        .expect_command("last")
        .reply_of("a", "ok")
        .expect_ignored(Reason::Duplicate);
}

#[test]
fn fallback_after_the_confirmation_a_late_success_is_undone_once_more() {
    let provided = comp("a").fallback(comp("b"));
    let dialogue = begin(vec![provided, comp("last")]).expect_command("a");
    three_misses(dialogue, "a")
        .expect_command("a!c")
        .reply_ok()
        .expect_command("b")
        .reply_ok()
        .expect_command("last")
        .reply_of("a", "ok")
        .expect_command("a!c#2")
        .reply_of("last", "ok")
        .expect_status(Status::Running)
        .reply_of("a!c#2", "ok")
        .expect_completed();
}

#[test]
fn fallback_without_an_effect_to_undo_runs_at_once() {
    for first in [read("a").attempts(1), harmless("a").attempts(1)] {
        begin(vec![first.fallback(comp("b"))])
            .expect_command("a")
            .silence()
            .expect_command("b");
    }
}

#[test]
fn fallback_is_left_out_when_the_saga_is_cancelled() {
    let provided = comp("a").fallback(comp("b"));
    let dialogue = begin(vec![provided]).expect_command("a");
    three_misses(dialogue, "a")
        .expect_command("a!c")
        .cancel()
        .expect_changed()
        .reply_ok()
        .expect_compensated();
}

fn asked() -> Dialogue {
    let pay = pivot("pay").attempts(1).query(read("ask").attempts(1));
    begin(vec![comp("first"), pay, retriable("ship")])
        .expect_command("first")
        .reply_ok()
        .expect_command("pay")
        .silence()
        .expect_status(Status::Running)
        .expect_command("ask")
}

#[test]
pub fn c3_query_that_says_yes_goes_forward() {
    asked()
        .reply_ok()
        .expect_command("ship")
        .reply_ok()
        .expect_completed();
}

#[test]
fn c3_query_that_says_no_turns_back() {
    asked()
        .reply_refused()
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
fn c3_query_without_an_answer_parks_and_a_retry_may_ask_again() {
    asked()
        .silence()
        .expect_parked(IncidentKind::UnknownPivot)
        .expect_step("pay", StepStatus::Unknown)
        .retry()
        .expect_attempt("pay", 2)
        .silence()
        .then(|d| {
            if d.commands.is_empty() {
                d.silence()
            } else {
                d
            }
        })
        .expect_command("ask#2")
        .reply_ok()
        .expect_command("ship");
}

#[test]
fn c3_query_is_overtaken_by_the_answer_of_the_pivot() {
    asked()
        .reply_of("pay", "failed")
        .expect_ignored(Reason::Late)
        .reply_of("pay", "ok")
        .expect_command("ship")
        .reply_of("ask", "refused")
        .expect_ignored(Reason::Duplicate)
        .expect_no_command();
}

#[test]
fn c3_query_and_a_cancel_that_waits_for_it() {
    asked()
        .cancel()
        .expect_status(Status::Running)
        .reply_refused()
        .expect_command("first!c");
    asked().cancel().reply_ok().expect_command("ship");
}

#[test]
fn c2_past_the_pivot_a_catch_of_a_sibling_is_still_watched() {
    let steps = vec![comp("tell")];
    let b = comp("b")
        .attempts(1)
        .catch_do("any", steps, Directive::Continue);
    let fork = parallel("fork", None, vec![vec![pivot("pay")], vec![b]]);
    begin(vec![fork])
        .reply_of("pay", "ok")
        .silence()
        .then(|mut d| {
            d.commands.retain(|c| c.step == "tell");
            d
        })
        .expect_command("tell")
        .reply_of("b", "ok")
        .expect_command("b!c")
        .reply_ok()
        .reply_of("tell", "ok")
        .expect_completed();
}

#[test]
pub fn c2_past_the_pivot_a_branch_that_is_lost_is_undone_wholly() {
    let race = parallel(
        "race",
        Some(1),
        vec![vec![comp("a"), comp("a2")], vec![comp("b")]],
    );
    let fork = parallel("fork", None, vec![vec![pivot("pay")], vec![race]]);
    let dialogue = begin(vec![fork])
        .reply_of("a", "ok")
        .reply_of("pay", "ok")
        .reply_of("b", "ok")
        .then(|mut d| {
            d.commands.clear();
            d
        })
        .reply_of("a2", "refused")
        .expect_command("a!c");
    let kept = dialogue.here().obligations.iter();
    assert!(kept.into_iter().all(|o| o.state != ObligationState::Open));
    dialogue.reply_ok().expect_completed();
}

#[test]
fn p10_a_fault_in_until_parks_with_the_reply_and_a_retry_applies_it_again() {
    begin(vec![rounds(
        "loop",
        "order.nothing.here",
        3,
        vec![comp("a")],
    )])
    .expect_command("a.1")
    .reply_ok()
    .expect_parked(IncidentKind::ExpressionFault)
    .expect_detail("order.nothing")
    .then(|d| {
        assert_eq!(d.here().queue.len(), 1);
        d
    })
    .retry()
    .expect_parked(IncidentKind::ExpressionFault)
    .cancel()
    .expect_command("a.1!c")
    .reply_ok()
    .expect_compensated();
}

#[test]
fn p10_a_fault_in_collect_in_a_choice_and_in_arguments_parks() {
    let collected = collecting(
        each("each", "order.items", 1, vec![]),
        path("order.nothing.x"),
    );
    let with = block("block", vec![]).but(|node| {
        if let Kind::Scope(scope) = &mut node.kind {
            scope.with = Some([("x".to_owned(), path("order.nothing.x"))].into());
        }
    });
    let when = comp("a").but(|node| node.when = Some(expr("order.nothing.x")));
    for part in [
        collected,
        choice("choice", "order.nothing.x", vec![], vec![]),
        with,
        when,
    ] {
        begin(vec![part, comp("last")])
            .expect_parked(IncidentKind::ExpressionFault)
            .expect_no_command()
            .retry()
            .expect_parked(IncidentKind::ExpressionFault)
            .cancel()
            .expect_status(Status::Compensated);
    }
}
