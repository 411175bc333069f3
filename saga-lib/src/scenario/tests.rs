use super::*;
use crate::definition::compile;
use crate::instance::Status;

const ORDER: &str = include_str!("../../tests/golden/smallest.yaml");

fn played(scenarios: &str) -> Vec<(Play, Vec<Difference>)> {
    let definition = compile("order.yaml", ORDER).unwrap();
    let text = format!("definition: order.yaml\nscenarios:\n{scenarios}");
    let file = parse("order.test.yaml", &text).unwrap_or_else(|e| panic!("{e}"));
    let one = |scenario: &Scenario| {
        let play = play(&definition, scenario).unwrap();
        let differences = judge(&scenario.expect, &play);
        (play, differences)
    };
    file.scenarios.iter().map(one).collect()
}

const START: &str = "start: { id: ORD-1, customerId: C, total: 10, items: [] }";

#[test]
fn a_saga_completes_by_itself() {
    let scenario = format!(
        "  - name: forward\n    {START}\n    expect: {{ status: completed, commands: [credit, payment, ship] }}\n"
    );
    let (play, differences) = played(&scenario).remove(0);
    assert_eq!(differences, []);
    assert_eq!(play.instance.unwrap().status, Status::Completed);
}

#[test]
fn a_wrong_expectation_is_told() {
    let scenario = format!(
        "  - name: wrong\n    {START}\n    replies: {{ payment: refused }}\n    expect: {{ status: completed, commands: [credit], bodies: {{ ship: 1 }} }}\n"
    );
    let (_, differences) = played(&scenario).remove(0);
    let what: Vec<&str> = differences.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(what, ["status", "commands", "bodies.ship"]);
    assert_eq!(differences[0].found, "compensated");
    assert_eq!(differences[1].found, "[credit, payment, credit!c]");
}

#[test]
fn time_jumps_over_silence_and_answers_go_attempt_by_attempt() {
    let scenario = format!(
        "  - name: slow\n    {START}\n    replies: {{ credit: [failed, silent, {{ outcome: ok, after: 5s, twice: true }}] }}\n    expect: {{ status: completed, commands: [credit, credit, credit, payment, ship] }}\n"
    );
    let (play, differences) = played(&scenario).remove(0);
    assert_eq!(differences, []);
    assert!(play.took_ms > 35_000, "{}", play.took_ms);
}

#[test]
fn a_participant_may_say_something_else_later() {
    let late = "{ outcome: silent, then: { outcome: ok, after: 10m } }";
    let scenario = format!(
        "  - name: late\n    {START}\n    replies: {{ credit: [silent, silent, silent, silent, {late}] }}\n    expect: {{ status: compensated, commands: [credit, credit, credit, credit, credit, credit!c, credit!c#2] }}\n"
    );
    let (_, differences) = played(&scenario).remove(0);
    assert_eq!(differences, []);
}

#[test]
fn an_operator_may_act() {
    let scenario = format!(
        "  - name: cancelled\n    {START}\n    replies: {{ credit: {{ outcome: ok, after: 20s }} }}\n    acts: [{{ after: 1s, act: {{ cancel: {{ reason: changed my mind }} }} }}]\n    expect: {{ status: compensated, commands: [credit, credit!c] }}\n"
    );
    let (_, differences) = played(&scenario).remove(0);
    assert_eq!(differences, []);
}

#[test]
fn mistakes_name_their_place() {
    let text = "definition: order.yaml\nscenarios:\n  - { name: a, start: {}, expekt: {} }\n";
    let error = parse("x", text).unwrap_err().to_string();
    assert!(error.contains("scenario 1 `a`"), "{error}");
    assert!(error.contains("expekt"), "{error}");
    let text = "definition: a\nscenarios:\n  - { name: a, start: {}, replies: { b: { outcome: ok, after: soon } }, expect: {} }\n";
    let error = parse("x", text).unwrap_err().to_string();
    assert!(
        error.contains("reply to `b`: `soon` is no duration"),
        "{error}"
    );
    assert!(matches!(parse("x", "a: [").unwrap_err(), Error::Yaml(_)));
}
