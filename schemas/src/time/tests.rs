use proptest::prelude::*;

use super::*;

#[test]
fn known_times_are_written_as_rfc_3339() {
    assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(rfc3339(1_709_210_096_789), "2024-02-29T12:34:56.789Z");
    assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
}

#[test]
fn offsets_and_fractions_are_read() {
    let noon = Some(1_709_208_000_000);
    for text in [
        "2024-02-29T12:00:00Z",
        "2024-02-29t14:00:00.0+02:00",
        "2024-02-29 06:30:00-05:30",
    ] {
        assert_eq!(parse(text), noon, "{text}");
    }
    assert_eq!(parse("1970-01-01T00:00:00.1239Z"), Some(123));
    assert_eq!(parse("1970-01-01T00:00:60Z"), Some(60_000));
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "2024",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01X00:00:00Z",
        "2024-01-01T00:00:00+1:00",
        "2024-01-01T00:00:00.+5Z",
        "２024-01-01T00:00:00Z",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn a_time_comes_back(ms in -62_135_596_800_000_i64..253_402_300_800_000) {
        prop_assert_eq!(parse(&rfc3339(ms)), Some(ms));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}") {
        let _ = parse(&text);
    }
}
