//! Limits of what an instance may become.

use saga_lib::definition;
use saga_lib::id::{CommandId, SagaId};
use saga_lib::input::{Act, Event, Input, Kind, Reply, Signal};
use saga_lib::instance::{IncidentKind, Instance, Status};
use saga_lib::ir::Definition;
use saga_lib::transition::{self, Applied, HISTORY_MAX};
use schemas::state;
use serde_json::json;

const TWO_STEPS: &str = "
saga: s
version: 1
start: { topic: t, as: o, key: o.id }
steps:
  - { id: one, command: a.do, compensate: a.undo, with: {} }
  - { id: two, command: a.do, compensate: a.undo, with: {} }
";

/// Wraps a value in a list, round after round.
const WRAPS: &str = "
saga: s
version: 1
start: { topic: t, as: o, key: o.id }
data: { x: { type: list, init: [] } }
steps:
  - id: again
    loop:
      - set: { x: '=[x]' }
    until: size(x) > 1
    max: 1000
";

fn compile(source: &str) -> Definition {
    definition::compile("s.yaml", source).unwrap_or_else(|found| {
        panic!(
            "{}",
            found
                .iter()
                .map(|d| d.message.clone())
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

fn apply(
    definition: &Definition,
    instance: &mut Option<Instance>,
    id: &str,
    kind: Kind,
) -> Applied {
    let input = Input {
        id: id.to_owned(),
        time_ms: 1_700_000_000_000,
        kind,
    };
    transition::apply(definition, instance, &input, &mut Vec::new())
}

fn begun(definition: &Definition) -> Option<Instance> {
    let event = Event {
        bind: "o".to_owned(),
        key: "K".to_owned(),
        r#type: None,
        trigger: "t/0/1".to_owned(),
        payload: json!({ "id": "K" }),
    };
    let mut instance = None;
    apply(definition, &mut instance, "t/0/1", Kind::Event(event));
    instance
}

fn reply(step: &str) -> Kind {
    let saga = SagaId::new("s", "K").expect("an id");
    Kind::Reply(Reply {
        command: CommandId::forward(&saga, step, 1),
        outcome: "ok".to_owned(),
        r#type: None,
        attempt: None,
        code: None,
        reason: None,
        payload: json!({}),
    })
}

#[test]
fn a_saga_that_goes_on_for_ever_is_parked_and_loses_nothing() {
    let definition = compile(TWO_STEPS);
    let mut instance = begun(&definition);
    instance.as_mut().expect("begun").revision = HISTORY_MAX;
    assert_eq!(
        apply(&definition, &mut instance, "r/1", reply("one")),
        Applied::Changed
    );
    let parked = instance.as_ref().expect("kept");
    let incident = parked.incident.as_ref().expect("an incident");
    assert_eq!(
        (parked.status, incident.kind),
        (Status::Parked, IncidentKind::Program)
    );
    assert!(
        incident.detail.starts_with("25000 inputs were applied"),
        "{}",
        incident.detail
    );
    // The reply that came then is not lost, and the saga has as many inputs again.
    let retry = Signal {
        id: "s/1".to_owned(),
        actor: "ann".to_owned(),
        if_revision: None,
        act: Act::Retry,
    };
    apply(&definition, &mut instance, "s/1", Kind::Signal(retry));
    assert_eq!(instance.as_ref().expect("kept").status, Status::Running);
    apply(&definition, &mut instance, "r/2", reply("two"));
    assert_eq!(instance.expect("kept").status, Status::Completed);
}

#[test]
fn a_value_that_is_wrapped_again_and_again_stays_readable() {
    let definition = compile(WRAPS);
    let instance = begun(&definition).expect("an instance");
    assert_eq!(instance.status, Status::Parked);
    let detail = &instance.incident.as_ref().expect("an incident").detail;
    assert!(detail.contains("nests deeper than 64 levels"), "{detail}");
    for codec in [state::Codec::MessagePack, state::Codec::Json] {
        let document = state::encode(&instance, codec).expect("it is written");
        assert_eq!(state::decode(&document).as_ref(), Ok(&instance));
    }
}
