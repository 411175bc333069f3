//! The worker loop: one OS thread that executes what [`saga_lib::lane::Worker`] says, over a [`connectors::log::Log`].
//!
//! Engine and ingress run the same loop; what differs between them is a [`Role`]: how records are planned, and what a store is.
//!
//! Absent on purpose: decisions. Which step follows which is the machine's business; the shell only reports.

pub mod role;
mod shell;
mod stall;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use connectors::log::Log;
use saga_lib::lane::{Effect, Event, Now, Worker};

pub use crate::clock::wall_ms;
pub use role::{LanePlan, Output, Role};
pub use shell::Shell;
pub(crate) use shell::trouble;

/// Asks the loops of a process to end.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn stop(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Was it asked?
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Why a loop ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another process runs under this instance's name: give each its own `--instance`.
    #[error(
        "another process took over the instance name ({reason}): give each process its own --instance"
    )]
    NameTaken {
        /// Who.
        reason: String,
    },
}

/// Gives the machine an answer, does what it tells, and returns what it asks for next.
///
/// # Errors
/// [`Error::NameTaken`].
pub fn answer<L: Log, R: Role<L>>(
    machine: &mut Worker,
    shell: &mut Shell<L, R>,
    now: Now,
    event: Event,
) -> Result<Option<Effect>, Error> {
    let mut effects = machine.step(now, event);
    let asked = effects.pop();
    for told in effects {
        shell.told(told)?;
    }
    Ok(asked)
}

/// Runs until asked to stop. Between two transactions only, so that a planned stop leaves nothing open.
///
/// # Errors
/// [`Error::NameTaken`].
pub fn run<L: Log, R: Role<L>>(
    machine: &mut Worker,
    shell: &mut Shell<L, R>,
    stop: &Stop,
) -> Result<(), Error> {
    let start = Instant::now();
    let mut event = Event::Opened;
    while let Some(answer) = turn(machine, shell, stop, (start, event))? {
        event = answer;
    }
    Ok(())
}

/// One step of the machine and the answer to what it asks for; `None`: it was asked to stop.
fn turn<L: Log, R: Role<L>>(
    machine: &mut Worker,
    shell: &mut Shell<L, R>,
    stop: &Stop,
    (start, event): (Instant, Event),
) -> Result<Option<Event>, Error> {
    let now = Now {
        mono_ms: i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX),
        wall_ms: wall_ms(),
    };
    let Some(effect) = answer(machine, shell, now, event)? else {
        return Ok(None);
    };
    if matches!(effect, Effect::Poll { .. }) {
        if stop.is_stopped() {
            return Ok(None);
        }
        shell.between(machine);
    }
    Ok(Some(shell.execute(effect)))
}
