//! The pass over a parsed expression: what it reads, whether it is bounded, and the calls that keep it so.
//!
//! Absent on purpose: types. Data has none before it arrives, so a wrong type is a fault of the evaluation.

use std::collections::BTreeMap;

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators,
};

use super::arithmetic::BYTES_PER_STEP;
use super::{CompileError, arithmetic, compare, is_word_of_cel, pattern};

/// Deepest syntax tree. The evaluator descends recursively, an unoptimised build of it takes up to 40 KiB of stack for each level, and
/// a thread may have no more than 2 MiB.
const DEPTH_MAX: usize = 32;

/// Most nodes of a syntax tree.
const NODES_MAX: usize = 2000;

/// Functions that can be called by name.
const FUNCTIONS: [&str; 11] = [
    "bool",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
];

/// How a root name is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Only by its fields.
    Fields,
    /// As a whole, at least once.
    Whole,
}

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// Root names and how they are read.
    pub(super) roots: BTreeMap<String, Use>,
    bound: Vec<String>,
    nodes: usize,
    depth: usize,
}

impl Pass {
    /// Checks and rewrites `expr` in place.
    pub(super) fn run(&mut self, expr: &mut IdedExpr) -> Result<(), CompileError> {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > NODES_MAX || self.depth > DEPTH_MAX {
            return Err(refused("too large: split it over several steps"));
        }
        match &mut expr.expr {
            Expr::Ident(name) => self.read(name, Use::Whole),
            Expr::Select(select) => self.select(select)?,
            Expr::Call(call) => self.call(call)?,
            Expr::Comprehension(walk) => self.comprehension(walk)?,
            Expr::List(list) => self.elements(&mut list.elements)?,
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    self.entry(&mut entry.expr)?;
                }
            }
            Expr::Struct(_) => return Err(refused("messages cannot be made here")),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
        self.depth -= 1;
        Ok(())
    }

    fn read(&mut self, name: &str, how: Use) {
        let name = name.trim_start_matches('.');
        let known = name.starts_with('@') || self.bound.iter().any(|b| b == name);
        if known || is_word_of_cel(name) {
            return;
        }
        let entry = self.roots.entry(name.to_owned()).or_insert(how);
        if how == Use::Whole {
            *entry = how;
        }
    }

    fn select(&mut self, select: &mut SelectExpr) -> Result<(), CompileError> {
        if let Expr::Ident(name) = &select.operand.expr {
            self.read(name, Use::Fields);
            return Ok(());
        }
        self.run(&mut select.operand)
    }

    fn call(&mut self, call: &mut CallExpr) -> Result<(), CompileError> {
        if reads_all(call) {
            // The calls around its arguments.
            self.depth += 1;
        }
        let depth = self.depth;
        if let Some(target) = &mut call.target {
            self.run(target)?;
        }
        for arg in &mut call.args {
            self.run(arg)?;
        }
        self.depth = depth - usize::from(reads_all(call));
        let operator = !call
            .func_name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic());
        if !operator && !FUNCTIONS.contains(&call.func_name.as_str()) {
            return Err(refused(&format!("no function `{}`", call.func_name)));
        }
        if reads_all(call) {
            let read = call.target.as_deref_mut().into_iter().chain(&mut call.args);
            // What is written in a list has paid, element by element.
            read.filter(|arg| !matches!(arg.expr, Expr::List(_)))
                .for_each(pays);
        }
        if call.func_name == "matches" {
            let target = call.target.take().map(|target| *target);
            call.args.splice(0..0, target);
            pattern::MATCHES.clone_into(&mut call.func_name);
        }
        if call.target.is_none() && !appends(call) {
            rename(call);
        }
        Ok(())
    }

    fn comprehension(&mut self, walk: &mut ComprehensionExpr) -> Result<(), CompileError> {
        // The evaluator's frames for a walk are larger, and its range gets a call around it.
        self.depth += 2;
        self.run(&mut walk.iter_range)?;
        self.depth -= 2;
        let before = self.nodes;
        self.bound.push(walk.iter_var.clone());
        self.bound.extend(walk.iter_var2.clone());
        let bound = 1 + usize::from(walk.iter_var2.is_some());
        for part in [
            &mut walk.accu_init,
            &mut walk.loop_cond,
            &mut walk.loop_step,
            &mut walk.result,
        ] {
            self.run(part)?;
        }
        self.bound.truncate(self.bound.len() - bound);
        let body = i64::try_from(self.nodes - before).unwrap_or(i64::MAX);
        let range = std::mem::take(&mut walk.iter_range);
        walk.iter_range = called(arithmetic::WALK, vec![range, integer(body)]);
        Ok(())
    }

    fn elements(&mut self, elements: &mut [IdedExpr]) -> Result<(), CompileError> {
        elements
            .iter_mut()
            .try_for_each(|element| self.element(element))
    }

    fn entry(&mut self, entry: &mut EntryExpr) -> Result<(), CompileError> {
        match entry {
            EntryExpr::MapEntry(entry) => {
                self.element(&mut entry.key)?;
                self.element(&mut entry.value)
            }
            EntryExpr::StructField(field) => self.run(&mut field.value),
        }
    }

    fn element(&mut self, element: &mut IdedExpr) -> Result<(), CompileError> {
        self.depth += 1;
        self.run(element)?;
        self.depth -= 1;
        pays(element);
        Ok(())
    }
}

/// Functions that look at all of a text or list, and are paid for by its size: a walk would repeat them.
const READERS: [&str; 7] = [
    "contains",
    "double",
    "endsWith",
    "int",
    "startsWith",
    "string",
    operators::IN,
];

fn reads_all(call: &CallExpr) -> bool {
    READERS.contains(&call.func_name.as_str())
}

/// Makes the value of `expr` be paid for, unless the source bounds it anyway.
fn pays(expr: &mut IdedExpr) {
    let small = match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => text.inner().len() <= BYTES_PER_STEP,
        Expr::Literal(LiteralValue::Bytes(bytes)) => bytes.inner().len() <= BYTES_PER_STEP,
        Expr::Literal(_) => true,
        _ => false,
    };
    if !small {
        let inner = std::mem::take(expr);
        *expr = called(arithmetic::PAY, vec![inner]);
    }
}

/// Is this the `@result + [x]` of a `map` or `filter`? The evaluator recognises that form and appends in place.
fn appends(call: &CallExpr) -> bool {
    let first = call.args.first().map(|a| &a.expr);
    matches!(first, Some(Expr::Ident(name)) if name.starts_with('@'))
}

fn rename(call: &mut CallExpr) {
    let name = match call.func_name.as_str() {
        operators::ADD => arithmetic::ADD,
        operators::SUBSTRACT => arithmetic::SUBTRACT,
        operators::MULTIPLY => arithmetic::MULTIPLY,
        operators::DIVIDE => arithmetic::DIVIDE,
        other => return compare(call, compare::place(other)),
    };
    name.clone_into(&mut call.func_name);
}

fn compare(call: &mut CallExpr, place: Option<i64>) {
    if let Some(place) = place {
        compare::COMPARE.clone_into(&mut call.func_name);
        call.args.push(integer(place));
    }
}

fn called(name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    let call = CallExpr {
        func_name: name.to_owned(),
        target: None,
        args,
    };
    IdedExpr {
        id: 0,
        expr: Expr::Call(call),
    }
}

fn integer(i: i64) -> IdedExpr {
    IdedExpr {
        id: 0,
        expr: Expr::Literal(LiteralValue::Int(i.into())),
    }
}

fn refused(message: &str) -> CompileError {
    CompileError {
        message: message.to_owned(),
        offset: None,
    }
}
