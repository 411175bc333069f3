//! The `skald` command with crash points, for tests that kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::main()
}
