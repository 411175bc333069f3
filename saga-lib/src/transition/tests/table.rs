//! The table of legal pairs, the match, and what can be visited agree.

use std::collections::BTreeSet;

use super::definitions::{delivery, order, path, relink, set};
use super::dialogue::{Dialogue, given};
use super::model;
use crate::input::{Act, KindName};
use crate::instance::Status;
use crate::ir::Definition;
use crate::transition::{Handling, LEGAL, Reason, handling};

fn legal(handling: Handling) -> bool {
    !matches!(
        handling,
        Handling::Again | Handling::Stale | Handling::Ended | Handling::Refuse | Handling::Unwanted
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
fn every_legal_pair_is_visited() {
    let mut visited: BTreeSet<(Status, KindName)> = BTreeSet::new();
    for seed in 0..400 {
        visited.append(&mut model::visited(seed));
    }
    for mut dialogue in [expired(), terminated(), awaiting(), early()] {
        visited.append(&mut dialogue.visited);
    }
    for (status, kind, _) in LEGAL {
        assert!(visited.contains(&(*status, *kind)), "{status:?} {kind:?}");
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

fn terminated() -> Dialogue {
    let reason = || "no longer needed".to_owned();
    let terminate = || Act::Terminate { reason: reason() };
    given(order())
        .event()
        .expect_command("credit")
        .act(Act::Suspend)
        .reply_ok()
        .act(Act::Resume)
        .expect_command("stock")
        .act(terminate())
        .reply_ok()
        .expect_ignored(Reason::Late)
        .act(terminate())
        .silence()
}

fn awaiting() -> Dialogue {
    given(delivery())
        .event()
        .expect_command("credit")
        .awaited("Delivered", "E-1")
        .act(Act::Suspend)
        .awaited("Delivered", "E-2")
        .act(Act::Resume)
        .reply_ok()
        .expect_status(Status::Completed)
}

fn early() -> Dialogue {
    let mut kept = given(delivery())
        .awaited("Delivered", "E-1")
        .awaited("Delivered", "E-2")
        .event()
        .expect_command("credit");
    let mut parked = given(definition_that_parks())
        .event()
        .awaited("Delivered", "E-1");
    let mut removed = given(delivery()).awaited("Delivered", "E-1").silence();
    kept.visited.append(&mut parked.visited);
    kept.visited.append(&mut removed.visited);
    kept
}

fn definition_that_parks() -> Definition {
    let mut broken = delivery();
    broken
        .nodes
        .insert(0, set("broken", "note", path("order.missing")));
    relink(broken)
}
