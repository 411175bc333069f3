//! Requirements A to E: each rule is broken on purpose, and the tests that are named after it must fail.
//!
//! A rule without a planted bug, a bug that no test sees, and a bug without a rule are all errors here. The same table is the page
//! orchestrator/docs/requirements.md; `UPDATE_GOLDEN=1 cargo test -p saga-lib -p tests --lib requirement` writes it anew.
//!
//! Planted bugs belong to a thread: a test that is listed here runs in one.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use super::{compensation, forward, late, operators, parallel, signals, structures, waiting};
use crate::definition::tests as definition;
use crate::mutant::{self, Mutant};

/// A rule of the contract.
struct Rule {
    id: &'static str,
    says: &'static str,
    bugs: Vec<Bug>,
}

/// A way to break a rule, and who sees it.
struct Bug {
    mutant: Mutant,
    seen: Seen,
}

enum Seen {
    /// By these tests, each of which fails.
    Here(Vec<(&'static str, fn())>),
    /// By a test of this name in another crate or target, in this file.
    There(&'static str, &'static str),
}

macro_rules! broken {
    ($mutant:ident: $($test:path),+ $(,)?) => {
        Bug {
            mutant: Mutant::$mutant,
            seen: Seen::Here(vec![$((stringify!($test), $test as fn())),+]),
        }
    };
}

const IDS: [&str; 26] = [
    "A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "B5", "B6", "C1", "C2", "C3", "C4", "C5", "C6",
    "D1", "D2", "D3", "D4", "D5", "D6", "D7", "E1", "E2", "E4",
];

fn rule(id: &'static str, says: &'static str, bugs: Vec<Bug>) -> Rule {
    Rule { id, says, bugs }
}

fn rules() -> Vec<Rule> {
    [atomicity(), back(), ahead(), messages(), branches()]
        .into_iter()
        .flatten()
        .collect()
}

fn atomicity() -> Vec<Rule> {
    vec![
        rule(
            "A1",
            "A finished saga shows all steps, or a beginning of them and the compensation of every one that had or may have had an effect.",
            vec![
                broken!(A1UnknownOwesNothing: compensation::a1_a_step_of_unknown_outcome_is_compensated),
            ],
        ),
        rule(
            "A2",
            "Compensation is semantic: what was seen stays seen, nothing is put back but by the participant.",
            vec![broken!(A2ConfirmedTakesResultBack:
                compensation::a2_a_compensation_restores_nothing_but_what_its_participant_undid)],
        ),
        rule(
            "A3",
            "Compensated means that every obligation is confirmed; until then the saga says that it is incomplete.",
            vec![
                broken!(A3CompensatedWhileOwed:
                    compensation::a3_p5_a_failing_compensation_is_retried_for_ever_with_an_open_incident,
                    parallel::a3_one_failing_compensation_keeps_the_saga_incomplete_while_others_finish),
                broken!(A3FailingIsSilent:
                    compensation::a3_p5_a_failing_compensation_is_retried_for_ever_with_an_open_incident,
                    parallel::a3_one_failing_compensation_keeps_the_saga_incomplete_while_others_finish),
            ],
        ),
        rule(
            "A4",
            "A step that certainly had no effect is not compensated.",
            vec![broken!(A4RefusedIsOwed:
                compensation::a4_a_refused_step_is_never_compensated,
                parallel::a4_a_step_that_no_branch_came_to_is_not_compensated)],
        ),
    ]
}

fn back() -> Vec<Rule> {
    vec![
        rule(
            "B1",
            "Sequential steps are compensated in strict reverse order of completion, each after the confirmation of the one before.",
            vec![
                broken!(B1AllAtOnce: compensation::a1_b1_compensation_is_strictly_reverse_and_one_at_a_time),
                broken!(B1FirstComesFirst:
                    compensation::a1_b1_compensation_is_strictly_reverse_and_one_at_a_time,
                    structures::b1_steps_in_catch_are_compensated_before_the_step_they_ran_for),
                broken!(B1UnknownIsUndoneFirst:
                    structures::b1_steps_in_catch_are_compensated_first_although_the_step_was_parked_behind_them),
            ],
        ),
        rule(
            "B2",
            "Every completed execution is compensated, with its own data.",
            vec![
                broken!(B2OncePerStep:
                    structures::b2_each_round_of_a_loop_is_compensated_with_its_own_data,
                    structures::b2_elements_are_compensated_like_they_ran),
                broken!(B2LastDataForAll:
                    structures::b2_each_round_of_a_loop_is_compensated_with_its_own_data),
            ],
        ),
        rule(
            "B3",
            "A compensation receives the request, the reply if there is one, and data as they were when the step completed.",
            vec![
                broken!(B3DataOfTheFailure: compensation::b3_the_payload_is_computed_when_the_step_completes),
                broken!(B3RequestIsLost: compensation::b3_without_a_payload_the_request_is_sent_back),
                broken!(B3ReplyIsLost: compensation::b3_the_reply_is_seen_if_it_is_known),
            ],
        ),
        rule(
            "B4",
            "A compensation cannot abort: a refusal is an operator's case, a failure is tried again by a policy of its own.",
            vec![
                broken!(B4RefusalConfirms:
                    compensation::b4_a_refused_compensation_parks_and_a_retry_begins_a_new_execution_of_it,
                    parallel::b4_two_refused_compensations_are_decided_one_after_the_other),
                broken!(B4PolicyOfTheStep:
                    compensation::b4_a_failing_compensation_is_tried_again_by_its_own_policy),
            ],
        ),
        rule(
            "B5",
            "A failure turns back once, although it arrives twice or from two branches.",
            vec![broken!(B5TurnsBackAgain: parallel::b5_failure_from_two_branches_turns_back_once)],
        ),
        rule(
            "B6",
            "A step with nothing to compensate is left out, and says so in the definition.",
            vec![
                broken!(B6NothingIsAnError: compensation::b6_a_step_with_nothing_to_compensate_is_left_out),
                broken!(B6UndeclaredIsAccepted:
                    definition::b6_a_step_before_the_pivot_says_how_it_is_compensated),
            ],
        ),
    ]
}

fn ahead() -> Vec<Rule> {
    vec![
        rule(
            "C1",
            "On every path: compensatable steps, at most one pivot, steps that only go forward.",
            vec![
                broken!(C1SecondPivot:
                    definition::c1_every_path_has_at_most_one_pivot_and_no_compensatable_step_after_it),
                broken!(C1CompensatableAfterPivot:
                    definition::c1_every_path_has_at_most_one_pivot_and_no_compensatable_step_after_it),
                broken!(C1TornPivot:
                    definition::c1_every_path_has_at_most_one_pivot_and_no_compensatable_step_after_it),
            ],
        ),
        rule(
            "C2",
            "Before the pivot a failure turns back; behind it nothing does.",
            vec![
                broken!(C2BackAfterPivot:
                    compensation::c2_c5_a_step_after_the_pivot_parks_and_never_turns_back,
                    compensation::c2_a_refusal_after_the_pivot_parks_and_a_retry_is_a_new_execution),
                broken!(C2OwedAfterPivot:
                    compensation::c2_past_the_pivot_nothing_is_owed,
                    structures::c2_past_the_pivot_a_branch_that_is_lost_is_undone_wholly),
            ],
        ),
        rule(
            "C3",
            "While the pivot's outcome is unknown neither direction is taken.",
            vec![
                broken!(C3UnknownPivotTurnsBack:
                    compensation::c3_an_unknown_pivot_goes_in_neither_direction,
                    structures::c3_query_that_says_yes_goes_forward),
                broken!(C3SiblingDoesNotWait:
                    parallel::c3_a_failure_in_a_sibling_waits_for_the_pivot_that_is_refused,
                    structures::c3_a_block_around_the_pivot_waits_for_it_at_its_time_limit),
            ],
        ),
        rule(
            "C4",
            "From a save-point the way back ends there, and the saga goes on.",
            vec![
                broken!(C4PassesTheSavePoint:
                    structures::c4_a_block_that_catches_compensated_is_a_save_point,
                    structures::c4_a_block_is_tried_again_with_new_executions),
                broken!(C4UndoesWhatWasBefore:
                    structures::c4_a_block_that_catches_compensated_is_a_save_point,
                    structures::c4_what_was_undone_in_a_block_is_not_undone_again),
            ],
        ),
        rule(
            "C5",
            "Steps are tried again with growing, spread waits; at the limit behind the pivot the saga parks.",
            vec![
                broken!(C5TriesForEver:
                    compensation::c2_c5_a_step_after_the_pivot_parks_and_never_turns_back,
                    parallel::c5_a_branch_past_the_pivot_parks_at_its_limit_and_its_sibling_goes_on_after_a_retry),
                broken!(C5NoBackoff: forward::c5_waits_grow_to_the_cap_and_jitter_stays_inside),
            ],
        ),
        rule(
            "C6",
            "A cancel turns back before the pivot and is rejected behind it; terminate leaves what is owed in sight.",
            vec![
                broken!(C6CancelAfterPivot: signals::c6_a_cancel_after_the_pivot_is_rejected_with_a_reason),
                broken!(C6CancelIsForgotten:
                    signals::c6_a_cancel_of_an_unknown_pivot_is_recorded,
                    signals::c6_a_second_cancel_is_told_so),
                broken!(C6TerminateForgets:
                    operators::c6_terminate_leaves_what_is_owed_until_an_operator_settles_it,
                    operators::c6_terminate_counts_what_branches_and_catch_hold),
            ],
        ),
    ]
}

fn messages() -> Vec<Rule> {
    vec![
        rule(
            "D1",
            "A command and its compensation keep their ids in every attempt.",
            vec![
                broken!(D1IdPerAttempt:
                    forward::d1_a_failed_attempt_is_sent_again_with_the_same_id_after_a_back_off),
                broken!(D1IdPerCompensation:
                    compensation::d1_a_failed_compensation_is_sent_again_with_the_same_id),
            ],
        ),
        rule(
            "D2",
            "A command that comes after its compensation does nothing and is refused.",
            vec![Bug {
                mutant: Mutant::D2RunsAfterCompensation,
                seen: Seen::There(
                    "connectors/src/participant/ledger/tests.rs",
                    "d2_a_compensation_of_none_is_confirmed_and_refuses_the_later_command",
                ),
            }],
        ),
        rule(
            "D3",
            "Records that come twice or late change nothing.",
            vec![
                broken!(D3FailureCountsTwice:
                    forward::d3_a_repeated_failure_does_not_use_up_an_attempt,
                    compensation::d3_duplicates_of_a_compensation_change_nothing),
                broken!(D3ConfirmationCountsTwice:
                    compensation::d3_duplicates_of_a_compensation_change_nothing,
                    structures::d3_late_replies_to_closed_executions_are_facts),
                broken!(D3SignalCountsTwice: operators::d3_duplicates_of_every_input_are_facts),
            ],
        ),
        rule(
            "D4",
            "A timeout is no failure: the command is sent again, then the outcome is unknown and the definition says what follows.",
            vec![
                broken!(D4TimeoutEndsTheLadder:
                    forward::d4_a_timeout_sends_the_same_id_again_before_it_fails_the_step),
                broken!(D4DeclaredIsIgnored: forward::d4_what_follows_an_unknown_outcome_is_declared),
            ],
        ),
        rule(
            "D5",
            "A late success is compensated too, a late refusal closes its obligation, and both are told.",
            vec![
                broken!(D5SuccessIsDropped:
                    late::d5_a_late_success_after_a_confirmed_compensation_is_compensated_again,
                    late::d5_a_late_success_of_a_step_given_up_is_compensated_at_once),
                broken!(D5RefusalLeavesItOpen:
                    late::d5_a_late_refusal_closes_an_obligation_for_which_nothing_was_sent),
                broken!(D5IsNotTold:
                    late::d5_a_late_success_while_its_compensation_is_pending_sends_nothing_more),
            ],
        ),
        rule(
            "D6",
            "A record that nothing waits for is kept or becomes an orphan with a reason.",
            vec![
                broken!(D6ReplyIsDropped: forward::d6_a_reply_for_a_command_never_sent_is_an_orphan),
                broken!(D6EventIsDropped:
                    waiting::d6_orphans_are_events_that_nothing_will_await,
                    waiting::d6_orphans_are_events_that_were_kept_for_too_long),
            ],
        ),
        rule(
            "D7",
            "One command per saga, step and try is visible, although the orchestrator crashes at any point.",
            vec![Bug {
                mutant: Mutant::D7AgainWithoutRecovery,
                seen: Seen::There(
                    "saga-lib/tests/lane_model.rs",
                    "d7_every_schedule_applies_every_record_once",
                ),
            }],
        ),
    ]
}

fn branches() -> Vec<Rule> {
    vec![
        rule(
            "E1",
            "The way back respects the inverse of what depended on what; independent branches may go at the same time.",
            vec![
                broken!(E1FramesAreIndependent:
                    parallel::e1_independent_branches_are_compensated_at_the_same_time,
                    parallel::e1_nested_blocks_and_branches_unwind_from_the_inside),
                broken!(E1BranchesInARow:
                    parallel::e1_independent_branches_are_compensated_at_the_same_time),
            ],
        ),
        rule(
            "E2",
            "When a branch fails nothing new begins in its siblings, and no compensation overtakes its own command.",
            vec![
                broken!(E2SiblingGoesOn: parallel::e2_no_new_step_starts_in_a_sibling),
                broken!(E2OvertakesItsCommand:
                    parallel::e2_no_compensation_overtakes_its_own_command_in_a_sibling,
                    signals::c6_e2_a_cancel_awaits_what_is_in_flight_and_turns_back),
            ],
        ),
        rule(
            "E4",
            "Join, cancel and timeout that race end alike in every order.",
            vec![broken!(E4TimeoutAfterCancel:
                parallel::e4_join_cancel_and_timeout_racing_end_alike_in_every_order)],
        ),
    ]
}

fn bugs(rules: &[Rule]) -> impl Iterator<Item = (&Rule, &Bug)> {
    let of = |rule| -> &Rule { rule };
    rules
        .iter()
        .flat_map(move |rule| rule.bugs.iter().map(move |bug| (of(rule), bug)))
}

/// `b5` of `parallel::b5_failure_from_two_branches_turns_back_once`; a test may be named after several rules.
fn is_named_after(test: &str, id: &str) -> bool {
    let name = test.rsplit("::").next().unwrap_or(test);
    let is_id = |part: &&str| part.len() == 2 && part.ends_with(|c: char| c.is_ascii_digit());
    name.split('_')
        .take_while(is_id)
        .any(|part| part.eq_ignore_ascii_case(id))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_requirement_has_a_planted_bug_and_every_bug_a_requirement() {
    let rules = rules();
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
    assert_eq!(ids, IDS);
    let mut found = BTreeSet::new();
    for (rule, bug) in bugs(&rules) {
        let name = format!("{:?}", bug.mutant);
        assert!(name.starts_with(rule.id), "{name} stands under {}", rule.id);
        found.insert(name);
    }
    let breaks_a_rule = |name: &String| IDS.iter().any(|id| name.starts_with(id));
    let planted = Mutant::ALL.iter().map(|mutant| format!("{mutant:?}"));
    assert_eq!(found, planted.filter(breaks_a_rule).collect());
    assert!(rules.iter().all(|rule| !rule.bugs.is_empty()));
}

#[test]
fn tests_of_a_requirement_fail_when_it_is_broken() {
    let mut unseen = Vec::new();
    for (rule, bug) in bugs(&rules()) {
        let Seen::Here(tests) = &bug.seen else {
            continue;
        };
        for (name, test) in tests {
            assert!(
                is_named_after(name, rule.id),
                "{name} is not of {}",
                rule.id
            );
            assert!(catch_unwind(test).is_ok(), "{name} fails without a bug");
            if mutant::with(bug.mutant, || catch_unwind(test)).is_ok() {
                unseen.push(format!("{name} with {:?}", bug.mutant));
            }
        }
    }
    assert!(unseen.is_empty(), "these tests do not fail: {unseen:#?}");
}

#[test]
fn tests_of_a_requirement_that_stand_elsewhere_exist() {
    for (rule, bug) in bugs(&rules()) {
        let Seen::There(file, test) = bug.seen else {
            continue;
        };
        assert!(
            is_named_after(test, rule.id),
            "{test} is not of {}",
            rule.id
        );
        let text = std::fs::read_to_string(root().join(file)).expect("the file exists");
        for part in [format!("fn {test}()"), format!("Mutant::{:?}", bug.mutant)] {
            assert!(text.contains(&part), "{file} has no `{part}`");
        }
    }
}

fn page() -> String {
    let mut page = String::from(
        "# Saga requirements, and the tests that fail without them\n\n\
         This page is generated from the table in saga-lib/src/transition/tests/requirement.rs, which also breaks every rule on\n\
         purpose and demands that the tests beside it fail; `UPDATE_GOLDEN=1 cargo test -p saga-lib -p tests --lib requirement`\n\
         writes it anew. What each planted bug does stands in saga-lib/src/mutant.rs. Test modules without a path are those of\n\
         saga-lib/src/transition/tests; `definition` is saga-lib/src/definition/tests.rs.\n\n\
         | id | rule | planted bug | tests that fail with it |\n|---|---|---|---|\n",
    );
    for rule in rules() {
        let (mut id, mut says) = (rule.id, rule.says);
        for bug in &rule.bugs {
            let tests: Vec<String> = match &bug.seen {
                Seen::Here(tests) => tests.iter().map(|(name, _)| format!("`{name}`")).collect(),
                Seen::There(file, test) => vec![format!("`{test}` in {file}")],
            };
            let row = format!(
                "| {id} | {says} | `{:?}` | {} |",
                bug.mutant,
                tests.join("<br>")
            );
            writeln!(page, "{row}").expect("a string takes everything");
            (id, says) = ("", "");
        }
    }
    page
}

#[test]
fn the_page_of_the_requirements_is_as_generated() {
    let path = root().join("orchestrator/docs/requirements.md");
    let page = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).expect("the page is writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "the page differs; UPDATE_GOLDEN=1 writes it anew"
    );
}

/// Random programs see these bugs too, without being told what to look for.
#[test]
fn a1_random_programs_see_bugs_in_every_direction() {
    use Mutant::*;
    let seen = [
        A1UnknownOwesNothing,
        A3CompensatedWhileOwed,
        A4RefusedIsOwed,
        B1AllAtOnce,
        B1FirstComesFirst,
        B2OncePerStep,
        B4RefusalConfirms,
        C2BackAfterPivot,
        C3UnknownPivotTurnsBack,
        C3SiblingDoesNotWait,
        C4UndoesWhatWasBefore,
        C6CancelAfterPivot,
        D1IdPerAttempt,
        D3FailureCountsTwice,
        D3ConfirmationCountsTwice,
        D3SignalCountsTwice,
        D5SuccessIsDropped,
        D5IsNotTold,
        E1FramesAreIndependent,
        E2SiblingGoesOn,
        E2OvertakesItsCommand,
        E4TimeoutAfterCancel,
    ];
    for mutant in seen {
        let fails = |seed| catch_unwind(|| super::chaos::run(seed)).is_err();
        let any = mutant::with(mutant, || (0..PROGRAMS).any(fails));
        assert!(any, "no random program fails with {mutant:?}");
    }
}

/// Programs after which a bug counts as not seen.
const PROGRAMS: u64 = 500;
