//! Walking a definition: which nodes lie inside another.
//!
//! Absent on purpose: order. Whoever needs one follows [`Node::next`] and the bodies.

use std::collections::BTreeSet;

use super::{Await, Compensation, Definition, Kind, Node, NodeIx, Replies, Target};

impl Node {
    /// First nodes of everything that runs on behalf of this node: bodies, arms, steps in `catch`, second providers, questions.
    pub fn inner(&self) -> Vec<NodeIx> {
        let mut entries: Vec<Option<NodeIx>> = match &self.kind {
            Kind::Branch { arms, otherwise } => {
                let arms = arms.iter().map(|(_, target)| *target);
                arms.chain([*otherwise]).collect()
            }
            Kind::Fork { branches, .. } => branches.iter().map(|(_, first)| *first).collect(),
            Kind::Iterate(iterate) => vec![iterate.body],
            Kind::Scope(scope) => vec![scope.body],
            Kind::Send(send) => vec![send.fallback, send.query],
            Kind::Set(_)
            | Kind::Join { .. }
            | Kind::Wait(_)
            | Kind::Publish(_)
            | Kind::End { .. } => Vec::new(),
        };
        entries.extend(self.catch.values().map(|catch| catch.run));
        entries.into_iter().flatten().collect()
    }
}

impl Definition {
    /// Events that any step awaits.
    pub fn awaits(&self) -> impl Iterator<Item = &Await> {
        self.nodes.iter().flat_map(|node| match &node.kind {
            Kind::Wait(wait) => wait.events.as_slice(),
            _ => &[],
        })
    }

    /// Who is asked, forward and back.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.nodes
            .iter()
            .flat_map(|node| match &node.kind {
                Kind::Send(send) => {
                    let counter = match &send.compensation {
                        Compensation::Command(counter) => Some(&counter.target),
                        _ => None,
                    };
                    vec![Some(&send.target), counter]
                }
                _ => Vec::new(),
            })
            .flatten()
    }

    /// Topics of their own in which participants answer.
    pub fn reply_sources(&self) -> impl Iterator<Item = &Replies> {
        self.targets().filter_map(|target| target.replies.as_ref())
    }

    /// Every node inside the node at `ix`, itself not included.
    pub fn inside(&self, ix: NodeIx) -> BTreeSet<NodeIx> {
        let mut found = BTreeSet::new();
        let mut open = self.node(ix).map_or_else(Vec::new, Node::inner);
        while let Some(at) = open.pop() {
            if at == ix || !found.insert(at) {
                continue;
            }
            if let Some(node) = self.node(at) {
                open.extend(node.next);
                open.extend(node.inner());
            }
        }
        found
    }
}
