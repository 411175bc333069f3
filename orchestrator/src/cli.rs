//! The command line: one file per subcommand, each with its arguments and `run`.
//!
//! Data goes to stdout, talk to stderr. Exit codes are part of the interface, see [`EXIT_CODES`].
//!
//! Absent on purpose: what the verbs do (see [`crate::client`]); here arguments become calls and results become text.

mod asked;
pub mod check;
pub mod connect;
pub mod demo;
pub mod deploy;
pub mod dlq;
pub mod error;
pub mod explain;
pub mod operator;
pub mod saga;
pub mod schema;
pub mod serve;
pub mod settings;
pub mod test;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::Error;

use crate::output::{self, Console, Format};

/// Orchestrates sagas on Kafka: events in, commands out, compensation when a step fails.
#[derive(Debug, Parser)]
#[command(name = "skald", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    /// How data is written to stdout.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub output: Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run order sagas against built-in participants; needs no servers.
    Demo(demo::Args),
    /// Run workers and ingress until stopped.
    Serve(serve::Args),
    /// Compile definitions and show every mistake.
    Check(check::Args),
    /// Explain a code of `check`, with a wrong and a right example.
    Explain(explain::Args),
    /// Print the JSON Schema of the language, for editors.
    Schema(schema::Args),
    /// Play scenarios in virtual time; needs no servers.
    Test(test::Args),
    /// Compile definitions and publish them.
    Deploy(deploy::Args),
    /// Look at instances and act on them.
    #[command(subcommand)]
    Saga(saga::Verb),
    /// Look at dead letters and send them back.
    #[command(subcommand)]
    Dlq(dlq::Verb),
}

/// What exit codes mean; shown by `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the input is bad, or the request was refused
  2  the command line or the configuration is wrong
  3  Kafka or Redis cannot be reached
  4  sent, but its effect was not seen in time";

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
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
    let Err(error) = run(cli, &mut console) else {
        return ExitCode::SUCCESS;
    };
    if let Some(message) = error.message() {
        console.talk(&message);
    }
    ExitCode::from(error.exit_code())
}

/// Runs a parsed command line.
///
/// # Errors
/// [`Error`], which knows its exit code.
pub fn run(cli: Cli, console: &mut Console<'_>) -> Result<(), Error> {
    match cli.command {
        Command::Demo(args) => demo::run(&args, console),
        Command::Serve(args) => serve::run(&args, console),
        Command::Check(args) => check::run(&args, console),
        Command::Explain(args) => explain::run(&args, console),
        Command::Schema(args) => schema::run(&args, console),
        Command::Test(args) => test::run(&args, console),
        Command::Deploy(args) => deploy::run(&args, console),
        Command::Saga(verb) => saga::run(&verb, console),
        Command::Dlq(verb) => dlq::run(&verb, console),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// An argument that has the name of a global one is only found out when it is read.
    #[test]
    fn arguments_of_a_verb_do_not_clash_with_those_of_all() {
        let command = Cli::command();
        let global: Vec<_> = command
            .get_arguments()
            .map(|a| a.get_id().clone())
            .collect();
        let mut open: Vec<clap::Command> = command.get_subcommands().cloned().collect();
        while let Some(verb) = open.pop() {
            let own = verb.get_arguments().filter(|a| !a.is_global_set());
            for argument in own {
                let clash = global.contains(argument.get_id());
                assert!(!clash, "{} of {}", argument.get_id(), verb.get_name());
            }
            open.extend(verb.get_subcommands().cloned());
        }
        Cli::command().debug_assert();
    }
}
