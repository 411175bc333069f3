//! Chaos: real servers, two processes, participants with a ledger, faults by a seeded plan, and an oracle at the end.
//!
//! Every run prints its seed and its plan first and its figures last. Nothing that must be right depends on time: who waits looks at
//! progress, and complains only when there is none.
//!
//! Absent on purpose: single faults, each looked at closely (see the system tests).

mod books;
mod chance;
mod dump;
mod kafka_proxy;
pub mod ledger;
mod load;
mod oracle;
pub mod participant;
pub mod plan;
pub mod profile;
mod report;
mod sagas;
mod site;
mod stage;
mod store_proxy;
mod wait;
mod wire;

use std::sync::Arc;

use load::Flow;
use oracle::Verdict;
pub use oracle::differing;
use plan::Plan;
use profile::Profile;
pub use report::Report;
use site::Site;
use stage::Stage;

/// Runs the plan of a seed and looks at what is left.
///
/// # Panics
/// If sagas are stuck; what is merely wrong stands in the report.
pub fn run(profile: &Profile, seed: u64) -> Report {
    let plan = Plan::new(seed, profile);
    println!("chaos: {plan}");
    let mut report = Report::new(&plan);
    let mut site = Site::start();
    report.moment("ready");
    let world = Arc::clone(&site.world);
    let flow = Flow::new(&world);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| flow.start_sagas(&world, seed, profile));
        scope.spawn(|| flow.watch());
        let _ends_with_a_panic_too = Over(&flow);
        report.made(&Stage::new(&mut site, &flow, seed).carry_out(&plan, profile));
        flow.stop_starting();
        load.join().expect("the load ends in order");
        report.moment("calm");
        report.retried = wait::until_all_ended(&mut site, &flow, seed);
        report.moment("ended");
    });
    let verdict = Verdict::of(&site, seed, flow.started(), &mut flow.books());
    report.judged(flow.started(), verdict);
    report.moment("judged");
    report.site(&site);
    site.stop();
    report
}

/// Ends the load, also when something panics.
struct Over<'a>(&'a Flow);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
