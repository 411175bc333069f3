use proptest::prelude::*;

use super::*;

fn keys(ids: &[&str]) -> Keys {
    let key = |id: &&str| {
        (
            (*id).to_owned(),
            format!("{id}-secret-of-sixteen-bytes").into_bytes(),
        )
    };
    Keys::new(ids.iter().map(key).collect()).unwrap()
}

fn record() -> Outgoing {
    Outgoing {
        topic: "shop.inbox".to_owned(),
        partition: Some(3),
        key: Some(b"k".to_vec()),
        value: Some(b"{}".to_vec()),
        headers: Headers::default()
            .with("skald-kind", "timer")
            .with("ce_id", "order/k@1")
            .with("traceparent", "any"),
    }
}

fn signed(keys: &Keys) -> Received {
    let mut record = record();
    sign(keys, "shop", 3, &mut record);
    record.received(3, 1, 1)
}

#[test]
fn a_signed_record_verifies() {
    let keys = keys(&["a", "b"]);
    let record = signed(&keys);
    assert!(
        record
            .headers
            .text("skald-sig")
            .unwrap()
            .starts_with("v1:a:")
    );
    assert_eq!(verify(&keys, "shop", &record), Ok(()));
}

#[test]
fn the_bytes_that_are_signed_do_not_change() {
    // HMAC-SHA256 computed independently; a change here would refuse every record in flight.
    let record = signed(&keys(&["a"]));
    assert_eq!(record.headers.text("skald-sig"), Some(GOLDEN));
}

const GOLDEN: &str = "v1:a:IRjPqzTOIqo/7XFHJ5Ofqkfoo4lUNtJKSEvpYvvGh1g=";

#[test]
fn every_part_is_covered() {
    let keys = keys(&["a"]);
    let alter = |change: fn(&mut Received)| {
        let mut record = signed(&keys);
        change(&mut record);
        verify(&keys, "shop", &record)
    };
    assert_eq!(alter(|r| r.partition.number = 2), Err(Error::Mismatch));
    assert_eq!(alter(|r| r.key = None), Err(Error::Mismatch));
    assert_eq!(alter(|r| r.key = Some(Vec::new())), Err(Error::Mismatch));
    assert_eq!(alter(|r| r.value = None), Err(Error::Mismatch));
    assert_eq!(
        alter(|r| r.headers.push("skald-kind", "signal")),
        Err(Error::Mismatch)
    );
    assert_eq!(
        alter(|r| r.headers.push("ce_new", "x")),
        Err(Error::Mismatch)
    );
    assert_eq!(verify(&keys, "other", &signed(&keys)), Err(Error::Mismatch));
    // Brokers and tracing agents may touch the rest.
    assert_eq!(alter(|r| r.headers.push("traceparent", "x")), Ok(()));
    assert_eq!(alter(|r| r.headers.0.rotate_left(1)), Ok(()));
}

#[test]
fn bytes_cannot_move_from_one_part_to_the_next() {
    let keys = keys(&["a"]);
    let mut record = signed(&keys);
    record.key = Some(b"k{".to_vec());
    record.value = Some(b"}".to_vec());
    assert_eq!(verify(&keys, "shop", &record), Err(Error::Mismatch));
}

#[test]
fn all_keys_verify_and_the_first_signs() {
    let (old, both, new) = (keys(&["a"]), keys(&["b", "a"]), keys(&["b"]));
    assert_eq!(verify(&both, "shop", &signed(&old)), Ok(()));
    assert_eq!(verify(&both, "shop", &signed(&new)), Ok(()));
    let unknown = Error::UnknownKey { id: "b".to_owned() };
    assert_eq!(verify(&old, "shop", &signed(&both)), Err(unknown));
}

#[test]
fn a_record_without_signature_is_told_apart() {
    let record = signed(&Keys::default());
    assert_eq!(verify(&Keys::default(), "shop", &record), Ok(()));
    assert_eq!(verify(&keys(&["a"]), "shop", &record), Err(Error::Missing));
}

#[test]
fn a_malformed_signature_is_refused() {
    for text in ["", "v2:a:AAAA", "v1:a", "v1:a:not base64"] {
        let mut record = signed(&Keys::default());
        record.headers.push("skald-sig", text);
        assert_eq!(
            verify(&keys(&["a"]), "shop", &record),
            Err(Error::Malformed),
            "{text}"
        );
    }
    let mut short = signed(&Keys::default());
    short.headers.push("skald-sig", "v1:a:AAAA");
    assert_eq!(verify(&keys(&["a"]), "shop", &short), Err(Error::Mismatch));
}

#[test]
fn signing_again_replaces_the_signature() {
    let keys = keys(&["a"]);
    let mut record = record();
    sign(&keys, "shop", 3, &mut record);
    let once = record.clone();
    sign(&keys, "shop", 3, &mut record);
    assert_eq!(record, once);
}

#[test]
fn weak_keys_are_refused_and_secrets_never_show() {
    let new = |id: &str, secret: &str| Keys::new(vec![(id.to_owned(), secret.as_bytes().to_vec())]);
    assert!(matches!(
        new("a:b", "0123456789abcdef"),
        Err(Error::KeyId { .. })
    ));
    assert!(matches!(new("a", "short"), Err(Error::Secret { .. })));
    assert_eq!(format!("{:?}", keys(&["a"])), r#"["a"]"#);
}

proptest! {
    #[test]
    fn no_signature_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..48)) {
        let mut record = signed(&Keys::default());
        record.headers.push("skald-sig", bytes);
        prop_assert!(verify(&keys(&["a"]), "shop", &record).is_err());
    }
}
