//! Reading what is due in pages, past what is known.
//!
//! What is on its way or waits for a token is still due in the store, and there may be fifty thousand of it. So each page begins where
//! the last one ended, and an entry is looked at once.
//!
//! Absent on purpose: entries that are written behind the reader's back; whoever writes them has to ask for another look.

/// Ids asked for at once.
const PAGE: usize = 2_000;

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// Score of the last entry that was looked at; `None` before the first.
    pub from_ms: Option<i64>,
    /// How many ids to ask for.
    pub ask: usize,
}

/// What a page brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Ids that nobody knows, oldest first.
    pub unknown: Vec<String>,
    /// Where to go on, once those are taken care of.
    pub next: Reader,
    /// Was everything up to the time asked for looked at?
    pub is_last: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            from_ms: None,
            ask: PAGE,
        }
    }
}

impl Reader {
    /// Goes through what the store listed for this reader and `until_ms`, up to `max` unknown ids.
    pub fn page(
        self,
        listed: Vec<(String, i64)>,
        until_ms: i64,
        max: usize,
        is_known: impl Fn(&str) -> bool,
    ) -> Page {
        let full = listed.len() >= self.ask;
        let mut unknown = Vec::new();
        let mut last = self.from_ms;
        let mut all = true;
        for (id, score) in listed {
            if unknown.len() == max {
                all = false;
                break;
            }
            last = Some(score);
            if !is_known(&id) {
                unknown.push(id);
            }
        }
        let is_last = all && !full;
        // The next page begins with the same score again, for others may have it. If a whole page has it, only a larger one gets past.
        let stuck = all && full && last == self.from_ms;
        let next = Self {
            from_ms: if is_last { Some(until_ms) } else { last },
            ask: if stuck { self.ask * 2 } else { PAGE },
        };
        Page {
            unknown,
            next,
            is_last,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Reads everything of a store that nobody changes; how many pages did it take?
    fn read(entries: &[(String, i64)], max: usize) -> (BTreeSet<String>, usize) {
        let (mut reader, mut known) = (Reader::default(), BTreeSet::new());
        for pages in 1..1_000 {
            let from = reader.from_ms.unwrap_or(i64::MIN);
            let due = entries.iter().filter(|(_, score)| *score >= from);
            let listed = due.take(reader.ask).cloned().collect();
            let page = reader.page(listed, 9_999, max, |id| known.contains(id));
            assert!(page.unknown.len() <= max);
            known.extend(page.unknown);
            reader = page.next;
            if page.is_last {
                assert_eq!(reader.from_ms, Some(9_999));
                return (known, pages);
            }
        }
        panic!("no end");
    }

    fn entries(count: usize, score: impl Fn(usize) -> i64) -> Vec<(String, i64)> {
        (0..count)
            .map(|n| (format!("order/{n:06}"), score(n)))
            .collect()
    }

    #[test]
    fn every_entry_is_found_once() {
        let (known, pages) = read(&entries(5_000, |n| n as i64), 500);
        assert_eq!(known.len(), 5_000);
        assert!(pages <= 12, "{pages}");
    }

    #[test]
    fn more_entries_of_one_moment_than_a_page_holds_are_all_found() {
        let (known, _) = read(&entries(9_000, |_| 7), 500);
        assert_eq!(known.len(), 9_000);
    }

    #[test]
    fn what_is_known_is_read_past() {
        let listed = entries(10, |n| n as i64);
        let page = Reader::default().page(listed, 50, 500, |id| id != "order/000009");
        assert_eq!(page.unknown, ["order/000009"]);
        assert!(page.is_last);
    }

    #[test]
    fn nothing_due_is_an_end() {
        let page = Reader::default().page(Vec::new(), 50, 500, |_| false);
        assert!(page.is_last && page.unknown.is_empty());
    }
}
