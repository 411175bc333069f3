//! Redis: the suite, the layout of the keys, and its faults.
//!
//! Absent on purpose: Sentinel and Cluster.

use std::time::Duration;

use connectors::redis::{RedisAddress, RedisStore};
use connectors::store::{Answer, Commit, Error, Load, Position, Store};
use tests::conformance::store::Fixture;
use tests::harness::{self, RedisServer};
use tests::store_conformance;

/// The server that the suite shares; every check uses an application name of its own.
struct Shared;

impl Fixture for Shared {
    type Store = RedisStore;

    fn server(&self) -> RedisAddress {
        address(harness::redis())
    }

    fn lose_document(&self, app: &str, lane: u32, id: &str) {
        let key = format!("{{{app}:{lane:03}}}s:{id}");
        run(harness::redis(), &["DEL", &key]);
    }
}

store_conformance!(Shared);

fn address(server: &RedisServer) -> RedisAddress {
    RedisAddress::new(server.url())
}

/// A raw command.
fn run(server: &RedisServer, words: &[&str]) -> ::redis::Value {
    let client = ::redis::Client::open(server.url()).expect("a valid URL");
    let mut raw = client.get_connection().expect("a connection");
    let mut command = ::redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query(&mut raw).expect("an answer")
}

const IMAGE: &[u8] = b"1M:7:w3:1790000000000:r:body";

fn open(server: &RedisServer) -> RedisStore {
    RedisStore::open(&address(server), "skald").expect("an open store")
}

/// A commit of one document into lane 3.
fn commit_to(position: &Position, wm_to: i64) -> Commit {
    Commit {
        lane: 3,
        owner: "skald.engine.a.0".to_owned(),
        ep: position.ep,
        wm: position.wm,
        jpos: position.jpos,
        wm_to: Some(wm_to),
        jpos_to: Some(wm_to),
        installation: "installation".to_owned(),
        documents: vec![("order/1".to_owned(), Some(IMAGE.to_vec()))],
        counters: [("started".to_owned(), 1)].into(),
        ..Commit::default()
    }
}

fn commit(store: &mut RedisStore, wm_to: i64) -> Result<Answer, Error> {
    let position = store.position(3)?;
    let (mut answers, _) = store.round(&[commit_to(&position, wm_to)], &[])?;
    Ok(answers.remove(0))
}

fn keys(server: &RedisServer) -> Vec<String> {
    let keys = run(server, &["KEYS", "*"]);
    let mut keys: Vec<String> = ::redis::from_redis_value(keys).expect("names");
    keys.sort();
    keys
}

#[test]
fn keys_of_a_lane_share_a_hash_tag() {
    let server = RedisServer::start();
    let mut store = open(&server);
    store.claim(3, "skald.engine.a.0").unwrap();
    commit(&mut store, 1).unwrap();
    store.lease("host", "a", Duration::from_secs(9)).unwrap();
    let expected = [
        "{skald:003}i:order:r",
        "{skald:003}n",
        "{skald:003}pos",
        "{skald:003}s:order/1",
        "{skald:003}t",
        "{skald:lease}host",
    ];
    assert_eq!(keys(&server), expected);
}

#[test]
fn a_server_that_evicts_is_refused() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let error = RedisStore::open(&address(&server), "skald").err().unwrap();
    let Error::Unusable { reason } = &error else {
        panic!("{error:?}")
    };
    assert!(reason.contains("allkeys-lru"), "{reason}");
    assert!(reason.contains("CONFIG SET maxmemory-policy noeviction"));
    run(
        &server,
        &["CONFIG", "SET", "maxmemory-policy", "noeviction"],
    );
    open(&server);
}

#[test]
fn where_config_is_forbidden_info_is_asked() {
    let forbidden = ["--rename-command", "CONFIG", ""];
    open(&RedisServer::start_with(&forbidden));
    let evicting = [
        "--rename-command",
        "CONFIG",
        "",
        "--maxmemory-policy",
        "volatile-ttl",
    ];
    let server = RedisServer::start_with(&evicting);
    let error = RedisStore::open(&address(&server), "skald").err().unwrap();
    assert!(error.to_string().contains("volatile-ttl"), "{error}");
}

#[test]
fn an_unreachable_server_is_named_without_the_password() {
    let server = RedisServer::start();
    server.kill9();
    let address = RedisAddress::new(format!("redis://user:hush@{}/", server.address()));
    let error = RedisStore::open(&address, "skald").err().unwrap();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains(server.address()), "{error}");
    assert!(!format!("{error:?} {error} {address:?}").contains("hush"));
}

#[test]
fn a_wrong_password_or_address_is_refused_without_showing_it() {
    let server = RedisServer::start();
    run(&server, &["CONFIG", "SET", "requirepass", "right"]);
    for url in [
        format!("redis://:hush@{}/", server.address()),
        format!("http://:hush@{}/", server.address()),
        format!("rediss://:hush@{}/", server.address()),
        format!("redis://:hush@{}/hush", server.address()),
    ] {
        let address = RedisAddress::new(url);
        let error = RedisStore::open(&address, "skald").err().unwrap();
        let is_known = matches!(error, Error::Refused { .. } | Error::Unusable { .. });
        assert!(is_known, "{error:?}");
        assert!(!format!("{error:?} {error} {address:?}").contains("hush"));
    }
    let right = RedisAddress::new(format!("redis://:right@{}/", server.address()));
    RedisStore::open(&right, "skald").unwrap();
    let none = RedisStore::open(&address(&server), "skald").err().unwrap();
    assert!(matches!(none, Error::Refused { .. }), "{none:?}");
}

#[test]
fn after_flushall_the_watermark_is_missing() {
    let server = RedisServer::start();
    let mut store = open(&server);
    store.claim(3, "a").unwrap();
    commit(&mut store, 1).unwrap();
    let before = store.position(3).unwrap();
    run(&server, &["FLUSHALL"]);
    assert_eq!(store.position(3), Ok(Position::default()));
    let (answers, _) = store.round(&[commit_to(&before, 2)], &[]).unwrap();
    assert_eq!(answers, [Answer::Refused(Position::default())]);
    assert!(keys(&server).is_empty());
}

#[test]
fn flushed_scripts_are_loaded_again() {
    let server = RedisServer::start();
    let mut store = open(&server);
    let position = store.claim(3, "a").unwrap();
    run(&server, &["SCRIPT", "FLUSH"]);
    let load = Load {
        lane: 3,
        ids: vec!["order/1".to_owned()],
    };
    let (answers, loaded) = store.round(&[commit_to(&position, 1)], &[load]).unwrap();
    assert_eq!(answers, [Answer::Done]);
    assert_eq!(loaded[0].documents, [Some(IMAGE.to_vec())]);
}

#[test]
fn after_a_restart_the_next_call_but_one_reconnects() {
    let server = RedisServer::start();
    let mut store = open(&server);
    store.claim(3, "a").unwrap();
    server.kill9();
    assert!(matches!(store.position(3), Err(Error::Unavailable { .. })));
    assert!(matches!(store.position(3), Err(Error::Unavailable { .. })));
    server.restart();
    assert_eq!(store.position(3), Ok(Position::default()));
    assert_eq!(store.claim(3, "a").unwrap().ep, 1);
    assert_eq!(commit(&mut store, 1), Ok(Answer::Done));
}

#[test]
fn a_restart_between_two_calls_costs_one_error() {
    let server = RedisServer::start();
    let mut store = open(&server);
    server.restart();
    assert!(matches!(
        store.claim(3, "a"),
        Err(Error::Unavailable { .. })
    ));
    assert_eq!(store.claim(3, "a").unwrap().ep, 1);
}

#[test]
fn a_frozen_server_is_given_up_in_time_and_the_round_may_be_resent() {
    let server = RedisServer::start();
    let timeout = Duration::from_millis(200);
    let address = RedisAddress {
        timeout,
        ..self::address(&server)
    };
    let mut store = RedisStore::open(&address, "skald").unwrap();
    let first = commit_to(&store.claim(3, "a").unwrap(), 1);
    server.freeze();
    let error = store.round(std::slice::from_ref(&first), &[]).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    server.thaw();
    // Whether the first one lands before or after the second, the answer is the same.
    let (answers, _) = store.round(&[first], &[]).unwrap();
    assert_eq!(answers, [Answer::Done]);
    assert_eq!(store.position(3).unwrap().wm, Some(1));
}

#[test]
fn a_full_server_refuses_whole_commits() {
    let server = RedisServer::start();
    let mut store = open(&server);
    let position = store.claim(3, "a").unwrap();
    commit(&mut store, 1).unwrap();
    run(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    let mut removal = commit_to(
        &Position {
            wm: Some(1),
            jpos: Some(1),
            ..position
        },
        2,
    );
    removal.documents = vec![("order/1".to_owned(), None)];
    let error = store
        .round(std::slice::from_ref(&removal), &[])
        .unwrap_err();
    assert!(
        matches!(&error, Error::Refused { reason } if reason.contains("OOM")),
        "{error:?}"
    );
    assert_eq!(store.document(3, "order/1"), Ok(Some(IMAGE.to_vec())));
    run(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.round(&[removal], &[]).unwrap().0, [Answer::Done]);
}

#[test]
fn a_demoted_server_refuses() {
    let server = RedisServer::start();
    let mut store = open(&server);
    store.claim(3, "a").unwrap();
    run(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    let error = store.claim(3, "a").unwrap_err();
    assert!(
        matches!(&error, Error::Refused { reason } if reason.contains("READONLY")),
        "{error:?}"
    );
    run(&server, &["REPLICAOF", "NO", "ONE"]);
    assert_eq!(store.claim(3, "a").unwrap().ep, 2);
}

#[test]
fn a_busy_server_refuses_and_recovers() {
    let server = RedisServer::start_with(&["--busy-reply-threshold", "50"]);
    let mut store = open(&server);
    let url = server.url().to_owned();
    let busy = std::thread::spawn(move || {
        let client = ::redis::Client::open(url).unwrap();
        let mut raw = client.get_connection().unwrap();
        let script = ["EVAL", "while true do end", "0"];
        ::redis::cmd(script[0])
            .arg(&script[1..])
            .query::<()>(&mut raw)
            .unwrap_err();
    });
    let error = loop {
        match store.claim(3, "a") {
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, Error::Refused { reason } if reason.contains("BUSY")),
        "{error:?}"
    );
    run(&server, &["SCRIPT", "KILL"]);
    busy.join().unwrap();
    store.claim(3, "a").unwrap();
}
