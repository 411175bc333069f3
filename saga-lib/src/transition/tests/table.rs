//! The table of legal pairs, the match, and what can be visited agree.

use std::collections::BTreeSet;

use super::definitions::order;
use super::dialogue::{Dialogue, given};
use super::model;
use crate::input::KindName;
use crate::instance::Status;
use crate::transition::{Handling, LEGAL, Reason, handling};

fn legal(handling: Handling) -> bool {
    !matches!(
        handling,
        Handling::Again | Handling::Stale | Handling::Ended | Handling::Refuse
    )
}

#[test]
fn table_and_match_agree() {
    for status in Status::ALL {
        for kind in KindName::ALL {
            let says = handling(status, kind);
            let listed = LEGAL.contains(&(status, kind, says));
            assert_eq!(listed, legal(says), "{status:?} {kind:?} {says:?}");
        }
    }
    let pairs: BTreeSet<_> = LEGAL.iter().map(|(s, k, _)| (*s, *k)).collect();
    assert_eq!(pairs.len(), LEGAL.len());
}

#[test]
fn every_legal_pair_of_this_release_is_visited() {
    let mut visited: BTreeSet<(Status, KindName)> = BTreeSet::new();
    for seed in 0..400 {
        visited.append(&mut model::visited(seed));
    }
    visited.append(&mut expired().visited);
    for (status, kind, _) in LEGAL {
        // Nothing suspends or terminates an instance yet.
        let reached = !matches!(status, Status::Suspended | Status::Terminated);
        assert_eq!(
            visited.contains(&(*status, *kind)),
            reached,
            "{status:?} {kind:?}"
        );
    }
}

fn expired() -> Dialogue {
    given(order())
        .event()
        .expect_command("credit")
        .reply_refused()
        .expect_compensated()
        .silence()
}

#[test]
fn statuses_of_later_releases_keep_or_refuse() {
    let at_credit = |status| {
        let mut dialogue = given(order()).event().expect_command("credit");
        let instance = dialogue.instance.as_mut().unwrap();
        instance.status = status;
        instance.finished_ms = (status == Status::Terminated).then_some(1);
        dialogue
    };
    let suspended = at_credit(Status::Suspended)
        .reply_ok()
        .expect_changed()
        .cancel()
        .expect_rejected("suspended");
    assert_eq!(suspended.here().queue.len(), 1);
    at_credit(Status::Terminated)
        .reply_ok()
        .expect_ignored(Reason::Late)
        .retry()
        .expect_rejected("terminated");
}
