//! What the explorer of `skald check` finds: each planted bug of the transition is a story on a small definition, and nothing is found
//! without it.

use saga_lib::check::{self, CounterExample, Limits};
use saga_lib::definition;
use saga_lib::ir::Definition;
use saga_lib::mutant::{self, Mutant};
use saga_lib::scenario;

/// Two reservations and a payment.
const ORDER: &str = "\
saga: order
version: 1
start: { topic: orders, type: OrderPlaced, as: order, key: order.id }
steps:
  - id: credit
    command: credit.reserve
    with: { amount: =order.total }
    compensate: credit.release
  - id: stock
    command: stock.allocate
    with: { order: =order.id }
    compensate: stock.release
    retry: none
  - id: payment
    command: payment.capture
    with: { amount: =order.total }
    pivot: true
";

/// Two bookings at the same time.
const TRIP: &str = "\
saga: trip
version: 1
start: { topic: trips, type: TripAsked, as: trip, key: trip.id }
steps:
  - id: both
    parallel:
      air:
        - id: flight
          command: flight.book
          compensate: flight.cancel
      bed:
        - id: bath
          command: hotel.book
          compensate: hotel.cancel
        - id: meal
          command: meal.book
          compensate: meal.cancel
";

fn compiled(source: &str) -> Definition {
    definition::compile("case.yaml", source).unwrap_or_else(|e| panic!("{e:#?}"))
}

fn found(source: &str) -> Option<CounterExample> {
    check::explore(&compiled(source), Limits::USUAL).broken
}

/// Without the bug everything is explored and holds; with it the law is broken. The story is saved, and plays as it was told.
fn shows(source: &str, bug: Mutant, law: &str, faults: usize) {
    let report = check::explore(&compiled(source), Limits::USUAL);
    assert!(report.is_exhaustive(Limits::USUAL), "{report:#?}");
    mutant::with(bug, || {
        let example = found(source).unwrap_or_else(|| panic!("{bug:?} is not found"));
        println!("{bug:?}: {}\n{}\n", example.law, example.story.join("\n"));
        assert!(example.law.contains(law), "{example:#?}");
        let fewer = Limits {
            faults: faults as u32 - 1,
            ..Limits::USUAL
        };
        assert!(check::explore(&compiled(source), fewer).broken.is_none());
        let saved = check::save(&compiled(source), "case.yaml", &example);
        println!("{}", saved.text);
        assert!(saved.faithful, "{}", saved.text);
        plays(source, &saved.text);
    });
}

fn plays(source: &str, text: &str) {
    let file = scenario::parse("case.test.yaml", text).expect("a scenario file");
    for one in &file.scenarios {
        let play = scenario::play(&compiled(source), one).expect("a key");
        assert_eq!(scenario::judge(&one.expect, &play), [], "{text}");
    }
}

#[test]
fn an_unknown_step_left_uncompensated() {
    let law = "`stock`, which nobody answered for, may have its effect";
    shows(ORDER, Mutant::A1UnknownOwesNothing, law, 1);
}

#[test]
fn a_late_success_after_its_compensation() {
    shows(
        ORDER,
        Mutant::LateSuccessIgnored,
        "it is compensated, but `",
        2,
    );
}

#[test]
fn a_reply_after_the_end() {
    shows(ORDER, Mutant::NoTombstone, "it is compensated, but `", 2);
}

#[test]
fn a_compensation_that_overtakes_its_command() {
    shows(
        TRIP,
        Mutant::CompensationOvertakes,
        "overtakes its command",
        1,
    );
}

#[test]
fn a_refusal_and_a_timeout_in_one_batch() {
    let law = "the compensation of `credit` begins before that of `stock` is confirmed";
    shows(ORDER, Mutant::RefusalClosesCompensation, law, 2);
}

#[test]
fn a_program_that_never_rests_is_told_by_its_place() {
    let source = "\
saga: spin
version: 1
start: { topic: t, type: T, as: t, key: t.id }
data:
  n: { type: number, init: 0 }
steps:
  - id: spin
    loop:
      - id: inner
        loop:
          - id: more
            set: { n: =n + 1 }
        until: n > 1000000
        max: 1000
        catch: { exhausted: continue }
    until: n > 2000000
    max: 100
";
    let example = found(source).expect("a counter-example");
    assert!(example.law.contains("parked (program)"), "{example:#?}");
    assert!(
        example.story[0].contains("`n > 1000000` is false"),
        "{example:#?}"
    );
}
