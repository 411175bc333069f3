//! The janitor: ends transactions that dead workers left open, before the broker's own timeout does.
//!
//! An open transaction of a dead ingress holds up every lane's readers. Recoveries name the transactional ids they met
//! ([`Janitor::suspect`]); when the lease of such an id's instance was free several times in a row, its holder is dead, and the id is
//! initialised once, which aborts what it left open.
//!
//! Fencing a living worker by mistake costs it a recovery and nothing else, so the lease needs no stronger guarantee.
//!
//! Absent on purpose: waiting. Recoveries go on by themselves and never depend on the janitor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connectors::log::Log;
use connectors::store::{Lease, Store};

use crate::worker::Stop;

/// Time between two rounds.
const ROUND: Duration = Duration::from_millis(500);
/// How often in a row a lease must have been free.
const FREE_ROUNDS: u32 = 3;
/// The janitor holds a free lease only between asking and giving it back.
const TTL: Duration = Duration::from_millis(200);

/// Ids that were met, and how often in a row their instance's lease was free.
#[derive(Debug, Clone, Default)]
pub struct Janitor(Arc<Mutex<BTreeMap<String, u32>>>);

impl Janitor {
    /// Names a transactional id that was met during a recovery.
    pub fn suspect(&self, transactional_id: &str) {
        if !transactional_id.is_empty() {
            self.lock().entry(transactional_id.to_owned()).or_default();
        }
    }

    /// Works until `stop`. `own` is this process' instance name, whose ids are never touched.
    pub fn work<L: Log, S: Store>(self, mut log: L, mut store: S, own: String, stop: Stop) {
        std::thread::spawn(move || {
            while !stop.is_stopped() {
                std::thread::sleep(ROUND);
                for id in self.dead(&mut store, &own) {
                    match log.fence(&id) {
                        Ok(()) => tracing::info!(
                            transactional_id = id,
                            "Transactions of a dead worker are ended."
                        ),
                        Err(error) => {
                            tracing::warn!(transactional_id = id, %error, "Dead worker could not be fenced; trying again.");
                            self.suspect(&id);
                        }
                    }
                }
            }
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One round: ids whose instance is dead; they are suspects no longer.
    fn dead<S: Store>(&self, store: &mut S, own: &str) -> Vec<String> {
        let mut dead = Vec::new();
        self.lock().retain(|id, free| {
            let Some(instance) = instance(id) else {
                return false;
            };
            if instance == own {
                return false;
            }
            *free = if is_free(store, instance) {
                *free + 1
            } else {
                0
            };
            let is_dead = *free >= FREE_ROUNDS;
            if is_dead {
                dead.push(id.clone());
            }
            !is_dead
        });
        dead
    }
}

/// Nobody holds the lease now. A store that does not answer says nothing.
fn is_free<S: Store>(store: &mut S, instance: &str) -> bool {
    let free = matches!(store.lease(instance, "janitor", TTL), Ok(Lease::Held));
    if free {
        // If this fails, the lease runs out by itself.
        let _ = store.release(instance, "janitor");
    }
    free
}

/// The instance in `<app>.<role>.<instance>.<worker>`; its name may contain dots.
fn instance(id: &str) -> Option<&str> {
    let rest = id.splitn(3, '.').nth(2)?;
    rest.rsplit_once('.').map(|(instance, _)| instance)
}

#[cfg(test)]
mod tests {
    use connectors::memory::store::{MemoryStore, MemoryStoreServer};

    use super::*;

    fn store() -> MemoryStore {
        MemoryStore::open(&MemoryStoreServer::default(), "app").unwrap()
    }

    #[test]
    fn an_instance_without_lease_is_dead_after_some_rounds() {
        let (janitor, mut store) = (Janitor::default(), store());
        janitor.suspect("app.ingress.host.local.0");
        for _ in 1..FREE_ROUNDS {
            assert!(janitor.dead(&mut store, "me").is_empty());
        }
        assert_eq!(janitor.dead(&mut store, "me"), ["app.ingress.host.local.0"]);
        assert!(janitor.dead(&mut store, "me").is_empty());
    }

    #[test]
    fn a_holder_of_its_lease_and_our_own_ids_are_left_alone() {
        let (janitor, mut store) = (Janitor::default(), store());
        store
            .lease("living", "holder", Duration::from_secs(60))
            .unwrap();
        janitor.suspect("app.engine.living.0");
        janitor.suspect("app.engine.me.1");
        for _ in 0..2 * FREE_ROUNDS {
            assert!(janitor.dead(&mut store, "me").is_empty());
        }
    }
}
