//! Recovery of one lane (R1-R5): the only way into `Ready`, taken at assignment and after any doubt.
//!
//! Invariant: between claim and ready nothing is delivered, and what is applied was committed by the log. It may be abandoned after
//! any step and begun again at R1, because each chunk compares and advances the journal position together with its documents.
//!
//! Absent on purpose: scheduling (the worker advances one step at a time, between polls).

use crate::mutant::{Mutant, planted};

use super::{
    ApplyChunk, Belief, Effect, Event, JournalRead, LaneNo, Position, Sample, Stable, Trouble,
};

/// How long an open transaction may hold up a stable answer before its owner is fenced.
const HELD_MS: i64 = 300;

/// Mismatches of journal and committed offset that are looked at again before the lane stops.
const SECOND_LOOKS: u32 = 2;

/// What a recovery needs to know of its worker.
#[derive(Debug, Clone)]
pub(super) struct Context<'a> {
    pub lane: LaneNo,
    pub now_ms: i64,
    pub wall_ms: i64,
    pub own_id: &'a str,
    pub store: bool,
    pub installation: &'a str,
    pub rebuild_after_ms: i64,
}

/// What follows from a step.
#[derive(Debug)]
pub(super) enum Next {
    /// Do this, then step again with the answer.
    Do(Effect),
    /// Not now: the same step again in a moment.
    Wait,
    /// Not now: begin again at R1 later.
    Later,
    /// Begin again at R1 at once.
    Again,
    /// The lane is ready with this belief and delivers from this offset.
    Ready(Belief, i64),
    /// Somebody must act.
    Stop(String),
}

/// State of one recovery.
#[derive(Debug, Clone, Default)]
pub(super) struct Recovery {
    at: At,
    position: Position,
    committed: Option<i64>,
    offset_owner: String,
    /// Since when a stable answer is held up, and whether the owners were fenced since.
    held_since: Option<i64>,
    fenced: bool,
    /// The first chunk read and not yet applied: one is always held back, so that the last one moves the watermark.
    held_chunk: Option<JournalRead>,
    newest: Option<(i64, i64)>,
    extents: Sample,
    /// When the extents were sampled, wall clock.
    sampled_ms: i64,
    /// Next journal offset to read.
    cursor: i64,
    /// The store lost documents: drop the lane and read the journal from its beginning.
    rebuild: bool,
    /// Looks taken at something that must not be.
    looks: u32,
    /// A warning for the operator, told once.
    pub warning: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    #[default]
    Begin,
    Claim,
    Offset,
    Sample,
    Clear,
    Journal,
    Apply {
        last: bool,
        next: i64,
    },
    Origin,
    Start {
        offset: i64,
    },
}

impl Recovery {
    /// The word for metrics.
    pub fn word(&self) -> &'static str {
        match self.at {
            At::Begin | At::Claim => "claim",
            At::Offset => "offset",
            At::Sample | At::Origin => "sample",
            At::Clear => "clear",
            At::Journal => "journal",
            At::Apply { .. } => "apply",
            At::Start { .. } => "start",
        }
    }

    /// A recovery that drops the lane's documents and reads the journal from its beginning.
    pub fn rebuilding() -> Self {
        Self {
            rebuild: true,
            ..Self::default()
        }
    }

    /// Begins again at R1, remembering only what was wrong.
    pub fn restart(&mut self) {
        *self = Self {
            looks: self.looks,
            rebuild: self.rebuild,
            ..Self::default()
        };
    }

    /// The effect to go on with, after a pause between polls.
    pub fn resume(&mut self, cx: &Context<'_>) -> Effect {
        match self.at {
            At::Begin if cx.store => self.go(At::Claim, Effect::Claim { lane: cx.lane }),
            At::Begin => self.go(At::Offset, Effect::ReadOffset { lane: cx.lane }),
            At::Claim => Effect::Claim { lane: cx.lane },
            At::Offset => Effect::ReadOffset { lane: cx.lane },
            At::Sample => Effect::Sample { lane: cx.lane },
            At::Clear => Effect::Clear {
                lane: cx.lane,
                ep: self.position.ep,
            },
            At::Journal => self.read(cx),
            At::Apply { last, next } => self.apply(cx, last, next),
            At::Origin => Effect::Origin { lane: cx.lane },
            At::Start { offset } => Effect::Start {
                lane: cx.lane,
                offset,
            },
        }
    }

    fn go(&mut self, at: At, effect: Effect) -> Effect {
        self.at = at;
        effect
    }

    /// Takes the answer to the last effect.
    pub fn step(&mut self, cx: &Context<'_>, event: Event) -> Next {
        match (self.at, event) {
            (At::Claim, Event::Claimed(Ok(position))) => self.claimed(cx, position),
            (At::Offset, Event::Offset(Ok(stable))) => self.offset_read(cx, stable),
            (At::Offset, Event::Offset(Err(Trouble::Held))) if planted(Mutant::OffsetNotStable) => {
                let offset = self.position.wm;
                let owner = String::new();
                self.offset_read(cx, Stable { offset, owner })
            }
            (At::Journal, Event::JournalRead(Err(Trouble::Held)))
                if planted(Mutant::CatchUpIgnoresOpen) =>
            {
                self.cursor = self.extents.journal_end;
                self.committed = self.newest.map(|(_, end)| end);
                self.more_or_end(cx)
            }
            (At::Offset, Event::Offset(Err(Trouble::Held)))
            | (At::Journal, Event::JournalRead(Err(Trouble::Held))) => self.held(cx),
            (_, Event::Fenced) => Next::Do(self.resume(cx)),
            (At::Sample, Event::Sampled(Ok(sample))) => self.sampled(cx, sample),
            (At::Clear, Event::Cleared(Ok(false))) => Next::Do(self.resume(cx)),
            (At::Clear, Event::Cleared(Ok(true))) => self.cleared(cx),
            (At::Journal, Event::JournalRead(Ok(read))) => self.journal_read(cx, read),
            (At::Apply { last, next }, Event::Applied(Ok(super::Answer::Done))) => {
                self.applied(cx, last, next)
            }
            (At::Apply { .. }, Event::Applied(Ok(super::Answer::Refused))) => Next::Again,
            (At::Origin, Event::Origin(Ok(offset))) => self.start(cx, offset),
            (At::Start { offset }, Event::Started(Ok(()))) => {
                Next::Ready(self.position.belief(), offset)
            }
            (_, event) => failed(event),
        }
    }

    /// R1 done. A lane of another installation is never touched.
    fn claimed(&mut self, cx: &Context<'_>, position: Position) -> Next {
        if position
            .installation
            .as_deref()
            .is_some_and(|i| i != cx.installation)
        {
            return Next::Stop(format!(
                "the store belongs to installation {}, not {}: another app name or an empty store is needed",
                position.installation.as_deref().unwrap_or(""),
                cx.installation
            ));
        }
        self.position = position;
        Next::Do(self.go(At::Offset, Effect::ReadOffset { lane: cx.lane }))
    }

    /// R2 done: R3 decides.
    fn offset_read(&mut self, cx: &Context<'_>, stable: Stable) -> Next {
        self.held_since = None;
        self.offset_owner = stable.owner;
        self.committed = stable.offset;
        match (cx.store, self.position.wm, stable.offset) {
            (false, _, Some(offset)) => self.start(cx, offset),
            (false, _, None) => Next::Do(self.go(At::Origin, Effect::Origin { lane: cx.lane })),
            (true, Some(wm), Some(c)) if wm == c && !self.rebuild => self.start(cx, c),
            (true, Some(wm), Some(c)) if wm > c => self.second_look(format!(
                "the store is at {wm}, ahead of the committed offset {c}: the log lost data or a topic was re-created"
            )),
            (true, _, _) => Next::Do(self.go(At::Sample, Effect::Sample { lane: cx.lane })),
        }
    }

    /// An open transaction holds up an answer: its owner is given a moment, then fenced once.
    fn held(&mut self, cx: &Context<'_>) -> Next {
        let since = *self.held_since.get_or_insert(cx.now_ms);
        if cx.now_ms - since < HELD_MS || self.fenced {
            return Next::Wait;
        }
        self.fenced = true;
        let mut ids = self.position.owners.clone();
        ids.push(self.offset_owner.clone());
        ids.retain(|id| !id.is_empty() && id != cx.own_id);
        ids.sort();
        ids.dedup();
        Next::Do(Effect::Fence { ids })
    }

    /// R3 with extents: a new lane, a catch-up or a rebuild.
    fn sampled(&mut self, cx: &Context<'_>, sample: Sample) -> Next {
        self.extents = sample;
        self.sampled_ms = cx.wall_ms;
        if sample.journal_end == sample.journal_begin {
            return self.empty_journal(cx);
        }
        if let Some(jpos) = self.position.jpos.filter(|j| *j > sample.journal_end) {
            return self.second_look(format!(
                "the store is at {jpos} of the journal, which ends at {}: the journal lost data or was re-created",
                sample.journal_end
            ));
        }
        let old = self
            .position
            .at_ms
            .is_none_or(|at| cx.wall_ms - at > cx.rebuild_after_ms);
        if self.rebuild || self.position.wm.is_none() || self.position.jpos.is_none() || old {
            let ep = self.position.ep;
            return Next::Do(self.go(At::Clear, Effect::Clear { lane: cx.lane, ep }));
        }
        self.begin_reading(cx)
    }

    /// No header was ever committed: only a lane that never committed anything may stand so. Journal and inbox that do not begin at 0
    /// lost something, so "no offset" never means "from the oldest record".
    fn empty_journal(&mut self, cx: &Context<'_>) -> Next {
        let (begin, inbox) = (self.extents.journal_begin, self.extents.inbox_begin);
        if self.committed.is_some() || self.position.wm.is_some() {
            return self.second_look(format!(
                "the journal is empty although the lane was at {:?} (committed {:?}): the journal topic was lost or re-created",
                self.position.wm, self.committed
            ));
        }
        if begin != 0 || inbox != 0 {
            return self.second_look(format!(
                "no watermark, no committed offset and no journal, but the inbox begins at {inbox} and the journal at {begin}: records may be lost"
            ));
        }
        self.start(cx, 0)
    }

    /// R4 on an emptied lane: from the journal's beginning.
    fn cleared(&mut self, cx: &Context<'_>) -> Next {
        self.position.wm = None;
        self.position.jpos = None;
        self.position.at_ms = None;
        self.begin_reading(cx)
    }

    fn begin_reading(&mut self, cx: &Context<'_>) -> Next {
        self.at = At::Journal;
        self.held_chunk = None;
        self.newest = None;
        self.cursor = self
            .position
            .jpos
            .unwrap_or(0)
            .max(self.extents.journal_begin);
        Next::Do(self.read(cx))
    }

    fn read(&self, cx: &Context<'_>) -> Effect {
        Effect::ReadJournal {
            lane: cx.lane,
            from: self.cursor,
            to: self.extents.journal_end,
        }
    }

    /// R4: one chunk is held back; when the next one has records, it is applied.
    fn journal_read(&mut self, cx: &Context<'_>, read: JournalRead) -> Next {
        self.held_since = None;
        // The store was at most half of the deletions' retention old when the end was sampled. A reader that took the other half may
        // have missed a deletion that was compacted away meanwhile.
        if cx.wall_ms - self.sampled_ms > cx.rebuild_after_ms {
            return Next::Again;
        }
        self.cursor = read.next;
        self.newest = read.header.or(self.newest);
        let waiting = if read.records > 0 {
            self.held_chunk.replace(read)
        } else {
            None
        };
        match waiting {
            Some(first) => Next::Do(self.apply(cx, false, first.next)),
            None => self.more_or_end(cx),
        }
    }

    fn more_or_end(&mut self, cx: &Context<'_>) -> Next {
        if self.cursor < self.extents.journal_end {
            return Next::Do(self.read(cx));
        }
        match self.held_chunk {
            Some(_) => self.end_of_journal(cx),
            None => self.nothing_read(cx),
        }
    }

    /// R4: the newest header must say what the group committed.
    fn end_of_journal(&mut self, cx: &Context<'_>) -> Next {
        let Some((offset, end)) = self.newest else {
            return self.second_look(format!(
                "the journal behind {:?} has no header",
                self.position.jpos
            ));
        };
        if self.committed.is_some_and(|c| c != end) {
            return self.second_look(format!(
                "the journal's newest header ends at {end}, the group committed {:?}: log and journal disagree",
                self.committed
            ));
        }
        if self.committed.is_none() {
            self.warn_of_missing_offset(end);
        }
        Next::Do(self.apply(cx, true, offset + 1))
    }

    /// Nothing was committed behind jpos. What stands there may be what a transaction left that was aborted.
    fn nothing_read(&mut self, cx: &Context<'_>) -> Next {
        match (self.committed, self.position.wm) {
            (None, Some(wm)) => {
                self.warn_of_missing_offset(wm);
                self.start(cx, wm)
            }
            (_, None) => self.empty_journal(cx),
            (c, wm) => self.second_look(format!(
                "the journal has nothing between the store's {wm:?} and the committed {c:?}"
            )),
        }
    }

    /// Group offsets expire after 7 days without members; the next transaction commits one again.
    fn warn_of_missing_offset(&mut self, end: i64) {
        self.warning = Some(format!(
            "no committed offset; {end} is taken from the journal's newest header"
        ));
    }

    fn apply(&mut self, cx: &Context<'_>, last: bool, next: i64) -> Effect {
        let expect = self.position.belief();
        let wm = if last || planted(Mutant::FirstChunkMovesWatermark) {
            self.newest.map(|(_, end)| end)
        } else {
            expect.wm
        };
        // A chunk that is not the last brings no promise about deletions behind it.
        let at_ms = self.position.at_ms.filter(|_| !last);
        self.at = At::Apply { last, next };
        Effect::Apply(ApplyChunk {
            at_ms: at_ms.unwrap_or(self.sampled_ms),
            lane: cx.lane,
            expect,
            target: Belief {
                ep: expect.ep,
                wm,
                jpos: Some(next),
            },
        })
    }

    /// R5: the chunk stands in the store.
    fn applied(&mut self, cx: &Context<'_>, last: bool, next: i64) -> Next {
        self.position.jpos = Some(next);
        if last {
            let end = self.newest.map_or(0, |(_, end)| end);
            self.position.wm = Some(end);
            return self.start(cx, end);
        }
        self.at = At::Journal;
        self.more_or_end(cx)
    }

    fn start(&mut self, cx: &Context<'_>, offset: i64) -> Next {
        Next::Do(self.go(
            At::Start { offset },
            Effect::Start {
                lane: cx.lane,
                offset,
            },
        ))
    }

    /// Something that must not be: a race may have shown it, so it is looked at again before the lane stops.
    fn second_look(&mut self, reason: String) -> Next {
        self.looks += 1;
        if self.looks > SECOND_LOOKS {
            Next::Stop(reason)
        } else {
            Next::Again
        }
    }
}

/// A step that was answered with trouble, or by something that does not belong to it.
fn failed(event: Event) -> Next {
    match event {
        Event::Claimed(Err(Trouble::Stop(reason)))
        | Event::Offset(Err(Trouble::Stop(reason)))
        | Event::Sampled(Err(Trouble::Stop(reason)))
        | Event::Cleared(Err(Trouble::Stop(reason)))
        | Event::JournalRead(Err(Trouble::Stop(reason)))
        | Event::Applied(Err(Trouble::Stop(reason)))
        | Event::Origin(Err(Trouble::Stop(reason)))
        | Event::Started(Err(Trouble::Stop(reason))) => Next::Stop(reason),
        _ => Next::Later,
    }
}
