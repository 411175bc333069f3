//! The stage: everything that runs during a demo, set up, played on and struck in an order that loses nothing.
//!
//! Absent on purpose: what is counted (see [`super::tally`]).

use std::time::{Duration, Instant};

use connectors::log::{Bounds, Log, Options, Timeouts};
use connectors::store::Store;
use schemas::record::Received;

use super::follow::Follower;
use super::progress::Progress;
use super::run::Run;
use super::services::{Effects, Services};
use super::shop::Shop;
use super::tally::{Shared, Tally};
use super::temper::{LATE_AFTER, Temper};
use super::{DemoArgs, Error};
use crate::ingress::limit;
use crate::process::{self, Plan, Process};

/// Lanes of the demo: the default of an installation.
const LANES: u32 = 4;
/// How long servers may take until every lane works.
const READY_MAX: Duration = Duration::from_secs(30);
/// After the last order, a saga without an end for this long is lost.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// Pause between two looks; at the shop's rate one or two orders come due meanwhile.
const PAUSE: Duration = Duration::from_millis(1);

/// Everything that runs.
pub(super) struct Stage<L: Log> {
    run: Run,
    sagas: u32,
    process: Process,
    services: Services,
    history: Follower,
    traffic: Follower,
    shop: Shop<L>,
    tally: Shared,
}

/// What is left when everything has stopped.
pub(super) struct Played {
    /// The run's app.
    pub(super) app: String,
    /// What was seen.
    pub(super) tally: Shared,
    /// What the participants remember.
    pub(super) effects: Effects,
}

impl<L: Log> Stage<L> {
    /// Creates topics and starts everything but the orders.
    ///
    /// # Errors
    /// Of whatever does not start.
    pub(super) fn set<S: Store>(
        cluster: &L::Cluster,
        server: &S::Server,
        args: &DemoArgs,
    ) -> Result<Self, Error> {
        let run = Run::fresh();
        let mut admin = L::open(
            cluster,
            &Options {
                client_id: run.service("admin"),
                ..Options::default()
            },
        )?;
        run.create_topics(&mut admin)?;
        // Participants first: joining their groups takes them as long as the process needs to start.
        let services = Services::start::<L>(&run, Temper { seed: args.seed }, cluster)?;
        let process = process::start::<L, S>(&plan(&run, args), cluster, server)?;
        let tally = Shared::default();
        Ok(Self {
            history: history::<L>(cluster, &run, &tally)?,
            traffic: traffic::<L>(cluster, &run, &tally)?,
            shop: Shop::open(cluster, &run, args.sagas)?,
            sagas: args.sagas,
            run,
            process,
            services,
            tally,
        })
    }

    /// Waits until every lane works, so that the start of servers is not taken for the latency of sagas.
    ///
    /// # Errors
    /// [`Error::NotReady`].
    pub(super) fn wait_ready(&self) -> Result<(), Error> {
        let until = Instant::now() + READY_MAX;
        loop {
            let report = self.process.health.report();
            let lanes: usize = report.components.values().map(|c| c.lanes.len()).sum();
            if report.ready && lanes >= LANES as usize {
                return Ok(());
            }
            if Instant::now() >= until {
                let seconds = READY_MAX.as_secs();
                let reasons = report.reasons.join("; ");
                return Err(Error::NotReady { seconds, reasons });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Places the orders and waits for the ends of their sagas.
    ///
    /// # Errors
    /// The log's.
    pub(super) fn play(&mut self, progress: &Progress) -> Result<(), Error> {
        self.shop.begin();
        let mut placed = Instant::now();
        while !self.is_over(placed) {
            if !self.shop.is_done() {
                placed = Instant::now();
                let tally = &self.tally;
                self.shop.place_due(|number| tally.lock().place(number))?;
            }
            progress.ended(self.tally.lock().ends());
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Stops everything: those who write before those who read.
    ///
    /// # Errors
    /// Why something had ended by itself.
    pub(super) fn strike(self) -> Result<Played, Error> {
        self.shop.close()?;
        self.process.stop()?;
        let effects = self.services.stop();
        self.history.stop()?;
        self.traffic.stop()?;
        Ok(Played {
            app: self.run.app(),
            tally: self.tally,
            effects,
        })
    }

    /// Is nothing more to be expected? Even the latest reply comes within [`LATE_AFTER`] of its command.
    fn is_over(&self, placed: Instant) -> bool {
        let tally = self.tally.lock();
        let all = self.shop.is_done() && tally.ends() == self.sagas;
        let quiet = tally.is_quiet_for(LATE_AFTER + LATE_AFTER / 2);
        (all && quiet) || placed.elapsed() > LOST_AFTER || self.is_broken()
    }

    fn is_broken(&self) -> bool {
        self.process.has_ended() || self.history.has_ended() || self.traffic.has_ended()
    }
}

fn plan(run: &Run, args: &DemoArgs) -> Plan {
    Plan {
        app: run.app(),
        instance: "demo".to_owned(),
        lanes: LANES,
        workers: 1,
        ingress: true,
        timeouts: Timeouts::default(),
        batch: Bounds {
            records: 500,
            bytes: 1 << 20,
            wait: Duration::from_millis(20),
        },
        keys: schemas::signature::Keys::default(),
        require_signature: false,
        definitions: vec![run.definition()],
        formats: std::collections::BTreeMap::new(),
        schemas: connectors::registry::Sources::default(),
        dead_letters: limit::Bounds::default(),
        resends: crate::engine::Budget::default(),
        create_missing: true,
        listen: None,
        client_library: args.client_library.clone(),
    }
}

/// The history has a follower of its own: what the others read must not delay what latency is measured by.
fn history<L: Log>(cluster: &L::Cluster, run: &Run, tally: &Shared) -> Result<Follower, Error> {
    let tally = tally.clone();
    let topics = [format!("{}.history", run.app())];
    let take = move |record: &Received| tally.lock().take_fact(record);
    Ok(Follower::start::<L>(
        cluster,
        "demo-history",
        &topics,
        take,
    )?)
}

fn traffic<L: Log>(cluster: &L::Cluster, run: &Run, tally: &Shared) -> Result<Follower, Error> {
    let (tally, events) = (tally.clone(), run.events());
    let mut topics = run.all_commands();
    topics.push(events.clone());
    let take = move |record: &Received| {
        let tally: &mut Tally = &mut tally.lock();
        if record.partition.topic == events {
            tally.take_event(record);
        } else {
            tally.take_command(record);
        }
    };
    Ok(Follower::start::<L>(
        cluster,
        "demo-traffic",
        &topics,
        take,
    )?)
}
