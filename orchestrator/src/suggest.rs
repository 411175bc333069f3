//! "Did you mean": the nearest of a closed list of words.
//!
//! Absent on purpose: guessing. A word that is not close to any other gets no suggestion.

/// The word of `known` that `typed` was probably meant to be.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&typed, word), word))
        .filter(|(score, _)| *score >= CLOSE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// Similarity from which a word is offered: a letter too many, too few, wrong or swapped in a word of five.
const CLOSE: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn offers_the_nearest_word() {
        assert_eq!(nearest("borkers", ["brokers", "settings"]), Some("brokers"));
    }

    #[test]
    fn offers_nothing_for_a_foreign_word() {
        assert_eq!(nearest("zzz", ["brokers", "settings"]), None);
    }
}
