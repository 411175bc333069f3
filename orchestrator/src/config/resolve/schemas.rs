//! Formats of topics, and where schemas come from.
//!
//! Absent on purpose: asking the registry. A process starts without it.

use std::collections::BTreeMap;
use std::time::Duration;

use connectors::registry::{Address, Sources};
use schemas::event::Format;

use super::{Error, refuse, typed};
use crate::config::value::{Secret, Span};

/// Longest wait for an answer of the registry: only a thread of its own waits.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

pub(super) fn formats(
    typed: &BTreeMap<String, Secret>,
    has_folder: bool,
) -> Result<BTreeMap<String, Format>, Error> {
    let mut formats = BTreeMap::new();
    for (topic, text) in typed {
        let format: Format = text
            .expose()
            .parse()
            .or_else(|error| refuse(format!("`topics.formats` of `{topic}`: {error}")))?;
        if format.schema_name().is_some() && !has_folder {
            return refuse(format!(
                "`topics.formats` of `{topic}` is `{format}`, but `schemas.folder` is not set: the type would be looked for there"
            ));
        }
        formats.insert(topic.clone(), format);
    }
    Ok(formats)
}

pub(super) fn sources(
    registry: typed::Registry,
    schemas: typed::Schemas,
) -> Result<Sources, Error> {
    Ok(Sources {
        registry: address(registry)?,
        folder: schemas.folder,
    })
}

fn address(typed: typed::Registry) -> Result<Option<Address>, Error> {
    let timeout = typed.timeout.map_or(Duration::from_secs(2), |span| span.0);
    if timeout.is_zero() || timeout > TIMEOUT_MAX {
        return refuse(format!(
            "`registry.timeout` is {}; it must be `1ms` to {}",
            Span(timeout),
            Span(TIMEOUT_MAX)
        ));
    }
    let credentials = match (typed.user, typed.password) {
        (Some(user), Some(password)) => Some((user, password.expose().to_owned())),
        (None, None) => None,
        _ => {
            return refuse("`registry.user` and `registry.password` go together; set both or none");
        }
    };
    let Some(url) = typed.url else {
        if credentials.is_some() {
            return refuse("`registry.user` is set, but `registry.url` is not");
        }
        return Ok(None);
    };
    let known = ["http://", "https://"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) || url.contains('@') {
        return refuse(
            "`registry.url` must begin with `http://` or `https://` and name no user: that is `registry.user`",
        );
    }
    Ok(Some(Address {
        url,
        credentials,
        timeout,
    }))
}
