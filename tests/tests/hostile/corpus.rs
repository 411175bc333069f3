//! Entries of the corpus: `tests/hostile/*.json`.
//!
//! An input is a list of parts, so that large ones need no large files: a text, `{"hex": ".."}`, `{"repeat": [part, n]}`,
//! `{"count": [n, "..{}.."]}` (numbers from 0) or `{"stairs": n}` (keys, each indented further). `expect` is `accepted`, or a piece of
//! the message it is refused with; an empty piece is any message.

use std::sync::mpsc;
use std::time::Duration;

use schemas::record::{Headers, Outgoing, Received};
use serde_json::Value;

use crate::memory;

/// Most memory for one entry, in bytes: the largest values, their copies and the input.
const MEMORY_MAX: usize = 64 << 20;

/// A whole file takes seconds; only what would never end takes this long.
const HANGS: Duration = Duration::from_secs(300);

/// One entry.
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Everything it says.
    pub fields: Value,
}

impl Entry {
    /// The bytes of `input`.
    pub fn input(&self) -> Vec<u8> {
        bytes(&self.fields["input"])
    }

    /// The bytes of `input`, which is text.
    pub fn text(&self) -> String {
        String::from_utf8(self.input()).expect("an entry of text")
    }

    /// The record that it describes, in `topic`.
    pub fn record(&self, topic: &str) -> Received {
        let mut headers = Headers::default();
        for header in self.fields["headers"].as_array().into_iter().flatten() {
            let name = header[0].as_str().expect("a header's name");
            for _ in 0..header[2].as_u64().unwrap_or(1) {
                headers.push(name, bytes(&header[1]));
            }
        }
        let out = Outgoing {
            topic: topic.to_owned(),
            partition: None,
            key: self.fields.get("key").map(bytes),
            value: Some(self.input()),
            headers,
        };
        out.received(3, 42, 1_700_000_000_000)
    }

    fn judge(&self, result: Result<String, String>) -> Option<String> {
        let expected = self.fields["expect"].as_str().expect("an expectation");
        let name = &self.name;
        match (expected, result) {
            ("accepted", Ok(_)) => None,
            ("accepted", Err(message)) => Some(format!("{name}: refused: {message}")),
            (piece, Err(message)) if message.contains(piece) && !message.is_empty() => None,
            (piece, Err(message)) => Some(format!("{name}: {message}\n    lacks {piece}")),
            (_, Ok(shown)) => Some(format!("{name}: accepted: {shown}")),
        }
    }
}

fn bytes(parts: &Value) -> Vec<u8> {
    let parts = parts.as_array().expect("a list of parts");
    parts.iter().flat_map(part).collect()
}

fn part(part: &Value) -> Vec<u8> {
    if let Some(text) = part.as_str() {
        return text.as_bytes().to_vec();
    }
    let (kind, value) = part
        .as_object()
        .and_then(|o| o.iter().next())
        .expect("a part");
    let times = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    match kind.as_str() {
        "hex" => hex(value.as_str().expect("digits")),
        "repeat" => self::part(&value[0]).repeat(times(&value[1])),
        "count" => {
            let form = value[1].as_str().expect("a form");
            let one = |n: usize| {
                let padded = form.replace("{:06}", &format!("{n:06}"));
                padded.replace("{}", &n.to_string())
            };
            (0..times(&value[0]))
                .map(one)
                .collect::<String>()
                .into_bytes()
        }
        "stairs" => {
            let step = |n: usize| format!("{}k:\n", " ".repeat(n));
            (0..times(value)).map(step).collect::<String>().into_bytes()
        }
        other => panic!("no part `{other}`"),
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("hexadecimal digits")
    };
    pairs.map(byte).collect()
}

/// The entries of a file.
pub fn entries(file: &str) -> Vec<Entry> {
    let path = format!("{}/hostile/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    let list: Vec<Value> = serde_json::from_str(&text).expect(&path);
    let entry = |fields: Value| Entry {
        name: fields["name"].as_str().expect("a name").to_owned(),
        fields,
    };
    list.into_iter().map(entry).collect()
}

/// Judges every entry of a file: what `read` says, and what it took. All that is wrong is told at once.
pub fn run(file: &str, read: fn(&Entry) -> Result<String, String>) {
    let (tell, told) = mpsc::channel();
    let owned = file.to_owned();
    // A thread with the usual stack: a decoder that descends too far ends the process.
    let work = std::thread::spawn(move || {
        for entry in entries(&owned) {
            let begun = std::time::Instant::now();
            let (result, memory) = memory::peak(|| read(&entry));
            if begun.elapsed() > Duration::from_secs(1) {
                println!("{owned}: {} took {:?}", entry.name, begun.elapsed());
            }
            let mut wrong: Vec<String> = entry.judge(result).into_iter().collect();
            if memory > MEMORY_MAX {
                wrong.push(format!("{}: {memory} bytes of memory", entry.name));
            }
            let _ = tell.send((entry.name, wrong));
        }
    });
    let (mut wrong, mut last) = (Vec::new(), String::from("the first entry"));
    loop {
        match told.recv_timeout(HANGS) {
            Ok((name, found)) => {
                wrong.extend(found);
                last = name;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{file}: hangs behind `{last}`"),
        }
    }
    work.join().expect("no panic");
    assert!(wrong.is_empty(), "{file}:\n{}", wrong.join("\n"));
}

#[test]
fn the_corpus_is_large_enough_and_knows_each_name_once() {
    let folder = format!("{}/hostile", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let mut names: Vec<_> = entries(&stem).into_iter().map(|e| e.name).collect();
        count += names.len();
        names.sort();
        names.dedup();
        assert_eq!(entries(&stem).len(), names.len(), "{stem}");
    }
    assert!(count >= 200, "{count} entries");
}
