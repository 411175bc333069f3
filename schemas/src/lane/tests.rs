use super::*;

/// From Kafka's `UtilsTest.testMurmur2`.
const KAFKA: [(&str, i32); 6] = [
    ("21", -973_932_308),
    ("foobar", -790_332_482),
    ("a-little-bit-long-string", -985_981_536),
    ("a-little-bit-longer-string", -1_486_304_829),
    (
        "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
        -58_897_971,
    ),
    ("abc", 479_470_107),
];

#[test]
fn murmur2_is_kafkas() {
    for (text, hash) in KAFKA {
        assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
    }
}

#[test]
fn lanes_are_kafkas_default_partitions() {
    // Utils.toPositive(murmur2(key)) % partitions.
    for (text, hash) in KAFKA {
        let expected = (hash & 0x7fff_ffff).cast_unsigned() % 7;
        assert_eq!(lane_of_key(text, 7), expected, "{text}");
    }
}

#[test]
fn the_lane_follows_from_the_raw_key_of_any_id() {
    let saga = SagaId::occurrence("order", "foobar", "x y").unwrap();
    let command = CommandId::forward(&saga, "pay", 3).compensated_by(2);
    assert_eq!(lane_of_saga(&saga, 12), lane_of_key("foobar", 12));
    assert_eq!(lane_of_command(&command, 12), lane_of_key("foobar", 12));
    let spaced = SagaId::new("order", "a b/c").unwrap();
    assert_eq!(lane_of_saga(&spaced, 12), lane_of_key("a b/c", 12));
}

#[test]
fn no_lanes_is_lane_zero() {
    assert_eq!(lane_of_key("x", 0), 0);
}
