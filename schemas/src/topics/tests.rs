use super::*;

fn topics() -> Topics {
    Topics::new("shop").unwrap()
}

#[test]
fn names_are_the_documented_ones() {
    let names: Vec<_> = Kind::SINGLE
        .iter()
        .filter_map(|k| topics().name(*k))
        .collect();
    let expected = [
        "shop.inbox",
        "shop.journal",
        "shop.history",
        "shop.definitions",
        "shop.audit",
        "shop.redrive",
        "shop.orphans",
    ];
    assert_eq!(names, expected);
    assert_eq!(topics().dead_letter("orders"), "dlq.shop.orders");
}

#[test]
fn a_kind_is_found_by_name() {
    assert_eq!(topics().kind("shop.journal"), Some(Kind::Journal));
    assert_eq!(topics().kind("dlq.shop.orders"), Some(Kind::DeadLetter));
    assert_eq!(topics().kind("orders"), None);
}

#[test]
fn a_dead_letter_of_a_dead_letter_stays_in_its_topic() {
    assert_eq!(topics().dead_letter("dlq.shop.orders"), "dlq.shop.orders");
    assert_eq!(
        topics().dead_letter("dlq.other.orders"),
        "dlq.shop.dlq.other.orders"
    );
}

#[test]
fn the_source_of_a_dead_letter_topic_is_found_for_this_app_only() {
    assert_eq!(topics().source_of_dead_letter("dlq.shop.a.b"), Some("a.b"));
    assert_eq!(topics().source_of_dead_letter("dlq.shop2.a"), None);
    assert_eq!(topics().source_of_dead_letter("dlq.shop."), None);
    assert_eq!(topics().source_of_dead_letter("shop.inbox"), None);
}

#[test]
fn a_long_source_gives_a_name_that_kafka_takes() {
    let (a, b) = ("x".repeat(249), format!("{}y", "x".repeat(248)));
    assert_eq!(topics().dead_letter(&a).len(), TOPIC_BYTES_MAX);
    assert_ne!(topics().dead_letter(&a), topics().dead_letter(&b));
}

#[test]
fn app_names_that_make_bad_topics_are_refused() {
    for name in [
        "",
        "a.b",
        "ä",
        "a b",
        "-a",
        "_a",
        "a/b",
        "{a}",
        &"a".repeat(65),
    ] {
        let error = Topics::new(name).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(Topics::new("Shop_eu-1").is_ok());
}

#[test]
fn every_own_topic_takes_the_logs_time_and_bounds_its_records() {
    for kind in Kind::SINGLE.into_iter().chain([Kind::DeadLetter]) {
        let settings = settings(kind);
        let has = |name: &str, value: &str| settings.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("message.timestamp.type", "LogAppendTime"), "{kind:?}");
        assert!(has("max.message.bytes", "2097152"), "{kind:?}");
        let compact = matches!(kind, Kind::Journal | Kind::Definitions);
        let policy = if compact { "compact" } else { "delete" };
        assert!(has("cleanup.policy", policy), "{kind:?}");
    }
}

#[test]
fn inbox_journal_and_history_have_a_partition_per_lane() {
    assert_eq!(Kind::Inbox.partitions(4), 4);
    assert_eq!(Kind::Journal.partitions(4), 4);
    assert_eq!(Kind::History.partitions(4), 4);
    assert_eq!(Kind::Definitions.partitions(4), 1);
}
