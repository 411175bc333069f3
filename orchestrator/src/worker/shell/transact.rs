//! The transaction of a batch: outputs, offsets, commit, and the replacement of producers (B4 to B7).
//!
//! Absent on purpose: when each of them happens (see `saga_lib::lane`).

use std::time::Instant;

use connectors::log::{Class, Error as LogError, Log};
use saga_lib::lane::{Event, Failure, LaneNo, Trouble};
use saga_lib::mutant::{Mutant, planted};

use super::{Shell, trouble};
use crate::crash;
use crate::metric::label::TransactionPhase;
use crate::worker::role::{FORWARD_TOKEN, OutputClass, Role};

/// What a token of the transactional producer stands for.
struct Tag {
    lane: LaneNo,
    input: i64,
    class: OutputClass,
}

impl<L: Log, R: Role<L>> Shell<L, R> {
    /// B4: outputs, header last; every result is checked.
    pub(super) fn produce(&mut self, lanes: Vec<LaneNo>) -> Result<Vec<i64>, Failure> {
        self.open.clone_from(&lanes);
        let mut tags = Vec::new();
        for lane in &lanes {
            self.hand_over(*lane, &mut tags)?;
        }
        let deliveries = self.log.flush().map_err(|e| self.failure(&e))?;
        let mut headers = vec![-1; lanes.len()];
        let mut failed: Option<(&Tag, LogError)> = None;
        for delivery in deliveries {
            let Some(tag) = usize::try_from(delivery.token)
                .ok()
                .and_then(|t| tags.get(t))
            else {
                continue;
            };
            match delivery.result {
                // A record that is to blame takes others of its transaction with it; blame goes to the record.
                Err(error) if failed.is_none() || error.class() == Class::Record => {
                    failed = Some((tag, error));
                }
                Ok((_, offset)) if tag.class == OutputClass::Header => {
                    let at = lanes.iter().position(|l| *l == tag.lane);
                    headers[at.unwrap_or_default()] = offset;
                }
                Ok(_) | Err(_) => {}
            }
        }
        if let Some((tag, error)) = failed
            && !planted(Mutant::DeliveriesUnchecked)
        {
            return Err(self.output_failure(tag, &error));
        }
        self.flush_plain()?;
        Ok(headers)
    }

    fn hand_over(&mut self, lane: LaneNo, tags: &mut Vec<Tag>) -> Result<(), Failure> {
        let name = self.role.name();
        let Some(plan) = self.role.planned(lane) else {
            return Err(Failure::Other("the lane has no plan".to_owned()));
        };
        let mut refused = None;
        for output in &plan.outputs {
            let tag = Tag {
                lane,
                input: output.input,
                class: output.class,
            };
            if let Err(error) = self.log.produce(&output.record, tags.len() as u64) {
                refused = Some((tag, error));
                break;
            }
            tags.push(tag);
            crash::point(name, "B4.producing");
        }
        if let Some((tag, error)) = refused {
            return Err(self.output_failure(&tag, &error));
        }
        for record in &plan.plain {
            if let Err(error) = self.log.produce_plain(record, FORWARD_TOKEN) {
                return Err(self.failure(&error));
            }
            self.forwards += 1;
        }
        Ok(())
    }

    /// A refusal that names its record costs that record; anything else costs the batch.
    fn output_failure(&mut self, tag: &Tag, error: &LogError) -> Failure {
        self.last_error = Some(error.to_string());
        match (error.class(), tag.class) {
            (Class::Record, OutputClass::DeadLetter) => Failure::DeadLetter {
                lane: tag.lane,
                reason: error.to_string(),
            },
            (Class::Record, _) => Failure::Output {
                lane: tag.lane,
                input: tag.input,
                reason: error.to_string(),
            },
            _ => self.failure(error),
        }
    }

    /// Forwarded replies are acknowledged before B5, all of them: behind the offsets nobody would forward them again.
    fn flush_plain(&mut self) -> Result<(), Failure> {
        if self.forwards == 0 || planted(Mutant::ForwardsUnchecked) {
            return Ok(());
        }
        for delivery in self.log.deliveries_plain(self.flush_wait) {
            let forward = delivery.token == FORWARD_TOKEN;
            self.role.delivered(&delivery);
            self.forwards -= usize::from(forward && self.forwards > 0);
            if let (true, Err(error)) = (forward, &delivery.result) {
                return Err(Failure::Other(format!(
                    "a reply could not be forwarded: {error}"
                )));
            }
        }
        if self.forwards > 0 {
            return Err(Failure::Other(
                "a forwarded reply was not acknowledged in time".to_owned(),
            ));
        }
        Ok(())
    }

    /// B5.
    pub(super) fn send_offsets(&mut self, offsets: &[(LaneNo, i64)]) -> Event {
        crash::point(self.role.name(), "B5.before");
        let begun = Instant::now();
        let offsets: Vec<_> = offsets
            .iter()
            .map(|(lane, end)| (self.role.partition(*lane), *end))
            .collect();
        let sent = self.log.send_offsets(&offsets, &self.own_id);
        self.observer
            .transaction_phase(TransactionPhase::SendOffsets, begun.elapsed());
        Event::OffsetsSent(sent.map_err(|e| self.failure(&e)))
    }

    /// B6.
    pub(super) fn commit(&mut self) -> Event {
        crash::point(self.role.name(), "B6.before");
        let begun = Instant::now();
        let committed = self.log.commit();
        self.observer
            .transaction_phase(TransactionPhase::Commit, begun.elapsed());
        let committed = committed.map_err(|e| self.failure(&e));
        if committed.is_ok() {
            crash::point(self.role.name(), "B6.committed");
            let lanes = std::mem::take(&mut self.open);
            self.role.committed(&lanes);
        }
        Event::Committed(committed)
    }

    pub(super) fn abort(&mut self) -> Event {
        let aborted = self.log.abort().map_err(|e| self.failure(&e));
        crash::point(self.role.name(), "B7.aborted");
        Event::Aborted(aborted)
    }

    /// B7: a fenced process looks at its lease first.
    pub(super) fn replace(&mut self) -> Event {
        if let Err(holder) = self.role.still_ours() {
            return Event::Replaced(Err(Trouble::Stop(holder)));
        }
        let replaced = self.log.replace_producers().map_err(|e| trouble(&e));
        self.forwards = 0;
        self.role.replaced();
        crash::point(self.role.name(), "B7.replaced");
        Event::Replaced(replaced)
    }

    /// B7: does anything of ours go through?
    pub(super) fn probe(&mut self, lane: LaneNo) -> bool {
        let Some(record) = self.role.probe(lane) else {
            return false;
        };
        let went = self
            .log
            .begin()
            .and_then(|()| self.log.produce(&record, 0))
            .and_then(|()| self.log.flush());
        let acknowledged = went.is_ok_and(|deliveries| deliveries.iter().all(|d| d.result.is_ok()));
        self.log.abort().is_ok() && acknowledged
    }
}
