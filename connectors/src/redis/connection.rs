//! One connection: commands out, answers in, reconnect at the next call.
//!
//! A broken connection or a missing answer ends the connection, because a late answer would be taken for that of a later question.
//! Absent on purpose: automatic resends (the caller repeats the identical call, which is safe) and a connection manager (it would
//! stay on a demoted master).

use ::redis::{Client, Cmd, Connection as Wire, ErrorKind, RedisError, ServerErrorKind, Value};

use super::address::RedisAddress;
use super::{scripts, settings};
use crate::store::Error;

/// A connection that is opened when it is needed.
pub(super) struct Connection {
    client: Client,
    address: RedisAddress,
    shown: String,
    wire: Option<Wire>,
}

impl Connection {
    /// Connects and checks the server's settings.
    pub fn open(address: &RedisAddress) -> Result<Self, Error> {
        let (client, shown) = address.client()?;
        let mut connection = Self {
            client,
            address: address.clone(),
            shown,
            wire: None,
        };
        connection.ensure()?;
        Ok(connection)
    }

    /// One command, one answer.
    pub fn ask_one(&mut self, command: Cmd) -> Result<Value, Error> {
        let mut answers = self.ask(std::slice::from_ref(&command))?;
        answers
            .pop()
            .ok_or_else(|| self.unavailable(&"no answer to a command"))
    }

    /// Sends all commands in one go and takes their answers.
    pub fn ask(&mut self, commands: &[Cmd]) -> Result<Vec<Value>, Error> {
        self.ensure()?;
        let mut answers = self.exchange(commands)?;
        if answers.iter().any(is_unknown_script) {
            // Somebody flushed the scripts. What was executed before is executed again, which is safe for every script.
            self.load_scripts()?;
            answers = self.exchange(commands)?;
        }
        self.refuse_errors(&answers)?;
        Ok(answers)
    }

    fn ensure(&mut self) -> Result<(), Error> {
        if self.wire.is_some() {
            return Ok(());
        }
        self.wire = Some(self.connect()?);
        let prepared = settings::check(self).and_then(|()| self.load_scripts());
        if prepared.is_err() {
            self.wire = None;
        }
        prepared
    }

    fn connect(&self) -> Result<Wire, Error> {
        let limit = self.address.timeout;
        let connect = || -> Result<Wire, RedisError> {
            let wire = self.client.get_connection_with_timeout(limit)?;
            wire.set_read_timeout(Some(limit))?;
            wire.set_write_timeout(Some(limit))?;
            Ok(wire)
        };
        connect().map_err(|error| self.connect_error(&error))
    }

    fn load_scripts(&mut self) -> Result<(), Error> {
        let load = |source: &&str| {
            let mut command = ::redis::cmd("SCRIPT");
            command.arg("LOAD").arg(*source);
            command
        };
        let commands: Vec<Cmd> = scripts::SOURCES.iter().map(load).collect();
        let answers = self.exchange(&commands)?;
        self.refuse_errors(&answers)
    }

    /// Sends and receives on the open connection; errors of the server are answers here.
    pub(super) fn exchange(&mut self, commands: &[Cmd]) -> Result<Vec<Value>, Error> {
        let Some(mut wire) = self.wire.take() else {
            return Err(self.unavailable(&"connection is closed"));
        };
        let answers = exchange(&mut wire, commands).map_err(|error| self.unavailable(&error))?;
        self.wire = Some(wire);
        Ok(answers)
    }

    /// The first error of the server among the answers.
    fn refuse_errors(&mut self, answers: &[Value]) -> Result<(), Error> {
        let Some(error) = answers.iter().find_map(server_error) else {
            return Ok(());
        };
        if error.kind() == Some(ServerErrorKind::ReadOnly) {
            // A demoted master: the address may lead to the new one by now.
            self.wire = None;
        }
        Err(self.refused(&format!(
            "{} {}",
            error.code(),
            error.details().unwrap_or("")
        )))
    }

    fn connect_error(&self, error: &RedisError) -> Error {
        match error.kind() {
            ErrorKind::AuthenticationFailed => self.refused(&"user or password is wrong"),
            ErrorKind::InvalidClientConfig => Error::Unusable {
                reason: format!("{}: the address needs a feature that is absent", self.shown),
            },
            ErrorKind::Server(_) => self.refused(error),
            _ => self.unavailable(error),
        }
    }

    fn unavailable(&self, cause: &dyn std::fmt::Display) -> Error {
        Error::Unavailable {
            reason: format!("{}: {cause}", self.shown),
        }
    }

    pub(super) fn refused(&self, cause: &dyn std::fmt::Display) -> Error {
        Error::Refused {
            reason: format!("{}: {cause}", self.shown),
        }
    }

    /// The part of the address that may be shown.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// The library's own pipelines go on reading after a missing answer, each time up to the limit; this stops at the first.
fn exchange(wire: &mut Wire, commands: &[Cmd]) -> Result<Vec<Value>, RedisError> {
    let bytes: Vec<u8> = commands.iter().flat_map(Cmd::get_packed_command).collect();
    wire.send_packed_command(&bytes)?;
    commands.iter().map(|_| wire.recv_response()).collect()
}

fn server_error(answer: &Value) -> Option<&::redis::ServerError> {
    match answer {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

fn is_unknown_script(answer: &Value) -> bool {
    server_error(answer).is_some_and(|error| error.kind() == Some(ServerErrorKind::NoScript))
}
