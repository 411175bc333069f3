//! Chance against every decoder, parser and expression: valid samples, broken in ways that keep much of them whole.
//!
//! `SKALD_FUZZ_CASES` is the number of cases per target (400), `SKALD_FUZZ_SECONDS` a time per target instead of it. A failure prints
//! the smallest input that shows it; it becomes an entry of the corpus (`tests/hostile`).
//!
//! Absent on purpose: coverage guidance, which needs another toolchain.

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/records.rs"]
mod records;
#[path = "fuzz/texts.rs"]
mod texts;
