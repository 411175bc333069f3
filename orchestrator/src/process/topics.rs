//! Skald's own topics: created where missing, checked where they exist.
//!
//! Absent on purpose: changing a topic that exists; the message says which command does.

use connectors::log::{Log, TopicSpec};
use schemas::topics::{self, Kind, Topics};

use super::Error;

/// Settings whose wrong value breaks a promise, so that a start refuses.
const LOAD_BEARING: [&str; 2] = ["cleanup.policy", "message.timestamp.type"];

/// Creates and checks.
///
/// # Errors
/// [`Error::Topic`] and the log's.
pub fn ensure<L: Log>(log: &mut L, names: &Topics, lanes: u32) -> Result<(), Error> {
    let specs: Vec<TopicSpec> = Kind::SINGLE
        .iter()
        .filter_map(|kind| spec(names, *kind, lanes))
        .collect();
    let mut specs = specs;
    specs.push(TopicSpec {
        name: names.dead_letter(&names.inbox()),
        partitions: 1,
        config: topics::settings(Kind::DeadLetter),
    });
    same_lanes(log, names, lanes)?;
    log.create_topics(&specs)?;
    for spec in &specs {
        check(log, spec)?;
    }
    Ok(())
}

/// An installation keeps its number of lanes: another one in the configuration is a mistake there, not in the topics.
fn same_lanes<L: Log>(log: &mut L, names: &Topics, lanes: u32) -> Result<(), Error> {
    let mut numbers = Vec::new();
    for topic in [names.inbox(), names.journal(), names.history()] {
        numbers.push(log.topic(&topic)?.map(|info| info.partitions));
    }
    match numbers[..] {
        [Some(n), b, c] if b == Some(n) && c == b && n != lanes => Err(Error::Topic {
            topic: names.inbox(),
            problem: format!(
                "this installation has {n} lanes, the configuration says {lanes}: keys would be remapped; set `lanes = {n}`"
            ),
        }),
        _ => Ok(()),
    }
}

fn spec(names: &Topics, kind: Kind, lanes: u32) -> Option<TopicSpec> {
    Some(TopicSpec {
        name: names.name(kind)?,
        partitions: kind.partitions(lanes),
        config: topics::settings(kind),
    })
}

fn check<L: Log>(log: &mut L, spec: &TopicSpec) -> Result<(), Error> {
    let wrong = |problem: String| Error::Topic {
        topic: spec.name.clone(),
        problem,
    };
    let Some(info) = log.topic(&spec.name)? else {
        return Err(wrong(
            "it does not exist and could not be created: create it or grant the right to"
                .to_owned(),
        ));
    };
    if info.partitions != spec.partitions {
        return Err(wrong(format!(
            "it has {} partitions, must have {wanted}: somebody altered it, and saga keys would be remapped; create it anew with {wanted} (Kafka takes no partition away)",
            info.partitions,
            wanted = spec.partitions
        )));
    }
    for (name, wanted) in spec
        .config
        .iter()
        .filter(|(name, _)| LOAD_BEARING.contains(&name.as_str()))
    {
        if let Some((_, actual)) = info.config.iter().find(|(n, _)| n == name)
            && actual != wanted
        {
            return Err(wrong(format!(
                "`{name}` is `{actual}`, must be `{wanted}`: kafka-configs --alter --entity-type topics --entity-name {} --add-config {name}={wanted}",
                spec.name
            )));
        }
    }
    Ok(())
}

/// Creates command and start topics that do not exist, where that is wanted.
///
/// # Errors
/// The log's.
pub fn create_missing<L: Log>(
    log: &mut L,
    wanted: &[String],
    partitions: u32,
) -> Result<(), Error> {
    let specs: Vec<_> = wanted
        .iter()
        .map(|name| TopicSpec {
            name: name.clone(),
            partitions,
            config: Vec::new(),
        })
        .collect();
    Ok(log.create_topics(&specs)?)
}
