//! The `skald` command.
fn main() {}
