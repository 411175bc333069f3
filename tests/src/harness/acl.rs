//! Rights on topics, set as an administrator does: CreateAcls and DeleteAcls (KIP-140, version 1) on a plain connection.
//!
//! The client library offers no such call, and Kafka's own command would be one more download.
//!
//! Absent on purpose: patterns, groups and principals other than everybody, and reading what is set.

use std::io::{Read, Write};
use std::net::TcpStream;

const CREATE_ACLS: i16 = 30;
const DELETE_ACLS: i16 = 31;
const VERSION: i16 = 1;
const TOPIC: u8 = 2;
const LITERAL: u8 = 3;
const ALL: u8 = 2;
const WRITE: u8 = 4;
const DENY: u8 = 2;
const ALLOW: u8 = 3;

/// Nobody may write to the topic; all else stays allowed.
///
/// # Panics
/// If the broker refuses.
pub fn deny_write(broker: &str, topic: &str) {
    // The first rule of a topic ends "everything is allowed", so what stays allowed is said.
    let rules = [rule(topic, ALL, ALLOW), rule(topic, WRITE, DENY)];
    let mut body = 2_u32.to_be_bytes().to_vec();
    rules.iter().for_each(|rule| body.extend(rule));
    let answer = ask(broker, CREATE_ACLS, &body);
    // Correlation id, throttle time, number of results, then error code and message of each.
    assert_eq!(
        answer[8..14],
        [0, 0, 0, 2, 0, 0],
        "rights on {topic}: {answer:?}"
    );
}

/// Everybody may write to the topic again.
///
/// # Panics
/// If the broker refuses.
pub fn allow_write(broker: &str, topic: &str) {
    let mut body = 1_u32.to_be_bytes().to_vec();
    body.extend(rule(topic, WRITE, DENY));
    let answer = ask(broker, DELETE_ACLS, &body);
    assert_eq!(
        answer[8..14],
        [0, 0, 0, 1, 0, 0],
        "rights on {topic}: {answer:?}"
    );
}

/// A rule and the filter that finds it are written the same way.
fn rule(topic: &str, operation: u8, permission: u8) -> Vec<u8> {
    let mut out = vec![TOPIC];
    string(&mut out, topic);
    out.push(LITERAL);
    string(&mut out, "User:*");
    string(&mut out, "*");
    out.extend([operation, permission]);
    out
}

fn string(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("a short text");
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
}

fn ask(broker: &str, api: i16, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(VERSION.to_be_bytes());
    request.extend(7_u32.to_be_bytes());
    string(&mut request, "test");
    request.extend(body);
    let length = u32::try_from(request.len()).expect("a short request");
    let mut stream = TcpStream::connect(broker).expect("the broker listens");
    stream.write_all(&length.to_be_bytes()).expect("sent");
    stream.write_all(&request).expect("sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("an answer");
    answer
}
