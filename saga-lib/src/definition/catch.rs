//! `catch`: what an outcome leads to, instead of what the engine does without it.
//!
//! Absent on purpose: jumps. A direction goes on, back, again or to an operator.

use std::collections::BTreeMap;

use super::codes;
use super::context::{Context, nearest};
use super::data;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{CATCH, DIRECTIVES};
use super::object::Reader;
use super::place::{Phase, Place};
use super::scalar;
use super::step::{Lowering, Meaning};
use super::tree::{Entry, Kind};
use crate::ir::{self, Catch, Directive, StepKind};

/// Outcomes that every step may have.
const COMMON: [&str; 3] = ["failed", "timeout", "any"];

/// Outcomes that only the engine gives.
const ENGINE: [&str; 5] = ["failed", "timeout", "any", "exhausted", "compensated"];

/// Reports a name that the author gives to an outcome although the engine gives it itself; `what` has the name. Is it free?
pub(super) fn is_own_outcome(context: &mut Context, what: &str, name: &str, span: Span) -> bool {
    let is_own = !ENGINE.contains(&name);
    if !is_own {
        let message = format!("`{name}` cannot be the name of {what}");
        let found = Diagnostic::new(codes::BAD_NAME, span, message)
            .label("the engine gives this outcome itself")
            .help(format!(
                "choose another name: `catch: {{ {name}: ... }}` means the engine's"
            ));
        context.report(found);
    }
    is_own
}

/// A step whose outcomes are caught.
struct Caught<'c> {
    /// The place before it.
    before: &'c Place,
    /// The place after its success.
    after: &'c Place,
    meaning: &'c Meaning,
}

impl Lowering<'_> {
    /// Lowers `catch`. `place` becomes the place where every path that goes on meets.
    pub(super) fn catch(
        &mut self,
        reader: &Reader<'_>,
        before: &Place,
        place: &mut Place,
        meaning: &Meaning,
    ) -> BTreeMap<String, Catch> {
        let mut out = BTreeMap::new();
        let tree = reader.get("catch");
        let entries = tree.and_then(|tree| data::entries(self.context, tree));
        let entries = entries.unwrap_or_default();
        self.check_handled(reader, entries, meaning);
        let after = place.clone();
        let caught = Caught {
            before,
            after: &after,
            meaning,
        };
        let mut paths = vec![after.clone()];
        for entry in entries {
            self.check_outcome(entry, meaning);
            let mut path = caught.path(&entry.key);
            let first = self.nodes.len();
            let Some(catch) = self.handler(entry, &mut path) else {
                continue;
            };
            if catch.then == Directive::Retry && !self.waits_since(first) {
                self.check_again(entry, meaning);
            }
            self.check_directive(&caught, entry, catch.then);
            for name in ["error", "reply"] {
                path.names.restore(name, &before.names);
            }
            if catch.then == Directive::Continue {
                paths.push(path);
            }
            out.insert(entry.key.clone(), catch);
        }
        if paths.len() > 1 {
            place.meet(paths);
        }
        out
    }

    fn handler(&mut self, entry: &Entry, path: &mut Place) -> Option<Catch> {
        if !matches!(entry.value.kind, Kind::Map(_)) {
            let word = scalar::one_of(self.context, &entry.value, DIRECTIVES)?;
            return Some(Catch {
                run: None,
                then: directive(word),
            });
        }
        let reader = Reader::open(self.context, &entry.value, &CATCH)?;
        let run = reader.get("do");
        let run = run.and_then(|steps| self.some(steps, path, "do").first);
        let then = reader.word(self.context, "then")?;
        Some(Catch {
            run,
            then: directive(then),
        })
    }

    /// Do the nodes from `first` on wait for anything?
    fn waits_since(&self, first: usize) -> bool {
        let nodes = self.nodes.get(first..).unwrap_or_default();
        let waits = |node: &ir::Node| matches!(node.kind, ir::Kind::Wait(_));
        nodes.iter().any(waits)
    }

    /// A definite answer that leads to the same question at once will come again, as fast as the network allows.
    fn check_again(&mut self, entry: &Entry, meaning: &Meaning) {
        let name = &entry.key;
        let is_answer = meaning.success.contains(name) || meaning.outcomes.contains(name);
        if !is_answer || !matches!(meaning.kind, Some(ir::Kind::Send(_))) {
            return;
        }
        let message = format!("after `{name}` the same command is sent again at once");
        let found = Diagnostic::warning(codes::HASTY_RETRY, entry.key_span, message)
            .label("the same answer may come again and again")
            .help("wait first: `{ do: [{ delay: 1m }], then: retry }`, or use a `loop`, which has a bound");
        self.context.report(found);
    }

    fn check_outcome(&mut self, entry: &Entry, meaning: &Meaning) {
        let name = entry.key.as_str();
        let own = || meaning.success.iter().chain(&meaning.outcomes);
        let known = || own().map(String::as_str).chain(COMMON);
        // Without a meaning its outcomes are not known either; that was reported.
        if meaning.kind.is_none() || known().any(|k| k == name) {
            return;
        }
        let mut list: Vec<&str> = Vec::new();
        for name in known().filter(|name| !name.is_empty()) {
            if !list.contains(&name) {
                list.push(name);
            }
        }
        let message = format!("this step has no outcome `{name}`");
        let found = Diagnostic::new(codes::UNKNOWN_OUTCOME, entry.key_span, message)
            .help(format!("its outcomes are {}", list.join(", ")))
            .suggest(nearest(name, list.iter().copied()));
        self.context.report(found);
    }

    /// A contract with several successes leaves it to each saga what the further ones mean.
    fn check_handled(&mut self, reader: &Reader<'_>, entries: &[Entry], meaning: &Meaning) {
        if !matches!(meaning.kind, Some(ir::Kind::Send(_))) {
            return;
        }
        let missing = meaning.success.iter().skip(1);
        for name in missing.filter(|name| !entries.iter().any(|e| e.key == **name)) {
            let message = format!("the outcome `{name}` is not handled");
            let found = Diagnostic::new(codes::UNHANDLED, reader.key_span("command"), message)
                .label(format!(
                    "the contract has it besides `{}`",
                    meaning.success[0]
                ))
                .help(format!(
                    "say what it means: `catch: {{ {name}: continue }}`, or `compensate`"
                ));
            self.context.report(found);
        }
    }

    fn check_directive(&mut self, caught: &Caught<'_>, entry: &Entry, then: Directive) {
        let Some(why) = caught.objection(&entry.key, then) else {
            return;
        };
        let word = DIRECTIVES.iter().find(|word| directive(word) == then);
        let word = word.copied().unwrap_or_default();
        let message = format!("`{}` cannot lead to `{word}` here", entry.key);
        let span: Span = entry.key_span;
        let help = match entry.key.as_str() {
            "any" => "`any` stands for `failed` and `timeout` too: name the refusals instead",
            _ => "`park` leaves it to an operator, `retry` executes the step again",
        };
        let found = Diagnostic::new(codes::BAD_DIRECTION, span, message)
            .label(why)
            .help(help);
        self.context.report(found);
    }
}

impl Caught<'_> {
    fn is_success(&self, outcome: &str) -> bool {
        self.meaning.success.iter().any(|name| name == outcome)
    }

    /// The place where the handler of `outcome` begins.
    fn path(&self, outcome: &str) -> Place {
        let send = matches!(self.meaning.kind, Some(ir::Kind::Send(_)));
        let mut path = if self.is_success(outcome) {
            self.after.clone()
        } else {
            let mut path = self.before.clone();
            path.names.absorb(&self.after.names, false);
            if !send && path.phase != self.after.phase {
                path.phase = Phase::Mixed;
            }
            path
        };
        path.names.define("error");
        if send && COMMON.contains(&outcome) {
            path.names.define_doubtful("reply");
        } else if send {
            path.names.define("reply");
        }
        path.no_pivot = path.no_pivot.or(Some(NO_PIVOT_CAUGHT));
        path
    }

    /// Why this direction is impossible.
    fn objection(&self, outcome: &str, then: Directive) -> Option<&'static str> {
        let turns = then == Directive::Compensate;
        let is_unknown = COMMON.contains(&outcome);
        match &self.meaning.kind {
            Some(ir::Kind::Send(send)) if send.kind == StepKind::Pivot => {
                let on = then == Directive::Continue;
                if is_unknown && (turns || on) {
                    return Some(
                        "whether the pivot has its effect is unknown then: neither direction is safe",
                    );
                }
                (turns && self.is_success(outcome)).then_some("the pivot is never compensated")
            }
            _ if turns && self.after.phase != Phase::Before => {
                Some("after the pivot the saga only goes forward")
            }
            _ => None,
        }
    }
}

const NO_PIVOT_CAUGHT: &str = "steps in `catch` may be followed by a compensation";

fn directive(word: &str) -> Directive {
    match word {
        "compensate" => Directive::Compensate,
        "continue" => Directive::Continue,
        "retry" => Directive::Retry,
        _ => Directive::Park,
    }
}
