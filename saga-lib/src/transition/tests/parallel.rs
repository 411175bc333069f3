//! Parallel branches: joins, losers, failures in one branch while others are in flight.

use super::definitions::awaiting;
use super::dialogue::{Dialogue, given};
use super::program::{
    Part, block, comp, each, parallel, pivot, program, read, retriable, rounds, stop,
};
use crate::effect::Note;
use crate::input::Act;
use crate::instance::{IncidentKind, Status, StepStatus};
use crate::ir::Directive;
use crate::transition::Reason;

fn both() -> Vec<Part> {
    vec![
        comp("first"),
        parallel(
            "fork",
            None,
            vec![vec![comp("a1"), comp("a2")], vec![comp("b1"), comp("b2")]],
        ),
        comp("last"),
    ]
}

fn at_fork() -> Dialogue {
    given(program(both()))
        .event()
        .expect_command("first")
        .reply_ok()
        .expect_command("a1")
        .expect_command("b1")
        .expect_no_command()
}

fn at_last() -> Dialogue {
    at_fork()
        .reply_of("a1", "ok")
        .expect_command("a2")
        .reply_of("b1", "ok")
        .expect_command("b2")
        .reply_of("b2", "ok")
        .expect_no_command()
        .reply_of("a2", "ok")
        .expect_command("last")
}

#[test]
fn e1_branches_join_when_all_arrived() {
    at_last().reply_ok().expect_completed();
}

#[test]
pub fn e1_independent_branches_are_compensated_at_the_same_time() {
    at_last()
        .reply_refused()
        .expect_command("a2!c")
        .expect_command("b2!c")
        .expect_no_command()
        .reply_of("b2!c", "ok")
        .expect_command("b1!c")
        .expect_no_command()
        .reply_of("a2!c", "ok")
        .expect_command("a1!c")
        .reply_of("a1!c", "ok")
        .expect_no_command()
        .reply_of("b1!c", "ok")
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn e2_no_compensation_overtakes_its_own_command_in_a_sibling() {
    at_fork()
        .reply_of("a1", "refused")
        .expect_status(Status::Compensating)
        .expect_no_command()
        .reply_of("b1", "ok")
        .expect_command("b1!c")
        .reply_ok()
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn e2_no_new_step_starts_in_a_sibling() {
    at_fork()
        .reply_of("a1", "ok")
        .expect_command("a2")
        .reply_refused()
        .reply_of("b1", "ok")
        .expect_command("b1!c")
        .expect_command("a1!c")
        .expect_no_command();
}

#[test]
fn e2_a_sibling_that_never_answers_is_given_up_and_compensated() {
    at_fork()
        .reply_of("a1", "refused")
        .silence()
        .expect_attempt("b1", 2)
        .silence()
        .expect_attempt("b1", 3)
        .silence()
        .expect_command("b1!c")
        .reply_ok()
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn b5_failure_from_two_branches_turns_back_once() {
    let dialogue = at_fork()
        .reply_of("a1", "refused")
        .reply_of("b1", "refused");
    let told = dialogue.here().timeline.iter();
    let told = told.filter(|m| m.what.starts_with("turned back"));
    assert_eq!(told.count(), 1);
    dialogue
        .expect_command("first!c")
        .expect_no_command()
        .reply_ok()
        .expect_compensated();
}

#[test]
fn e4_failures_of_two_branches_end_alike_in_either_order() {
    for (one, other) in [("a1", "b1"), ("b1", "a1")] {
        at_fork()
            .reply_of(one, "refused")
            .reply_of(other, "ok")
            .expect_command(&format!("{other}!c"))
            .reply_ok()
            .expect_command("first!c")
            .reply_ok()
            .expect_compensated();
    }
}

/// The inputs that race, in every order, end alike: `first` and one branch compensated, nothing twice.
#[test]
pub fn e4_join_cancel_and_timeout_racing_end_alike_in_every_order() {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let mut dialogue = racing();
        for input in order {
            dialogue = match input {
                0 => dialogue.reply_of("b", "ok"),
                1 => dialogue.cancel(),
                _ => {
                    let arm = dialogue.here().arm;
                    dialogue.now += 100_000;
                    dialogue.timer(arm)
                }
            };
        }
        let mut ledger: Vec<String> = Vec::new();
        while dialogue.here().status == Status::Compensating {
            while let Some(command) = dialogue.commands.pop_front() {
                let id = command.id.to_string();
                ledger.push(id.clone());
                let id = id.trim_start_matches("order/ORD-42/").to_owned();
                dialogue = dialogue.reply_of(&id, "ok");
            }
        }
        ledger.sort();
        assert_eq!(
            ledger.iter().filter(|id| id.ends_with("!c")).count(),
            3,
            "{order:?}: {ledger:?}"
        );
        dialogue.expect_status(Status::Compensated);
    }
}

/// One branch waits for the last answer before the join, the other may time out; behind the join there is one more step.
fn racing() -> Dialogue {
    let branches = vec![vec![comp("a").attempts(1)], vec![comp("b").attempts(1)]];
    given(program(vec![
        comp("first"),
        parallel("fork", None, branches),
        read("look"),
        pivot("pay"),
    ]))
    .event()
    .expect_command("first")
    .reply_ok()
    .expect_command("a")
    .expect_command("b")
}

#[test]
fn e1_first_of_n_gives_the_others_up_and_compensates_what_they_did() {
    let branches = vec![vec![comp("a1"), comp("a2")], vec![comp("b1")]];
    given(program(vec![
        parallel("fork", Some(1), branches),
        comp("last"),
    ]))
    .event()
    .expect_command("a1")
    .expect_command("b1")
    .reply_of("a1", "ok")
    .expect_command("a2")
    .reply_of("b1", "ok")
    .expect_command("last")
    .reply_ok()
    .expect_status(Status::Running)
    .expect_no_command()
    .reply_of("a2", "ok")
    .expect_command("a2!c")
    .reply_ok()
    .expect_command("a1!c")
    .expect_status(Status::Running)
    .reply_ok()
    .expect_completed();
}

#[test]
fn e1_losers_are_compensated_past_the_pivot_too() {
    let branches = vec![vec![comp("a1")], vec![comp("b1")]];
    given(program(vec![
        parallel("fork", Some(1), branches),
        pivot("pay"),
        retriable("ship"),
    ]))
    .event()
    .expect_command("a1")
    .expect_command("b1")
    .reply_of("b1", "ok")
    .expect_command("pay")
    .reply_ok()
    .expect_command("ship")
    .reply_ok()
    .expect_status(Status::Running)
    .reply_of("a1", "ok")
    .expect_command("a1!c")
    .reply_ok()
    .expect_completed();
}

#[test]
fn e1_two_of_three() {
    let branches = vec![vec![comp("a")], vec![comp("b")], vec![comp("c")]];
    given(program(vec![
        parallel("fork", Some(2), branches),
        comp("last"),
    ]))
    .event()
    .expect_command("a")
    .expect_command("b")
    .expect_command("c")
    .reply_of("c", "ok")
    .expect_no_command()
    .reply_of("a", "ok")
    .expect_command("last")
    .reply_ok()
    .reply_of("b", "refused")
    .expect_completed();
}

#[test]
fn e1_a_loser_that_waits_is_gone_at_once() {
    let branches = vec![vec![awaiting("event", "Came").into()], vec![comp("b")]];
    given(program(vec![parallel("fork", Some(1), branches)]))
        .event()
        .expect_command("b")
        .reply_ok()
        .expect_completed()
        .awaited("Came", "E")
        .expect_orphan();
}

#[test]
fn e1_a_block_ends_when_the_losers_inside_are_undone() {
    let branches = vec![vec![comp("a")], vec![comp("b")]];
    let body = vec![parallel("fork", Some(1), branches)];
    given(program(vec![block("block", body), comp("last")]))
        .event()
        .expect_command("a")
        .expect_command("b")
        .reply_of("a", "ok")
        .expect_no_command()
        .reply_of("b", "ok")
        .expect_command("b!c")
        .expect_no_command()
        .reply_ok()
        .expect_command("last")
        .reply_ok()
        .expect_completed();
}

#[test]
fn e1_a_loser_inside_a_for_each_keeps_its_command_id() {
    let branches = vec![vec![comp("a")], vec![comp("b")]];
    let body = vec![parallel("fork", Some(1), branches)];
    given(program(vec![each("each", "order.items", 2, body)]))
        .event_with(
            "T-1",
            serde_json::json!({ "id": "ORD-42", "items": [1], "total": 1 }),
        )
        .expect_command("a[0]")
        .expect_command("b[0]")
        .reply_of("a[0]", "ok")
        .silence()
        .expect_attempt("b[0]", 2)
        .reply_of("b[0]", "ok")
        .expect_command("b[0]!c")
        .reply_ok()
        .expect_completed();
}

#[test]
fn e1_losers_in_a_round_of_a_loop_hold_the_next_round() {
    let branches = vec![vec![comp("a")], vec![comp("b")]];
    let body = vec![parallel("fork", Some(1), branches)];
    given(program(vec![rounds("loop", "has(order.total)", 3, body)]))
        .event()
        .expect_command("a.1")
        .expect_command("b.1")
        .reply_of("a.1", "ok")
        .expect_no_command()
        .reply_of("b.1", "refused")
        .expect_completed();
}

#[test]
fn a_stop_in_a_branch_ends_the_branch_only() {
    let branches = vec![
        vec![
            comp("a"),
            block("inner", vec![stop("enough", "completed"), comp("never")]),
        ],
        vec![comp("b")],
    ];
    given(program(vec![
        parallel("fork", None, branches),
        comp("last"),
    ]))
    .event()
    .expect_command("a")
    .expect_command("b")
    .reply_of("a", "ok")
    .expect_no_command()
    .reply_of("b", "ok")
    .expect_command("last")
    .reply_ok()
    .expect_completed();
}

#[test]
fn a_stop_in_a_block_waits_for_losers_inside() {
    let branches = vec![vec![comp("a")], vec![comp("b")]];
    let body = vec![
        parallel("fork", Some(1), branches),
        stop("enough", "early_end"),
        comp("never"),
    ];
    let dialogue = given(program(vec![block("block", body), comp("last")]))
        .event()
        .expect_command("a")
        .expect_command("b")
        .reply_of("a", "ok")
        .expect_status(Status::Running)
        .reply_of("b", "ok")
        .expect_command("b!c")
        .reply_ok()
        .expect_completed();
    assert_eq!(dialogue.here().outcome.as_deref(), Some("early_end"));
}

#[test]
fn an_empty_parallel_goes_on() {
    given(program(vec![parallel("fork", None, vec![]), comp("last")]))
        .event()
        .expect_command("last");
    given(program(vec![
        parallel("fork", None, vec![vec![], vec![]]),
        comp("last"),
    ]))
    .event()
    .expect_command("last");
}

#[test]
fn g6_a_branch_that_is_parked_keeps_what_its_siblings_answer() {
    let declared = comp("a1").catch("refused", Directive::Park);
    let branches = vec![vec![declared], vec![comp("b1"), comp("b2")]];
    given(program(vec![
        parallel("fork", None, branches),
        comp("last"),
    ]))
    .event()
    .expect_command("a1")
    .expect_command("b1")
    .reply_of("a1", "refused")
    .expect_parked(IncidentKind::Declared)
    .reply_of("b1", "ok")
    .expect_changed()
    .expect_no_command()
    .retry()
    .expect_command("a1#2")
    .expect_command("b2")
    .reply_of("a1#2", "ok")
    .reply_of("b2", "ok")
    .expect_command("last")
    .reply_ok()
    .expect_completed();
}

#[test]
fn h1_two_branches_that_park_in_one_transition_are_decided_one_after_the_other() {
    let branches = ["a", "b"].map(|name| {
        vec![
            each(name, "order.items", 1, vec![comp(&format!("{name}1"))])
                .but(|node| {
                    if let crate::ir::Kind::Iterate(iterate) = &mut node.kind {
                        iterate.max = 1;
                    }
                })
                .catch("exhausted", Directive::Park),
        ]
    });
    let items = serde_json::json!({ "id": "ORD-42", "items": [1, 2], "total": 1 });
    let skip = Act::Skip {
        outcome: None,
        output: serde_json::Value::Null,
    };
    given(program(vec![
        parallel("fork", None, branches.into()),
        comp("last"),
    ]))
    .event_with("T-1", items)
    .expect_parked(IncidentKind::Declared)
    .expect_detail("step a")
    .act(skip.clone())
    .expect_parked(IncidentKind::Declared)
    .expect_detail("step b")
    .act(skip)
    .expect_command("last")
    .reply_ok()
    .expect_completed();
}

#[test]
fn h1_a_retry_with_a_branch_that_waits_for_an_event_sends_the_other() {
    let branches = vec![vec![awaiting("event", "Came").into()], vec![comp("b")]];
    given(program(vec![parallel("fork", None, branches)]))
        .event()
        .expect_command("b")
        .retry()
        .expect_attempt("b", 2)
        .expect_status(Status::Running);
}

#[test]
pub fn c3_a_failure_in_a_sibling_waits_for_the_pivot_that_is_refused() {
    at_pivot_and_sibling()
        .reply_of("b", "refused")
        .expect_status(Status::Running)
        .expect_no_command()
        .reply_of("pay", "refused")
        .expect_status(Status::Compensating)
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
fn c3_a_failure_in_a_sibling_waits_for_the_pivot_and_parks_behind_it() {
    at_pivot_and_sibling()
        .reply_of("b", "refused")
        .reply_of("pay", "ok")
        .expect_parked(IncidentKind::RetriesExhausted)
        .expect_detail("step b: refused")
        .retry()
        .expect_command("b#2")
        .reply_ok()
        .expect_completed();
}

#[test]
fn c3_a_failure_in_a_sibling_of_an_unknown_pivot_goes_in_neither_direction() {
    at_pivot_and_sibling()
        .reply_of("b", "refused")
        .silence()
        .expect_attempt("pay", 2)
        .silence()
        .expect_attempt("pay", 3)
        .silence()
        .expect_parked(IncidentKind::UnknownPivot)
        .reply_of("pay", "ok")
        .expect_parked(IncidentKind::RetriesExhausted)
        .retry()
        .expect_command("b#2");
}

#[test]
fn c6_a_cancel_with_a_parked_sibling_of_the_pivot_is_recorded() {
    let declared = comp("b").catch("refused", Directive::Park);
    let branches = vec![vec![pivot("pay")], vec![declared]];
    given(program(vec![
        comp("first"),
        parallel("fork", None, branches),
    ]))
    .event()
    .expect_command("first")
    .reply_ok()
    .expect_command("pay")
    .expect_command("b")
    .reply_refused()
    .expect_parked(IncidentKind::Declared)
    .cancel()
    .expect_changed()
    .expect_parked(IncidentKind::Declared)
    .reply_of("pay", "ok")
    .retry()
    .expect_command("b#2")
    .reply_ok()
    .expect_completed();
}

#[test]
fn b5_a_second_refusal_does_not_bring_a_recorded_cancel_before_the_pivot() {
    at_pivot_and_sibling()
        .cancel()
        .reply_of("b", "refused")
        .expect_status(Status::Running)
        .expect_no_command()
        .reply_of("pay", "refused")
        .expect_command("first!c");
}

fn at_pivot_and_sibling() -> Dialogue {
    let branches = vec![vec![pivot("pay")], vec![comp("b")]];
    given(program(vec![
        comp("first"),
        parallel("fork", None, branches),
    ]))
    .event()
    .expect_command("first")
    .reply_ok()
    .expect_command("pay")
    .expect_command("b")
}

#[test]
fn d3_duplicates_inside_branches_are_facts() {
    at_fork()
        .reply_of("a1", "ok")
        .reply_of("a1", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("b1", "refused")
        .reply_of("b1", "refused")
        .expect_ignored(Reason::Duplicate)
        .reply_of("b1", "ok")
        .expect_ignored(Reason::Duplicate)
        .reply_of("a2", "ok")
        .reply_of("a2", "ok")
        .expect_ignored(Reason::Duplicate);
}

#[test]
fn milestones_of_a_fork_count_at_the_join() {
    let fork = parallel("fork", None, vec![vec![comp("a")], vec![comp("b")]])
        .but(|node| node.milestone = Some("allocated".to_owned()));
    given(program(vec![fork, comp("last")]))
        .event()
        .reply_of("a", "ok")
        .reply_of("b", "ok")
        .expect_note(|note| matches!(note, Note::Milestone { name, .. } if name == "allocated"))
        .expect_step("fork", StepStatus::Succeeded);
}

#[test]
pub fn a3_one_failing_compensation_keeps_the_saga_incomplete_while_others_finish() {
    let mut dialogue = at_fork()
        .reply_of("a1", "ok")
        .reply_of("b1", "ok")
        .reply_of("a2", "refused")
        .reply_of("b2", "refused")
        .reply_of("b1!c", "ok");
    for _ in 0..5 {
        dialogue = dialogue.reply_of("a1!c", "failed").silence();
    }
    let incident = dialogue.here().incident.clone().expect("an incident");
    assert_eq!(incident.kind, IncidentKind::CompensationFailing);
    assert!(dialogue.here().compensation_incomplete());
    let dialogue = dialogue
        .expect_status(Status::Compensating)
        .reply_of("a1!c", "ok");
    assert_eq!(dialogue.here().incident, None);
    dialogue
        .reply_of("first!c", "ok")
        .expect_status(Status::Compensated);
}

#[test]
pub fn b4_two_refused_compensations_are_decided_one_after_the_other() {
    at_fork()
        .reply_of("a1", "ok")
        .reply_of("b1", "ok")
        .reply_of("a2", "refused")
        .reply_of("b2", "refused")
        .then(|mut d| {
            d.commands.clear();
            d
        })
        .reply_of("a1!c", "refused")
        .expect_parked(IncidentKind::CompensationRefused)
        .expect_detail("step a1")
        .reply_of("b1!c", "refused")
        .retry()
        .expect_command("a1!c#2")
        .expect_parked(IncidentKind::CompensationRefused)
        .expect_detail("step b1")
        .reply_of("a1!c#2", "ok")
        .retry()
        .expect_command("b1!c#2")
        .reply_ok()
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
pub fn a4_a_step_that_no_branch_came_to_is_not_compensated() {
    let dialogue = at_fork().reply_of("a1", "refused").reply_of("b1", "ok");
    let ids: Vec<String> = dialogue.commands.iter().map(|c| c.id.to_string()).collect();
    assert_eq!(ids, ["order/ORD-42/b1!c"]);
    assert!(!dialogue.here().steps.contains_key("a2"));
}

#[test]
pub fn c5_a_branch_past_the_pivot_parks_at_its_limit_and_its_sibling_goes_on_after_a_retry() {
    let branches = vec![
        vec![retriable("a").attempts(1)],
        vec![retriable("b"), retriable("b2")],
    ];
    given(program(vec![
        pivot("pay"),
        parallel("fork", None, branches),
    ]))
    .event()
    .expect_command("pay")
    .reply_ok()
    .expect_command("a")
    .expect_command("b")
    .reply_of("a", "failed")
    .expect_parked(IncidentKind::RetriesExhausted)
    .reply_of("b", "ok")
    .expect_no_command()
    .retry()
    .expect_attempt("a", 2)
    .expect_command("b2")
    .reply_of("a", "ok")
    .reply_of("b2", "ok")
    .expect_completed();
}

#[test]
pub fn e1_nested_blocks_and_branches_unwind_from_the_inside() {
    let inner = parallel("inner", None, vec![vec![comp("x")], vec![comp("y")]]);
    let save =
        block("save", vec![comp("s"), inner, comp("t")]).catch("compensated", Directive::Continue);
    let fork = parallel("fork", None, vec![vec![save, comp("u")], vec![comp("v")]]);
    given(program(vec![fork, comp("last")]))
        .event()
        .expect_command("v")
        .expect_command("s")
        .reply_of("s", "ok")
        .expect_command("x")
        .expect_command("y")
        .reply_of("x", "ok")
        .reply_of("y", "ok")
        .expect_command("t")
        .reply_refused()
        .expect_command("y!c")
        .expect_command("x!c")
        .expect_no_command()
        .reply_of("v", "ok")
        .reply_of("x!c", "ok")
        .expect_no_command()
        .reply_of("y!c", "ok")
        .expect_command("s!c")
        .reply_ok()
        .expect_command("u")
        .reply_ok()
        .expect_command("last")
        .reply_refused()
        .expect_command("u!c")
        .expect_command("v!c")
        .expect_no_command()
        .reply_of("u!c", "ok")
        .reply_of("v!c", "ok")
        .expect_compensated();
}

#[test]
fn c3_an_unknown_sibling_of_a_pending_pivot_keeps_its_command_id() {
    let sibling = comp("b").attempts(1);
    let fork = parallel("fork", None, vec![vec![pivot("pay")], vec![sibling]]);
    let waiting = || {
        given(program(vec![comp("first"), fork.clone()]))
            .event()
            .reply_of("first", "ok")
            .silence()
            .expect_status(Status::Running)
            .then(|mut d| {
                d.commands.clear();
                d
            })
    };
    waiting()
        .reply_of("pay", "ok")
        .expect_parked(IncidentKind::RetriesExhausted)
        .expect_detail("step b: timeout")
        .retry()
        .expect_attempt("b", 2)
        .reply_ok()
        .expect_completed();
    waiting()
        .reply_of("b", "ok")
        .expect_changed()
        .reply_of("pay", "ok")
        .expect_completed();
    waiting()
        .reply_of("pay", "refused")
        .expect_command("b!c")
        .reply_ok()
        .expect_command("first!c");
}
