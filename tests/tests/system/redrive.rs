//! Dead letters sent back: interrupted, gone on with, repeated, counted, and written down.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use saga_lib::instance::Status;
use schemas::audit::{self, Action, Entry, Outcome, State};
use schemas::record::Headers;
use tests::harness::wait::free_port;
use tests::world::hands::{PATIENCE, await_that};
use tests::world::{Ended, World, binary, run_to_end};

use crate::input::PICKY;

/// At one in a second, the kill comes in the middle also on a busy machine.
const KEYS: [&str; 8] = ["P-1", "P-2", "P-3", "P-4", "P-5", "P-6", "P-7", "P-8"];

/// Runs `skald ...` with the world's configuration.
fn skald(world: &World, arguments: &[&str]) -> Ended {
    let config = world.config().display().to_string();
    run_to_end(&[arguments, &["--config", &config]].concat(), PATIENCE)
}

fn entries(world: &World) -> Vec<Entry> {
    let records = world.follow(&world.names().audit());
    let decode = |record| audit::decode(record).expect("an entry");
    records.iter().map(decode).collect()
}

/// Dead letters that the log has, as the audit says.
fn sent(world: &World) -> usize {
    let entries = entries(world);
    let is_sent = |entry: &&Entry| entry.result == Some(Outcome::Sent);
    entries.iter().filter(is_sent).count()
}

/// Sends events that the first version refuses and deploys a second one that takes them.
fn set_aside_and_mend(world: &World) {
    world.define("picky.yaml", PICKY);
    let one = world.start("one");
    let event = |key: &&str| {
        let value = format!(r#"{{"type":"Picky","id":"{key}"}}"#);
        world.record("-orders", Some(key), value.as_bytes(), Headers::default())
    };
    world.send(&KEYS.iter().map(event).collect::<Vec<_>>());
    let orders = format!("{}-orders", world.app);
    await_that("the events are set aside", PATIENCE, || {
        (world.dead_letters(&orders).len() == KEYS.len()).then_some(())
    });
    one.stop();
    let mended = PICKY.replace("version: 1", "version: 2");
    let mended = mended.replace(", where: pick.amount > 3", "");
    world.define("picky.yaml", &mended);
    let file = world.directory().join("sagas/picky.yaml");
    let file = file.display().to_string();
    let who = ["--actor", "ann", "--why", "amount is optional"];
    let ended = skald(world, &[&["deploy", &file], &who[..]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// A slow replay of everything.
fn begin_replay(world: &World) -> Child {
    let mut command = Command::new(binary());
    command.args(["dlq", "replay", "--all", "--yes", "--rate", "1"]);
    command.arg("--config").arg(world.config());
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    silent.spawn().expect("the binary starts")
}

fn redriven(world: &World) -> usize {
    world.follow(&world.names().redrive()).len()
}

#[test]
fn a_killed_replay_goes_on_where_it_stood_and_the_audit_tells_all_of_it() {
    let world = World::new();
    set_aside_and_mend(&world);
    let mut killed = begin_replay(&world);
    await_that("a dead letter is sent", PATIENCE, || {
        (sent(&world) > 0).then_some(())
    });
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    let (before, records) = (sent(&world), redriven(&world));
    assert!((1..KEYS.len()).contains(&before), "{before} were sent");

    let listen = format!("127.0.0.1:{}", free_port());
    let two = world.start_with("two", &[("SKALD_HTTP_LISTEN", &listen)]);
    let replay = ["dlq", "replay", "--all", "--yes", "--wait", "60s"];
    let who = ["--actor", "ann", "--why", "picky 2 takes them"];
    let ended = skald(&world, &[&replay, &who[..]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let left_out = format!("{before} dead letters were replayed before");
    assert!(ended.stderr.contains(&left_out), "{ended:?}");
    assert_eq!(redriven(&world), records + KEYS.len() - before);
    for key in KEYS {
        world.await_status(&format!("picky/{key}"), Status::Completed);
    }

    let ended = skald(&world, &replay);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let left_out = format!("{} dead letters were replayed before", KEYS.len());
    assert!(ended.stderr.contains(&left_out), "{ended:?}");
    let records = redriven(&world);
    assert_audit(&world, before);

    assert_named_positions_are_sent_again(&world, records);
    let counted = format!(
        "skald_dlq_replayed_total{{outcome=\"accepted\",topic=\"{}-orders\"}} {}",
        world.app,
        records + 1
    );
    await_that(&counted, PATIENCE, || {
        metrics(&listen).contains(&counted).then_some(())
    });
    two.stop();
    world.check();
}

/// Every dead letter has its entries, in order; those of the second replay tell the effect, by the one who asked for it.
fn assert_audit(world: &World, before: usize) {
    let entries = entries(world);
    let of = |action| entries.iter().filter(move |e| e.action == action);
    let deployed: Vec<_> = of(Action::Deploy)
        .filter(|e| e.actor == "ann")
        .map(|e| (e.subject.as_str(), e.before, e.after))
        .collect();
    let version = |version| Some(State::of_definition(version));
    assert_eq!(deployed, [("picky@2", version(1), version(2))]);
    let orders = format!("{}-orders", world.app);
    for letter in world.dead_letters(&orders) {
        let own = of(Action::DlqReplay).filter(|e| e.subject == letter.position);
        let told: Vec<_> = own.map(|e| e.result).collect();
        assert!(told.first() == Some(&None), "announced first: {told:?}");
        assert!(told.contains(&Some(Outcome::Sent)), "{told:?}");
    }
    let changed: Vec<_> = of(Action::DlqReplay)
        .filter(|e| e.result == Some(Outcome::Changed))
        .collect();
    assert_eq!(changed.len(), KEYS.len() - before, "{entries:?}");
    for entry in changed {
        assert_eq!(entry.actor, "ann");
        assert_eq!(entry.why.as_deref(), Some("picky 2 takes them"));
        assert!(entry.saga.is_some() && entry.before.is_none());
    }
}

/// It keeps its ids, so the second copy has no effect.
fn assert_named_positions_are_sent_again(world: &World, records: usize) {
    let orders = format!("{}-orders", world.app);
    let position = world.dead_letters(&orders)[0].position.clone();
    let ended = skald(
        world,
        &["dlq", "replay", &position, "--yes", "--wait", "60s"],
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("ignored"), "{ended:?}");
    assert_eq!(redriven(world), records + 1);
    let last = entries(world).pop().expect("an entry");
    assert_eq!(
        (last.subject, last.result),
        (position, Some(Outcome::Ignored))
    );
}

/// What the process tells about itself; nothing if it does not answer yet.
fn metrics(listen: &str) -> String {
    let mut text = String::new();
    if let Ok(mut stream) = TcpStream::connect(listen) {
        let wait = Some(Duration::from_secs(5));
        stream.set_read_timeout(wait).expect("a timeout");
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("asked");
        // A stream that breaks off is an answer that lacks something; the caller asks again.
        let _ = stream.read_to_string(&mut text);
    }
    text
}
