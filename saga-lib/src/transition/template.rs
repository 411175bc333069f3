//! Templates: data with expressions at their leaves.
//!
//! Absent on purpose: expressions themselves (see [`crate::expr`]).

use serde_json::Value;

use crate::expr::{Fault, Scope};
use crate::ir::Template;

/// The value of `template` in `scope`.
pub(super) fn evaluate(template: &Template, scope: &Scope<'_>) -> Result<Value, Fault> {
    match template {
        Template::Literal(value) => Ok(value.clone()),
        Template::Expr(expr) => expr.evaluate(scope),
        Template::Array(items) => items.iter().map(|item| evaluate(item, scope)).collect(),
        Template::Object(fields) => fields
            .iter()
            .map(|(name, field)| Ok((name.clone(), evaluate(field, scope)?)))
            .collect(),
    }
}
