//! Any schema, any value: there and back, with `apache-avro` as judge; and any bytes at all.

use proptest::prelude::*;
use serde_json::json;

use crate::json;

use super::*;

/// A schema and a value of it, as it reads back.
fn typed() -> BoxedStrategy<(Value, Value)> {
    plain()
        .prop_recursive(4, 24, 4, |inner| {
            let pair = (inner.clone(), proptest::collection::vec(any::<u8>(), 0..4));
            prop_oneof![
                pair.clone().prop_map(|((of, value), copies)| {
                    let list = vec![value; copies.len()];
                    (json!({"type": "array", "items": of}), json!(list))
                }),
                pair.prop_map(|((of, value), keys)| {
                    let entry = |key: &u8| (format!("k{key}"), value.clone());
                    let map: Map = keys.iter().map(entry).collect();
                    (json!({"type": "map", "values": of}), Value::Object(map))
                }),
                inner
                    .clone()
                    .prop_map(|(of, value)| match of.is_array() || of == "null" {
                        true => (of, value),
                        false => (json!(["null", of]), value),
                    }),
                proptest::collection::vec(inner, 0..4).prop_map(record),
            ]
        })
        .boxed()
}

type Map = serde_json::Map<String, Value>;

fn record(parts: Vec<(Value, Value)>) -> (Value, Value) {
    let (mut fields, mut values) = (Vec::new(), Map::new());
    for (number, (of, value)) in parts.into_iter().enumerate() {
        fields.push(json!({"name": format!("f{number}"), "type": of}));
        values.insert(format!("f{number}"), value);
    }
    (
        json!({"type": "record", "name": "", "fields": fields}),
        Value::Object(values),
    )
}

fn plain() -> BoxedStrategy<(Value, Value)> {
    let of = |name: &str| Just(json!(name));
    let logical = |r#type: &str, name: &str| Just(json!({"type": r#type, "logicalType": name}));
    let stamps = -62_135_596_800_000_i64..253_402_300_799_999;
    prop_oneof![
        (of("null"), Just(Value::Null)),
        (of("boolean"), any::<bool>().prop_map(Value::from)),
        (of("int"), any::<i32>().prop_map(Value::from)),
        (of("long"), any::<i64>().prop_map(json::whole)),
        (
            of("double"),
            any::<f64>()
                .prop_filter("JSON", |n| n.is_finite())
                .prop_map(Value::from)
        ),
        (
            of("float"),
            any::<i16>().prop_map(|n| json!(f64::from(n) / 4.0))
        ),
        (of("string"), "[^\0]{0,12}".prop_map(Value::from)),
        (of("bytes"), binary(0..9)),
        (
            Just(json!({"type": "fixed", "name": "", "size": 5})),
            binary(5..6)
        ),
        (
            Just(json!({"type": "enum", "name": "", "symbols": ["A", "B"]})),
            "[AB]".prop_map(Value::from)
        ),
        (
            Just(json!({"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 7})),
            any::<i128>()
                .prop_map(|n| json::decimal_or_whole(&decimal::text(&n.to_be_bytes(), 7).unwrap()))
        ),
        (
            logical("long", "timestamp-millis"),
            stamps.prop_map(|ms| json!(crate::time::rfc3339(ms)))
        ),
        (
            logical("long", "time-micros"),
            (0..86_400_000_000_i64)
                .prop_map(|n| json!(time::clock_text(n, schema::Unit::Micro).unwrap()))
        ),
        (
            logical("int", "date"),
            (-700_000..2_900_000_i32).prop_map(|d| json!(time::date_text(d).unwrap()))
        ),
    ]
    .boxed()
}

fn binary(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Value> {
    use base64::Engine as _;
    let encode = |bytes: Vec<u8>| json!(base64::engine::general_purpose::STANDARD.encode(bytes));
    proptest::collection::vec(any::<u8>(), sizes).prop_map(encode)
}

/// Gives every named type a name of its own.
fn named(schema: &mut Value, next: &mut usize) {
    match schema {
        Value::Array(branches) => branches.iter_mut().for_each(|b| named(b, next)),
        Value::Object(object) => {
            if object.get("name").is_some_and(|name| name == "") {
                *next += 1;
                object.insert("name".to_owned(), json!(format!("T{next}")));
            }
            for key in ["items", "values", "fields", "type"] {
                object
                    .get_mut(key)
                    .into_iter()
                    .for_each(|part| named(part, next));
            }
        }
        _ => {}
    }
}

/// Memory of a value: what the limit is about.
fn memory(value: &Value) -> usize {
    let own = std::mem::size_of::<Value>();
    own + match value {
        Value::String(text) => text.capacity(),
        Value::Array(items) => items.iter().map(memory).sum::<usize>(),
        Value::Object(entries) => entries
            .iter()
            .map(|(k, v)| 24 + k.capacity() + memory(v))
            .sum(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn there_and_back((mut text, value) in typed()) {
        named(&mut text, &mut 0);
        let ours = schema(text.clone());
        let bytes = encode(&ours, &value).unwrap();
        prop_assert_eq!(&decode(&ours, &bytes).unwrap().value, &value);
        // The other implementation reads every byte and writes as many.
        let other = apache_avro::Schema::parse(&text).unwrap();
        let (datum, rest) = theirs::read(&other, &bytes);
        prop_assert_eq!(rest, 0);
        let written = theirs::write(&other, datum);
        prop_assert_eq!(written.len(), bytes.len());
        prop_assert_eq!(&decode(&ours, &written).unwrap().value, &value);
    }

    #[test]
    fn no_bytes_make_it_panic(
        (mut text, value) in typed(),
        noise in proptest::collection::vec(any::<u8>(), 0..64),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        named(&mut text, &mut 0);
        let ours = schema(text);
        let mut mutated = encode(&ours, &value).unwrap();
        for (place, byte) in places {
            if !mutated.is_empty() {
                let at = place.index(mutated.len());
                mutated[at] ^= byte;
            }
        }
        let shorter = &mutated[..cut.index(mutated.len() + 1)];
        for bytes in [noise.as_slice(), &mutated, shorter] {
            if let Ok(datum) = decode(&ours, bytes) {
                prop_assert!(memory(&datum.value) <= RESULT_BYTES_MAX);
            }
        }
    }

    #[test]
    fn no_text_makes_the_schema_reader_panic(
        (mut text, _) in typed(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        named(&mut text, &mut 0);
        let mut bytes = text.to_string().into_bytes();
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Schema::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn decimals_are_what_wide_integers_say(number in any::<i128>(), scale in 0_usize..40) {
        let text = decimal::text(&number.to_be_bytes(), scale).unwrap();
        let bytes = decimal::bytes(&text, 60, scale).unwrap();
        let wide = decimal::widen(&bytes, 16).unwrap();
        prop_assert_eq!(i128::from_be_bytes(wide.try_into().unwrap()), number);
        if scale == 0 {
            prop_assert_eq!(text, number.to_string());
        }
    }
}
