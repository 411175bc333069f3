//! Every example of the repository on real Kafka and Redis: forward, and with a refusal at each step.
//!
//! What must happen is what the same scenario does in virtual time; here it happens in real processes. Only delays are shortened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::participant::{Answer, Command, Participant, Running};
use saga_lib::definition;
use saga_lib::instance::Status;
use saga_lib::ir::{Compensation, Definition, Kind};
use saga_lib::scenario::{self, Scenario, Script};
use schemas::record::Headers;
use serde_json::Value;
use tests::world::hands::await_that;
use tests::world::{LANES, World, timeouts};

/// A definition with its first scenario, which goes forward.
struct Example {
    definition: Arc<Definition>,
    forward: Scenario,
}

/// One saga: a scenario with a key of its own, and what it does in virtual time.
struct Case {
    saga: String,
    definition: Arc<Definition>,
    scenario: Scenario,
    status: Status,
    commands: Vec<String>,
}

fn source() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the workspace")
        .join("deploy/examples")
}

/// Topics of this world only, and no pause longer than a moment.
fn adapted(app: &str, text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        for key in ["topic: ", "publish: "] {
            line = line.replace(key, &format!("{key}{app}-"));
        }
        for service in ["stock.", "shipping."] {
            line = line.replace(&format!(": {service}"), &format!(": {app}-{service}"));
        }
        out.push_str(&line.replace("delay: 3d", "delay: 50ms"));
        out.push('\n');
    }
    out
}

/// Copies the examples into the folder that processes deploy.
fn copy(world: &World, from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("examples") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(world, &path, &target);
        } else {
            let text = fs::read_to_string(&path).expect("a text");
            fs::write(target, adapted(&world.app, &text)).expect("written");
        }
    }
}

fn examples(folder: &Path) -> Vec<Example> {
    let used = |name: &str| fs::read_to_string(name).map_err(|error| error.to_string());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("examples") {
        let path = entry.expect("an entry").path();
        let Some(name) = path.to_str().filter(|name| name.ends_with(".test.yaml")) else {
            continue;
        };
        let text = fs::read_to_string(&path).expect("scenarios");
        let mut file = scenario::parse(name, &text).expect("scenarios");
        let path = folder.join(&file.definition);
        let text = fs::read_to_string(&path).expect("a definition");
        let compiled = definition::compile_with(&path.display().to_string(), &text, &used);
        found.push(Example {
            definition: Arc::new(compiled.definition.expect("a definition without mistakes")),
            forward: file.scenarios.remove(0),
        });
    }
    assert!(found.len() >= 9, "only {} examples", found.len());
    found
}

/// The forward case, and one for each command that can be refused.
fn cases(example: &Example) -> Vec<Case> {
    let base = scenario::play(&example.definition, &example.forward).expect("it plays");
    let mut cases = vec![case(example, None, 0)];
    let mut names: Vec<&str> = base.commands.iter().map(|c| c.name.as_str()).collect();
    names.dedup();
    for (number, name) in (1..).zip(names) {
        if let Some(refusal) = refusal(&example.definition, name) {
            cases.push(case(example, Some((name, &refusal)), number));
        }
    }
    cases
}

fn refusal(definition: &Definition, command: &str) -> Option<String> {
    let step = command.split(['[', '.', '#']).next()?;
    let node = definition.nodes.iter().find(|node| node.step == step)?;
    match &node.kind {
        Kind::Send(send) => send.refusal.first().cloned(),
        _ => None,
    }
}

fn case(example: &Example, refused: Option<(&str, &str)>, number: usize) -> Case {
    let definition = &example.definition;
    let key = format!("{}-{number}", definition.name.replace('_', "-"));
    let mut scenario = example.forward.clone();
    set(&mut scenario.start, definition.starts[0].key.source(), &key);
    for event in &mut scenario.events {
        let mut awaits = definition.awaits();
        let wanted = awaits.find(|a| a.topic == event.topic && a.r#type == event.r#type);
        set(
            &mut event.payload,
            wanted.expect("an await").key.source(),
            &key,
        );
    }
    if let Some((command, outcome)) = refused {
        let answer = scenario::Answer::named(outcome);
        scenario.replies.insert(command.to_owned(), vec![answer]);
    }
    let play = scenario::play(definition, &scenario).expect("it plays");
    let instance = play.instance.expect("an instance");
    Case {
        saga: format!("{}/{key}", definition.name),
        definition: Arc::clone(definition),
        scenario,
        status: instance.status,
        commands: play.commands.into_iter().map(|c| c.name).collect(),
    }
}

/// Sets the field that a path such as `order.id` names, behind its root.
fn set(payload: &mut Value, path: &str, value: &str) {
    let mut place = payload;
    for field in path.split('.').skip(1) {
        place = &mut place[field];
    }
    *place = Value::from(value);
}

type Scripts = Arc<Mutex<BTreeMap<String, (Arc<Definition>, Script)>>>;

/// One participant per command topic of all definitions; each answers as the saga's script says.
fn participants(world: &World, examples: &[Example], scripts: &Scripts) -> Vec<Running> {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for target in examples.iter().flat_map(|e| e.definition.targets()) {
        let types = types.entry(target.topic.clone()).or_default();
        if !types.contains(&target.r#type) {
            types.push(target.r#type.clone());
        }
    }
    let start = |(topic, types): (String, Vec<String>)| {
        let mut builder = Participant::builder(format!("service-of-{topic}"))
            .topic(topic)
            .timeouts(timeouts())
            .ledger(world.ledger.clone());
        for r#type in types {
            let scripts = Arc::clone(scripts);
            builder = builder.on(&r#type, move |command| answer(&scripts, command));
        }
        let running = builder.run::<KafkaLog>(&world.cluster());
        running.expect("participant started")
    };
    types.into_iter().map(start).collect()
}

fn answer(scripts: &Scripts, command: &Command) -> Answer {
    let mut scripts = scripts.lock().expect("not poisoned");
    let (definition, script) = scripts.get_mut(command.id.saga.as_str()).expect("a case");
    let step = command.id.path.split(['[', '.']).next().expect("a step");
    let node = definition.nodes.iter().find(|node| node.step == step);
    let Some(Kind::Send(send)) = node.map(|node| &node.kind) else {
        panic!("{} is no command", command.id);
    };
    let (success, refusal) = match (&send.compensation, command.id.compensation) {
        (Compensation::Command(counter), Some(_)) => (&counter.success, &counter.refusal),
        _ => (&send.success, &send.refusal),
    };
    let said = script.answer(&command.id);
    let said = said.unwrap_or_else(|| scenario::Answer::named(&success[0]));
    if refusal.contains(&said.outcome) {
        return Answer::refusal_as(&said.outcome, said.payload);
    }
    assert!(
        success.contains(&said.outcome),
        "{}: {}",
        command.id,
        said.outcome
    );
    Answer::success_as(&said.outcome, said.payload)
}

/// Triggers a case, and publishes what it awaits.
fn publish(world: &World, case: &Case) {
    let start = &case.definition.starts[0];
    let mut records = vec![record(
        &start.topic,
        start.r#type.as_deref(),
        &case.scenario.start,
    )];
    for event in &case.scenario.events {
        records.push(record(
            &event.topic,
            event.r#type.as_deref(),
            &event.payload,
        ));
    }
    world.send(&records);
}

fn record(topic: &str, r#type: Option<&str>, payload: &Value) -> schemas::record::Outgoing {
    let headers = Headers::default().with("content-type", "application/json");
    schemas::record::Outgoing {
        topic: topic.to_owned(),
        partition: None,
        key: None,
        value: Some(payload.to_string().into_bytes()),
        headers: match r#type {
            Some(r#type) => headers.with("type", r#type),
            None => headers,
        },
    }
}

#[test]
fn every_example_runs_forward_and_with_a_refusal_at_each_step() {
    let world = World::new();
    let folder = world.directory().join("sagas");
    copy(&world, &source(), &folder);
    let examples = examples(&folder);
    for topic in examples.iter().flat_map(|e| {
        let starts = e.definition.starts.iter().map(|s| &s.topic);
        let awaits = e.definition.awaits().map(|a| &a.topic);
        let commands = e.definition.targets().map(|t| &t.topic);
        starts
            .chain(awaits)
            .chain(commands)
            .collect::<BTreeSet<_>>()
    }) {
        world.create_topic(topic, &[]);
    }
    examples.iter().for_each(|e| world.observe(&e.definition));
    let cases: Vec<Case> = examples.iter().flat_map(cases).collect();
    let script = |case: &Case| {
        (
            Arc::clone(&case.definition),
            Script::new(&case.scenario.replies),
        )
    };
    let scripts = cases.iter().map(|case| (case.saga.clone(), script(case)));
    let scripts: Scripts = Arc::new(Mutex::new(scripts.collect()));
    let skald = world.start("one");
    // A start without `from` begins with the time of its definition's activation.
    skald.wait_for_lanes(LANES as usize, Duration::from_secs(60));
    let participants = participants(&world, &examples, &scripts);
    cases.iter().for_each(|case| publish(&world, case));
    for case in &cases {
        let what = format!(
            "{} is {:?} after {:?}",
            case.saga, case.status, case.commands
        );
        let mut seen = None;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            await_that(&what, Duration::from_secs(60), || {
                seen = world.instances().remove(&case.saga);
                let status = seen.as_ref().map(|instance| instance.status);
                (status == Some(case.status)).then_some(())
            });
        }));
        assert!(ended.is_ok(), "{what}, but it is {seen:?}");
        let facts = world.history_of(&case.saga);
        let sent = facts.iter().flat_map(|fact| &fact.commands);
        let mut sent: Vec<String> = sent.map(|c| scenario::name(&c.id)).collect();
        let mut expected = case.commands.clone();
        // Branches race in real time: what was sent is the same, its order inside of a branch is the engine's business.
        sent.sort();
        expected.sort();
        assert_eq!(sent, expected, "{}", case.saga);
    }
    skald.stop();
    drop(participants);
    world.check();
}
