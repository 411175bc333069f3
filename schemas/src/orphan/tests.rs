use crate::record::Headers;

use super::*;

#[test]
fn an_orphan_is_a_copy_with_place_and_reason() {
    let topics = Topics::new("shop").unwrap();
    let out = Outgoing {
        topic: "shop.inbox".to_owned(),
        partition: Some(1),
        key: Some(b"foreign".to_vec()),
        value: Some(b"{}".to_vec()),
        headers: Headers::default().with(headers::REASON, "their own"),
    };
    let original = out.received(1, 9, 1);
    let saga = SagaId::new("order", "a b").unwrap();
    let orphan = encode(&topics, &original, Some(&saga), "no such instance");
    assert_eq!(orphan.topic, "shop.orphans");
    assert_eq!(orphan.key.as_deref(), Some(b"a b".as_slice()));
    assert_eq!(orphan.value, original.value);
    assert_eq!(orphan.headers.text(headers::REASON), Some("their own"));
    assert_eq!(
        orphan.headers.text(headers::ORPHAN_REASON),
        Some("no such instance")
    );
    assert_eq!(orphan.headers.text(headers::ORIGIN), Some("shop.inbox/1/9"));
    assert_eq!(encode(&topics, &original, None, "x").key, original.key);
}
