use saga_lib::input::{Event, Reply, Signal};
use serde_json::json;

use super::*;

fn saga() -> SagaId {
    SagaId::new("order", "ORD-42").unwrap()
}

fn reply() -> Kind {
    Kind::Reply(Reply {
        command: CommandId::forward(&saga(), "pay", 1),
        outcome: "refused".to_owned(),
        r#type: None,
        attempt: Some(2),
        payload: json!({"iban": "secret"}),
        code: Some("E1".to_owned()),
        reason: Some("secret".to_owned()),
    })
}

fn fact() -> Fact {
    Fact {
        saga: saga(),
        definition: Some("order@1#0123456789abcdef".to_owned()),
        input: InputSummary::of("r-1", &reply()),
        applied: Verdict::Changed,
        reason: None,
        status_before: Some(Status::Running),
        status_after: Some(Status::Compensating),
        revision_before: Some(3),
        revision_after: Some(4),
        commands: vec![SentCommand {
            id: CommandId::forward(&saga(), "credit", 1).compensated_by(1),
            attempt: 1,
            topic: "credit.commands".to_owned(),
            r#type: "release".to_owned(),
        }],
        notes: vec![Note::CompensationStarted {
            cause: "pay".to_owned(),
        }],
        lane: 2,
        offset: 17,
        index: 0,
        time_ms: 1_000,
    }
}

fn encoded(fact: &Fact) -> Received {
    encode(&Topics::new("shop").unwrap(), 2, fact).received(2, 5, 2_000)
}

#[test]
fn a_fact_comes_back() {
    assert_eq!(decode(&encoded(&fact())), Ok(fact()));
}

#[test]
fn a_fact_is_a_cloud_event_with_a_repeatable_id() {
    let record = encoded(&fact());
    assert_eq!(record.headers.text("ce_id"), Some("shop.inbox/2/17"));
    assert_eq!(record.headers.text("ce_type"), Some("skald.fact"));
    assert_eq!(record.headers.text("ce_causationid"), Some("r-1"));
    assert_eq!(
        record.headers.text("ce_correlationid"),
        Some("order/ORD-42")
    );
    assert_eq!(record.key.as_deref(), Some(b"order/ORD-42".as_slice()));
    let second = encoded(&Fact { index: 1, ..fact() });
    assert_eq!(second.headers.text("ce_id"), Some("shop.inbox/2/17/1"));
}

#[test]
fn payloads_and_free_texts_of_inputs_stay_out() {
    let value = encoded(&fact()).value.unwrap();
    assert!(!String::from_utf8(value).unwrap().contains("secret"));
}

#[test]
fn summaries_say_what_came_in() {
    let event = Kind::Event(Event {
        bind: "order".to_owned(),
        key: "k".to_owned(),
        r#type: Some("OrderPlaced".to_owned()),
        trigger: "t".to_owned(),
        payload: json!(1),
    });
    let signal = Kind::Signal(Signal {
        id: "s".to_owned(),
        actor: "ana".to_owned(),
        if_revision: None,
        act: Act::Retry,
    });
    let cases = [
        (reply(), "reply", "refused (E1)"),
        (event, "event", "OrderPlaced"),
        (signal, "signal", "retry by ana"),
        (Kind::TimerFired { arm: 3 }, "timer", "3"),
        (Kind::Expire { arm: 4 }, "expire", "4"),
    ];
    for (kind, word, text) in cases {
        let summary = InputSummary::of("i", &kind);
        assert_eq!(
            (summary.kind.as_str(), summary.summary.as_str()),
            (word, text)
        );
    }
}

#[test]
fn verdicts_carry_their_reason() {
    assert_eq!(Verdict::of(&Applied::Changed), (Verdict::Changed, None));
    let late = Applied::Ignored(Reason::Late);
    assert_eq!(
        Verdict::of(&late),
        (Verdict::Ignored, Some("late".to_owned()))
    );
    let rejected = Applied::Rejected("past the pivot".to_owned());
    assert_eq!(
        Verdict::of(&rejected),
        (Verdict::Rejected, Some("past the pivot".to_owned()))
    );
}

#[test]
fn what_is_no_fact_is_refused_with_its_place() {
    let mut record = encoded(&fact());
    record.value = Some(b"{}".to_vec());
    let error = decode(&record).unwrap_err().to_string();
    assert!(
        error.starts_with("history record shop.history/2/5: missing field"),
        "{error}"
    );
    record.value = None;
    assert!(matches!(decode(&record), Err(Error::Empty { .. })));
}
