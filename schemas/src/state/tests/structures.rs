//! Golden documents with everything that structures of the language leave in an instance.

use saga_lib::input::Awaited;
use saga_lib::instance::{Caught, Early, Frame, FrameKind, Level, Mode};
use saga_lib::ir::Directive;
use serde_json::json;

use super::*;

/// Written by the first release that has structures; never changed.
const GOLDEN_M: &[u8] = include_bytes!("../../../tests/golden/state-1M-structures.bin");
const GOLDEN_J: &[u8] = include_bytes!("../../../tests/golden/state-1J-structures.json");

/// One frame of each kind, in every mode, and what lies in them.
fn structured() -> Instance {
    let mut instance = instance();
    instance.status = Status::Suspended;
    instance.suspended = Some(Status::Parked);
    instance.frames = frames();
    instance.frames_opened = 12;
    instance.tokens = vec![token(10)];
    instance.obligations = vec![Obligation {
        suffix: "[2].3".to_owned(),
        lineage: vec![level(1, 0), level(2, 1)],
        state: ObligationState::Due,
        ..obligation()
    }];
    instance.floors = [("credit".to_owned(), 2)].into();
    instance.deadline_ms = Some(1_700_000_900_000);
    instance.warning_ms = Some(1_700_000_800_000);
    instance.outcome = Some("rejected".to_owned());
    instance.events = vec!["/logistics e-1".to_owned()];
    instance.early = vec![Early {
        event: Awaited {
            key: "ORD 42".to_owned(),
            topic: "logistics".to_owned(),
            r#type: Some("Delivered".to_owned()),
            event: "/logistics e-2".to_owned(),
            payload: json!({ "parcels": 2 }),
        },
        id: "/logistics e-2".to_owned(),
        at_ms: 1_700_000_004_000,
    }];
    instance
}

fn frames() -> Vec<Frame> {
    let unwinding = Mode::Unwinding {
        outcome: "compensated".to_owned(),
        error: json!({ "code": "E1" }),
    };
    let ending = Mode::Ending {
        outcome: "timeout".to_owned(),
    };
    let iterate = FrameKind::Iterate {
        items: vec![json!(1), json!({ "a": 2 })],
        begun: 2,
        done: 1,
        kept: [(0, json!("L-1"))].into(),
    };
    let round = FrameKind::Round {
        index: 1,
        parallel: true,
        element: true,
    };
    let caught = Caught {
        then: Directive::Retry,
        held: Some(token(6)),
        answer: None,
    };
    let fork = FrameKind::Fork {
        arrived: 1,
        joined: true,
    };
    vec![
        frame(1, 0, fork, Mode::Forward),
        frame(2, 1, FrameKind::Branch { index: 1 }, unwinding),
        frame(3, 0, iterate, Mode::Forward),
        frame(4, 3, round, Mode::Forward),
        frame(5, 4, FrameKind::Scope { local: true }, ending),
        frame(6, 5, FrameKind::Catch(Box::new(caught)), Mode::Forward),
        frame(7, 0, FrameKind::Retreat, Mode::Forward),
        frame(8, 0, FrameKind::Query(Box::new(token(8))), Mode::Forward),
    ]
}

fn frame(id: u32, parent: u32, kind: FrameKind, mode: Mode) -> Frame {
    Frame {
        id,
        parent,
        node: id,
        kind,
        mode,
        data: [("item".to_owned(), json!(id))].into(),
        due_ms: Some(1_700_000_100_000),
        sla_ms: Some(1_700_000_090_000),
    }
}

fn token(frame: u32) -> Token {
    Token {
        node: 2,
        frame,
        execution: 2,
        pending: Some(pending(1)),
        due_ms: Some(1_700_000_200_000),
        sla_ms: Some(1_700_000_150_000),
        caught: 0,
    }
}

fn level(frame: u32, group: u32) -> Level {
    Level { frame, group }
}

#[test]
fn structures_of_layout_1_are_read_and_written_as_before() {
    assert_eq!(decode(GOLDEN_M), Ok(structured()));
    assert_eq!(decode(GOLDEN_J), Ok(structured()));
    assert_eq!(encode(&structured(), Codec::MessagePack).unwrap(), GOLDEN_M);
    assert_eq!(encode(&structured(), Codec::Json).unwrap(), GOLDEN_J);
}

/// A field that older documents do not have.
#[test]
fn a_token_remembers_the_catch_it_was_tried_again_in() {
    let mut instance = structured();
    instance.tokens[0].caught = 3;
    for codec in [Codec::MessagePack, Codec::Json] {
        let document = encode(&instance, codec).unwrap();
        assert_eq!(decode(&document), Ok(instance.clone()));
    }
}
