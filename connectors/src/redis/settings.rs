//! The one setting of a server that decides whether it may be trusted: it must not evict.
//!
//! Absent on purpose: persistence settings. Whatever the server loses as a whole is repaired from the journal; what it evicts
//! key by key is not noticed.

use ::redis::{Cmd, Value, from_redis_value};

use super::connection::Connection;
use crate::store::Error;

/// Refuses a server whose `maxmemory-policy` is not `noeviction`, on every new connection: it may lead to another server.
pub(super) fn check(connection: &mut Connection) -> Result<(), Error> {
    let policy = match by_config(connection)? {
        Some(policy) => Some(policy),
        None => by_info(connection)?,
    };
    match policy.as_deref() {
        Some("noeviction") => Ok(()),
        found => Err(unusable(connection.shown(), found)),
    }
}

/// `None` where `CONFIG` is forbidden, as managed servers do.
fn by_config(connection: &mut Connection) -> Result<Option<String>, Error> {
    let mut command = ::redis::cmd("CONFIG");
    command.arg("GET").arg("maxmemory-policy");
    match one(connection, command)? {
        Value::ServerError(error) if is_unready(error.code()) => Err(connection.refused(&format!(
            "{} {}",
            error.code(),
            error.details().unwrap_or("")
        ))),
        answer => Ok(from_redis_value::<(String, String)>(answer)
            .ok()
            .map(|(_, policy)| policy)),
    }
}

fn by_info(connection: &mut Connection) -> Result<Option<String>, Error> {
    let mut command = ::redis::cmd("INFO");
    command.arg("memory");
    let answer = one(connection, command)?;
    if let Value::ServerError(error) = &answer {
        let cause = format!("{} {}", error.code(), error.details().unwrap_or(""));
        return Err(connection.refused(&cause));
    }
    let text: String = from_redis_value(answer).unwrap_or_default();
    let policy = |line: &str| Some(line.strip_prefix("maxmemory_policy:")?.trim().to_owned());
    Ok(text.lines().find_map(policy))
}

fn one(connection: &mut Connection, command: Cmd) -> Result<Value, Error> {
    let answers = connection.exchange(&[command])?;
    Ok(answers.into_iter().next().unwrap_or(Value::Nil))
}

/// These pass by themselves or by a password, so `INFO` would not know more.
fn is_unready(code: &str) -> bool {
    matches!(code, "LOADING" | "BUSY" | "NOAUTH" | "MASTERDOWN")
}

fn unusable(shown: &str, found: Option<&str>) -> Error {
    Error::Unusable {
        reason: format!(
            "{shown}: maxmemory-policy is {}, so Redis may drop documents when it is full; set it by \
             `CONFIG SET maxmemory-policy noeviction` and in redis.conf",
            found.unwrap_or("unknown")
        ),
    }
}
