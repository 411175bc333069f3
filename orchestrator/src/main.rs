//! The `skald` command.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use orchestrator::cli::{self, Cli};
use orchestrator::output::{self, Console};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut answers = io::stdin().lock();
    let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
    let mut console = Console {
        out: &mut io::stdout(),
        talk: &mut io::stderr(),
        format: cli.output,
        color: output::color(),
        answers: interactive.then_some(&mut answers),
    };
    match cli::run(cli, &mut console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(message) = error.message() {
                console.talk(&message);
            }
            ExitCode::from(error.exit_code())
        }
    }
}
