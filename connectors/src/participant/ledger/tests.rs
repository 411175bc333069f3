//! The table of the module documentation, cell by cell.

use super::*;
use crate::participant::Manner;
use saga_lib::mutant;
use serde_json::json;

fn reply() -> Reply {
    Reply::new("ok", json!({"n": 1}))
}

fn never() -> Answer {
    panic!("the handler must not run")
}

#[test]
fn a_forward_command_on_none_runs_and_is_remembered() {
    let (entry, answer) = forward(&Entry::None, || Answer::ok(json!({"n": 1})));
    assert_eq!(entry, Some(Entry::Effect(reply())));
    assert_eq!(answer.reply(), Some(&reply()));
}

#[test]
fn a_refusal_is_remembered_but_leaves_no_effect() {
    let (entry, answer) = forward(&Entry::None, || Answer::refused("limit", "too much"));
    let refusal = answer.reply().unwrap().clone();
    assert_eq!(entry, Some(Entry::Refused(refusal.clone())));
    let (again, same) = forward(&Entry::Refused(refusal.clone()), never);
    assert_eq!((again, same.reply()), (None, Some(&refusal)));
}

#[test]
fn a_failure_is_never_remembered() {
    let (entry, answer) = forward(&Entry::None, || Answer::failed("db", "down"));
    assert_eq!(entry, None);
    assert_eq!(answer.reply().unwrap().outcome, "failed");
    assert_eq!(forward(&Entry::None, Answer::nothing).0, None);
    assert_eq!(
        compensate(&Entry::Effect(reply()), || Answer::failed("db", "down")).0,
        None
    );
}

#[test]
fn a_forward_command_on_effect_is_told_the_same_again() {
    let (entry, answer) = forward(&Entry::Effect(reply()), never);
    assert_eq!(entry, None);
    assert_eq!(answer, Answer::ok(json!({"n": 1})));
}

#[test]
fn a_lost_or_late_answer_is_told_at_once_when_asked_again() {
    let (entry, first) = forward(&Entry::None, || Answer::ok(json!({"n": 1})).lost());
    assert_eq!(first.manner, Manner::Lost);
    let (_, second) = forward(&entry.unwrap(), never);
    assert_eq!(second, Answer::ok(json!({"n": 1})));
}

#[test]
fn a_forward_command_on_compensated_is_refused_without_effect() {
    let (entry, answer) = forward(&Entry::Compensated(reply()), never);
    assert_eq!(entry, None);
    assert!(matches!(answer.verdict, Verdict::Refusal(_)));
}

#[test]
fn a_compensation_of_effect_runs_once() {
    let (entry, _) = compensate(&Entry::Effect(reply()), || Answer::ok(json!("undone")));
    let confirmed = Reply::new("ok", json!("undone"));
    assert_eq!(entry, Some(Entry::Compensated(confirmed.clone())));
    let (again, answer) = compensate(&Entry::Compensated(confirmed.clone()), never);
    assert_eq!((again, answer.reply()), (None, Some(&confirmed)));
}

#[test]
fn d2_a_compensation_of_none_is_confirmed_and_refuses_the_later_command() {
    for entry in [Entry::None, Entry::Refused(reply())] {
        let (after, answer) = compensate(&entry, never);
        assert!(matches!(answer.verdict, Verdict::Effect(_)));
        let (_, late) = forward(&after.unwrap(), never);
        assert!(matches!(late.verdict, Verdict::Refusal(_)));
    }
}

#[test]
fn a_command_that_runs_after_its_compensation_is_seen() {
    let test = d2_a_compensation_of_none_is_confirmed_and_refuses_the_later_command;
    let run = || std::panic::catch_unwind(test);
    assert!(mutant::with(Mutant::D2RunsAfterCompensation, run).is_err());
}

#[test]
fn a_refused_compensation_leaves_the_effect() {
    let (entry, answer) = compensate(&Entry::Effect(reply()), || Answer::refused("paid", "out"));
    assert_eq!(entry, None);
    assert!(matches!(answer.verdict, Verdict::Refusal(_)));
}

#[test]
fn clones_of_a_memory_ledger_share_their_entries() {
    let ledger = MemoryLedger::default();
    let id = CommandId::parse("order/1/pay").unwrap();
    let act = |_: &Entry| (Some(Entry::Effect(reply())), ());
    ledger.clone().transact(&id, act).unwrap();
    assert_eq!(ledger.entry(&id), Entry::Effect(reply()));
    assert_eq!(ledger.entries().len(), 1);
}
