//! The participants of chaos sagas as a process: `chaos-participant <brokers> <app> <folder of its ledgers>`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, app, folder] = arguments.as_slice() else {
        eprintln!("usage: chaos-participant <brokers> <app> <folder>");
        return ExitCode::from(2);
    };
    tracing_subscriber::fmt()
        .with_env_filter("warn")
        .with_ansi(false)
        .init();
    tests::chaos::participant::serve(brokers, app, Path::new(folder));
    ExitCode::SUCCESS
}
