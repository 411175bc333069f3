//! What every [`connectors::log::Log`] must do. `log_conformance!` makes one test per line of the table.
//!
//! Names of topics, groups and transactional ids are random, so the checks may share a broker and run beside each other. A check waits
//! for conditions, bounded by [`world::PATIENCE`]; none sleeps for a fixed time and hopes.
//!
//! Absent on purpose: faults of brokers and networks (see the chaos tests).

pub mod fencing;
pub mod group;
pub mod offsets;
pub mod reading;
pub mod topics;
pub mod transaction;
pub mod world;

/// Makes a test of every check for an implementation: `log_conformance!(MemoryLog, MemoryCluster::new())`.
#[macro_export]
macro_rules! log_conformance {
    ($log:ty, $cluster:expr) => {
        $crate::log_conformance! { @table $log, $cluster;
            fencing: a_newer_producer_fences_the_older;
            fencing: fence_ends_the_transaction_of_a_dead_owner;
            fencing: replaced_producers_abort_and_stay_in_the_group;
            fencing: a_transaction_open_too_long_is_aborted;
            group: nothing_is_delivered_before_start;
            group: pause_and_start_again_anywhere;
            group: auto_start_begins_at_the_committed_offset;
            group: two_members_share_and_take_over;
            group: subscribe_changes_the_assignment;
            group: a_poll_keeps_its_bounds;
            offsets: offsets_are_held_until_the_commit;
            offsets: aborted_offsets_do_not_count;
            offsets: offsets_can_be_committed_without_transaction;
            offsets: a_stale_generation_is_refused;
            reading: a_read_does_not_pass_an_open_transaction;
            reading: a_read_passes_what_was_aborted;
            reading: a_read_keeps_its_bounds;
            reading: an_extent_tells_beginning_and_ends;
            reading: offset_at_finds_the_first_record_of_a_time;
            topics: a_record_comes_back_as_it_was_sent;
            topics: an_explicit_partition_is_honoured;
            topics: keys_are_spread_as_java_does;
            topics: topics_are_created_once;
            topics: topics_tell_their_settings;
            topics: plain_records_are_told_and_read;
            transaction: commits_show_and_aborts_do_not;
            transaction: records_of_a_partition_keep_their_order;
            transaction: flush_tells_the_last_record_of_each_partition;
            transaction: a_record_too_large_is_named;
            transaction: an_unknown_topic_is_named;
        }
    };
    (@table $log:ty, $cluster:expr; $($module:ident: $check:ident;)*) => {
        $(
            #[test]
            fn $check() {
                $crate::conformance::log::$module::$check::<$log>(&$cluster);
            }
        )*
    };
}
