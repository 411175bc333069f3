//! A saga that is started and answered by `kcat` alone, with its own partitioner: no library of ours, no Java.
//!
//! The commands are those that the README shows. kcat hashes keys by CRC32 and spreads records without key, so most replies land in
//! a lane that is not their saga's.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use connectors::participant::Reply;
use connectors::participant::ledger::{Entry, Ledger};
use saga_lib::id::CommandId;
use saga_lib::instance::Status;
use schemas::lane;
use tests::harness::provision;
use tests::world::hands::await_that;
use tests::world::{LANES, World};

/// A user's shell.
struct Shell<'a> {
    world: &'a World,
}

impl Shell<'_> {
    /// `echo BODY | kcat -P ...`
    fn produce(&self, topic: &str, body: &str, more: &[&str]) {
        let mut kcat = Command::new("kcat")
            .args(["-P", "-b", &self.world.kafka, "-t", topic])
            .args(more)
            .stdin(Stdio::piped())
            .spawn()
            .expect("kcat starts");
        let mut pipe = kcat.stdin.take().expect("a pipe");
        writeln!(pipe, "{body}").expect("kcat reads");
        drop(pipe);
        assert!(kcat.wait().expect("kcat ends").success());
    }

    /// `kcat -C -e ...`: headers and bodies of all commands of a topic, one line each.
    fn commands(&self, topic: &str) -> Vec<String> {
        let output = Command::new("kcat")
            .args(["-C", "-q", "-e", "-o", "beginning", "-b", &self.world.kafka])
            .args(["-t", topic, "-f", "%h body=%s\n"])
            .stderr(Stdio::null())
            .output()
            .expect("kcat runs");
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(str::to_owned).collect()
    }
}

/// The value of a header in a line of kcat's.
fn header<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!("{name}=")).expect("the header");
    rest.split([',', ' ']).next().unwrap_or(rest)
}

/// What the service did is in its own books, whoever told Skald.
fn book(world: &World, id: &str) {
    let id = CommandId::parse(id).expect("a command id");
    let effect = Entry::Effect(Reply::default());
    let mut ledger = world.ledger.clone();
    let stored = ledger.transact(&id, |_| (Some(effect), ()));
    stored.expect("the ledger answers");
}

#[test]
fn kcat_starts_sagas_and_answers_their_commands() {
    provision::command("kcat", "kcat");
    let world = World::new();
    let skald = world.start("one");
    let shell = Shell { world: &world };
    let keys = ["K-1", "K-2", "K-3", "K-4"];
    for key in keys {
        let order = format!(r#"{{"type":"OrderPlaced","id":"{key}","items":["book"],"total":12}}"#);
        shell.produce(&format!("{}-orders", world.app), &order, &[]);
    }
    world.remember(&keys);
    let inbox = world.names().inbox();
    let mut answered = BTreeSet::new();
    await_that(
        "kcat answered every saga to its end",
        Duration::from_secs(90),
        || {
            for service in ["stock", "payment", "shipping"] {
                for line in shell.commands(&format!("{}-{service}.commands", world.app)) {
                    let id = header(&line, "ce_id").to_owned();
                    if answered.insert(id.clone()) {
                        answer(&shell, &inbox, &id);
                    }
                }
            }
            let instances = world.instances();
            let done = |key: &&str| {
                let instance = instances.get(&format!("order/{key}"));
                instance.is_some_and(|i| i.status == Status::Completed)
            };
            keys.iter().all(done).then_some(())
        },
    );
    assert_forwarded(&world);
    skald.stop();
    world.check();
}

/// One saga is answered with the saga key (its CRC32 lane is not its murmur2 lane), the others without any key.
fn answer(shell: &Shell<'_>, inbox: &str, id: &str) {
    book(shell.world, id);
    let command = format!("ce_causationid={id}");
    let headers = ["-H", &command, "-H", "skald-outcome=ok"];
    let saga = CommandId::parse(id).expect("a command id").saga;
    let key = saga.key();
    let keyed: [&str; 2] = ["-k", &key];
    let keyed: &[&str] = if key.ends_with('4') { &keyed } else { &[] };
    shell.produce(inbox, r#"{"done":true}"#, &[&headers[..], keyed].concat());
}

/// Every reply that stood in another lane than its saga's was copied to that lane, once, and says where from.
fn assert_forwarded(world: &World) {
    let replies = world.follow(&world.names().inbox());
    let replies: Vec<_> = replies
        .iter()
        .filter(|r| r.headers.bytes("skald-kind").is_none())
        .map(|r| {
            let id = r.headers.text("ce_causationid").expect("a command id");
            let id = CommandId::parse(id).expect("a command id");
            let home = lane::lane_of_command(&id, LANES);
            let forwarded = r.headers.text("skald-forwarded").map(str::to_owned);
            (r, id, r.partition.number == home, forwarded)
        })
        .collect();
    let mut moved = [0, 0];
    for (record, id, at_home, forwarded) in &replies {
        match (at_home, forwarded) {
            (true, _) => {}
            (false, Some(from)) => panic!("{id} was forwarded from {from} to the wrong lane"),
            (false, None) => {
                let from = record.partition.number.to_string();
                let copy = |(_, other, home, by): &&(_, CommandId, bool, Option<String>)| {
                    *other == *id && *home && by.as_ref() == Some(&from)
                };
                assert_eq!(
                    replies.iter().filter(copy).count(),
                    1,
                    "copies of the reply to {id}"
                );
                moved[usize::from(record.key.is_some())] += 1;
            }
        }
    }
    assert!(
        moved[1] > 0,
        "no reply with kcat's own partitioner was in a wrong lane"
    );
    assert!(moved[0] > 0, "no reply without key was in a wrong lane");
}
