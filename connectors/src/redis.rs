//! The store in Redis: one hash tag per lane, one script call per lane and batch.
//!
//! Keys of lane 3 of `skald`: `{skald:003}pos` (position), `s:<saga id>` (documents), `t` (every id by next wake-up or expiry),
//! `n` (counters) and `i:<definition>:<status>` (index). The scripts read status and target from the document's header and the
//! old index entry from the old document's header, so no caller can make them differ.
//!
//! Absent on purpose: Redis Functions, key names computed in scripts, `MULTI`, connection pools and resends.

mod address;
mod answer;
mod connection;
mod keys;
mod request;
mod scripts;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ::redis::{Cmd, Value, cmd};

pub use address::RedisAddress;
use connection::Connection;
use keys::Keys;

use crate::store::{Answer, Commit, Due, Error, Lease, Load, Loaded, Position, Store};

/// A worker's connection to Redis.
pub struct RedisStore {
    app: String,
    connection: Connection,
}

impl RedisStore {
    fn keys(&self, lane: u32) -> Keys {
        Keys::new(&self.app, lane)
    }

    fn read_ids(&mut self, command: Cmd) -> Result<Vec<String>, Error> {
        answer::value(self.connection.ask_one(command)?)
    }

    /// Pages of ids; `ZSCAN` answers scores between them.
    fn page(&mut self, verb: &str, key: &str, cursor: u64) -> Result<(Vec<String>, u64), Error> {
        let answer = self.connection.ask_one(request::page(verb, key, cursor))?;
        let (next, ids): (u64, Vec<String>) = answer::value(answer)?;
        Ok((ids, next))
    }
}

impl Store for RedisStore {
    type Server = RedisAddress;

    fn open(server: &RedisAddress, app: &str) -> Result<Self, Error> {
        Ok(Self {
            app: app.to_owned(),
            connection: Connection::open(server)?,
        })
    }

    fn claim(&mut self, lane: u32, owner: &str) -> Result<Position, Error> {
        let command = request::claim(&self.keys(lane), owner);
        answer::position(self.connection.ask_one(command)?)
    }

    fn round(
        &mut self,
        commits: &[Commit],
        loads: &[Load],
    ) -> Result<(Vec<Answer>, Vec<Loaded>), Error> {
        let written = commits
            .iter()
            .map(|c| request::commit(&self.keys(c.lane), c));
        let read = loads.iter().map(|l| request::load(&self.keys(l.lane), l));
        let commands: Vec<Cmd> = written.chain(read).collect();
        if commands.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut answers = self.connection.ask(&commands)?;
        let read = answers.split_off(commits.len());
        let answers: Result<_, _> = answers.into_iter().map(answer::commit).collect();
        let loaded: Result<_, _> = read.into_iter().map(answer::loaded).collect();
        Ok((answers?, loaded?))
    }

    fn position(&mut self, lane: u32) -> Result<Position, Error> {
        let command = request::position(&self.keys(lane));
        answer::position(self.connection.ask_one(command)?)
    }

    fn clear(&mut self, lane: u32, ep: u64, at_ms: i64, max: usize) -> Result<bool, Error> {
        let keys = self.keys(lane);
        // What another owner stores between the two calls raises the epoch first, so the script refuses.
        let ids = self.read_ids(request::first_ids(&keys, max))?;
        let command = request::clear(&keys, ep, at_ms, &ids);
        match self.connection.ask_one(command)? {
            Value::Int(empty) => Ok(empty == 1),
            other => Err(foreign_epoch(lane, ep, &answer::position(other)?)),
        }
    }

    fn due_ids(
        &mut self,
        lane: u32,
        from_ms: Option<i64>,
        until_ms: i64,
        max: usize,
    ) -> Result<Vec<(String, i64)>, Error> {
        let command = request::due_ids(&self.keys(lane), from_ms, until_ms, max);
        answer::scored(self.connection.ask_one(command)?)
    }

    fn due_of(&mut self, lane: u32, ids: Vec<String>, until_ms: i64) -> Result<Vec<Due>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let command = request::due(&self.keys(lane), &ids);
        answer::due(ids, self.connection.ask_one(command)?, until_ms)
    }

    fn document(&mut self, lane: u32, id: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut command = cmd("GET");
        command.arg(self.keys(lane).document(id));
        answer::value(self.connection.ask_one(command)?)
    }

    fn ids(
        &mut self,
        lane: u32,
        definition: &str,
        status: char,
        max: usize,
    ) -> Result<Vec<String>, Error> {
        let key = self.keys(lane).index(definition, status);
        let (mut found, mut cursor) = (BTreeSet::new(), 0);
        loop {
            let (ids, next) = self.page("SSCAN", &key, cursor)?;
            found.extend(ids);
            while found.len() > max {
                found.pop_last();
            }
            cursor = next;
            if cursor == 0 {
                return Ok(found.into_iter().collect());
            }
        }
    }

    fn scan(&mut self, lane: u32, cursor: u64) -> Result<(Vec<String>, u64), Error> {
        let key = self.keys(lane).timers();
        let (pairs, next) = self.page("ZSCAN", &key, cursor)?;
        Ok((pairs.into_iter().step_by(2).collect(), next))
    }

    fn counters(&mut self, lane: u32) -> Result<BTreeMap<String, i64>, Error> {
        let mut command = cmd("HGETALL");
        command.arg(self.keys(lane).counters());
        answer::value(self.connection.ask_one(command)?)
    }

    fn lease(&mut self, name: &str, holder: &str, ttl: Duration) -> Result<Lease, Error> {
        let mut command = scripts::call(&scripts::LEASE, &[keys::lease(&self.app, name)]);
        command.arg(holder).arg(ttl.as_millis().max(1) as u64);
        let found: String = answer::value(self.connection.ask_one(command)?)?;
        if found == holder {
            return Ok(Lease::Held);
        }
        Ok(Lease::Foreign(found))
    }

    fn release(&mut self, name: &str, holder: &str) -> Result<(), Error> {
        let mut command = scripts::call(&scripts::RELEASE, &[keys::lease(&self.app, name)]);
        command.arg(holder);
        self.connection.ask_one(command).map(drop)
    }
}

fn foreign_epoch(lane: u32, ep: u64, position: &Position) -> Error {
    Error::Refused {
        reason: format!(
            "lane {lane} was claimed by somebody else: its epoch is {}, not {ep}",
            position.ep
        ),
    }
}
