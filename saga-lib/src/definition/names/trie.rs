//! A map from small numbers whose copies share what they have in common: a copy costs nothing, a change little, and the difference of
//! two maps is found without looking at what they share.
//!
//! ```text
//!  one place:    root --- branch --- leaf 0, leaf 1, ...
//!                    \--- branch --- leaf 16, ...
//!  the next:     root'--- branch (the same)
//!                    \--- branch'--- leaf 16', ...
//! ```
//!
//! Absent on purpose: removal. What a name no longer is stands in its leaf.

use std::rc::Rc;

/// Levels of branches below the root; together they tell 2^20 numbers apart, far more than a file has values.
const LEVELS: u32 = 5;

/// Bits of a number that one level tells apart.
const BITS: u32 = 4;

/// A node; all leaves are equally deep.
#[derive(Debug, Clone)]
enum Node<V> {
    Branch([Option<Rc<Node<V>>>; 1 << BITS]),
    Leaf(V),
}

impl<V> Node<V> {
    fn empty() -> Self {
        Self::Branch([const { None }; 1 << BITS])
    }

    fn below(&self, place: usize) -> Option<&Rc<Self>> {
        match self {
            Self::Branch(below) => below.get(place)?.as_ref(),
            Self::Leaf(_) => None,
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Trie<V>(Rc<Node<V>>);

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self(Rc::new(Node::empty()))
    }
}

impl<V: Clone + Default> Trie<V> {
    /// The value of `number`.
    pub(super) fn get(&self, number: u32) -> Option<&V> {
        let mut node = &self.0;
        for level in (0..LEVELS).rev() {
            node = node.below(place(number, level))?;
        }
        match &**node {
            Node::Leaf(value) => Some(value),
            Node::Branch(_) => None,
        }
    }

    /// Sets the value of `number`.
    pub(super) fn set(&mut self, number: u32, value: V) {
        set(&mut self.0, number, LEVELS, value);
    }

    /// Everything.
    pub(super) fn all(&self) -> Vec<(u32, V)> {
        self.unlike(&Self::default())
    }

    /// What stands here and not, or not surely equal, in `other`, in the order of the numbers.
    pub(super) fn unlike(&self, other: &Self) -> Vec<(u32, V)> {
        let mut found = Vec::new();
        unlike(&self.0, Some(&other.0), 0, &mut found);
        found
    }
}

fn place(number: u32, level: u32) -> usize {
    usize::try_from(number >> (level * BITS) & ((1 << BITS) - 1)).unwrap_or(0)
}

fn set<V: Clone>(node: &mut Rc<Node<V>>, number: u32, level: u32, value: V) {
    match (Rc::make_mut(node), level.checked_sub(1)) {
        (Node::Branch(below), Some(level)) => {
            let below = below.get_mut(place(number, level));
            let empty = || Rc::new(Node::empty());
            below.into_iter().for_each(|below| {
                set(
                    below.get_or_insert_with(empty),
                    number,
                    level,
                    value.clone(),
                )
            });
        }
        (leaf, _) => *leaf = Node::Leaf(value),
    }
}

fn unlike<V: Clone>(
    node: &Rc<Node<V>>,
    other: Option<&Rc<Node<V>>>,
    prefix: u32,
    found: &mut Vec<(u32, V)>,
) {
    if other.is_some_and(|other| Rc::ptr_eq(node, other)) {
        return;
    }
    match &**node {
        Node::Leaf(value) => found.push((prefix, value.clone())),
        Node::Branch(below) => {
            for (at, node) in (0..).zip(below) {
                let Some(node) = node else { continue };
                let place = usize::try_from(at).unwrap_or(0);
                let other = other.and_then(|other| other.below(place));
                unlike(node, other, (prefix << BITS) | at, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_and_a_copy_keeps_what_it_had(
            first in prop::collection::vec((0_u32..300, 0_u8..9), 0..60),
            second in prop::collection::vec((0_u32..300, 0_u8..9), 0..60),
        ) {
            let (mut trie, mut model) = (Trie::default(), BTreeMap::new());
            for (number, value) in first {
                trie.set(number, value);
                model.insert(number, value);
            }
            let (before, model_before) = (trie.clone(), model.clone());
            for (number, value) in &second {
                trie.set(*number, *value);
                model.insert(*number, *value);
            }
            prop_assert_eq!(before.all(), model_before.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(trie.all(), model.clone().into_iter().collect::<Vec<_>>());
            for number in 0..300 {
                prop_assert_eq!(trie.get(number), model.get(&number));
            }
            let unlike: Vec<u32> = trie.unlike(&before).into_iter().map(|(n, _)| n).collect();
            let mut written: Vec<u32> = second.into_iter().map(|(number, _)| number).collect();
            written.sort_unstable();
            written.dedup();
            prop_assert_eq!(unlike, written);
        }
    }

    #[test]
    fn a_difference_is_found_without_looking_at_the_rest() {
        let mut trie = Trie::default();
        (0..10_000).for_each(|number| trie.set(number, number));
        let mut copy = trie.clone();
        copy.set(5_000, 7);
        assert_eq!(copy.unlike(&trie), [(5_000, 7)]);
        assert_eq!(trie.unlike(&copy), [(5_000, 5_000)]);
        assert_eq!(trie.unlike(&trie.clone()), []);
    }
}
