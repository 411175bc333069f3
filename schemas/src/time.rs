//! Timestamps as CloudEvents carries them (RFC 3339), from and to milliseconds since 1970.
//!
//! Absent on purpose: a clock, time zones other than offsets, leap seconds (`:60` reads as the next second's zero).

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// `2026-01-31T23:59:59.123Z`.
pub fn rfc3339(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hour, minute) = (rest / 3_600_000, rest / MINUTE_MS % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Reads an RFC 3339 timestamp with `Z` or an offset; digits beyond milliseconds are cut.
pub fn parse(text: &str) -> Option<i64> {
    let (date, clock) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let (clock, offset_ms) = split_offset(clock)?;
    Some(days(date)? * DAY_MS + clock_ms(clock)? - offset_ms)
}

fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = clock.rfind(['+', '-'])?;
    let sign = if clock[at..].starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = clock[at + 1..].split_once(':')?;
    let minutes = number(hours, 23)? * 60 + number(minutes, 59)?;
    Some((&clock[..at], sign * minutes * MINUTE_MS))
}

fn clock_ms(clock: &str) -> Option<i64> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let milli: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 23)?;
    let minutes = number(parts.next()?, 59)?;
    let seconds = number(parts.next()?, 60)?;
    parts.next().is_none().then_some(())?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + milli)
}

fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let year = parts.next().filter(|y| y.len() == 4)?.parse::<u16>().ok()?;
    let month = number(parts.next()?, 12).filter(|m| *m > 0)?;
    let day = number(parts.next()?, 31).filter(|d| *d > 0)?;
    let count = day_count(i64::from(year), month, day);
    // 31 April counts to 1 May: a date must come back as itself.
    (civil(count) == (i64::from(year), month, day)).then_some(count)
}

/// Two digits, at most `max`.
fn number(text: &str, max: i64) -> Option<i64> {
    let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok())?
        .filter(|n: &i64| *n <= max)
}

/// Days since 1970 of a date of the proleptic Gregorian calendar. Years begin in March, so the leap day is the last one.
fn day_count(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`day_count`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = (shifted + 2) % 12 + 1;
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
