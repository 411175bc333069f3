//! The reference page.
//!
//! Absent on purpose: a course. The page is for looking up.

use super::super::codes;
use super::super::fields::{
    ALTERNATIVE, ARM, AWAITED, CATCH, COMPENSATE, CONTRACT, DEADLINE, FALLBACK, FINAL_PUBLISH,
    FINAL_USE, FINALLY, FRAGMENT, OPERATION, OTHERWISE, Object, QUERY, REPLIES, RETRY, SAGA, START,
    Shape, UNTIL, VARIABLE, VERBS,
};
use super::supported;

const INTRODUCTION: &str = "\
# The saga language: reference

This page is generated from the table that the compiler reads; `UPDATE_GOLDEN=1 cargo test -p saga-lib --test golden` writes it anew.
`skald schema` prints the JSON Schema for editors (first line of a file: `# yaml-language-server: $schema=saga.schema.json`),
`skald explain E0102` explains a message.

One YAML file is one version of one saga. There are no anchors, aliases, tags or merges; each key stands once; a scalar is typed by the key
that reads it, so `no`, `on` and `010` never change their meaning. Keys that always hold an expression (CEL) are written bare; data is literal
unless it begins with `=`. Durations are `200ms 10s 5m 2h 4d`.

**Names** in expressions: the payload of the start, variables of `data`, ids of earlier steps, `saga.{id,key,version,started}`, `now`; `reply`
in `keep`, in steps of `catch` and, if asked for with `has()`, in `compensate`; `request` in `compensate`; `event` in `await`;
`error.{step,outcome,code,reason,attempts}` in steps of `catch` and at the end. Parallel branches do not see each other's names; what a
repetition defines is local to each execution, `until` and `collect` still see it; a fragment sees its arguments, `saga` and `now` only. The result of
a step that was skipped or did not succeed is missing: `has(step.field)` asks for it.

**Outcomes**: every step has `failed`, `timeout` and `any` (each but success) besides those of its verb. `catch` maps an outcome to a direction:
`compensate` (back to the innermost block that catches `compensated`, else everything), `continue`, `retry`, `park`. Before the pivot a refusal,
failure or timeout that is not caught compensates; at the pivot only a refusal does; after it the step is retried, then the saga is parked.
";

/// The reference page, as Markdown.
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    out += "\n## The file\n";
    let header = [
        &SAGA,
        &START,
        &VARIABLE,
        &DEADLINE,
        &FINALLY,
        &FINAL_PUBLISH,
        &FINAL_USE,
    ];
    header.iter().for_each(|object| table(&mut out, object));
    out +=
        "\n## Steps\n\nA step has exactly one verb.\n\n| verb | outcomes of its own |\n|---|---|\n";
    let verbs = || VERBS.iter().filter(|verb| verb.part.is_supported());
    for verb in verbs() {
        let link = verb.object.name.replace('`', "").replace(' ', "-");
        out += &format!("| [`{}`](#{link}) | {} |\n", verb.name, verb.outcomes);
    }
    verbs().for_each(|verb| table(&mut out, verb.object));
    out += "\n## Inside steps\n";
    let parts = [
        &COMPENSATE,
        &FALLBACK,
        &RETRY,
        &CATCH,
        &AWAITED,
        &ALTERNATIVE,
        &UNTIL,
        &ARM,
        &OTHERWISE,
    ];
    parts.iter().for_each(|object| table(&mut out, object));
    out += "\n## Contracts and fragments\n\nFiles of their own, named under `uses`.\n";
    let files = [&CONTRACT, &OPERATION, &REPLIES, &QUERY, &FRAGMENT];
    files.iter().for_each(|object| table(&mut out, object));
    out += "\n## Later releases\n\nThe compiler knows these and says that it cannot run them yet: ";
    out += &later().join(", ");
    out += ".\n\n## Codes\n\n| code | meaning |\n|---|---|\n";
    for code in codes::ALL {
        out += &format!("| {} | {} |\n", code.code, code.meaning);
    }
    out
}

fn table(out: &mut String, object: &Object) {
    let title = object.name.replace('`', "");
    let mut letters = title.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let title: String = first.into_iter().chain(letters).collect();
    *out += &format!("\n### {title}\n\n| key | value | |\n|---|---|---|\n");
    for field in supported(object) {
        let must = if field.required { " (required)" } else { "" };
        let value = shape(field.shape);
        *out += &format!("| `{}`{must} | {value} | {} |\n", field.name, field.doc);
    }
    if object.name == CONTRACT.name {
        *out += "| `service.operation` | an operation | Every key with a dot. |\n";
    }
}

fn shape(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Name => "name".to_owned(),
        Shape::Topic => "topic".to_owned(),
        Shape::Operation => "`service.operation`".to_owned(),
        Shape::File => "path".to_owned(),
        Shape::Integer(low, high) => format!("{low} to {high}"),
        Shape::Number(low, high) => format!("number from {low} to {high}"),
        Shape::Duration => "duration".to_owned(),
        Shape::Percent => "`1%` to `99%`".to_owned(),
        Shape::Time => "time".to_owned(),
        Shape::Flag => "`true`, `false`".to_owned(),
        Shape::Word(words) => format!("`{}`", words.join("`, `")),
        Shape::Expression => "expression".to_owned(),
        Shape::Data => "data".to_owned(),
        Shape::Mapping(object) => object.name.replace('`', ""),
        Shape::Map(inner) => format!("names, each with {}", self::shape(*inner)),
        Shape::List(inner) => format!("list: {}", self::shape(*inner)),
        Shape::OneOrMany(inner) => format!("{}, or a list", self::shape(*inner)),
        Shape::Either(shapes) => {
            let shapes: Vec<String> = shapes.iter().map(|s| self::shape(*s)).collect();
            shapes.join(" or ")
        }
        Shape::Steps => "list of steps".to_owned(),
        Shape::Later => String::new(),
    }
}

fn later() -> Vec<String> {
    let verbs = VERBS.iter().filter(|verb| !verb.part.is_supported());
    let keys = SAGA.fields.iter().filter(|f| !f.part.is_supported());
    let names = verbs.map(|verb| verb.name).chain(keys.map(|key| key.name));
    names.map(|name| format!("`{name}`")).collect()
}
