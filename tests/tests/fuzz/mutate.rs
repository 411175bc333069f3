//! Samples, how they are broken, and how long.
//!
//! Absent on purpose: what a target must do with them.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// One way to break bytes. Places are parts of the whole, so that they fit whatever came before.
#[derive(Debug, Clone)]
pub enum Change {
    Flip(u16, u8),
    Cut(u16, u16),
    Repeat(u16, u16, u8),
    Insert(u16, Vec<u8>),
    /// The piece at the first place is exchanged for that of another sample.
    Splice(u16, u16, u8),
    End(u16),
}

/// Pieces that mean something to some decoder.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x80",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"'",
    b":",
    b",",
    b"\n",
    b"  - ",
    b"\\u0000",
    b"\\ud800",
    b"1e999999",
    b"9007199254740993",
    b"-0",
    b"NaN",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!x ",
    b"---\n",
    b"? ",
    b"| ",
    b"%41",
    b"%00",
    b"~",
    b"#2",
    b"!c",
    b"[0]",
    b"/",
    b".map(x, x)",
    b".matches('",
    b" in ",
    b" ? ",
    b"size(",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xe2\x80\xae",
];

fn change() -> impl Strategy<Value = Change> {
    let place = any::<u16>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (place(), place()).prop_map(|(from, to)| Change::Cut(from, to)),
        (place(), place(), 1..40_u8).prop_map(|(from, to, n)| Change::Repeat(from, to, n)),
        (place(), prop::sample::select(PIECES))
            .prop_map(|(at, piece)| Change::Insert(at, piece.to_vec())),
        (place(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place(), place(), any::<u8>())
            .prop_map(|(at, from, other)| Change::Splice(at, from, other)),
        place().prop_map(Change::End),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
        let place = |at: u16, length: usize| usize::from(at) * length / (1 << 16);
        let range = |a: u16, b: u16, length: usize| {
            let (a, b) = (place(a, length), place(b, length));
            (a.min(b), a.max(b).min(a.min(b) + 64))
        };
        let length = bytes.len();
        match self {
            Self::Flip(at, bits) => bytes
                .iter_mut()
                .skip(place(*at, length))
                .take(1)
                .for_each(|b| *b ^= bits),
            Self::Cut(from, to) => {
                let (from, to) = range(*from, *to, length);
                bytes.drain(from..to);
            }
            Self::Repeat(from, to, n) => {
                let (from, to) = range(*from, *to, length);
                let again = bytes[from..to].repeat(usize::from(*n));
                bytes.splice(to..to, again);
            }
            Self::Insert(at, piece) => {
                let at = place(*at, length);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Splice(at, from, other) => {
                let other = &samples[usize::from(*other) % samples.len()];
                let from = place(*from, other.len());
                let piece = other[from..other.len().min(from + 64)].to_vec();
                let at = place(*at, length);
                let end = length.min(at + piece.len());
                bytes.splice(at..end, piece);
            }
            Self::End(at) => bytes.truncate(place(*at, length)),
        }
    }
}

fn number(name: &str) -> Option<u32> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}: `{text}` is no number"))
    })
}

/// Gives broken samples to `target`, which must not panic, hang or overflow its stack.
pub fn fuzz(name: &str, samples: &[Vec<u8>], target: impl Fn(&[u8])) {
    // Whole samples first: a target that refuses them all shows nothing.
    samples.iter().for_each(|sample| target(sample));
    let seconds = number("SKALD_FUZZ_SECONDS").map(|s| Duration::from_secs(s.into()));
    let cases = number("SKALD_FUZZ_CASES").unwrap_or(400);
    let (begun, mut done) = (Instant::now(), 0_u64);
    let inputs = (0..samples.len(), vec(change(), 1..6)).prop_map(|(sample, changes)| {
        let mut bytes = samples[sample].clone();
        changes
            .iter()
            .for_each(|change| change.apply(&mut bytes, samples));
        bytes
    });
    loop {
        let config = Config {
            cases: if seconds.is_some() { 200 } else { cases },
            failure_persistence: None,
            ..Config::default()
        };
        let result = TestRunner::new(config).run(&inputs, |bytes| {
            target(&bytes);
            Ok(())
        });
        done += u64::from(if seconds.is_some() { 200 } else { cases });
        if let Err(error) = result {
            panic!("{name}: {error}");
        }
        if seconds.is_none_or(|seconds| begun.elapsed() >= seconds) {
            break;
        }
    }
    println!("{name}: {done} cases in {:?}", begun.elapsed());
}

/// Samples of text.
pub fn texts(samples: &[&str]) -> Vec<Vec<u8>> {
    samples
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// The text of bytes, whatever they are.
pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
