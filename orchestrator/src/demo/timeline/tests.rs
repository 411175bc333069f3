//! Timelines of facts as the history carries them.

use serde_json::{Value, json};

use super::*;

/// A fact of `order/1`: time, kind and summary of the input, answered command, notes, and (command, attempt) sent.
fn fact(at_ms: i64, input: (&str, &str, &str), notes: Value, sent: &[(&str, u32)]) -> Fact {
    let (kind, summary, command) = input;
    let mut input = json!({ "id": "x", "kind": kind, "summary": summary });
    if !command.is_empty() {
        input["command"] = json!(command);
    }
    let send = |(id, attempt): &(&str, u32)| json!({ "id": id, "attempt": attempt, "topic": "stock-1f.commands", "type": "do" });
    let commands: Vec<Value> = sent.iter().map(send).collect();
    let value = json!({
        "saga": "order/1", "input": input, "applied": "changed", "notes": notes,
        "commands": commands, "lane": 0, "offset": 0, "time_ms": at_ms,
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn every_attempt_gets_a_line_with_its_outcome() {
    let back = json!([{ "note": "compensation_started", "cause": "b" }]);
    let end = json!([{ "note": "finished", "status": "compensated" }]);
    let started = json!([{ "note": "started" }]);
    let facts = [
        fact(100, ("event", "Placed", ""), started, &[("order/1/a", 1)]),
        fact(500, ("timer", "1", ""), json!([]), &[("order/1/a", 2)]),
        fact(
            509,
            ("reply", "ok", "order/1/a"),
            json!([]),
            &[("order/1/b", 1)],
        ),
        fact(
            519,
            ("reply", "refused (no)", "order/1/b"),
            back,
            &[("order/1/a!c", 1)],
        ),
        fact(520, ("reply", "ok", "order/1/a!c"), end, &[]),
    ];
    let expected = "\
Timeline of order/1

      TIME  STEP  COMMAND   ATTEMPT  OUTCOME
     +0 ms  ▶ started by Placed
     +0 ms  a     stock.do        1  no answer in 400 ms
   +400 ms  a     stock.do        2  succeeded after 9 ms
   +409 ms  b     stock.do        1  refused (no) after 10 ms
   +419 ms  ◀ turned back because of b: compensation in reverse order
   +419 ms  a     stock.do        1  compensated after 1 ms
   +420 ms  ■ compensated";
    assert_eq!(text(&facts, Paint { on: false }), expected);
}

#[test]
fn nothing_is_said_of_nothing() {
    assert_eq!(text(&[], Paint { on: true }), "");
}
