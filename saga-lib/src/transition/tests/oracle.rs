//! What must hold of a program, derived from its structure alone: which effects stand at the end, and in which order compensations go
//! out. Nothing here asks the code under test.

use std::collections::{BTreeMap, BTreeSet};

use super::program::Part;
use crate::effect::{Command, Effect, Note};
use crate::input::Reply;
use crate::instance::{FrameKind, Instance, Status};
use crate::ir::{Directive, Kind, StepKind};

/// One level of nesting of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Nest {
    /// Position in a sequence.
    Position(usize),
    /// Number of a parallel branch.
    Branch(usize),
    /// An execution of a body: its number stands in the command's path.
    Round { parallel: bool },
    /// Something of which what lies inside may be undone alone.
    Part(String),
}

/// The program, and where each of its commands stands.
pub struct Oracle {
    parts: Vec<Part>,
    nests: BTreeMap<String, Vec<Nest>>,
    /// Steps whose first provider may be compensated alone.
    retreating: BTreeSet<String>,
    pivots: BTreeSet<String>,
    /// Pivots by the step that asks about them.
    asking: BTreeMap<String, String>,
}

/// What went out and came in.
pub struct Log {
    oracle: Oracle,
    clock: u64,
    /// Forward commands in the order of their first sending, with the time.
    begun: Vec<(String, u64)>,
    /// Time of the first success that was read.
    proved: BTreeMap<String, u64>,
    refused: BTreeSet<String>,
    confirmed: BTreeSet<String>,
    /// Steps with a late reply: what they did may be undone alone.
    late: BTreeSet<String>,
    /// Did an operator decide outcomes? Then replies do not tell what is settled.
    pub decided: bool,
}

/// The name of a forward command without its saga: `s1[0]#2`.
fn short(id: &str) -> String {
    id.rsplit('/').next().unwrap_or_default().to_owned()
}

fn step_of(id: &str) -> &str {
    id.split(['[', '.', '#']).next().unwrap_or_default()
}

/// Numbers of executions in a command's path.
fn numbers(id: &str) -> Vec<String> {
    let path = id.split('#').next().unwrap_or_default();
    let rest = &path[step_of(path).len()..];
    let open = rest.replace(']', "");
    let parts = open.split(['[', '.']).skip(1);
    parts.map(str::to_owned).collect()
}

impl Oracle {
    pub fn new(parts: &[Part]) -> Self {
        let mut oracle = Self {
            parts: parts.to_vec(),
            nests: BTreeMap::new(),
            retreating: BTreeSet::new(),
            pivots: BTreeSet::new(),
            asking: BTreeMap::new(),
        };
        oracle.nest(parts, &[]);
        oracle
    }

    fn nest(&mut self, parts: &[Part], around: &[Nest]) {
        for (position, part) in parts.iter().enumerate() {
            let here = [around, &[Nest::Position(position)]].concat();
            self.one(part, &here);
        }
    }

    fn one(&mut self, part: &Part, here: &[Nest]) {
        let inside = |more: Vec<Nest>| [here, &more].concat();
        let step = part.node.step.clone();
        match &part.node.kind {
            Kind::Send(send) => {
                if send.kind == StepKind::Pivot {
                    self.pivots.insert(step.clone());
                }
                self.nests.insert(step.clone(), here.to_vec());
            }
            Kind::Fork { join, .. } => {
                for (number, body) in part.bodies.iter().enumerate() {
                    let mut more = vec![Nest::Branch(number)];
                    if *join > 0 {
                        more.push(Nest::Part(format!("{step}/{number}")));
                    }
                    self.nest(body, &inside(more));
                }
            }
            Kind::Branch { .. } => {
                for (number, body) in part.bodies.iter().enumerate() {
                    self.nest(body, &inside(vec![Nest::Position(number)]));
                }
            }
            Kind::Iterate(iterate) => {
                let parallel = iterate.over.is_some() && iterate.limit > 1;
                self.nest(&part.bodies[0], &inside(vec![Nest::Round { parallel }]));
            }
            Kind::Scope(_) => {
                let alone = is_part(part);
                let more = if alone {
                    vec![Nest::Part(step.clone())]
                } else {
                    vec![]
                };
                self.nest(&part.bodies[0], &inside(more));
            }
            _ => {}
        }
        for (_, steps, _) in &part.caught {
            // Behind the step itself, whose path ends here.
            self.nest(steps, &inside(vec![Nest::Position(0)]));
        }
        if let Some(query) = &part.query {
            self.asking.insert(query.node.step.clone(), step.clone());
        }
        if let Some(fallback) = &part.fallback {
            self.retreating.insert(step);
            self.one(fallback, &inside(vec![Nest::Position(1)]));
        }
    }

    /// Did neither have to wait for the other?
    fn independent(&self, a: &str, b: &str) -> bool {
        let (na, nb) = (numbers(a), numbers(b));
        let (mut na, mut nb) = (na.iter(), nb.iter());
        let levels = self.nests[step_of(a)].iter().zip(&self.nests[step_of(b)]);
        for (x, y) in levels {
            match (x, y) {
                (Nest::Branch(x), Nest::Branch(y)) if x != y => return true,
                (Nest::Round { parallel }, Nest::Round { .. }) if na.next() != nb.next() => {
                    return *parallel;
                }
                (x, y) if x != y => return false,
                _ => {}
            }
        }
        false
    }

    /// The innermost thing around a step that is undone alone, with the numbers of the executions around it.
    fn part(&self, id: &str) -> Option<(usize, Vec<String>)> {
        let nests = &self.nests[step_of(id)];
        let at = nests
            .iter()
            .rposition(|nest| matches!(nest, Nest::Part(_)))?;
        let rounds = nests[..at].iter();
        let rounds = rounds
            .filter(|nest| matches!(nest, Nest::Round { .. }))
            .count();
        Some((at, numbers(id)[..rounds].to_vec()))
    }

    fn is_inside(&self, id: &str, of: &str, (at, rounds): &(usize, Vec<String>)) -> bool {
        let (a, b) = (&self.nests[step_of(id)], &self.nests[step_of(of)]);
        a.len() > *at && a[..=*at] == b[..=*at] && numbers(id).starts_with(rounds)
    }
}

fn is_part(part: &Part) -> bool {
    let compensated = |name: &str| name == "compensated";
    let plain = part.node.catch.keys().any(|name| compensated(name));
    let caught = part.caught.iter().any(|(name, ..)| compensated(name));
    let timeout = part.node.catch.get("timeout").map(|c| c.then);
    plain || caught || timeout == Some(Directive::Retry)
}

impl Log {
    pub fn new(oracle: Oracle) -> Self {
        Self {
            oracle,
            clock: 0,
            begun: Vec::new(),
            proved: BTreeMap::new(),
            refused: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            late: BTreeSet::new(),
            decided: false,
        }
    }

    /// Executions begun.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }

    /// The pivot that this command asks about.
    pub fn asks(&self, command: &Command) -> Option<String> {
        self.oracle.asking.get(&command.step).cloned()
    }

    /// What the last input led to, beside commands.
    pub fn noted(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Note(Note::LateReply { step }) = effect {
                self.late.insert(step_of(step).to_owned());
            }
        }
    }

    pub fn fed(&mut self, reply: &Reply) {
        self.clock += 1;
        let id = short(&reply.command.forward_id().to_string());
        let asked = self.oracle.asking.get(step_of(&id)).cloned();
        let id = asked.unwrap_or(id);
        match (reply.command.compensation, reply.outcome.as_str()) {
            (None, "ok") => {
                self.proved.entry(id).or_insert(self.clock);
            }
            (None, "refused" | "declined") => {
                self.refused.insert(id);
            }
            (Some(_), "ok") => {
                self.confirmed.insert(id);
            }
            _ => {}
        }
    }

    pub fn sent(&mut self, command: &Command, here: &Instance) {
        self.clock += 1;
        let id = short(&command.id.forward_id().to_string());
        match command.id.compensation {
            None if command.attempt == 1 => self.begun.push((id, self.clock)),
            None => {}
            Some(m) => {
                self.check_not_in_flight(&id, command, here);
                if (m, command.attempt) == (1, 1) && !self.decided {
                    self.check_order(&id, here);
                }
            }
        }
    }

    /// E2: no compensation overtakes its own command.
    fn check_not_in_flight(&self, id: &str, command: &Command, here: &Instance) {
        assert!(self.begun.iter().any(|(begun, _)| begun == id));
        let forward = command.id.forward_id();
        let held = here.frames.iter().filter_map(|frame| match &frame.kind {
            FrameKind::Catch(caught) => caught.held.as_ref(),
            _ => None,
        });
        for token in here.tokens.iter().chain(held) {
            let same = token.execution == forward.execution
                && forward.path.starts_with(step_of(id))
                && token.pending.is_some();
            let node_is = forward.path == format!("{}{}", step_of(id), here.suffix(token.frame));
            let node = here.steps.contains_key(step_of(id));
            assert!(
                !(same && node_is && node && self.is_node(token.node, step_of(id))),
                "{id} in flight: {here:?}"
            );
        }
    }

    fn is_node(&self, ix: u32, step: &str) -> bool {
        let nodes = super::program::program(self.oracle.parts.clone()).nodes;
        nodes.get(ix as usize).is_some_and(|node| node.step == step)
    }

    /// E1, B1: what came after it, and waited for it, is compensated before it.
    fn check_order(&self, id: &str, here: &Instance) {
        let part = self.oracle.part(id);
        let back = here.direction() == Status::Compensating;
        let step = step_of(id);
        if self.late.contains(step) || self.oracle.retreating.contains(step) {
            return;
        }
        assert!(
            back || part.is_some(),
            "{id} compensated without a cause: {here:?}"
        );
        if part.is_none() {
            let paid = self
                .proved
                .keys()
                .any(|id| self.oracle.pivots.contains(step_of(id)));
            assert!(
                !paid || !here.past_pivot,
                "{id} compensated past the pivot: {here:?}"
            );
        }
        let decided = self.proved.get(id).copied();
        let begun = self.begun.iter().find(|(begun, _)| begun == id);
        let since = decided.or(begun.map(|(_, at)| *at)).unwrap_or(0);
        for (other, at) in &self.begun {
            if !self.oracle.nests.contains_key(step_of(other)) {
                continue;
            }
            let inside = part
                .as_ref()
                .is_none_or(|p| self.oracle.is_inside(other, id, p));
            let gone = self.refused.contains(other) || self.confirmed.contains(other);
            let earlier = *at <= since || other == id;
            if earlier || gone || !inside || self.is_forward_only(other) {
                continue;
            }
            assert!(
                self.oracle.independent(id, other),
                "{id} compensated before {other}: {here:?}"
            );
        }
    }

    /// Pivots are never compensated; steps behind them neither.
    fn is_forward_only(&self, id: &str) -> bool {
        fn find<'a>(parts: &'a [Part], step: &str) -> Option<&'a Part> {
            parts.iter().find_map(|part| {
                let bodies = part.bodies.iter().find_map(|body| find(body, step));
                let caught = part.caught.iter().find_map(|(_, body, _)| find(body, step));
                let other = part.fallback.as_ref().or(part.query.as_ref());
                let other = other.filter(|part| part.node.step == step);
                let here = (part.node.step == step).then_some(part);
                here.or(bodies).or(caught).or(other.map(|part| &**part))
            })
        }
        let part = find(&self.oracle.parts, step_of(id));
        part.is_none_or(|part| match &part.node.kind {
            Kind::Send(send) => send.kind != StepKind::Compensatable,
            _ => true,
        })
    }

    pub fn check_compensated(&self, effects: &BTreeSet<String>) {
        let left: Vec<&String> = effects.iter().filter(|id| !self.is_read(id)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    fn is_read(&self, id: &str) -> bool {
        !self.oracle.nests.contains_key(step_of(id))
    }

    /// Every effect of the path stands, and no other does.
    pub fn check_completed(&self, effects: &BTreeSet<String>) {
        let mut walk = Walk {
            left: effects
                .iter()
                .filter(|id| !self.is_read(id))
                .cloned()
                .collect(),
            proved: self.proved.keys().cloned().collect(),
        };
        if let Err(why) = walk.sequence(&self.oracle.parts, "") {
            panic!("{why} of {effects:?}");
        }
        assert!(walk.left.is_empty(), "{:?} of {effects:?}", walk.left);
    }
}

/// How a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Stopped,
    /// It may have been stopped: nothing tells.
    Either,
}

/// Follows a path, taking the effects that stand on it.
#[derive(Clone)]
struct Walk {
    left: BTreeSet<String>,
    proved: BTreeSet<String>,
}

impl Walk {
    fn sequence(&mut self, parts: &[Part], suffix: &str) -> Result<End, String> {
        for (at, part) in parts.iter().enumerate() {
            match self.part(part, suffix)? {
                End::Done => {}
                End::Stopped => return Ok(End::Stopped),
                End::Either => {
                    if !self.any(&parts[at + 1..], suffix) {
                        return Ok(End::Either);
                    }
                }
            }
        }
        Ok(End::Done)
    }

    fn part(&mut self, part: &Part, suffix: &str) -> Result<End, String> {
        let step = &part.node.step;
        match &part.node.kind {
            Kind::Send(_) => self.send(part, suffix).map(|()| End::Done),
            Kind::End { .. } => Ok(End::Stopped),
            Kind::Wait(_) => {
                for (_, steps, _) in &part.caught {
                    if self.any(steps, suffix) {
                        self.sequence(steps, suffix)?;
                    }
                }
                Ok(End::Done)
            }
            Kind::Fork { join, .. } => self.fork(part, *join, suffix),
            Kind::Branch { arms, .. } => {
                let yes = arms[0].0.source() == "order.yes";
                self.sequence(&part.bodies[usize::from(!yes)], suffix)
            }
            Kind::Iterate(iterate) if iterate.over.is_some() => {
                for index in 0..3 {
                    self.sequence(&part.bodies[0], &format!("{suffix}[{index}]"))?;
                }
                Ok(End::Done)
            }
            Kind::Iterate(iterate) => {
                let once = iterate
                    .until
                    .as_ref()
                    .is_some_and(|e| e.source() == "order.yes");
                let rounds = if once { 1 } else { iterate.max };
                for number in 1..=rounds {
                    let end = self.sequence(&part.bodies[0], &format!("{suffix}.{number}"))?;
                    let next = format!("{suffix}.{}", number + 1);
                    let more = end == End::Either && self.any(&part.bodies[0], &next);
                    if end != End::Done && !more {
                        return Ok(end);
                    }
                }
                Ok(End::Done)
            }
            Kind::Scope(_) => self.block(part, suffix),
            _ => {
                let _ = step;
                Ok(End::Done)
            }
        }
    }

    fn send(&mut self, part: &Part, suffix: &str) -> Result<(), String> {
        let path = format!("{}{suffix}", part.node.step);
        let known = self.take(&path);
        let proved = known.iter().filter(|id| self.proved.contains(*id)).count();
        let goes_on = |then: &Directive| *then == Directive::Continue;
        let lenient = part.node.catch.values().any(|catch| goes_on(&catch.then));
        let caught = part.caught.first();
        match proved {
            1 => {
                if let Some((
                    _,
                    steps,
                    Directive::Retry | Directive::Park | Directive::Compensate,
                )) = caught
                {
                    self.clear(steps, suffix);
                }
                Ok(())
            }
            0 if part.fallback.is_some() => {
                let fallback = part.fallback.as_ref().ok_or("no fallback")?;
                self.part(fallback, suffix).map(|_| ())
            }
            0 if lenient => Ok(()),
            0 => match caught {
                Some((_, steps, Directive::Continue)) => self.sequence(steps, suffix).map(|_| ()),
                _ => Err(format!("{path} has no effect")),
            },
            more => Err(format!("{path} has {more} effects")),
        }
    }

    fn fork(&mut self, part: &Part, join: u32, suffix: &str) -> Result<End, String> {
        let bodies = &part.bodies;
        if join == 0 {
            for body in bodies {
                self.sequence(body, suffix)?;
            }
            return Ok(End::Done);
        }
        let (mut complete, mut effective) = (0, 0);
        for body in bodies {
            let mut attempt = self.clone();
            let any = self.any(body, suffix);
            match attempt.sequence(body, suffix) {
                Ok(_) => {
                    complete += 1;
                    effective += u32::from(any);
                    *self = attempt;
                }
                Err(why) if any => return Err(format!("{why} in a lost branch")),
                Err(_) => {}
            }
        }
        let needed = join.min(bodies.len() as u32);
        if complete < needed || effective > needed {
            let step = &part.node.step;
            return Err(format!(
                "{step}: {complete} complete, {effective} effective"
            ));
        }
        Ok(End::Done)
    }

    fn block(&mut self, part: &Part, suffix: &str) -> Result<End, String> {
        let body = &part.bodies[0];
        let catch = &part.node.catch;
        let timeout = catch.get("timeout").map(|catch| catch.then);
        if timeout == Some(Directive::Continue) {
            // It may have been left anywhere.
            self.clear(body, suffix);
            return Ok(End::Either);
        }
        let plain = catch.get("compensated").map(|catch| catch.then);
        let caught = part.caught.iter().find(|(name, ..)| name == "compensated");
        let goes_on = plain == Some(Directive::Continue) || caught.is_some();
        let mut attempt = self.clone();
        let end = attempt.sequence(body, suffix);
        let any = self.any(body, suffix);
        match end {
            Ok(End::Done) if !goes_on => {
                *self = attempt;
                Ok(End::Done)
            }
            Ok(end) => {
                *self = attempt;
                if let Some((_, steps, _)) = caught
                    && self.any(steps, suffix)
                {
                    if any {
                        return Err(format!("{}: undone and done", part.node.step));
                    }
                    self.sequence(steps, suffix)?;
                }
                Ok(if goes_on && !any { End::Either } else { end }.when_done(end))
            }
            Err(why) if any || !goes_on => Err(format!("{why} in {}", part.node.step)),
            Err(_) => match caught {
                Some((_, steps, _)) => self.sequence(steps, suffix),
                None => Ok(End::Done),
            },
        }
    }

    /// Is there an effect of anything in these parts?
    fn any(&self, parts: &[Part], suffix: &str) -> bool {
        let mut all = self.clone();
        all.clear(parts, suffix);
        let gone = self.left.difference(&all.left);
        gone.into_iter().any(|id| self.proved.contains(id))
    }

    /// Takes every effect of these parts.
    fn clear(&mut self, parts: &[Part], suffix: &str) {
        for part in parts {
            let path = format!("{}{suffix}", part.node.step);
            let begins = |id: &String| {
                id.strip_prefix(&path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['#', '[', '.']))
            };
            self.left.retain(|id| !begins(id));
            for body in part
                .bodies
                .iter()
                .chain(part.caught.iter().map(|(_, b, _)| b))
            {
                self.clear(body, suffix);
            }
            for other in part.fallback.iter().chain(&part.query) {
                self.clear(std::slice::from_ref(other), suffix);
            }
        }
    }

    fn take(&mut self, path: &str) -> Vec<String> {
        let is_it = |id: &&String| {
            let rest = id.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
        };
        let found: Vec<String> = self.left.iter().filter(is_it).cloned().collect();
        for id in &found {
            self.left.remove(id);
        }
        found
    }
}

impl End {
    /// A sequence that went to its end was not stopped.
    fn when_done(self, end: End) -> End {
        if end == End::Done { End::Done } else { self }
    }
}
