//! What hostile Avro costs, as the allocator sees it. A binary of its own: no other test allocates meanwhile.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use schemas::avro::{self, RESULT_BYTES_MAX, Schema};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        // SAFETY: the caller's duties are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller's duties are the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most memory that decoding takes beyond what was there before.
fn cost(schema: &str, body: &[u8]) -> usize {
    let schema = Schema::parse(schema).expect("a schema");
    let before = NOW.load(SeqCst);
    PEAK.store(before, SeqCst);
    let _ = avro::decode(&schema, body);
    PEAK.load(SeqCst) - before
}

#[test]
fn no_datum_takes_more_than_the_limit() {
    let record = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"null"}]}"#;
    let array = |of: &str| format!(r#"{{"type":"array","items":{of}}}"#);
    let endless = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let keys: Vec<u8> = (0..60_000)
        .flat_map(|n| format!("\x0c{n:06}").into_bytes())
        .collect();
    let map = [endless.as_slice(), &keys].concat();
    let text = [b"\xfe\xff\x7f".as_slice(), &vec![b'a'; 1024 * 1024]].concat();
    let tiny = [endless.as_slice(), &b"\x14abcdefghij".repeat(60_000)].concat();
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":300,"scale":300}"#;
    let texts = [endless.as_slice(), &b"\x02a".repeat(500_000)].concat();
    for (schema, body) in [
        (array("\"null\""), endless.as_slice()),
        (array(record), endless.as_slice()),
        (
            array(&array("\"null\"")),
            &b"\x90\x4e\x90\x4e".repeat(10_000),
        ),
        (r#"{"type":"map","values":"null"}"#.to_owned(), &map),
        (array("\"string\""), &texts),
        (array(decimal), &tiny),
        ("\"bytes\"".to_owned(), &text),
        ("\"string\"".to_owned(), &text),
    ] {
        let cost = cost(&schema, body);
        assert!(
            cost > 100_000,
            "{schema}: {cost} bytes: the case shows nothing"
        );
        assert!(cost <= RESULT_BYTES_MAX, "{schema}: {cost} bytes");
    }
}
