//! From what was typed to what it means: defaults, then checks.
//!
//! Absent on purpose: I/O other than the host name. Whether a broker answers is found out by whoever connects.

mod schemas;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ::schemas::signature::Keys;
use ::schemas::topics::Topics as Names;
use connectors::log::{Bounds, Timeouts};

use super::Error;
use super::settings::{Inbox, Kafka, Log, Redis, Roles, Settings, Topics, WAIT_MAX};
use super::typed;
use super::value::{Secret, Span, Words};
use crate::engine::Budget;
use crate::ingress::limit;
use crate::suggest::nearest;

/// Fills in defaults and checks everything that can be checked without a server.
///
/// # Errors
/// [`Error::Contradiction`], naming the keys and their values.
pub fn resolve(typed: typed::Typed) -> Result<Settings, Error> {
    let app = typed.app.unwrap_or_else(|| "skald".into());
    let settings = Settings {
        names: names(&app)?,
        app,
        instance: name("instance", typed.instance.map_or_else(host_name, Ok)?)?,
        lanes: bounded("lanes", typed.lanes.unwrap_or(4), LANES_MAX)?,
        workers: bounded("workers", typed.workers.unwrap_or(1), LANES_MAX)?,
        roles: roles(typed.roles)?,
        deploy: typed.deploy,
        kafka: kafka(typed.kafka)?,
        redis: redis(typed.redis)?,
        timeouts: timeouts(typed.timeouts)?,
        batch: batch(&typed.batch)?,
        ingress: ingress(&typed.ingress)?,
        resend: resend(&typed.resend)?,
        listen: listen(typed.http)?,
        topics: topics(&typed.topics, typed.schemas.folder.is_some())?,
        schemas: schemas::sources(typed.registry, typed.schemas)?,
        inbox: inbox(typed.inbox)?,
        log: log(typed.log)?,
    };
    Ok(settings)
}

/// More lanes than this would be a mistake in typing: every lane costs a partition in each transaction.
const LANES_MAX: u32 = 256;

fn refuse<T>(reason: impl Into<String>) -> Result<T, Error> {
    Err(Error::Contradiction {
        reason: reason.into(),
    })
}

fn names(app: &str) -> Result<Names, Error> {
    Names::new(app).or_else(|error| refuse(error.to_string()))
}

/// Names become parts of topics, groups and store keys, so their letters are those that Kafka allows.
fn name(key: &str, text: String) -> Result<String, Error> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(legal) {
        return refuse(format!(
            "`{key}` is `{text}`; it must be 1 to 64 letters, digits, `.`, `_` or `-`"
        ));
    }
    Ok(text)
}

/// The name of this host, as the system tells it.
pub(crate) fn host_name() -> Result<String, Error> {
    let file = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    file.or_else(|| std::env::var("HOSTNAME").ok())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Error::Contradiction {
            reason: "the host has no name: set `instance`".into(),
        })
}

fn bounded(key: &str, number: u32, max: u32) -> Result<u32, Error> {
    if (1..=max).contains(&number) {
        return Ok(number);
    }
    refuse(format!("`{key}` is {number}; it must be 1 to {max}"))
}

fn roles(words: Option<Words>) -> Result<Roles, Error> {
    let Some(Words(words)) = words else {
        return Ok(Roles {
            engine: true,
            ingress: true,
        });
    };
    if let Some(word) = words.iter().find(|w| !ROLES.contains(&w.as_str())) {
        let hint = nearest(word, ROLES)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        return refuse(format!("`roles` names `{word}`, which is no role{hint}"));
    }
    if words.is_empty() {
        return refuse("`roles` is empty; name at least one of `engine`, `ingress`");
    }
    let has = |role: &str| words.iter().any(|w| w == role);
    Ok(Roles {
        engine: has("engine"),
        ingress: has("ingress"),
    })
}

const ROLES: [&str; 2] = ["engine", "ingress"];

fn kafka(typed: typed::Kafka) -> Result<Kafka, Error> {
    let brokers = typed
        .brokers
        .map_or_else(|| vec!["127.0.0.1:9092".into()], |w| w.0);
    if brokers.is_empty() {
        return refuse("`kafka.brokers` is empty; name at least one `host:port`");
    }
    if let Some(broker) = brokers.iter().find(|b| !is_address(b)) {
        return refuse(format!(
            "`kafka.brokers` names `{broker}`; expected `host:port`"
        ));
    }
    let settings = typed.settings.0;
    if let Some(own) = settings.keys().find(|k| OWN.contains(&k.as_str())) {
        return refuse(format!(
            "`kafka.settings` names `{own}`, which Skald sets itself: its promises depend on it"
        ));
    }
    Ok(Kafka {
        brokers: brokers.join(","),
        settings,
    })
}

/// Client settings on which exactly-once rests, or that have a key of their own.
const OWN: [&str; 17] = [
    "auto.offset.reset",
    "bootstrap.servers",
    "client.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "max.poll.interval.ms",
    "metadata.broker.list",
    "partitioner",
    "session.timeout.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0))
}

fn redis(typed: typed::Redis) -> Result<Redis, Error> {
    let url = typed
        .url
        .unwrap_or_else(|| Secret::new("redis://127.0.0.1:6379"));
    let known = ["redis://", "unix://"];
    if !known.iter().any(|scheme| url.expose().starts_with(scheme)) {
        return refuse("`redis.url` must begin with `redis://` or `unix://`");
    }
    Ok(Redis { url })
}

fn timeouts(typed: typed::Timeouts) -> Result<Timeouts, Error> {
    let default = Timeouts::default();
    let or = |span: Option<Span>, default: Duration| span.map_or(default, |s| s.0);
    let timeouts = Timeouts {
        transaction: or(typed.transaction, default.transaction),
        session: or(typed.session, default.session),
        poll_interval: or(typed.poll_interval, default.poll_interval),
        request: default.request,
    };
    if timeouts.transaction < TRANSACTION_MIN {
        return refuse(format!(
            "`timeouts.transaction` is {}; it must be at least {}",
            Span(timeouts.transaction),
            Span(TRANSACTION_MIN)
        ));
    }
    let ordered =
        timeouts.transaction < timeouts.session && timeouts.session < timeouts.poll_interval;
    if !ordered {
        return refuse(relation(&timeouts));
    }
    Ok(timeouts)
}

/// Below this a single slow request would abort the transaction.
const TRANSACTION_MIN: Duration = Duration::from_secs(1);

fn relation(timeouts: &Timeouts) -> String {
    format!(
        "`timeouts` must satisfy transaction < session < poll_interval, but they are {}, {}, {}: \
         a transaction of a worker that lost its lanes must be over before the next owner begins",
        Span(timeouts.transaction),
        Span(timeouts.session),
        Span(timeouts.poll_interval)
    )
}

fn batch(typed: &typed::Batch) -> Result<Bounds, Error> {
    let bounds = Bounds {
        records: typed.records.unwrap_or(1_000),
        bytes: typed.bytes.map_or(4 << 20, |s| s.0),
        wait: typed.wait.map_or(Duration::from_millis(50), |s| s.0),
    };
    if !(1..=RECORDS_MAX).contains(&bounds.records) {
        return refuse(format!(
            "`batch.records` is {}; it must be 1 to {RECORDS_MAX}",
            bounds.records
        ));
    }
    if bounds.bytes == 0 {
        return refuse("`batch.bytes` is 0; it must be at least 1");
    }
    if bounds.wait.is_zero() || bounds.wait > WAIT_MAX {
        return refuse(format!(
            "`batch.wait` is {}; it must be `1ms` to {}",
            Span(bounds.wait),
            Span(WAIT_MAX)
        ));
    }
    Ok(bounds)
}

/// A store script of more documents blocks the server for too long, and a larger batch only delays its first record.
const RECORDS_MAX: usize = 1_000;

fn ingress(typed: &typed::Ingress) -> Result<limit::Bounds, Error> {
    let default = limit::Bounds::default();
    let bounds = limit::Bounds {
        in_a_row: typed.dead_letters_in_a_row.unwrap_or(default.in_a_row),
        ratio: typed.dead_letters_ratio.unwrap_or(default.ratio),
    };
    if bounds.in_a_row == 0 {
        return refuse("`ingress.dead_letters_in_a_row` is 0; it must be at least 1");
    }
    if !(bounds.ratio > 0.0 && bounds.ratio <= 1.0) {
        return refuse(format!(
            "`ingress.dead_letters_ratio` is {}; it must be above 0 and at most 1",
            bounds.ratio
        ));
    }
    Ok(bounds)
}

fn resend(typed: &typed::Resend) -> Result<Budget, Error> {
    let default = Budget::default();
    let rate = |key: &str, number: Option<u32>, default: f64| match number {
        None => Ok(default),
        Some(number) => bounded(key, number, RESENDS_MAX).map(f64::from),
    };
    Ok(Budget {
        per_second: rate("resend.per_second", typed.per_second, default.per_second)?,
        burst: rate("resend.burst", typed.burst, default.burst)?,
    })
}

/// More than any broker takes: whoever wants no bound writes this.
const RESENDS_MAX: u32 = 1_000_000;

fn listen(typed: typed::Http) -> Result<Option<SocketAddr>, Error> {
    let text = typed.listen.unwrap_or_else(|| "127.0.0.1:9464".into());
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).or_else(|_| {
        refuse(format!(
            "`http.listen` is `{text}`; expected `address:port` such as `0.0.0.0:9464`, or `off`"
        ))
    })
}

fn topics(typed: &typed::Topics, has_folder: bool) -> Result<Topics, Error> {
    Ok(Topics {
        create_missing: typed.create_missing.unwrap_or(false),
        formats: schemas::formats(&typed.formats.0, has_folder)?,
    })
}

fn inbox(typed: typed::Inbox) -> Result<Inbox, Error> {
    let mut secrets: Vec<(String, Vec<u8>)> = Vec::new();
    for typed::InboxSecret { id, secret } in typed.secrets {
        if secrets.iter().any(|(known, _)| *known == id) {
            return refuse(format!("`inbox.secrets` names `{id}` twice"));
        }
        secrets.push((id, secret.expose().as_bytes().to_vec()));
    }
    let keys = Keys::new(secrets).or_else(|error| refuse(error.to_string()))?;
    let require_signature = typed.require_signature.unwrap_or(false);
    if require_signature && keys.is_empty() {
        return refuse(
            "`inbox.require_signature` is true but `inbox.secrets` is empty: every record would be refused",
        );
    }
    Ok(Inbox {
        keys,
        require_signature,
    })
}

fn log(typed: typed::Log) -> Result<Log, Error> {
    let format = typed.format.unwrap_or_else(|| "text".into());
    if !matches!(format.as_str(), "text" | "json") {
        return refuse(format!(
            "`log.format` is `{format}`; it must be `text` or `json`"
        ));
    }
    let filter = typed.filter.unwrap_or_else(|| "info".into());
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
        return refuse(format!("`log.filter` is `{filter}`: {error}"));
    }
    Ok(Log {
        json: format == "json",
        filter,
    })
}

/// The file that is read when none is named.
pub fn default_file() -> &'static Path {
    Path::new("skald.toml")
}
