//! Checks of leases.
//!
//! Absent on purpose: fencing; a lease only keeps two processes from taking the same name by mistake.

use std::time::{Duration, Instant};

use connectors::store::{Lease, Store};

use super::bench::{Bench, Fixture};

const LONG: Duration = Duration::from_secs(60);

/// One holder at a time; the holder may renew; names are independent.
pub fn lease_is_held_by_one<F: Fixture>(fixture: &F) {
    let mut store = Bench::new(fixture).store;
    assert_eq!(store.lease("host-1", "a", LONG), Ok(Lease::Held));
    assert_eq!(store.lease("host-1", "a", LONG), Ok(Lease::Held));
    assert_eq!(store.lease("host-1", "b", LONG), foreign("a"));
    assert_eq!(store.lease("host-2", "b", LONG), Ok(Lease::Held));
}

/// A lease ends by itself, and each renewal sets its time anew.
pub fn lease_expires<F: Fixture>(fixture: &F) {
    let mut store = Bench::new(fixture).store;
    let short = Duration::from_millis(50);
    assert_eq!(store.lease("host", "a", LONG), Ok(Lease::Held));
    assert_eq!(store.lease("host", "a", short), Ok(Lease::Held), "renewal");
    let limit = Instant::now() + Duration::from_secs(10);
    while store.lease("host", "b", LONG) != Ok(Lease::Held) {
        assert!(Instant::now() < limit, "the lease did not expire");
        std::thread::yield_now();
    }
    assert_eq!(store.lease("host", "a", LONG), foreign("b"));
}

/// Only its holder can give a lease up.
pub fn lease_is_released_by_its_holder_only<F: Fixture>(fixture: &F) {
    let mut store = Bench::new(fixture).store;
    assert_eq!(store.release("host", "a"), Ok(()));
    assert_eq!(store.lease("host", "a", LONG), Ok(Lease::Held));
    assert_eq!(store.release("host", "b"), Ok(()));
    assert_eq!(store.lease("host", "b", LONG), foreign("a"));
    assert_eq!(store.release("host", "a"), Ok(()));
    assert_eq!(store.lease("host", "b", LONG), Ok(Lease::Held));
}

fn foreign<E>(holder: &str) -> Result<Lease, E> {
    Ok(Lease::Foreign(holder.to_owned()))
}
