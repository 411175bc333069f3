//! A worker without a store: only offsets.

use super::dialogue::{
    Dialogue, later, loads, no_offset, offset, other, plan, planned, polled, rounded,
};
use crate::lane::{Effect, Event, Position, Trouble};

/// A source that is ready at 10.
fn ready() -> Dialogue {
    let mut d = Dialogue::ingress();
    d.assigned(&[0])
        .asks(Effect::ReadOffset { lane: 0 })
        .says(offset(10));
    d.nothing()
        .asks(Effect::Start {
            lane: 0,
            offset: 10,
        })
        .says(Event::Started(Ok(())))
        .is_ready(0, 10);
    d
}

#[test]
fn recovery_is_a_stable_read_and_a_seek() {
    ready();
}

#[test]
fn a_source_without_an_offset_begins_at_its_origin() {
    let mut d = Dialogue::ingress();
    d.assigned(&[0]).says(no_offset());
    d.nothing()
        .asks(Effect::Origin { lane: 0 })
        .says(Event::Origin(Ok(7)));
    d.nothing().asks(Effect::Start { lane: 0, offset: 7 });
}

#[test]
fn a_source_whose_offset_expired_stops() {
    let mut d = Dialogue::ingress();
    let stop = Trouble::Stop("skald source accept".to_owned());
    d.assigned(&[0]).says(no_offset());
    d.nothing()
        .says(Event::Origin(Err(stop)))
        .is_stopped(0, "skald source accept");
}

#[test]
fn trouble_with_the_origin_is_tried_again() {
    let mut d = Dialogue::ingress();
    d.assigned(&[0]).says(no_offset());
    d.nothing().says(Event::Origin(Err(later())));
    d.nothing().asks(Effect::ReadOffset { lane: 0 });
}

#[test]
fn a_batch_commits_without_headers_and_leaves_nothing_for_a_store() {
    let mut d = ready();
    d.brings(&[(0, 3, 13)])
        .asks(loads(&[(0, 10, 3)]))
        .says(rounded(vec![], vec![Position::default()]))
        .asks(plan(&[0]))
        .says(planned(&[(0, 13)]))
        .says(Event::Begun(Ok(())))
        .says(Event::Produced(Ok(vec![-1])))
        .asks(Effect::SendOffsets {
            offsets: vec![(0, 13)],
        })
        .says(Event::OffsetsSent(Ok(())))
        .says(Event::Committed(Ok(false)))
        .is_ready(0, 13);
    assert_eq!(d.polls(), 100);
}

#[test]
fn an_idle_source_is_not_checked() {
    let mut d = ready();
    for _ in 0..30 {
        d.nothing().polls();
    }
}

#[test]
fn a_failed_batch_reads_the_offset_again() {
    let mut d = ready();
    d.brings(&[(0, 3, 13)])
        .says(rounded(vec![], vec![Position::default()]))
        .says(planned(&[(0, 13)]))
        .says(Event::Begun(Ok(())))
        .says(Event::Produced(Err(other())))
        .asks(Effect::ReplaceProducers)
        .says(Event::Replaced(Ok(())));
    d.nothing().asks(Effect::ReadOffset { lane: 0 });
    d.says(offset(10));
    d.says(polled(&[]));
    d.asks(Effect::Start {
        lane: 0,
        offset: 10,
    });
}
