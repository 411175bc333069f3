//! skald under test
fn main() {}
