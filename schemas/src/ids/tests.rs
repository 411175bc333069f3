use proptest::prelude::*;
use saga_lib::id;

use super::*;

fn saga() -> impl Strategy<Value = SagaId> {
    (
        "[A-Za-z0-9_-]{1,12}",
        "\\PC{1,16}",
        proptest::option::of(".{1,20}"),
    )
        .prop_map(|(definition, key, trigger)| match trigger {
            None => SagaId::new(&definition, &key).unwrap(),
            Some(trigger) => SagaId::occurrence(&definition, &key, &trigger).unwrap(),
        })
}

fn command() -> impl Strategy<Value = CommandId> {
    let path = "[a-z][a-z0-9_-]{0,8}(\\[[0-9]{1,3}\\]|\\.[0-9]{1,3}){0,2}";
    (saga(), path, 1..50u32, proptest::option::of(1..9u32)).prop_map(
        |(saga, path, execution, compensation)| CommandId {
            saga,
            path,
            execution,
            compensation,
        },
    )
}

proptest! {
    #[test]
    fn a_saga_id_comes_back_with_its_key(definition in "[A-Za-z0-9_-]{1,12}", key in "\\PC{1,16}") {
        let id = SagaId::new(&definition, &key).unwrap();
        let read = SagaId::parse(id.as_str()).unwrap();
        prop_assert_eq!(&read, &id);
        prop_assert_eq!(read.definition(), definition);
        prop_assert_eq!(read.key(), key);
    }

    #[test]
    fn a_command_id_comes_back(id in command()) {
        prop_assert_eq!(CommandId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn what_parses_is_written_the_same(text in "[a-z]{1,3}/[a-z%0-9~]{1,24}/[a-z#!\\[\\].0-9]{1,12}") {
        if let Ok(id) = CommandId::parse(&text) {
            // The first execution and compensation are not written, so there is one spelling of an id.
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,64}") {
        let _ = SagaId::parse(&text);
        let _ = CommandId::parse(&text);
    }
}

#[test]
fn the_examples_of_the_grammar_parse() {
    for text in [
        "order/ORD-42/credit",
        "order/ORD-42/credit!c",
        "order/a%2Fb/pay#2!c#3",
    ] {
        assert_eq!(CommandId::parse(text).unwrap().to_string(), text);
    }
    let id = CommandId::parse("order/x~0123456789abcdef/each[12].3").unwrap();
    assert_eq!(
        (id.saga.key().as_str(), id.path.as_str()),
        ("x", "each[12].3")
    );
}

#[test]
fn what_is_outside_the_grammar_is_refused() {
    for text in [
        "order",
        "/x",
        "order/",
        "order/a b",
        "order/%41",
        "order/a%2f",
        "order/x~0",
        "ör/x",
    ] {
        assert!(SagaId::parse(text).is_err(), "{text}");
    }
    for text in [
        "order/x/",
        "order/x/a#1",
        "order/x/a#02",
        "order/x/a!d",
        "order/x/a!c#1",
        "order/x/[1]",
    ] {
        assert!(CommandId::parse(text).is_err(), "{text}");
    }
}

#[test]
fn an_id_ends_at_its_limit() {
    let longest = "k".repeat(ID_BYTES_MAX - 2);
    assert_eq!(
        SagaId::new("d", &longest).unwrap().as_str().len(),
        ID_BYTES_MAX
    );
    let error = SagaId::new("d", &format!("{longest}k"));
    assert_eq!(
        error,
        Err(id::Error::TooLong {
            bytes: ID_BYTES_MAX + 1
        })
    );
}

#[test]
fn a_text_must_be_short_and_printable() {
    assert_eq!(check_text("key", "ORD-42 ü"), Ok(()));
    assert!(matches!(check_text("key", ""), Err(Error::Empty { .. })));
    let error = check_text("key", &"x".repeat(257)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "key has 257 bytes, more than 256: use a shorter one"
    );
    let error = check_text("key", "a\nb").unwrap_err();
    assert_eq!(
        error.to_string(),
        "key has the control character U+000A at byte 1: remove it"
    );
}
