//! The corpus of hostile input: every decoder, parser and expression says what it should, within its memory.
//!
//! Absent on purpose: Kafka (see `system/hostile.rs`), and chance (see `fuzz.rs`).

#[path = "hostile/corpus.rs"]
mod corpus;
#[path = "hostile/limits.rs"]
mod limits;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/records.rs"]
mod records;
#[path = "hostile/texts.rs"]
mod texts;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
