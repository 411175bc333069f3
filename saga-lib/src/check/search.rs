//! The search: states by the number of faults on the way to them, each visited once.
//!
//! Absent on purpose: what happens in a state (see [`super::moves`]) and what must hold of it (see [`super::judge`]).

use std::collections::{BTreeMap, VecDeque};

use crate::input::Event;
use crate::instance::{Instance, Status};
use crate::ir::Definition;
use crate::transition::{self, Applied};

use super::model::Model;
use super::moves::{self, Move};
use super::story::{Step, story};
use super::world::{Choices, Next, State};
use super::{Limits, Report, act, judge};

/// Key of every instance.
const KEY: &str = "K";

/// A step of a way, and the place of the step before it.
struct Way {
    before: Option<usize>,
    step: Step,
}

struct Search<'m> {
    model: &'m Model,
    limits: Limits,
    ways: Vec<Way>,
    /// Fewest faults with which a state was reached, by its key.
    cheapest: BTreeMap<u128, u32>,
    /// States to visit, by faults.
    open: Vec<VecDeque<(u128, Option<usize>, State)>>,
    /// Number of those.
    waiting: usize,
    /// Fewest faults of a state that was left out.
    left_out: Option<u32>,
    report: Report,
}

pub(super) fn run(definition: &Definition, limits: Limits) -> Report {
    let model = Model::new(definition);
    let mut search = Search {
        model: &model,
        limits,
        ways: Vec::new(),
        cheapest: BTreeMap::new(),
        open: vec![VecDeque::new(); limits.faults as usize + 1],
        waiting: 0,
        left_out: None,
        report: Report {
            states: 0,
            ends: BTreeMap::new(),
            faults: None,
            broken: None,
        },
    };
    if let Some(state) = first(&model) {
        search.push(0, state.key(), None, state);
    }
    search.all();
    search.report
}

/// The state before the trigger; `None` where nothing starts the saga.
pub(super) fn first(model: &Model) -> Option<State> {
    let start = model.definition.starts.first()?;
    let event = Event {
        bind: start.bind.clone(),
        key: KEY.to_owned(),
        r#type: start.r#type.clone(),
        trigger: "trigger-1".to_owned(),
        payload: serde_json::Value::Null,
    };
    let id = transition::saga_id(&model.definition, &event).ok()?;
    let reference = format!("{}@{}#", model.definition.name, model.definition.version);
    Some(State::new(Instance::unstarted(
        id,
        reference,
        &event,
        super::START_MS,
    )))
}

impl Search<'_> {
    fn all(&mut self) {
        for faults in 0..=self.limits.faults {
            while let Some((key, at, state)) = self.open[faults as usize].pop_front() {
                self.waiting -= 1;
                if self.cheapest.get(&key).is_some_and(|best| *best < faults) {
                    continue;
                }
                self.report.states += 1;
                self.visit(faults, at, &state);
                if self.report.broken.is_some() {
                    return;
                }
            }
            if self.left_out.is_none_or(|least| least > faults) {
                self.report.faults = Some(faults);
            }
        }
    }

    fn visit(&mut self, faults: u32, at: Option<usize>, state: &State) {
        let moves = moves::all(self.model, state);
        if moves.iter().all(|(_, cost)| *cost > 0) {
            match judge::end(self.model, state) {
                Ok(end) => *self.report.ends.entry(end).or_default() += 1,
                Err(law) => return self.broken(at, None, law),
            }
        }
        for (what, cost) in moves {
            if faults + cost > self.limits.faults {
                continue;
            }
            let nexts = act::make(self.model, state, &what, &Choices::new());
            if self.model.cut.take() {
                self.leave_out(faults + cost);
            }
            for next in nexts {
                let law = next.broken.clone().or_else(|| copied(state, &what, &next));
                let step = (what.clone(), next.choices);
                if let Some(law) = law {
                    return self.broken(at, Some(step), law);
                }
                let copy = matches!(what, Move::Again { .. } | Move::Cancel);
                // A copy or an act that was ignored has only used up a fault.
                if !copy || next.applied == Applied::Changed {
                    self.reach(faults + cost, at, step, next.state);
                }
            }
        }
    }

    fn reach(&mut self, faults: u32, before: Option<usize>, step: Step, state: State) {
        let key = state.key();
        if self.cheapest.get(&key).is_some_and(|best| *best <= faults) || !self.has_room(faults) {
            return;
        }
        self.ways.push(Way { before, step });
        let at = Some(self.ways.len() - 1);
        self.push(faults, key, at, state);
    }

    fn push(&mut self, faults: u32, key: u128, at: Option<usize>, state: State) {
        self.cheapest.insert(key, faults);
        self.waiting += 1;
        self.open[faults as usize].push_back((key, at, state));
    }

    /// Is there room for one more state? One with more faults makes room for it.
    fn has_room(&mut self, faults: u32) -> bool {
        while self.report.states + self.waiting >= self.limits.states {
            let above = (faults + 1..=self.limits.faults).rev();
            let mut dearest = above.filter_map(|level| {
                let (key, _, _) = self.open[level as usize].pop_back()?;
                Some((level, key))
            });
            let Some((level, key)) = dearest.next() else {
                self.leave_out(faults);
                return false;
            };
            self.waiting -= 1;
            // One that was reached with fewer faults since is still there.
            if self.cheapest.get(&key) == Some(&level) {
                self.cheapest.remove(&key);
                self.leave_out(level);
            }
        }
        true
    }

    fn leave_out(&mut self, faults: u32) {
        self.left_out = Some(self.left_out.map_or(faults, |least| least.min(faults)));
    }

    fn broken(&mut self, at: Option<usize>, last: Option<Step>, law: String) {
        let mut steps: Vec<Step> = last.into_iter().collect();
        let mut at = at;
        while let Some(way) = at.and_then(|at| self.ways.get(at)) {
            steps.push(way.step.clone());
            at = way.before;
        }
        steps.reverse();
        self.report.broken = Some(story(self.model, steps, law));
    }
}

/// The law that an answer which comes again changes nothing. A parked instance keeps what it cannot use yet.
fn copied(state: &State, what: &Move, next: &Next) -> Option<String> {
    let Move::Again { id } = what else {
        return None;
    };
    let changed = next.applied == Applied::Changed && state.instance.status != Status::Parked;
    let name = crate::scenario::name(id);
    changed.then(|| format!("an answer of `{name}` that comes twice counts twice"))
}
