//! The scripts, and how one is called.
//!
//! Key names come as KEYS and values as ARGV, always. Absent on purpose: Redis Functions, and scripts that compute key names.

use std::sync::LazyLock;

use ::redis::{Cmd, Script};

/// Claims a lane (R1).
pub static CLAIM: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/claim.lua")));
/// Reads a lane at one moment (B2).
pub static LOAD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/load.lua")));
/// Compares and writes (B2, R5).
pub static COMMIT: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/commit.lua")));
/// Drops documents (R4).
pub static CLEAR: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/clear.lua")));
/// Reads timer entries.
pub static DUE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/due.lua")));
/// Takes or renews a lease.
pub static LEASE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/lease.lua")));
/// Gives a lease up.
pub static RELEASE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/release.lua")));

/// The sources of all scripts, for `SCRIPT LOAD`.
pub const SOURCES: [&str; 7] = [
    include_str!("scripts/claim.lua"),
    include_str!("scripts/load.lua"),
    include_str!("scripts/commit.lua"),
    include_str!("scripts/clear.lua"),
    include_str!("scripts/due.lua"),
    include_str!("scripts/lease.lua"),
    include_str!("scripts/release.lua"),
];

/// A call of `script`, with its keys; the arguments follow by [`Cmd::arg`].
pub fn call(script: &Script, keys: &[String]) -> Cmd {
    let mut command = ::redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}
