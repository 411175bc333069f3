//! Colours of a terminal, or none.
//!
//! Absent on purpose: asking the terminal; [`crate::output::color`] knows.

/// Puts colours around text that is padded already, so that columns stay aligned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) on: bool,
}

/// A colour by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it is.
    Plain,
    /// A heading.
    Strong,
    /// An explanation.
    Faint,
    /// As it should be.
    Good,
    /// Going back, or waiting.
    Odd,
    /// Wrong, or refused.
    Bad,
    /// Going forward.
    Calm,
}

impl Paint {
    /// `text` in a tone.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Odd => "33",
            Tone::Bad => "31",
            Tone::Calm => "36",
        };
        if self.on {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A number with commas between thousands.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A bar of at most `width` columns, in eighths of a column; never empty for something.
pub(super) fn bar(part: u64, whole: u64, width: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part * width * 8).checked_div(whole).unwrap_or(0);
    let eighths = eighths.max(u64::from(part > 0));
    let full = "█".repeat(usize::try_from(eighths / 8).unwrap_or(0));
    format!("{full}{}", EIGHTHS[(eighths % 8) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_commas() {
        let shown = [0, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn bars_show_the_smallest_part() {
        assert_eq!(bar(1, 2, 4), "██");
        assert_eq!(bar(1, 1_000, 4), "▏");
        assert_eq!(bar(0, 0, 4), "");
    }
}
