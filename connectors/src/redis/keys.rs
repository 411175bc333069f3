//! Names of keys: everything of a lane shares one hash tag.
//!
//! Absent on purpose: checks of application names and saga ids; both are parsed at the edge.

/// The status codes in the order in which scripts expect the index keys.
pub const STATUSES: [char; 8] = ['r', 'k', 'p', 's', 'c', 'b', 't', 'e'];

/// The definition of a saga id `<definition>/<key>`.
pub fn definition_of(id: &str) -> &str {
    id.split_once('/').map_or(id, |(definition, _)| definition)
}

/// Key of a lease. It belongs to no lane.
pub fn lease(app: &str, name: &str) -> String {
    format!("{{{app}:lease}}{name}")
}

/// Key names of one lane.
#[derive(Debug, Clone)]
pub struct Keys {
    tag: String,
}

impl Keys {
    /// Keys of `lane` of `app`.
    pub fn new(app: &str, lane: u32) -> Self {
        Self {
            tag: format!("{{{app}:{lane:03}}}"),
        }
    }

    /// Hash: the position.
    pub fn position(&self) -> String {
        format!("{}pos", self.tag)
    }

    /// Sorted set: every stored id with its next wake-up or expiry.
    pub fn timers(&self) -> String {
        format!("{}t", self.tag)
    }

    /// Hash: counters.
    pub fn counters(&self) -> String {
        format!("{}n", self.tag)
    }

    /// String: a document.
    pub fn document(&self, id: &str) -> String {
        format!("{}s:{id}", self.tag)
    }

    /// Set: ids of a definition in a status.
    pub fn index(&self, definition: &str, status: char) -> String {
        format!("{}i:{definition}:{status}", self.tag)
    }
}

/// The definitions of a batch, numbered from 1 in order of their first appearance.
#[derive(Debug, Default)]
pub struct Definitions<'a> {
    names: Vec<&'a str>,
}

impl<'a> Definitions<'a> {
    /// The number of the definition of `id`.
    pub fn number(&mut self, id: &'a str) -> usize {
        let name = definition_of(id);
        // Batches hold a handful of definitions, so looking along the list is cheaper than a map.
        if let Some(at) = self.names.iter().position(|known| *known == name) {
            return at + 1;
        }
        self.names.push(name);
        self.names.len()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The index keys of each definition.
    pub fn index_keys(&self, keys: &Keys) -> Vec<String> {
        let of = |name: &&str| STATUSES.map(|status| keys.index(name, status));
        self.names.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_share_the_hash_tag_of_their_lane() {
        let keys = Keys::new("skald", 3);
        assert_eq!(keys.position(), "{skald:003}pos");
        assert_eq!(keys.document("order/ORD-42"), "{skald:003}s:order/ORD-42");
        assert_eq!(keys.index("order", 'r'), "{skald:003}i:order:r");
        assert_eq!(Keys::new("skald", 1_234).timers(), "{skald:1234}t");
        assert_eq!(lease("skald", "host"), "{skald:lease}host");
    }

    #[test]
    fn every_status_has_an_index() {
        let codes = saga_lib::instance::Status::ALL.map(|status| status.code());
        assert_eq!(codes, STATUSES);
    }

    #[test]
    fn definitions_are_numbered_as_they_appear() {
        let mut definitions = Definitions::default();
        let numbers = ["b/1", "a/1", "b/x/y", "c"].map(|id| definitions.number(id));
        assert_eq!(numbers, [1, 2, 1, 3]);
        let names = definitions.index_keys(&Keys::new("skald", 0));
        assert_eq!((definitions.count(), names.len()), (3, 24));
        assert_eq!(names[8], "{skald:000}i:a:r");
        assert_eq!(names[15], "{skald:000}i:a:e");
    }
}
