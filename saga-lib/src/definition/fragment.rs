//! Fragments: what their uses have in common, among the steps and in `finally`.
//!
//! Absent on purpose: what the steps of a fragment mean (see [`super::block`] and [`super::finally`]).

use std::collections::BTreeMap;
use std::rc::Rc;

use super::codes;
use super::context::{Context, nearest};
use super::diagnostic::Diagnostic;
use super::names::Names;
use super::object::Reader;
use super::tree::Kind;
use super::uses::{Fragment, Library};
use crate::ir::Template;

/// The fragment that a `use` names; reports one that is not there.
pub(super) fn find(
    context: &mut Context,
    library: &Library<'_>,
    reader: &Reader<'_>,
) -> Option<Rc<Fragment>> {
    let name = reader.text(context, "use")?;
    let found = library.fragment(&name);
    if found.is_none() {
        let span = reader.get("use").map_or(reader.at, |tree| tree.span);
        let message = format!("there is no fragment `{name}`");
        let known = library.fragments();
        let found = Diagnostic::new(codes::BAD_USE, span, message)
            .help("name its file under `uses`")
            .suggest(nearest(&name, known));
        context.report(found);
    }
    found
}

/// Reports arguments that are missing or that the fragment does not have.
pub(super) fn check_arguments(
    context: &mut Context,
    reader: &Reader<'_>,
    parameters: &[String],
    with: &BTreeMap<String, Template>,
) {
    let given = match reader.get("with").map(|tree| &tree.kind) {
        Some(Kind::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    for entry in given.iter().filter(|e| !parameters.contains(&e.key)) {
        let message = format!("the fragment has no argument `{}`", entry.key);
        let known = parameters.iter().map(String::as_str);
        let found = Diagnostic::new(codes::BAD_USE, entry.key_span, message)
            .help(format!("its arguments are: {}", parameters.join(", ")))
            .suggest(nearest(&entry.key, known));
        context.report(found);
    }
    let written = |name: &String| given.iter().any(|e| e.key == *name);
    let missing = parameters.iter().filter(|p| !with.contains_key(*p));
    for name in missing.filter(|name| !written(name)) {
        let message = format!("the argument `{name}` of the fragment is missing");
        let found = Diagnostic::new(codes::BAD_USE, reader.key_span("use"), message);
        context.report(found);
    }
}

/// Reports a fragment that would be expanded for ever.
pub(super) fn uses_itself(context: &mut Context, reader: &Reader<'_>, name: &str) {
    let message = format!("the fragment `{name}` uses itself");
    context.report(Diagnostic::new(
        codes::BAD_USE,
        reader.key_span("use"),
        message,
    ));
}

/// What the steps of a fragment see.
pub(super) fn inner_names(parameters: &[String]) -> Names {
    let mut names = Names::begun();
    parameters.iter().for_each(|name| names.define(name));
    names
}
