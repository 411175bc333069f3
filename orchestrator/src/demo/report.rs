//! The summary for people.
//!
//! Absent on purpose: the numbers (see [`super::summary`]) and the timeline (see [`super::timeline`]).

use super::Summary;
use super::paint::{Paint, Tone, bar, thousands};

/// Columns of the longest bar.
const BAR: u64 = 40;

/// The whole text, ending without a line break.
pub(super) fn text(summary: &Summary, place: &str, paint: Paint) -> String {
    let mut lines = vec![title(summary, place, paint), String::new()];
    lines.extend(ends(summary, paint));
    lines.push(String::new());
    lines.extend(promises(summary, paint));
    lines.push(String::new());
    lines.extend(speed(summary, paint));
    lines.join("\n")
}

fn title(summary: &Summary, place: &str, paint: Paint) -> String {
    let orders = format!("{} order sagas", thousands(summary.started));
    let seconds = summary.elapsed_ms as f64 / 1e3;
    let rest = format!(" on {place} in {seconds:.1} s, seed {}", summary.seed);
    format!("{}{rest}", paint.paint(Tone::Strong, &orders))
}

fn ends(summary: &Summary, paint: Paint) -> Vec<String> {
    let rows = [
        ("started", summary.started, Tone::Calm, ""),
        ("completed", summary.completed, Tone::Good, ""),
        (
            "compensated",
            summary.compensated,
            Tone::Odd,
            "refused on the way, and all taken back",
        ),
        (
            "parked",
            summary.parked,
            Tone::Bad,
            "no answer at the pivot: an operator decides",
        ),
    ];
    let show = |(name, count, tone, why): (&str, u64, Tone, &str)| {
        let bar = paint.paint(tone, &bar(count, summary.started, BAR));
        let line = format!("  {name:<20}{:>9}  {bar}", thousands(count));
        match why {
            "" => line,
            why => format!("{line} {}", paint.paint(Tone::Faint, why)),
        }
    };
    rows.map(show).to_vec()
}

fn promises(summary: &Summary, paint: Paint) -> Vec<String> {
    let plain = |name: &str, count: u64, why: &str| {
        let why = paint.paint(Tone::Faint, why);
        format!("  {name:<20}{:>9}    {why}", thousands(count))
    };
    let zero = |name: &str, count: u64, why: &str| {
        let (tone, mark) = if count == 0 {
            (Tone::Good, "✓")
        } else {
            (Tone::Bad, "✗")
        };
        let count = paint.paint(tone, &format!("{:>9}  {mark}", thousands(count)));
        let why = paint.paint(Tone::Faint, why);
        format!("  {name:<20}{count} {why}")
    };
    vec![
        plain(
            "commands",
            summary.commands,
            "counted in the command topics",
        ),
        plain(
            "re-sent commands",
            summary.resent_commands,
            "the participant was late or silent",
        ),
        zero(
            "duplicate commands",
            summary.duplicate_commands,
            "same command id and attempt",
        ),
        zero(
            "duplicate events",
            summary.duplicate_events,
            "ends that were published twice",
        ),
        zero(
            "lost",
            summary.lost,
            "orders without an end that somebody heard of",
        ),
        zero(
            "ledger conflicts",
            summary.ledger_conflicts,
            "effects that contradict the end",
        ),
    ]
}

fn speed(summary: &Summary, paint: Paint) -> Vec<String> {
    let row = |name: &str, value: f64, unit: &str, why: &str| {
        let why = paint.paint(Tone::Faint, why);
        format!("  {name:<20}{value:>9.0} {unit:<9} {why}")
    };
    vec![
        row(
            "latency p50",
            summary.p50_ms,
            "ms",
            "from the order to the end of its saga",
        ),
        row(
            "latency p99",
            summary.p99_ms,
            "ms",
            "waits for late and silent participants included",
        ),
        row(
            "throughput",
            summary.sagas_per_s,
            "sagas/s",
            "until 95 of 100 had ended",
        ),
    ]
}
