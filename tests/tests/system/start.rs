//! What a process says that cannot start, and its exit code: each message names the place and the way out.

use std::time::Duration;

use schemas::bundle::{self, Entry};
use schemas::topics::{self, Kind};
use tests::harness::{self, RedisServer};
use tests::world::{Ended, LANES, World, run_to_end};

const PATIENCE: Duration = Duration::from_secs(60);

fn serve(world: &World, more: &[&str]) -> Ended {
    let config = world.config().display().to_string();
    let arguments = ["serve", "--config", &config, "--instance", "one"];
    run_to_end(&[&arguments, more].concat(), PATIENCE)
}

/// The last thing told is the error; it has all these parts.
fn assert_error(ended: &Ended, code: i32, parts: &[&str]) {
    let (_, error) = ended
        .stderr
        .rsplit_once("error: ")
        .unwrap_or_else(|| panic!("no error: {ended:?}"));
    for part in parts {
        assert!(
            error.contains(part),
            "`{part}` is missing: {}",
            ended.stderr
        );
    }
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
}

/// Names of deployed definitions; nothing is there before the first start.
fn deployed(world: &World) -> Vec<String> {
    let records = world.follow(&world.names().definitions());
    let entries = records
        .iter()
        .map(|record| bundle::decode(record).expect("an entry"));
    let version = |entry| match entry {
        Entry::Version { name, version, .. } => Some(format!("{name}@{version}")),
        _ => None,
    };
    entries.filter_map(version).collect()
}

#[test]
fn an_unreachable_broker_is_named() {
    let world = World::new();
    let nowhere = format!("127.0.0.1:{}", harness::wait::free_port());
    let ended = serve(&world, &["--kafka", &nowhere]);
    assert_error(&ended, 3, &[&nowhere]);
}

#[test]
fn an_unreachable_redis_is_named_without_its_password() {
    let world = World::new();
    let nowhere = format!("127.0.0.1:{}", harness::wait::free_port());
    let ended = serve(
        &world,
        &["--redis", &format!("redis://:swordfish@{nowhere}")],
    );
    assert_error(&ended, 3, &[&nowhere]);
    assert!(!ended.stderr.contains("swordfish"), "{}", ended.stderr);
}

#[test]
fn a_redis_that_evicts_is_refused() {
    let redis = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let world = World::on(harness::kafka().address(), redis.url());
    let ended = serve(&world, &[]);
    let way_out = "CONFIG SET maxmemory-policy noeviction";
    assert_error(&ended, 1, &["maxmemory-policy", "allkeys-lru", way_out]);
    assert_eq!(deployed(&world), Vec::<String>::new());
}

#[test]
fn a_wrong_configuration_key_gets_a_suggestion() {
    let world = World::new();
    world.configure("\n[redsi]\nurl = \"redis://127.0.0.1:1\"\n");
    let ended = serve(&world, &[]);
    assert_error(
        &ended,
        2,
        &["unknown key `redsi", "skald.toml", "did you mean `redis"],
    );
}

#[test]
fn a_definition_with_errors_deploys_nothing() {
    let world = World::new();
    world.define(
        "wrong.yaml",
        "saga: wrong\nversion: one\nstart: { topic: t, as: order, kye: order.id }\nsteps:\n  - comand: stock.reserve\n",
    );
    let ended = serve(&world, &[]);
    assert_error(&ended, 1, &["definitions are not deployed"]);
    for part in [
        "wrong.yaml:2:",
        "wrong.yaml:3:",
        "wrong.yaml:5:",
        "did you mean `key`",
        "did you mean `command`",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    assert_eq!(deployed(&world), Vec::<String>::new());
}

/// What is wrong with an installation that exists; one world serves all of it.
#[test]
fn an_installation_is_not_changed_by_accident() {
    let world = World::new();
    let skald = world.start("one");
    world.trigger(1);
    world.await_command("stock", "order/O-1/reserve", 1);
    skald.stop();
    assert_eq!(deployed(&world), ["order@1"]);

    let text = include_str!("../../src/world/order.yaml");
    world.define("order.yaml", &text.replace("timeout: 1s", "timeout: 2s"));
    world.define(
        "another.yaml",
        &text.replace("saga: order", "saga: another"),
    );
    let ended = serve(&world, &[]);
    assert_error(
        &ended,
        1,
        &[
            "order.yaml",
            "`order@1`",
            "a version never changes",
            "raise `version`",
        ],
    );
    assert_eq!(deployed(&world), ["order@1"], "all or nothing");
    std::fs::remove_file(world.directory().join("sagas/another.yaml")).expect("removed");
    world.define("order.yaml", text);

    std::fs::write(
        world.directory().join("more.toml"),
        lanes(&world, LANES * 2),
    )
    .expect("written");
    let config = world.directory().join("more.toml").display().to_string();
    let ended = run_to_end(
        &["serve", "--config", &config, "--instance", "one"],
        PATIENCE,
    );
    assert_error(
        &ended,
        1,
        &["has 4 lanes", "configuration says 8", "set `lanes = 4`"],
    );

    let journal = world.names().journal();
    let mended = topics::settings(Kind::Journal);
    let mut settings: Vec<_> = mended
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let compact = settings
        .iter()
        .position(|(name, _)| *name == "cleanup.policy");
    let compact = compact.expect("the journal is compacted");
    settings[compact].1 = "delete";
    world.alter_topic(&journal, &settings);
    let ended = serve(&world, &[]);
    let way_out = format!("--entity-name {journal} --add-config cleanup.policy=compact");
    assert_error(
        &ended,
        1,
        &[&journal, "`cleanup.policy` is `delete`", &way_out],
    );
    settings[compact].1 = "compact";
    world.alter_topic(&journal, &settings);

    world.grow_topic(&world.names().inbox(), LANES + 2);
    let ended = serve(&world, &[]);
    assert_error(
        &ended,
        1,
        &[
            &world.names().inbox(),
            "6 partitions",
            "must have 4",
            "somebody altered it",
        ],
    );
}

fn lanes(world: &World, lanes: u32) -> String {
    let text = std::fs::read_to_string(world.config()).expect("the configuration");
    text.replace(&format!("lanes = {LANES}"), &format!("lanes = {lanes}"))
}

/// The name of an instance is leased: a second process of that name ends and says so.
#[test]
fn a_taken_instance_name_is_refused() {
    let world = World::new();
    let skald = world.start("one");
    world.trigger(1);
    world.await_command("stock", "order/O-1/reserve", 1);
    let ended = serve(&world, &[]);
    assert_error(&ended, 1, &["instance name `one`", "--instance"]);
    assert!(skald.is_alive());
    skald.stop();
}

/// Lanes may be owned before the start is over; a stop asked for at that moment leaves the group in order, too.
#[test]
fn a_stop_asked_for_while_the_process_starts_is_in_order() {
    let world = World::new();
    let moments = ["Lane recovers", "Lane is ready", "Assignment changed"];
    for (turn, moment) in moments.into_iter().enumerate() {
        let skald = world.start(&format!("hasty-{turn}"));
        skald.wait_for_output(moment, Duration::from_secs(60));
        skald.stop();
    }
}
