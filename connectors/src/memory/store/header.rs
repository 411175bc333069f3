//! The ASCII header of a document, `<layout><codec>:<revision>:<w|x><arm>:<target>:<status>:[@<re-send>:]`, as far as a store looks at it.
//!
//! Absent on purpose: revision, arm and the body; only the state codec reads those.

/// What a store derives its timer and index entries from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The header's text, with its last colon.
    pub text: &'a str,
    /// Next wake-up or expiry, ms; `None` is never.
    pub target_ms: Option<i64>,
    /// Status code.
    pub status: char,
}

/// Reads the header at the beginning of a document; `None` if there is none.
pub fn parse(document: &[u8]) -> Option<Header<'_>> {
    let colons = document.iter().enumerate().filter(|(_, b)| **b == b':');
    let mut ends = colons.map(|(at, _)| at + 1);
    let end = ends.nth(4)?;
    let end = match document.get(end) {
        Some(b'@') => ends.next()?,
        _ => end,
    };
    let text = std::str::from_utf8(&document[..end]).ok()?;
    let mut fields = text.split(':').skip(3);
    let (target, status) = (fields.next()?, fields.next()?);
    let target_ms = match target {
        "-" => None,
        number => Some(number.parse().ok()?),
    };
    Some(Header {
        text,
        target_ms,
        status: one_of_all(status)?,
    })
}

fn one_of_all(status: &str) -> Option<char> {
    let mut letters = status.chars();
    let letter = letters.next().filter(|c| "rkpscbte".contains(*c))?;
    letters.next().is_none().then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_target_and_status() {
        let header = parse(b"1M:7:w3:1790000000000:r:\x80:body").unwrap();
        assert_eq!(header.text, "1M:7:w3:1790000000000:r:");
        assert_eq!(header.target_ms, Some(1_790_000_000_000));
        assert_eq!(header.status, 'r');
        assert_eq!(parse(b"1M:7:x3:-:c:").unwrap().target_ms, None);
        let resend = parse(b"1M:7:w3:5:r:@credit+500:\x80:body").unwrap();
        assert_eq!(resend.text, "1M:7:w3:5:r:@credit+500:");
    }

    #[test]
    fn refuses_what_is_no_header() {
        for bad in [
            &b""[..],
            b"1M:7:w3:soon:r:",
            b"1M:7:w3:5:q:",
            b"1M:7:w3:5:rr:",
            b"1M:7:w3:5:r",
        ] {
            assert_eq!(parse(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
