//! What every [`Store`](connectors::store::Store) must do.
//!
//! A test binary gives a [`Fixture`] and calls [`store_conformance!`](crate::store_conformance), which makes one test per check.
//! Absent on purpose: lost connections, full servers and other faults of one implementation.

mod bench;
mod clear;
mod commit;
mod index;
mod lane;
mod lease;
mod load;
mod timers;

pub use bench::Fixture;
pub use clear::*;
pub use commit::*;
pub use index::*;
pub use lane::*;
pub use lease::*;
pub use load::*;
pub use timers::*;

/// One test per check, on a new fixture each.
#[macro_export]
macro_rules! store_conformance {
    ($fixture:expr) => {
        $crate::store_conformance!($fixture;
            claim_raises_the_epoch, claim_collects_the_owners, lanes_and_apps_are_apart, scan_finds_every_id_in_pages,
            commit_writes_and_becomes_the_owner, commit_done_before_is_done, commit_of_another_epoch_is_refused,
            commit_from_another_watermark_is_refused, commit_from_another_journal_position_is_refused,
            commit_half_done_is_refused,
            commit_in_chunks_moves_the_watermark_last, commit_removes, commit_without_header_writes_nothing,
            commit_sets_absolute_counters, commit_moves_the_index_entry, commit_applies_documents_in_order, commit_takes_a_thousand_documents,
            ids_are_sorted_and_limited, round_resent_is_the_same, round_answers_lane_by_lane,
            load_follows_the_order_of_the_ids, load_of_an_empty_lane_is_empty, load_sees_the_commit_before_it,
            documents_and_ids_are_bytes, due_is_ordered_and_limited, due_is_read_in_pages, due_follows_the_newest_header,
            due_shows_a_lost_document, never_is_never_due, clear_drops_everything_in_steps,
            clear_is_followed_by_a_rebuild, clear_refuses_an_old_epoch, clear_of_an_empty_lane_forgets_the_position, clear_drops_lost_documents,
            lease_is_held_by_one, lease_expires, lease_is_released_by_its_holder_only,
        );
    };
    ($fixture:expr; $($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::store::$name(&$fixture);
            }
        )+
    };
}
