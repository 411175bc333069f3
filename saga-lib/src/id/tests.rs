//! Tests of the grammar: what is written is read back, and nothing else is read.

use proptest::prelude::*;

use super::{CommandId, Error, ID_BYTES_MAX, SagaId};

#[test]
fn keys_are_encoded_outside_the_plain_characters() {
    let id = SagaId::new("order", "a/b c~#!ü.x_y-Z").unwrap();
    assert_eq!(id.as_str(), "order/a%2Fb%20c%7E%23%21%C3%BC.x_y-Z");
    assert_eq!(id.key(), "a/b c~#!ü.x_y-Z");
    assert_eq!(id.definition(), "order");
}

#[test]
fn an_occurrence_carries_the_hash_of_its_trigger() {
    let id = SagaId::occurrence("order", "K", "source/1").unwrap();
    let (base, hash) = id.as_str().split_once('~').unwrap();
    assert_eq!((base, hash.len()), ("order/K", 16));
    assert_eq!(id.key(), "K");
    assert_eq!(SagaId::parse(id.as_str()), Ok(id.clone()));
    assert_ne!(SagaId::occurrence("order", "K", "source/2").unwrap(), id);
}

#[test]
fn empty_and_long_keys_have_no_id() {
    assert_eq!(SagaId::new("order", ""), Err(Error::Empty));
    assert!(SagaId::new("order", &"k".repeat(ID_BYTES_MAX - 6)).is_ok());
    let bytes = ID_BYTES_MAX + 1;
    let long = SagaId::new("order", &"k".repeat(ID_BYTES_MAX - 5));
    assert_eq!(long, Err(Error::TooLong { bytes }));
}

#[test]
fn command_ids_say_step_execution_and_direction() {
    let saga = SagaId::new("order", "42").unwrap();
    let first = CommandId::forward(&saga, "credit", 1);
    assert_eq!(first.to_string(), "order/42/credit");
    assert_eq!(first.compensated_by(1).to_string(), "order/42/credit!c");
    assert_eq!(first.compensated_by(2).to_string(), "order/42/credit!c#2");
    let third = CommandId::forward(&saga, "item[2].3", 3);
    assert_eq!(third.to_string(), "order/42/item[2].3#3");
    assert_eq!(
        third.compensated_by(4).to_string(),
        "order/42/item[2].3#3!c#4"
    );
    assert_eq!(third.compensated_by(4).forward_id(), third);
}

#[test]
fn other_texts_are_not_ids() {
    for text in [
        "",
        "order",
        "order/",
        "/k",
        "or der/k",
        "order/k~",
        "order/k~123",
        "order/k~00000000000000AB",
        "order/%2f",
        "order/%41",
        "order/%",
        "order/%+1",
        "order/a b",
        "order/%FF",
    ] {
        assert!(SagaId::parse(text).is_err(), "{text}");
    }
    for text in [
        "order/k",
        "order/k/",
        "order/k/a#1",
        "order/k/a#02",
        "order/k/a#+2",
        "order/k/a#",
        "order/k/a!c#1",
        "order/k/a!cc",
        "order/k/a!",
        "order/k/a!c!c",
        "order/k/a#2#3",
        "order/k/a b",
        "order/k/[1]",
        "/k/a",
        "order/k/a[",
        "order/k/a[]",
        "order/k/a.",
        "order/k/a]1[",
        "order/k/a[1",
        "order/k/a#99999999999",
    ] {
        assert!(CommandId::parse(text).is_err(), "{text}");
    }
}

#[test]
fn ids_are_texts_in_json() {
    let id = CommandId::parse("order/42/credit#2!c").unwrap();
    let text = serde_json::to_string(&id).unwrap();
    assert_eq!(text, "\"order/42/credit#2!c\"");
    assert_eq!(serde_json::from_str::<CommandId>(&text).unwrap(), id);
    assert!(serde_json::from_str::<CommandId>("\"nothing\"").is_err());
}

proptest! {
    #[test]
    fn ids_are_read_back(
        key in "\\PC{1,20}",
        step in "[A-Za-z0-9_-]{1,12}(\\[[0-9]{1,3}\\])?(\\.[0-9]{1,3})?",
        execution in 1u32..,
        compensation in proptest::option::of(1u32..),
    ) {
        let saga = SagaId::new("order", &key).unwrap();
        prop_assert_eq!(saga.key(), key);
        prop_assert_eq!(SagaId::parse(saga.as_str()), Ok(saga.clone()));
        let mut id = CommandId::forward(&saga, &step, execution);
        id.compensation = compensation;
        prop_assert_eq!(CommandId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn what_is_read_is_written_the_same(text in "[a-z]{1,3}/[a-z%0-9~]{1,6}/[a-z0-9\\[\\].#!c]{1,10}") {
        if let Ok(id) = CommandId::parse(&text) {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}
