use crate::record::{Headers, Outgoing};

use super::*;

fn record(value: usize, headers: Headers) -> Received {
    let out = Outgoing {
        topic: "t".to_owned(),
        partition: None,
        key: Some(vec![b'k'; 10]),
        value: Some(vec![b'v'; value]),
        headers,
    };
    out.received(0, 0, 0)
}

#[test]
fn a_record_ends_at_one_mebibyte() {
    let fits = RECORD_BYTES_MAX - 10;
    assert_eq!(check(&record(fits, Headers::default())), Ok(()));
    let error = check(&record(fits + 1, Headers::default()));
    assert!(matches!(error, Err(Error::RecordBytes { .. })));
}

#[test]
fn headers_are_bounded_in_number_and_size() {
    let many = Headers(vec![("h".to_owned(), Vec::new()); HEADERS_MAX + 1]);
    assert_eq!(check(&record(0, many)), Err(Error::Headers { count: 65 }));
    let large = Headers::default().with("h", vec![0; HEADER_BYTES_MAX]);
    assert_eq!(
        check(&record(0, large)),
        Err(Error::HeaderBytes {
            bytes: HEADER_BYTES_MAX + 1
        })
    );
}
