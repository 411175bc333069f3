//! Confluent's REST API, blocking.
//!
//! Absent on purpose: redirects to other hosts, retries (the caller's), and a second guess: what is not clearly "there is no such
//! schema" counts as no answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::avro::{SCHEMA_BYTES_MAX, Schema};
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::{Address, Error};

/// Most schemas that one refers to, directly or not.
const REFERENCES_MAX: usize = 64;

/// Largest answer: a schema of the largest size, escaped.
const ANSWER_BYTES_MAX: u64 = 4 * SCHEMA_BYTES_MAX as u64;

/// Media type of the API.
const MEDIA: &str = "application/vnd.schemaregistry.v1+json";

/// Error codes by which the registry says that there is no such subject, version or schema.
const UNKNOWN: [i64; 3] = [40_401, 40_402, 40_403];

/// A client of one registry.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

/// A schema with its size.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) schema: Schema,
    pub(super) bytes: usize,
}

impl Client {
    /// A client; it connects when it is asked.
    pub fn new(address: &Address) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(address.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent("skald")
            .build();
        let basic = |(user, password): &(String, String)| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        };
        Self {
            agent: config.into(),
            url: address.url.trim_end_matches('/').to_owned(),
            authorization: address.credentials.as_ref().map(basic),
        }
    }

    /// The schema with this id and everything that it refers to.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn schema(&self, id: u32) -> Result<Fetched, Error> {
        let what = format!("schema {id}");
        let answer = self.get(&format!("/schemas/ids/{id}"), &what)?;
        let mut references = References::default();
        let text = self.text(&answer, &what, &mut references)?;
        let texts: Vec<String> = references.texts;
        let bytes = text.len() + texts.iter().map(String::len).sum::<usize>();
        let schema = Schema::parse_with(&text, &texts).map_err(|error| Error::Unusable {
            what,
            reason: error.to_string(),
        })?;
        Ok(Fetched { schema, bytes })
    }

    /// The id of a schema under a subject, which gets the schema if it has not.
    ///
    /// Looked for first: who may only read can write data with what others registered. And spaces or the order of keys are no
    /// difference there, but make a new version when a schema is registered.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub fn id_of(&self, subject: &str, schema: &str) -> Result<u32, Error> {
        let path = format!("/subjects/{}?normalize=true", escape(subject));
        let (status, answer) = self.post(&path, schema)?;
        match (status, answer.get("id").and_then(Value::as_u64)) {
            (200, Some(id)) => self.id(id),
            // A wrong base path shows when it is registered.
            (404, _) => self.register(subject, schema),
            _ => Err(self.odd(status, &answer)),
        }
    }

    /// Registers a schema under a subject; returns its id, the one it had if it was registered before.
    ///
    /// # Errors
    /// [`Error::Refused`] for a schema that is invalid or incompatible, [`Error::Unavailable`].
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32, Error> {
        let what = format!("the schema of subject `{subject}`");
        let path = format!("/subjects/{}/versions", escape(subject));
        let (status, answer) = self.post(&path, schema)?;
        match (status, answer.get("id").and_then(Value::as_u64)) {
            (200, Some(id)) => self.id(id),
            (409 | 422, _) => Err(Error::Refused {
                what,
                reason: message(&answer),
            }),
            _ => Err(self.odd(status, &answer)),
        }
    }

    fn id(&self, id: u64) -> Result<u32, Error> {
        u32::try_from(id).map_err(|_| self.unavailable("an id beyond 32 bits"))
    }

    fn post(&self, path: &str, schema: &str) -> Result<(u16, Value), Error> {
        let body = json!({ "schema": schema }).to_string();
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        };
        let request = request.header("content-type", MEDIA);
        self.answer(request.header("accept", MEDIA).send(&body))
    }

    /// The schema's text; what it refers to is collected before it.
    fn text(
        &self,
        answer: &Value,
        what: &str,
        references: &mut References,
    ) -> Result<String, Error> {
        let kind = answer.get("schemaType").and_then(Value::as_str);
        if let Some(other) = kind.filter(|kind| *kind != "AVRO") {
            return Err(Error::Unusable {
                what: what.to_owned(),
                reason: format!("it is {other}; only Avro is read"),
            });
        }
        for reference in answer
            .get("references")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.reference(reference, references)?;
        }
        let text = answer.get("schema").and_then(Value::as_str);
        text.map(str::to_owned)
            .ok_or_else(|| self.unavailable("an answer without `schema`: is this Confluent's API?"))
    }

    fn reference(&self, reference: &Value, references: &mut References) -> Result<(), Error> {
        let subject = reference.get("subject").and_then(Value::as_str);
        let version = reference.get("version").and_then(Value::as_u64);
        let (Some(subject), Some(version)) = (subject, version) else {
            return Err(self.unavailable("a reference without subject and version"));
        };
        let what = format!("version {version} of subject `{subject}`");
        if references.seen.contains(&what) {
            return Ok(());
        }
        references.seen.push(what.clone());
        if references.seen.len() > REFERENCES_MAX {
            return Err(Error::Unusable {
                what,
                reason: format!("it is one of more than {REFERENCES_MAX} references"),
            });
        }
        let path = format!("/subjects/{}/versions/{version}", escape(subject));
        let answer = self.get(&path, &what)?;
        let text = self.text(&answer, &what, references)?;
        references.texts.push(text);
        Ok(())
    }

    fn get(&self, path: &str, what: &str) -> Result<Value, Error> {
        let (status, answer) = self.ask(path).map_err(|error| match error {
            Error::Unusable { reason, .. } => Error::Unusable {
                what: what.to_owned(),
                reason,
            },
            other => other,
        })?;
        let code = answer.get("error_code").and_then(Value::as_i64);
        let unknown = || Error::Unknown {
            what: what.to_owned(),
        };
        match status {
            200 => Ok(answer),
            404 if code.is_some_and(|code| UNKNOWN.contains(&code)) => Err(unknown()),
            // A wrong base path answers the same to everything; then no record may be set aside.
            400 | 404 | 422 if self.ask("/schemas/types")?.0 == 200 => Err(unknown()),
            _ => Err(self.odd(status, &answer)),
        }
    }

    fn ask(&self, path: &str) -> Result<(u16, Value), Error> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        };
        self.answer(request.header("accept", MEDIA).call())
    }

    /// Status and body; a body that is no JSON is null.
    fn answer(&self, sent: Result<Response<Body>, ureq::Error>) -> Result<(u16, Value), Error> {
        let mut response = sent.map_err(|error| self.unavailable(error.to_string()))?;
        let given = is_given(&response);
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let text = body.read_to_string().map_err(|error| match error {
            // It will not be smaller the next time: whoever waits for it would wait for ever.
            ureq::Error::BodyExceedsLimit(max) if given => Error::Unusable {
                what: format!("an answer of registry {}", self.url),
                reason: format!("it is larger than {max} bytes: split the type"),
            },
            error => self.unavailable(error.to_string()),
        })?;
        let answer = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok((response.status().as_u16(), answer))
    }

    fn odd(&self, status: u16, answer: &Value) -> Error {
        let hint = match status {
            401 | 403 => "check `registry.user` and `registry.password`",
            404 | 405 => "check the path in `registry.url` (Apicurio's is /apis/ccompat/v7)",
            _ => "look at the registry's log",
        };
        self.unavailable(format!("status {status} {}: {hint}", message(answer)))
    }

    fn unavailable(&self, reason: impl Into<String>) -> Error {
        Error::Unavailable {
            url: self.url.clone(),
            reason: reason.into(),
        }
    }
}

/// Does it give what was asked for? A page of some proxy on the way does not.
fn is_given(response: &Response<Body>) -> bool {
    let kind = response.headers().get("content-type");
    let json = kind.is_some_and(|kind| kind.as_bytes().ends_with(b"json"));
    json && response.status().as_u16() == 200
}

#[derive(Default)]
struct References {
    seen: Vec<String>,
    /// In an order in which each uses only earlier ones.
    texts: Vec<String>,
}

fn message(answer: &Value) -> String {
    let text = answer.get("message").and_then(Value::as_str);
    text.unwrap_or("without a message")
        .chars()
        .take(300)
        .collect()
}

/// Percent-encoding of a path segment (RFC 3986).
fn escape(segment: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~');
    let encode = |b: u8| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    segment.bytes().map(encode).collect()
}
