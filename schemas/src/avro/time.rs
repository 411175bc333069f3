//! Dates and times: counts since 1970 or midnight, and texts.
//!
//! Absent on purpose: years before 1 and after 9999, which RFC 3339 cannot write.

use super::schema::Unit;
use crate::time;

const DAY_MS: i64 = 86_400_000;
const FIRST_MS: i64 = -62_135_596_800_000;
const LAST_MS: i64 = 253_402_300_799_999;

impl Unit {
    fn per_ms(self) -> i64 {
        match self {
            Self::Milli => 1,
            Self::Micro => 1_000,
            Self::Nano => 1_000_000,
        }
    }

    /// Digits beyond milliseconds.
    fn digits(self) -> usize {
        match self {
            Self::Milli => 0,
            Self::Micro => 3,
            Self::Nano => 6,
        }
    }
}

/// `2026-01-31T23:59:59.123456Z`; `local` leaves out the `Z`.
pub(super) fn timestamp_text(count: i64, unit: Unit, local: bool) -> Option<String> {
    let (ms, rest) = (
        count.div_euclid(unit.per_ms()),
        count.rem_euclid(unit.per_ms()),
    );
    if !(FIRST_MS..=LAST_MS).contains(&ms) {
        return None;
    }
    let mut text = time::rfc3339(ms);
    text.pop();
    if unit.digits() > 0 {
        text.push_str(&format!("{rest:0width$}", width = unit.digits()));
    }
    if !local {
        text.push('Z');
    }
    Some(text)
}

/// The inverse of [`timestamp_text`]; also reads other offsets and fewer or more digits, which are cut.
pub(super) fn timestamp(text: &str, unit: Unit, local: bool) -> Option<i64> {
    let zoned = if local {
        format!("{text}Z")
    } else {
        text.to_owned()
    };
    let ms = time::parse(&zoned)?;
    ms.checked_mul(unit.per_ms())?.checked_add(rest(text, unit))
}

/// What stands behind the milliseconds. The text was read before, so the fraction has digits only.
fn rest(text: &str, unit: Unit) -> i64 {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).skip(3);
    let padded = digits
        .map(|b| i64::from(b - b'0'))
        .chain(std::iter::repeat(0));
    padded
        .take(unit.digits())
        .fold(0, |n, digit| n * 10 + digit)
}

/// `2026-01-31` of days since 1970.
pub(super) fn date_text(days: i32) -> Option<String> {
    let text = timestamp_text(i64::from(days) * DAY_MS, Unit::Milli, true)?;
    text.get(..10).map(str::to_owned)
}

pub(super) fn date(text: &str) -> Option<i32> {
    let ms = time::parse(&format!("{text}T00:00:00Z"))?;
    i32::try_from(ms.div_euclid(DAY_MS)).ok()
}

/// `23:59:59.123` of a count since midnight.
pub(super) fn clock_text(count: i64, unit: Unit) -> Option<String> {
    let is_clock = (0..DAY_MS * unit.per_ms()).contains(&count);
    let text = is_clock.then(|| timestamp_text(count, unit, true))??;
    text.get(11..).map(str::to_owned)
}

pub(super) fn clock(text: &str, unit: Unit) -> Option<i64> {
    let count = timestamp(&format!("1970-01-01T{text}"), unit, true)?;
    (0..DAY_MS * unit.per_ms())
        .contains(&count)
        .then_some(count)
}
