//! Names and settings of Skald's own topics.
//!
//! Absent on purpose: business and command topics (their owners create them), and the replication factor (the broker's default).

/// Longest topic name that Kafka takes.
pub const TOPIC_BYTES_MAX: usize = 249;

/// Longest app name.
pub const APP_BYTES_MAX: usize = 64;

/// Largest record (batch) of an own topic: `max.message.bytes`.
pub const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Why a text is not an app name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It would make topic names that Kafka refuses or that cannot be told apart.
    #[error(
        "app name `{name}` is not usable: write 1 to {APP_BYTES_MAX} of the characters a-z A-Z 0-9 _ -, a letter or digit first"
    )]
    AppName {
        /// The name as it was given.
        name: String,
    },
}

/// What an own topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// What moves instances.
    Inbox,
    /// Newest state images, private.
    Journal,
    /// One fact per transition, public.
    History,
    /// Bundles and their aliases.
    Definitions,
    /// Who did what.
    Audit,
    /// Dead letters sent back.
    Redrive,
    /// Records that nothing waited for.
    Orphans,
    /// Records set aside; one topic per source topic.
    DeadLetter,
}

impl Kind {
    /// The kinds of which an app has exactly one topic.
    pub const SINGLE: [Self; 7] = [
        Self::Inbox,
        Self::Journal,
        Self::History,
        Self::Definitions,
        Self::Audit,
        Self::Redrive,
        Self::Orphans,
    ];

    /// Has it one partition per lane?
    pub fn per_lane(self) -> bool {
        matches!(self, Self::Inbox | Self::Journal | Self::History)
    }

    /// Partitions it is created with.
    pub fn partitions(self, lanes: u32) -> u32 {
        if self.per_lane() { lanes } else { 1 }
    }
}

/// The topic names of one app.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topics {
    app: String,
}

impl Topics {
    /// The topics of `app`.
    ///
    /// # Errors
    /// [`Error::AppName`]: no dots, so that the dead letters of `a` and of `a.b` cannot be confused.
    pub fn new(app: &str) -> Result<Self, Error> {
        let legal = app
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let first = app
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if legal && first && app.len() <= APP_BYTES_MAX {
            return Ok(Self {
                app: app.to_owned(),
            });
        }
        Err(Error::AppName {
            name: app.to_owned(),
        })
    }

    /// The app's name.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// `<app>.inbox`.
    pub fn inbox(&self) -> String {
        self.own("inbox")
    }

    /// `<app>.journal`.
    pub fn journal(&self) -> String {
        self.own("journal")
    }

    /// `<app>.history`.
    pub fn history(&self) -> String {
        self.own("history")
    }

    /// `<app>.definitions`.
    pub fn definitions(&self) -> String {
        self.own("definitions")
    }

    /// `<app>.audit`.
    pub fn audit(&self) -> String {
        self.own("audit")
    }

    /// `<app>.redrive`.
    pub fn redrive(&self) -> String {
        self.own("redrive")
    }

    /// `<app>.orphans`.
    pub fn orphans(&self) -> String {
        self.own("orphans")
    }

    /// `dlq.<app>.<source topic>`; the dead-letter topic itself, if `source` is one of this app.
    ///
    /// A name that Kafka would refuse as too long is cut and ends with a hash; the record's headers tell the full one.
    pub fn dead_letter(&self, source: &str) -> String {
        if self.source_of_dead_letter(source).is_some() {
            return source.to_owned();
        }
        let name = format!("{}{source}", self.dead_letter_prefix());
        if name.len() <= TOPIC_BYTES_MAX {
            return name;
        }
        let hash = xxhash_rust::xxh3::xxh3_64(source.as_bytes());
        let cut = name.floor_char_boundary(TOPIC_BYTES_MAX - 17);
        format!("{}-{hash:016x}", &name[..cut])
    }

    /// What every dead-letter topic of this app begins with.
    pub fn dead_letter_prefix(&self) -> String {
        format!("dlq.{}.", self.app)
    }

    /// The source topic, if `topic` is a dead-letter topic of this app.
    pub fn source_of_dead_letter<'a>(&self, topic: &'a str) -> Option<&'a str> {
        topic
            .strip_prefix("dlq.")?
            .strip_prefix(self.app.as_str())?
            .strip_prefix('.')
            .filter(|source| !source.is_empty())
    }

    /// The topic of a kind; `None` for [`Kind::DeadLetter`], of which there are many.
    pub fn name(&self, kind: Kind) -> Option<String> {
        match kind {
            Kind::Inbox => Some(self.inbox()),
            Kind::Journal => Some(self.journal()),
            Kind::History => Some(self.history()),
            Kind::Definitions => Some(self.definitions()),
            Kind::Audit => Some(self.audit()),
            Kind::Redrive => Some(self.redrive()),
            Kind::Orphans => Some(self.orphans()),
            Kind::DeadLetter => None,
        }
    }

    /// The kind of an own topic.
    pub fn kind(&self, topic: &str) -> Option<Kind> {
        if self.source_of_dead_letter(topic).is_some() {
            return Some(Kind::DeadLetter);
        }
        Kind::SINGLE
            .into_iter()
            .find(|kind| self.name(*kind).as_deref() == Some(topic))
    }

    fn own(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.app)
    }
}

/// Settings that an own topic is created with and checked for, by the names of Kafka's topic configuration.
pub fn settings(kind: Kind) -> Vec<(String, String)> {
    let mut list = vec![
        // The time of a transition is the log's: services cannot forge it.
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("max.message.bytes", MESSAGE_BYTES_MAX.to_string()),
    ];
    match kind {
        Kind::Journal => list.extend(journal_settings()),
        Kind::Definitions => list.push(("cleanup.policy", "compact".to_owned())),
        _ => list.extend(deleted_after(retention_days(kind))),
    }
    list.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Small segments, cleaned early: an empty store is rebuilt from this topic. Half of `delete.retention.ms` is how old a
/// store's position may be before a deletion could have been missed.
fn journal_settings() -> Vec<(&'static str, String)> {
    vec![
        ("cleanup.policy", "compact".to_owned()),
        ("min.compaction.lag.ms", "60000".to_owned()),
        ("segment.bytes", (64 * 1024 * 1024).to_string()),
        ("min.cleanable.dirty.ratio", "0.2".to_owned()),
        ("delete.retention.ms", DAY_MS.to_string()),
    ]
}

fn deleted_after(days: u64) -> Vec<(&'static str, String)> {
    vec![
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", (days * DAY_MS).to_string()),
    ]
}

fn retention_days(kind: Kind) -> u64 {
    match kind {
        Kind::Audit => 365,
        Kind::DeadLetter => 90,
        _ => 7,
    }
}

#[cfg(test)]
mod tests;
