//! Order and bounds of the delayed replies.

use super::*;
use schemas::record::Headers;

fn reply(topic: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: None,
        key: None,
        value: None,
        headers: Headers::default(),
    }
}

#[test]
fn what_is_due_comes_out_earliest_first_and_once() {
    let (mut delayed, now) = (Delayed::default(), Instant::now());
    let ms = Duration::from_millis;
    for (topic, after) in [("c", 30), ("a", 10), ("b", 10), ("d", 31)] {
        delayed.hold(now + ms(after), reply(topic));
    }
    assert_eq!(delayed.wait(now, ms(100)), ms(10));
    let topics = |taken: Vec<Outgoing>| taken.into_iter().map(|r| r.topic).collect::<String>();
    assert_eq!(topics(delayed.take_due(now + ms(30))), "abc");
    assert_eq!(topics(delayed.take_due(now + ms(30))), "");
    assert_eq!(topics(delayed.take_due(now + ms(31))), "d");
    assert_eq!(delayed.wait(now, ms(100)), ms(100));
}
