//! `skald dlq show POSITION`.
//!
//! Absent on purpose: decoding of formats other than text.

use std::time::Duration;

use schemas::dead_letter::DeadLetter;
use serde_json::{Value, json};

use crate::cli::settings::SettingsArgs;
use crate::cli::{Error, connect};
use crate::client::dead_letters::{self, Row};
use crate::output::{Console, Format, printable};

/// Arguments of `dlq show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `<topic>/<partition>/<offset>` of the dead letter, as `dlq list` shows it.
    pub position: String,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Shows.
///
/// # Errors
/// Nothing stands there, a wrong configuration, an unreachable server.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let mut connected = connect::connect(&args.settings, Duration::ZERO, console)?;
    let letter = dead_letters::at(&mut connected.log, &connected.installation, &args.position)?;
    match console.format {
        Format::Json => console.json(&object(&letter))?,
        Format::Table => console.line(&text(&letter))?,
    }
    Ok(())
}

fn object(letter: &DeadLetter) -> Value {
    let mut object = json!(Row::of(letter));
    object["stage"] = json!(letter.stage);
    object["group"] = json!(letter.group);
    object["key"] = bytes(letter.key.as_deref());
    object["value"] = bytes(letter.value.as_deref());
    if let Some(part) = &letter.left_out {
        object["left_out"] = json!(part);
    }
    object["headers"] = headers(letter)
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    object
}

/// Text as text, anything else in hexadecimal digits after `0x`.
fn bytes(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| json!(shown(bytes)))
}

fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes
            .iter()
            .fold("0x".to_owned(), |text, b| text + &format!("{b:02x}")),
    }
}

fn headers(letter: &DeadLetter) -> impl Iterator<Item = (&str, String)> {
    let headers = letter.headers.0.iter();
    headers.map(|(name, value)| (name.as_str(), shown(value)))
}

fn text(letter: &DeadLetter) -> String {
    let row = Row::of(letter);
    let mut lines = vec![
        format!("{}  {}", row.position, row.class),
        format!("  {}", printable(&row.message)),
        String::new(),
        format!("  origin      {}", row.origin),
        format!(
            "  set aside   {} by {} ({})",
            row.at, letter.stage, letter.group
        ),
        format!("  deliveries  {}", row.deliveries),
        format!("  saga        {}", row.saga.as_deref().unwrap_or("unknown")),
        format!(
            "  definition  {}",
            row.definition.as_deref().unwrap_or("none")
        ),
    ];
    if let Some(part) = &letter.left_out {
        lines.push(format!("  left out    {}", printable(part)));
    }
    lines.extend([String::new(), "Headers".into()]);
    lines.extend(headers(letter).map(|(name, value)| format!("  {name}: {}", printable(&value))));
    for (title, part) in [("Key", &letter.key), ("Value", &letter.value)] {
        let part = part.as_deref().map(shown);
        let part = part.map_or_else(|| "(null)".into(), |text| printable(&text));
        lines.extend([String::new(), title.into(), format!("  {part}")]);
    }
    lines.join("\n")
}
