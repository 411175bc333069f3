//! Durations and times as authors write them.
//!
//! Absent on purpose: time zones, calendars and the clock. A time is UTC, a day has 24 hours.

/// Longest duration, in ms: ten years. Sums of a few stay far inside 64 bits.
const DURATION_MS_MAX: i64 = 3650 * 86_400_000;

/// `200ms 10s 5m 2h 4d` in ms.
pub(crate) fn duration_ms(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: i64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = number.parse::<i64>().ok()?.checked_mul(factor)?;
    (ms <= DURATION_MS_MAX).then_some(ms)
}

/// `2026-01-31` or `2026-01-31T10:00:00Z` in ms since 1970.
pub(crate) fn time_ms(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock.strip_suffix('Z')?, ':', [2, 2, 2])?;
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second;
    valid.then_some(seconds * 1000)
}

/// Three numbers of exactly these widths.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let parts: [&str; 3] = parts.try_into().ok()?;
    let mut out = [0; 3];
    for ((part, width), slot) in parts.iter().zip(widths).zip(&mut out) {
        if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *slot = part.parse().ok()?;
    }
    Some(out)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let leaps = |y: i64| y / 4 - y / 100 + y / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    years + (1..month).map(|m| days_in(year, m)).sum::<i64>()
}

/// A duration as authors write it, in the largest unit that divides it.
pub(super) fn in_words(ms: i64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
    ];
    let unit = units.into_iter().find(|(factor, _)| ms % factor == 0);
    let (factor, unit) = unit.filter(|_| ms > 0).unwrap_or((1, "ms"));
    format!("{}{unit}", ms / factor)
}

/// `80%` of a duration.
pub(super) fn percent_of(text: &str, ms: i64) -> Option<i64> {
    let number = text.strip_suffix('%')?;
    let percent: i64 = number
        .parse()
        .ok()
        .filter(|n: &i64| n.to_string() == number)?;
    (1..100)
        .contains(&percent)
        .then(|| ms / 100 * percent + ms % 100 * percent / 100)
}
