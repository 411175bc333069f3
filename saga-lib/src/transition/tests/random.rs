//! Random programs: legal ones, with compensatable steps, then at most one pivot, then steps that only go forward.

use super::definitions::awaiting;
use super::model::Random;
use super::program::{
    Part, block, choice, comp, each, emit, parallel, pivot, read, retriable, rounds, stop, timed,
};
use crate::ir::Directive;

pub struct Generated {
    pub parts: Vec<Part>,
    /// Steps that await an event; its type is the step's name and `_came`.
    pub awaits: Vec<String>,
    /// May operators decide outcomes?
    pub may_decide: bool,
}

struct Generator<'a> {
    random: &'a mut Random,
    steps: u32,
    awaits: Vec<String>,
    /// Are steps behind the pivot generated?
    after: bool,
}

pub fn generate(random: &mut Random) -> Generated {
    let may_decide = random.below(8) == 0;
    let mut generator = Generator {
        random,
        steps: 0,
        awaits: Vec::new(),
        after: false,
    };
    let mut parts = generator.sequence(0, 4);
    match generator.random.below(6) {
        0 => {}
        1 => {
            let sibling = generator.sequence(2, 2);
            let name = generator.name();
            let pay = generator.pivot();
            parts.push(parallel(&name, None, vec![vec![pay], sibling]));
            generator.after = true;
            parts.extend(generator.sequence(0, 3));
        }
        2 => {
            let name = generator.name();
            let pay = generator.pivot();
            generator.after = true;
            let mut body = vec![pay];
            body.extend(generator.sequence(1, 2));
            let body = match generator.random.below(2) {
                0 => block(&name, body),
                _ => timed(&name, 50_000, body),
            };
            parts.push(body);
            parts.extend(generator.sequence(0, 2));
        }
        _ => {
            let pay = generator.pivot();
            parts.push(pay);
            generator.after = true;
            parts.extend(generator.sequence(0, 3));
        }
    }
    Generated {
        parts,
        awaits: generator.awaits,
        may_decide,
    }
}

impl Generator<'_> {
    fn name(&mut self) -> String {
        self.steps += 1;
        format!("s{}", self.steps)
    }

    fn sequence(&mut self, depth: u32, most: u64) -> Vec<Part> {
        let count = self.random.below(most) + 1;
        (0..count).map(|_| self.part(depth)).collect()
    }

    fn part(&mut self, depth: u32) -> Part {
        let name = self.name();
        let kinds = if depth < 3 && self.steps < 14 { 16 } else { 8 };
        match self.random.below(kinds) {
            0..=5 => self.step(&name),
            6 => emit(&name, "Told"),
            7 => self.wait(&name),
            8 | 9 => self.fork(&name, depth),
            10 => {
                let (yes, no) = (self.sequence(depth + 1, 2), self.sequence(depth + 1, 2));
                let when = ["order.yes", "order.no"][self.random.below(2) as usize];
                choice(&name, when, yes, no)
            }
            11 | 12 => self.block(&name, depth),
            13 => self.repeat(&name, depth),
            14 => {
                let limit = self.random.below(3) as u32 + 1;
                each(&name, "order.items", limit, self.sequence(depth + 1, 2))
            }
            _ if self.random.below(4) == 0 => stop(&name, "enough"),
            _ => self.step(&name),
        }
    }

    fn pivot(&mut self) -> Part {
        let name = self.name();
        let pay = pivot(&name).attempts(self.random.below(2) as u32 + 1);
        match self.random.below(5) {
            0 => {
                let question = self.name();
                pay.query(read(&question).attempts(2))
            }
            1 => {
                let other = self.name();
                pay.fallback(pivot(&other))
            }
            _ => pay,
        }
    }

    fn step(&mut self, name: &str) -> Part {
        if self.after {
            let step = retriable(name).attempts(self.random.below(3) as u32 + 1);
            return match self.random.below(6) {
                0 => step.catch("any", Directive::Park),
                1 => {
                    let other = self.name();
                    step.catch_do("any", vec![retriable(&other)], Directive::Retry)
                }
                _ => step,
            };
        }
        let step = comp(name).attempts(self.random.below(3) as u32 + 1);
        match self.random.below(16) {
            0 => step.catch("any", Directive::Continue),
            1 => step.catch("declined", Directive::Retry),
            2 | 3 => {
                let other = self.name();
                let other = comp(&other).attempts(2);
                step.fallback(other)
            }
            4 => {
                let other = self.name();
                step.catch_do("any", vec![comp(&other)], Directive::Continue)
            }
            5 => {
                let other = self.name();
                step.catch_do("any", vec![comp(&other)], Directive::Compensate)
            }
            6 => {
                let other = self.name();
                step.catch_do("any", vec![comp(&other)], Directive::Retry)
            }
            7 => step.catch("any", Directive::Park),
            8 => {
                let other = self.name();
                step.catch_do("any", vec![comp(&other)], Directive::Park)
            }
            _ => step,
        }
    }

    fn wait(&mut self, name: &str) -> Part {
        self.awaits.push(name.to_owned());
        let wait = Part::from(awaiting(name, &format!("{name}_came")));
        match self.random.below(4) {
            0 if !self.after => wait,
            1 => wait.catch("timeout", Directive::Retry),
            2 if !self.after => {
                let other = self.name();
                wait.catch_do("timeout", vec![comp(&other)], Directive::Continue)
            }
            _ => wait.catch("timeout", Directive::Continue),
        }
    }

    fn fork(&mut self, name: &str, depth: u32) -> Part {
        let branches = self.random.below(2) + 2;
        let bodies = (0..branches).map(|_| self.sequence(depth + 1, 2));
        let bodies = bodies.collect();
        let count = match self.random.below(4) {
            0 if !self.after => Some(1),
            1 if !self.after => Some(2),
            _ => None,
        };
        parallel(name, count, bodies)
    }

    fn block(&mut self, name: &str, depth: u32) -> Part {
        let body = self.sequence(depth + 1, 3);
        if self.after {
            return block(name, body);
        }
        match self.random.below(7) {
            0 => block(name, body),
            1 => block(name, body).catch("compensated", Directive::Continue),
            2 => block(name, body).catch("compensated", Directive::Retry),
            3 => {
                let other = self.name();
                block(name, body).catch_do("compensated", vec![comp(&other)], Directive::Continue)
            }
            4 => timed(name, 50_000, body).catch("timeout", Directive::Continue),
            5 => timed(name, 50_000, body).catch("timeout", Directive::Retry),
            _ => timed(name, 50_000, body),
        }
    }

    fn repeat(&mut self, name: &str, depth: u32) -> Part {
        let body = self.sequence(depth + 1, 2);
        match self.random.below(3) {
            0 => rounds(name, "order.yes", 3, body),
            _ => rounds(name, "order.no", 2, body).catch("exhausted", Directive::Continue),
        }
    }
}
