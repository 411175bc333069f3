//! Commands, replies and published events in Avro, with a real registry: a service that knows nothing but Avro is asked, answers in a
//! topic of its own and is asked to take back; an event in Avro starts another saga; what does not fit its schema parks its saga alone.
//! Nobody asks the registry when a command goes out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use connectors::registry::{Address, Catalog, Sources};
use saga_lib::instance::{IncidentKind, Status};
use schemas::avro::{Schema, decode, encode_framed, unframe};
use schemas::event::{Found, Schemas, Wanted};
use schemas::headers;
use schemas::record::{Headers, Received};
use serde_json::{Value, json};
use tests::harness::RegistryServer;
use tests::world::hands::await_that;
use tests::world::{Ended, Skald, World, run_to_end};

const PATIENCE: Duration = Duration::from_secs(60);

const PURCHASE: &str = "saga: purchase
version: VERSION
start: { topic: APP-purchases, type: Purchased, as: purchase, key: purchase.id, from: earliest }
uses: [credit.yaml]
steps:
  - id: credit
    command: credit.reserve
    with: { customer: =purchase.customer, amount: =purchase.total, at: =saga.started }
  - { id: confirm, command: credit.confirm, pivot: true, with: { customer: =purchase.customer } }
finally:
  completed: { publish: APP-sales, type: PurchaseDone, with: { id: =purchase.id, left: =credit.left } }
  compensated: { publish: APP-sales, type: PurchaseCancelled, with: { id: =purchase.id, reason: =error.reason } }
";

const CREDIT: &str = "contract: credit
types: schemas
format: avro
events: { APP-sales: [PurchaseDone] }
credit.reserve:
  send: ReserveCredit
  topic: APP-credit.commands
  success: { ok: CreditReserved }
  refusal: { declined: CreditDeclined }
  compensate: credit.release
  replies: { topic: APP-credit.events, command: event.commandId }
credit.release:
  send: ReleaseCredit
  topic: APP-credit.commands
  success: { ok: CreditReleased }
  replies: { topic: APP-credit.events, command: event.commandId }
credit.confirm:
  send: ConfirmCredit
  topic: APP-credit.commands
  success: { ok: CreditConfirmed }
  refusal: { declined: CreditDeclined }
  replies: { topic: APP-credit.events, command: event.commandId }
";

const THANKS: &str = "saga: thanks
version: 1
start: { topic: APP-sales, type: PurchaseDone, as: done, key: done.id, from: earliest }
steps:
  - { publish: APP-letters, type: Thanks, with: { to: =done.id, left: =done.left } }
";

/// Each stands in a file of its own; the command uses the type of another one.
fn schemas() -> BTreeMap<&'static str, Value> {
    let record = |name: &str, fields: Value| json!({"type": "record", "name": name, "namespace": "com.bank", "fields": fields});
    let answer = |name: &str, mut fields: Vec<Value>| {
        fields.insert(0, json!({"name": "commandId", "type": "string"}));
        record(name, json!(fields))
    };
    let reserve = json!([
        {"name": "customer", "type": "string"}, {"name": "amount", "type": "Money"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]);
    let customer = json!({"name": "customer", "type": "string"});
    BTreeMap::from([
        (
            "Money",
            json!({"type": "fixed", "name": "Money", "namespace": "com.bank", "size": 8,
            "logicalType": "decimal", "precision": 12, "scale": 2}),
        ),
        ("ReserveCredit", record("ReserveCredit", reserve.clone())),
        ("ReleaseCredit", record("ReleaseCredit", reserve)),
        ("ConfirmCredit", record("ConfirmCredit", json!([customer]))),
        (
            "CreditReserved",
            answer(
                "CreditReserved",
                vec![json!({"name": "left", "type": "long"})],
            ),
        ),
        ("CreditConfirmed", answer("CreditConfirmed", vec![])),
        ("CreditReleased", answer("CreditReleased", vec![])),
        (
            "CreditDeclined",
            answer(
                "CreditDeclined",
                vec![json!({"name": "reason", "type": "string"})],
            ),
        ),
        (
            "PurchaseDone",
            record(
                "PurchaseDone",
                json!([
            {"name": "id", "type": "string"}, {"name": "left", "type": ["null", "long"]}]),
            ),
        ),
    ])
}

fn define(world: &World, version: u32) {
    let folder = world.directory().join("sagas/schemas");
    fs::create_dir_all(&folder).expect("a folder for schemas");
    for (name, schema) in schemas() {
        fs::write(folder.join(format!("{name}.avsc")), schema.to_string()).expect("written");
    }
    world.define(
        "purchase.yaml",
        &PURCHASE.replace("VERSION", &version.to_string()),
    );
    world.define("credit.yaml", CREDIT);
    world.define("thanks.yaml", THANKS);
}

fn purchase(world: &World, id: &str, customer: &Value) {
    let value = json!({"type": "Purchased", "id": id, "customer": customer, "total": "12.30"});
    let value = value.to_string();
    world.send(&[world.record("-purchases", Some(id), value.as_bytes(), Headers::default())]);
}

/// The bank: it reads with what the registry gives it, and writes Avro without a header.
struct Bank<'a> {
    world: &'a World,
    catalog: Catalog,
    ids: BTreeMap<&'static str, (u32, Schema)>,
    seen: BTreeSet<String>,
    /// Reservations by saga.
    reserved: BTreeMap<String, i64>,
}

impl<'a> Bank<'a> {
    fn new(world: &'a World, registry: &RegistryServer) -> Self {
        let address = Address {
            url: registry.url(),
            credentials: None,
            timeout: Duration::from_secs(5),
        };
        let sources = Sources {
            registry: Some(address),
            folder: None,
        };
        let answers = schemas()
            .into_iter()
            .filter(|(name, _)| name.starts_with("Credit"));
        let register = |(name, schema): (&'static str, Value)| {
            let schema = schema.to_string();
            let id = registry.register(
                &format!("{}-credit.events-com.bank.{name}", world.app),
                &schema,
            );
            (name, (id, Schema::parse(&schema).expect("a schema")))
        };
        Self {
            world,
            catalog: Catalog::open(&sources).expect("a catalog"),
            ids: answers.map(register).collect(),
            seen: BTreeSet::new(),
            reserved: BTreeMap::new(),
        }
    }

    fn read(&self, record: &Received) -> Value {
        assert_eq!(
            record.headers.text(headers::CONTENT_TYPE),
            Some("application/avro")
        );
        let value = record.value.as_deref().expect("a value");
        let (id, body) = unframe(value).expect("framed");
        let schema = await_that("the schema of a command", PATIENCE, || {
            match self.catalog.find(&Wanted::Framed { id, r#type: None }) {
                Found::Schema(schema) => Some(schema),
                Found::NotYet => None,
                Found::Never(reason) => panic!("{reason}"),
            }
        });
        let datum = decode(&schema, body).expect("a datum");
        let r#type = record.headers.text(headers::CE_TYPE).expect("a type");
        assert_eq!(datum.name, Some(format!("com.bank.{type}")));
        datum.value
    }

    /// Answers what came since.
    fn work(&mut self) {
        for record in self
            .world
            .follow(&format!("{}-credit.commands", self.world.app))
        {
            let id = record
                .headers
                .text(headers::CE_ID)
                .expect("an id")
                .to_owned();
            if !self.seen.insert(id.clone()) {
                continue;
            }
            let command = self.read(&record);
            let r#type = record.headers.text(headers::CE_TYPE).expect("a type");
            let saga = record
                .headers
                .text(headers::CE_CORRELATIONID)
                .expect("a saga");
            let (name, answer) = self.answer(saga, r#type, &command);
            self.reply(name, &id, answer);
        }
    }

    fn answer(&mut self, saga: &str, r#type: &str, command: &Value) -> (&'static str, Value) {
        let reserved = self.reserved.entry(saga.to_owned()).or_default();
        match r#type {
            "ReserveCredit" => {
                assert_eq!(command["amount"], json!(12.3));
                assert!(
                    command["at"].as_str().is_some_and(|at| at.ends_with('Z')),
                    "{command}"
                );
                *reserved += 1;
                ("CreditReserved", json!({"left": 100}))
            }
            "ReleaseCredit" => {
                *reserved -= 1;
                ("CreditReleased", json!({}))
            }
            _ if command["customer"] == "nobody" => {
                ("CreditDeclined", json!({"reason": "unknown"}))
            }
            _ => ("CreditConfirmed", json!({})),
        }
    }

    fn reply(&self, name: &str, command: &str, mut body: Value) {
        body["commandId"] = json!(command);
        let (id, schema) = &self.ids[name];
        let value = encode_framed(*id, schema, &body).expect("an answer");
        self.world.send(&[self
            .world
            .record("-credit.events", None, &value, Headers::default())]);
    }

    /// Works until the saga has this status.
    fn until(&mut self, saga: &str, status: Status) {
        await_that(&format!("{saga} is {}", status.word()), PATIENCE, || {
            self.work();
            let instance = self.world.instances().remove(saga)?;
            (instance.status == status).then_some(())
        });
    }
}

fn configure(world: &World, registry: &RegistryServer) {
    let url = registry.url();
    world.configure(&format!(
        "\n[registry]\nurl = \"{url}\"\ntimeout = \"5s\"\n"
    ));
}

#[test]
fn a_saga_talks_avro_with_a_service_and_starts_another() {
    let registry = std::thread::spawn(RegistryServer::start);
    let world = World::new();
    let registry = registry.join().expect("a registry");
    configure(&world, &registry);
    define(&world, 1);
    let skald = world.start("one");
    let mut bank = Bank::new(&world, &registry);

    purchase(&world, "P-1", &json!("ann"));
    bank.until("purchase/P-1", Status::Completed);
    bank.until("thanks/P-1", Status::Completed);
    let letters = world.read(&format!("{}-letters", world.app));
    let letter: Value =
        serde_json::from_slice(letters[0].value.as_deref().expect("a value")).expect("JSON");
    assert_eq!(letter, json!({"to": "P-1", "left": 100}));

    purchase(&world, "P-2", &json!("nobody"));
    bank.until("purchase/P-2", Status::Compensated);
    let count = |saga: &str| bank.reserved.get(saga).copied();
    assert_eq!(
        (count("purchase/P-1"), count("purchase/P-2")),
        (Some(1), Some(0))
    );
    assert_eq!(
        world.sent("purchase/P-2"),
        ["ReserveCredit", "ConfirmCredit", "ReleaseCredit!"]
    );

    // A customer who is no text parks this saga, and says where.
    purchase(&world, "P-3", &json!(7));
    let parked = world.await_status("purchase/P-3", Status::Parked);
    let incident = parked.incident.expect("an incident");
    assert_eq!(incident.kind, IncidentKind::OutputRefused);
    for part in [
        "`ReserveCredit`",
        "com.bank.ReserveCredit",
        "`$.customer` is `7`",
        "asks for string",
        "skald saga retry",
    ] {
        assert!(incident.detail.contains(part), "{}", incident.detail);
    }

    // Ids and schemas stand in the bundle: neither commands nor a process that starts ask the registry.
    registry.kill9();
    purchase(&world, "P-4", &json!("ann"));
    bank.until("purchase/P-4", Status::Completed);
    skald.stop();
    let skald = world.start("one");
    purchase(&world, "P-5", &json!("ann"));
    await_that("a command without a registry", PATIENCE, || {
        bank.work();
        bank.reserved.get("purchase/P-5").copied()
    });
    registry.restart();
    bank.until("purchase/P-5", Status::Completed);
    assert_history_is_json(&world);
    stop(&world, skald);
}

/// What people look at stays readable.
fn assert_history_is_json(world: &World) {
    let facts = world.history_of("purchase/P-1");
    let sent = facts.iter().flat_map(|fact| &fact.commands);
    assert!(sent.clone().count() >= 2);
}

fn stop(world: &World, skald: Skald) {
    skald.stop();
    world.check();
}

fn deploy(world: &World) -> Ended {
    let config = world.config().display().to_string();
    let folder = world.directory().join("sagas").display().to_string();
    run_to_end(&["deploy", &folder, "--config", &config], PATIENCE)
}

fn assert_refused(world: &World, expected: &[&str]) {
    let ended = deploy(world);
    assert_ne!(ended.code, Some(0), "{}", ended.stdout);
    for part in expected {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let written = world.read(&world.names().definitions());
    let keys = written.iter().filter_map(|record| record.key.as_deref());
    let keys: Vec<_> = keys.map(String::from_utf8_lossy).collect();
    assert!(!keys.iter().any(|key| key.contains("purchase")), "{keys:?}");
}

#[test]
fn what_a_registry_does_not_take_is_not_deployed() {
    let registry = std::thread::spawn(RegistryServer::start);
    let world = World::new();
    let registry = registry.join().expect("a registry");
    define(&world, 1);
    let nothing = "nothing is deployed: `purchase@1` sends `ConfirmCredit` to `";
    assert_refused(
        &world,
        &[
            nothing,
            "no schema registry is configured: set `registry.url`",
        ],
    );
    let folder = world.directory().join("sagas/schemas");
    world.configure(&format!("\n[schemas]\nfolder = \"{}\"\n", folder.display()));
    assert_refused(&world, &[nothing, "`schemas.folder` knows no ids"]);

    // Another team has the subject, with a rule that the new schema breaks.
    configure(&world, &registry);
    let subject = format!("{}-credit.commands-com.bank.ReserveCredit", world.app);
    let theirs =
        json!({"type": "record", "name": "ReserveCredit", "namespace": "com.bank", "fields": []});
    registry.register(&subject, &theirs.to_string());
    registry.demand(&subject, "BACKWARD");
    let nothing = "nothing is deployed: `purchase@1` sends `ReserveCredit` to `";
    assert_refused(
        &world,
        &[
            nothing,
            "the registry refused the schema of subject",
            &subject,
        ],
    );

    registry.demand(&subject, "NONE");
    let ended = deploy(&world);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // What is known is not asked for.
    registry.kill9();
    let ended = deploy(&world);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    define(&world, 2);
    let ended = deploy(&world);
    assert_ne!(ended.code, Some(0), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("`purchase@2`") && ended.stderr.contains(&registry.url()),
        "{}",
        ended.stderr
    );
}
