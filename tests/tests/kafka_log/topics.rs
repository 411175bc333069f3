//! Topics: creating, describing, listing.

use connectors::log::{Log, TopicSpec};
use tests::harness::unique;

use crate::support::*;

#[test]
fn topics_are_created_once_and_described() {
    let mut log = writer();
    let name = topic_with(
        &mut log,
        3,
        &[
            ("cleanup.policy", "compact"),
            ("max.message.bytes", "2097152"),
        ],
    );
    let info = log.topic(&name).expect("an answer").expect("it exists");
    assert_eq!(
        (info.partitions, info.message_bytes_max),
        (3, Some(2_097_152))
    );
    assert!(
        info.config
            .contains(&("cleanup.policy".to_owned(), "compact".to_owned()))
    );
    let other = TopicSpec {
        name: name.clone(),
        partitions: 9,
        config: vec![],
    };
    log.create_topics(&[other])
        .expect("an existing one is left alone");
    assert_eq!(
        log.topic(&name)
            .expect("an answer")
            .expect("it exists")
            .partitions,
        3
    );
    assert!(log.topic(&unique("missing")).expect("an answer").is_none());
    assert_eq!(log.topic_names(&name), Ok(vec![name]));
}
