use proptest::prelude::*;
use saga_lib::ir::{Finally, Kind, LAYOUT, Node, Template, Variable};
use serde_json::json;

use crate::record::Outgoing;
use crate::topics::Topics;

use super::*;

fn topics() -> Topics {
    Topics::new("shop").unwrap()
}

pub(crate) fn definition() -> Definition {
    let init = json!([0.1, 2.0, 1e300, 9_007_199_254_740_993_i64, "ü"]);
    Definition {
        layout: LAYOUT,
        name: "order".to_owned(),
        version: 3,
        starts: Vec::new(),
        data: vec![Variable {
            name: "x".to_owned(),
            r#type: None,
            init: Template::Literal(init),
        }],
        nodes: vec![Node::new(
            "end",
            Kind::End {
                outcome: "completed".to_owned(),
            },
        )],
        finally: Finally::default(),
        retain_ms: 3_600_000,
        deadline: None,
        measure: Default::default(),
        avro: Vec::new(),
    }
}

fn bundle() -> Bundle {
    let used = Used {
        file: "contracts/sales.yaml".to_owned(),
        text: "contract: sales\n".to_owned(),
    };
    Bundle::new(definition(), "saga: order\n", "order.yaml").using(vec![used])
}

fn read(out: Outgoing) -> Result<Entry, Error> {
    assert_eq!(
        (out.topic.as_str(), out.partition),
        ("shop.definitions", Some(0))
    );
    decode(&out.received(0, 5, 1))
}

fn altered(change: impl Fn(String) -> String) -> Result<Entry, Error> {
    let mut out = encode_bundle(&topics(), &bundle());
    let value = String::from_utf8(out.value.unwrap()).unwrap();
    out.value = Some(change(value).into_bytes());
    read(out)
}

#[test]
fn a_bundle_comes_back_under_its_hash() {
    let out = encode_bundle(&topics(), &bundle());
    let key = format!("#{}", definition().hash());
    assert_eq!(out.key.as_deref(), Some(key.as_bytes()));
    assert_eq!(read(out), Ok(Entry::Bundle(Box::new(bundle()))));
}

#[test]
fn schema_ids_come_back_and_are_no_part_of_the_hash() {
    let id = SchemaId {
        topic: "credit.commands".to_owned(),
        r#type: "Reserve".to_owned(),
        subject: "credit.commands-shop.Reserve".to_owned(),
        id: 7,
    };
    let with = bundle().sending(vec![id]);
    let out = encode_bundle(&topics(), &with);
    assert_eq!(out.key, encode_bundle(&topics(), &bundle()).key);
    assert_eq!(read(out), Ok(Entry::Bundle(Box::new(with))));
    // A bundle without them has the bytes it always had.
    let value = encode_bundle(&topics(), &bundle()).value.unwrap();
    assert!(!String::from_utf8(value).unwrap().contains("ids"));
}

#[test]
fn a_definition_that_was_read_has_the_hash_it_was_stored_under() {
    let Ok(Entry::Bundle(read)) = read(encode_bundle(&topics(), &bundle())) else {
        panic!()
    };
    assert_eq!(read.ir.hash(), read.hash);
}

#[test]
fn an_altered_bundle_is_refused() {
    let error = altered(|value| value.replace("completed", "completes")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the record was altered, deploy again"),
        "{error}"
    );
}

#[test]
fn another_layout_is_an_error_of_its_own() {
    let ir = r#"{"layout":2,"later":true}"#;
    let mut out = encode_bundle(&topics(), &bundle());
    out.key = Some(format!("#{}", hash(ir)).into_bytes());
    out.value = Some(
        json!({"ir": ir, "source": "", "file": ""})
            .to_string()
            .into_bytes(),
    );
    assert!(matches!(read(out), Err(Error::Layout { layout: 2, .. })));
}

#[test]
fn every_entry_comes_back() {
    let active = Active {
        version: 3,
        hash: "h".to_owned(),
        activated_ms: 5,
    };
    let installation = Installation {
        uuid: "u".to_owned(),
        lanes: 4,
    };
    let source = Partition::new("a.b-c", 7);
    let name = "order".to_owned();
    assert_eq!(
        read(encode_version(&topics(), "order", 3, "h")),
        Ok(Entry::Version {
            name: name.clone(),
            version: 3,
            hash: "h".to_owned()
        })
    );
    assert_eq!(
        read(encode_active(&topics(), "order", &active)),
        Ok(Entry::Active { name, active })
    );
    assert_eq!(
        read(encode_installation(&topics(), &installation)),
        Ok(Entry::Installation(installation))
    );
    assert_eq!(
        read(encode_source(&topics(), &source)),
        Ok(Entry::Source(source))
    );
    assert_eq!(
        read(encode_removed(&topics(), "order@3")),
        Ok(Entry::Removed {
            key: "order@3".to_owned()
        })
    );
}

#[test]
fn a_definition_may_be_called_like_a_hash() {
    let active = Active {
        version: 1,
        hash: "h".to_owned(),
        activated_ms: 5,
    };
    let out = encode_active(&topics(), "0123456789abcdef", &active);
    assert!(matches!(read(out), Ok(Entry::Active { .. })));
}

#[test]
fn keys_of_a_newer_release_are_not_errors() {
    for key in [
        "@lane/3",
        "order@03",
        "order@",
        "@source/x",
        "#short",
        "a b",
    ] {
        let mut out = encode_source(&topics(), &Partition::new("t", 0));
        out.key = Some(key.as_bytes().to_vec());
        assert_eq!(
            read(out),
            Ok(Entry::Unknown {
                key: key.to_owned()
            })
        );
    }
}

#[test]
fn references_come_back_and_nothing_else_is_one() {
    let text = format!("order@3#{}", definition().hash());
    assert_eq!(bundle().reference().to_string(), text);
    assert_eq!(text.parse(), Ok(bundle().reference()));
    for text in [
        "order",
        "order@3",
        "order@0#0123456789abcdef",
        "order@3#xyz",
        "@3#0123456789abcdef",
    ] {
        assert!(text.parse::<Reference>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_record_makes_it_panic(
        key in "(#[0-9a-f]{16}|@installation|@source/.{0,6}|[a-z]{1,3}(@[0-9]{1,2})?|.{0,8})",
        value in proptest::collection::vec(any::<u8>(), 0..48),
    ) {
        let mut out = encode_removed(&topics(), &key);
        out.value = Some(value);
        let _ = read(out);
    }
}
