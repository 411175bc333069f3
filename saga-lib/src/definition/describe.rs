//! The language described: for editors and for readers, both from the field table.
//!
//! Absent on purpose: anything that the table does not know. What keys mean together is told by `skald check`.

mod reference;
mod schema;

pub use self::reference::reference;
pub use self::schema::schema;

use super::fields::{Field, Object};

/// Keys that this release has.
fn supported(object: &Object) -> impl Iterator<Item = &'static Field> {
    let fields = object.fields.iter();
    fields.filter(|field| field.part.is_supported())
}

/// The name of an object in links and references: ``a `command` step`` is `command_step`.
fn slug(object: &Object) -> String {
    let words = object.name.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !matches!(*word, "" | "a" | "an" | "the"));
    words.collect::<Vec<_>>().join("_")
}
