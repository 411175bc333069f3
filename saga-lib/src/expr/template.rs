//! Templates: data with expressions at its leaves.
//!
//! Absent on purpose: `${...}` in text for people (a later release).

use serde_json::{Map, Value};

use super::{Fault, Scope};
use crate::ir::Template;

impl Template {
    /// The data, with every expression replaced by its value.
    ///
    /// # Errors
    /// The first [`Fault`], in the order of the keys.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Fault> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Expr(expr) => expr.evaluate(scope),
            Self::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, field)| Ok((name.clone(), field.evaluate(scope)?)));
                fields.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            Self::Array(items) => {
                let items = items.iter().map(|item| item.evaluate(scope));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
        }
    }

    /// Root names its expressions read, sorted.
    pub fn roots(&self) -> Vec<String> {
        let mut roots = Vec::new();
        self.visit(&mut |expr| roots.extend(expr.roots()));
        roots.sort();
        roots.dedup();
        roots
    }

    /// Calls `f` for every expression inside.
    pub fn visit<'a>(&'a self, f: &mut impl FnMut(&'a super::Expr)) {
        match self {
            Self::Literal(_) => {}
            Self::Expr(expr) => f(expr),
            Self::Object(fields) => fields.values().for_each(|field| field.visit(f)),
            Self::Array(items) => items.iter().for_each(|item| item.visit(f)),
        }
    }
}
