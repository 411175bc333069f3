//! The instances of one plan: decoded when first touched, with the state they had before.
//!
//! Invariant: `before` is what the store (or the last committed plan) said; a plan that is made again starts from it.
//!
//! Absent on purpose: the store.

use std::collections::BTreeMap;

use saga_lib::instance::Instance;
use schemas::state;

/// One instance in a plan.
#[derive(Debug, Clone)]
pub struct Touched {
    /// As loaded.
    pub before: Option<Instance>,
    /// As planned so far.
    pub now: Option<Instance>,
}

/// Instances of one lane by saga id.
#[derive(Debug)]
pub struct Instances<'a> {
    loaded: &'a BTreeMap<String, Option<Vec<u8>>>,
    touched: BTreeMap<String, Touched>,
}

impl<'a> Instances<'a> {
    /// Over the documents that were loaded.
    pub fn new(loaded: &'a BTreeMap<String, Option<Vec<u8>>>) -> Self {
        Self {
            loaded,
            touched: BTreeMap::new(),
        }
    }

    /// The instance of this id.
    ///
    /// # Errors
    /// An unreadable document: the lane must stop, for a newer release may have written it.
    pub fn touch(&mut self, id: &str) -> Result<&mut Touched, String> {
        if !self.touched.contains_key(id) {
            let bytes = self.loaded.get(id).and_then(Option::as_ref);
            let before = match bytes.map(|b| state::decode(b)).transpose() {
                Ok(before) => before,
                Err(error) => return Err(format!("document `{id}` cannot be read: {error}")),
            };
            self.touched.insert(
                id.to_owned(),
                Touched {
                    now: before.clone(),
                    before,
                },
            );
        }
        Ok(self.touched.entry(id.to_owned()).or_insert(Touched {
            before: None,
            now: None,
        }))
    }

    /// Every instance that changed, in the order of ids.
    pub fn changed(&self) -> impl Iterator<Item = (&String, &Touched)> {
        self.touched
            .iter()
            .filter(|(_, touched)| touched.before != touched.now)
    }
}
