//! Wire formats of Skald: what stands in topics and in the store, as bytes and back.
//!
//! Who reads what: [`event`] is the edge to business topics, [`inbox`] the one topic that moves sagas, [`command`] the participants'
//! side ([`body`]: what it gets), [`journal`] and [`state`] what the store is repaired from, [`history`] what everybody else reads, [`bundle`] the
//! definitions; [`dead_letter`], [`redrive`] and [`orphan`] are the ways out for records that nothing could use; [`audit`] tells what
//! people did.
//!
//! Absent on purpose: I/O, clocks, randomness, `async`; decisions (see `saga-lib`).

pub mod audit;
pub mod avro;
pub mod body;
pub mod bundle;
pub mod command;
pub mod dead_letter;
pub mod envelope;
pub mod event;
pub mod headers;
pub mod history;
pub mod ids;
pub mod inbox;
pub mod journal;
pub mod json;
pub mod lane;
pub mod limits;
pub mod orphan;
pub mod published;
pub mod record;
pub mod redrive;
pub mod signature;
pub mod state;
pub mod time;
pub mod topics;
pub mod trace;
