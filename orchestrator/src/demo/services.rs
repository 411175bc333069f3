//! The participants: stock, payment and shipping, built with the same SDK as anybody's.
//!
//! Absent on purpose: what they would do. An entry in a ledger stands for the effect.

use std::collections::BTreeMap;

use connectors::log::Log;
use connectors::participant::ledger::Entry;
use connectors::participant::{Answer, Builder, Error, MemoryLedger, Participant, Running};
use saga_lib::id::{CommandId, SagaId};
use saga_lib::instance::Status;

use super::run::{Run, SERVICES};
use super::temper::Temper;

/// Orders that stock refuses, in 1/10,000.
const SOLD_OUT: u64 = 200;
/// Charges that payment refuses, in 1/10,000.
const DECLINED: u64 = 400;
/// Dispatches that shipping refuses, in 1/10,000.
const NO_ROUTE: u64 = 400;

/// The running participants and what they remember.
pub(super) struct Services {
    running: Vec<Running>,
    ledgers: [MemoryLedger; 3],
}

impl Services {
    /// Starts all three.
    ///
    /// # Errors
    /// The SDK's.
    pub(super) fn start<L: Log>(
        run: &Run,
        temper: Temper,
        cluster: &L::Cluster,
    ) -> Result<Self, Error> {
        let ledgers: [MemoryLedger; 3] = Default::default();
        let builders = [
            stock(run, temper),
            payment(run, temper),
            shipping(run, temper),
        ];
        let mut running = Vec::new();
        for ((builder, name), ledger) in builders.into_iter().zip(SERVICES).zip(&ledgers) {
            let builder = builder.topic(run.commands(name)).ledger(ledger.clone());
            running.push(builder.run::<L>(cluster)?);
        }
        Ok(Self { running, ledgers })
    }

    /// Stops all three and hands over what they remember.
    pub(super) fn stop(self) -> Effects {
        for running in &self.running {
            running.stop_handle().ask();
        }
        self.running.into_iter().for_each(Running::join);
        Effects(self.ledgers.map(|ledger| ledger.entries()))
    }
}

fn stock(run: &Run, temper: Temper) -> Builder<MemoryLedger> {
    Participant::builder(run.service("stock"))
        .on("reserve", move |command| {
            temper.answer(command, SOLD_OUT, "sold_out", "none of these is left")
        })
        .on("release", move |command| temper.confirm(command))
}

fn payment(run: &Run, temper: Temper) -> Builder<MemoryLedger> {
    Participant::builder(run.service("payment"))
        .on("charge", move |command| {
            temper.answer(command, DECLINED, "declined", "the bank says no")
        })
        .on("refund", move |command| temper.confirm(command))
}

fn shipping(run: &Run, temper: Temper) -> Builder<MemoryLedger> {
    Participant::builder(run.service("shipping")).on("dispatch", move |command| {
        if temper.is_never_answered(command) {
            return Answer::nothing();
        }
        temper.answer(command, NO_ROUTE, "no_route", "nobody drives there")
    })
}

/// What the participants remember in the end.
pub(super) struct Effects([BTreeMap<String, Entry>; 3]);

impl Effects {
    /// Do the effects of this saga contradict its end?
    ///
    /// Completed: every effect stands. Compensated: none does. Parked at the pivot: those before it stand, that of the pivot is what
    /// nobody knows.
    pub(super) fn contradict(&self, saga: &SagaId, end: Status) -> bool {
        let stands = self.standing(saga);
        match end {
            Status::Completed => stands != [true; 3],
            Status::Compensated => stands != [false; 3],
            _ => stands[..2] != [true; 2],
        }
    }

    fn standing(&self, saga: &SagaId) -> [bool; 3] {
        let [stock, payment, shipping] = &self.0;
        [(stock, "reserve"), (payment, "charge"), (shipping, "ship")].map(|(entries, step)| {
            let id = CommandId::forward(saga, step, 1).to_string();
            matches!(entries.get(&id), Some(Entry::Effect(_)))
        })
    }
}
