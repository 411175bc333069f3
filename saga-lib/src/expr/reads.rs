//! What an expression reads: for checks before it is ever evaluated.
//!
//! Absent on purpose: what a walk over a list reads of its elements; they have no name outside.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr as Node, LiteralValue, operators};

use super::arithmetic::PAY;
use super::compare::COMPARE;

/// A value that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Root name and fields.
    pub path: Vec<String>,
    /// Only asked for: by `has`, or compared with null.
    pub asks: bool,
    /// Texts that the value is compared with.
    pub compared: Vec<String>,
}

/// Everything that `tree` reads, in the order of the source.
pub(super) fn reads(tree: &IdedExpr) -> Vec<Read> {
    let mut walk = Walk::default();
    walk.visit(tree, false, &[]);
    walk.found
}

#[derive(Default)]
struct Walk {
    found: Vec<Read>,
    bound: Vec<String>,
}

impl Walk {
    fn visit(&mut self, tree: &IdedExpr, asks: bool, compared: &[String]) {
        if let Some((path, test)) = path(tree) {
            let known = path.first().is_some_and(|root| self.is_known(root));
            if !known {
                let asks = asks || test;
                let compared = compared.to_vec();
                self.found.push(Read {
                    path,
                    asks,
                    compared,
                });
            }
            return;
        }
        match &tree.expr {
            Node::Select(select) => self.visit(&select.operand, asks, &[]),
            Node::Call(call) if call.func_name == PAY => {
                let paid = call.args.iter();
                paid.for_each(|arg| self.visit(arg, asks, compared));
            }
            Node::Call(call) => {
                let asks = call.args.iter().any(is_null);
                let compares = matches!(call.func_name.as_str(), COMPARE | operators::IN);
                let compared = if compares {
                    texts(&call.args)
                } else {
                    Vec::new()
                };
                let targets = call.target.iter();
                targets.for_each(|target| self.visit(target, false, &[]));
                for arg in &call.args {
                    self.visit(arg, asks, &compared);
                }
            }
            Node::Comprehension(walk) => {
                self.visit(&walk.iter_range, false, &[]);
                let before = self.bound.len();
                self.bound.push(walk.iter_var.clone());
                self.bound.extend(walk.iter_var2.clone());
                let parts = [
                    &walk.accu_init,
                    &walk.loop_cond,
                    &walk.loop_step,
                    &walk.result,
                ];
                parts
                    .into_iter()
                    .for_each(|part| self.visit(part, false, &[]));
                self.bound.truncate(before);
            }
            Node::List(list) => list.elements.iter().for_each(|e| self.visit(e, false, &[])),
            Node::Map(map) => map.entries.iter().for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key, false, &[]);
                    self.visit(&entry.value, false, &[]);
                }
                EntryExpr::StructField(field) => self.visit(&field.value, false, &[]),
            }),
            Node::Ident(_) | Node::Struct(_) | Node::Literal(_) | Node::Unspecified => {}
        }
    }

    fn is_known(&self, name: &str) -> bool {
        name.starts_with('@') || super::is_word_of_cel(name) || self.bound.iter().any(|b| b == name)
    }
}

/// `a.b.c` as a path, and whether `has` stands around it.
fn path(tree: &IdedExpr) -> Option<(Vec<String>, bool)> {
    match &tree.expr {
        Node::Ident(name) => Some((vec![name.trim_start_matches('.').to_owned()], false)),
        Node::Select(select) => {
            let (mut fields, _) = path(&select.operand)?;
            fields.push(select.field.clone());
            Some((fields, select.test))
        }
        _ => None,
    }
}

fn is_null(tree: &IdedExpr) -> bool {
    matches!(&tree.expr, Node::Literal(LiteralValue::Null))
}

/// Texts among the operands of a comparison, those of a list included.
fn texts(args: &[IdedExpr]) -> Vec<String> {
    let mut found = Vec::new();
    for arg in args {
        match &arg.expr {
            Node::Literal(LiteralValue::String(text)) => found.push(text.inner().to_owned()),
            Node::List(list) => found.extend(texts(&list.elements)),
            _ => {}
        }
    }
    found
}
