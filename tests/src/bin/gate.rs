//! `cargo gate`: what must hold before a change lands, cheapest first.
//!
//! `--no-test` leaves the tests out. Stops at the first stage that fails, because later ones would tell the same again.
//! Absent on purpose: fixing (`cargo fmt` does), and the long tests.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// One command of the gate.
struct Stage {
    name: &'static str,
    arguments: &'static [&'static str],
}

const STAGES: [Stage; 4] = [
    Stage {
        name: "format",
        arguments: &["fmt", "--all", "--check"],
    },
    Stage {
        name: "lints",
        arguments: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    },
    Stage {
        name: "documentation",
        arguments: &["doc", "--workspace", "--no-deps"],
    },
    Stage {
        name: "test",
        arguments: &["test", "--workspace"],
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let without_tests = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--no-test"] => true,
        _ => {
            eprintln!("usage: cargo gate [--no-test]");
            return ExitCode::from(2);
        }
    };
    let wanted = |stage: &&Stage| !(without_tests && stage.name == "test");
    if STAGES.iter().filter(wanted).all(passes) {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Runs a stage and prints its line.
fn passes(stage: &Stage) -> bool {
    let begin = Instant::now();
    let passed = command(stage).status().is_ok_and(|status| status.success());
    let (word, seconds) = (if passed { "ok" } else { "FAILED" }, begin.elapsed());
    println!(
        "gate: {:<14} {word} {:.1} s",
        stage.name,
        seconds.as_secs_f32()
    );
    passed
}

fn command(stage: &Stage) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(stage.arguments).current_dir(root());
    // Documentation has no `-D warnings` of its own.
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// The workspace, as `cargo run` tells it; else the current directory.
fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR");
    manifest.map_or_else(
        || ".".into(),
        |directory| PathBuf::from(directory).join(".."),
    )
}
