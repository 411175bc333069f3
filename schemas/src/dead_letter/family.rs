//! Header families of dead letters.
//!
//! Absent on purpose: stack traces, which are dropped with the rest of a family when a record is sent back.

use crate::headers;
use crate::record::Headers;

/// Names of one family; a name that a family lacks is empty.
pub(super) struct Family {
    pub(super) prefix: &'static str,
    pub(super) topic: &'static str,
    pub(super) partition: &'static str,
    pub(super) offset: &'static str,
    pub(super) class: &'static str,
    pub(super) stage: &'static str,
    pub(super) message: &'static str,
    pub(super) group: &'static str,
    /// Numbers are big-endian bytes, not text.
    binary: bool,
}

/// Our own first: a record may have gone through several.
const FAMILIES: [Family; 4] = [
    Family {
        prefix: headers::DLQ_PREFIX,
        topic: headers::DLQ_TOPIC,
        partition: headers::DLQ_PARTITION,
        offset: headers::DLQ_OFFSET,
        class: headers::DLQ_CLASS,
        stage: headers::DLQ_STAGE,
        message: headers::DLQ_MESSAGE,
        group: headers::DLQ_GROUP,
        binary: false,
    },
    Family {
        prefix: "__connect.errors.",
        topic: "__connect.errors.topic",
        partition: "__connect.errors.partition",
        offset: "__connect.errors.offset",
        class: "__connect.errors.exception.class.name",
        stage: "__connect.errors.stage",
        message: "__connect.errors.exception.message",
        group: "__connect.errors.connector.name",
        binary: false,
    },
    Family {
        prefix: "__streams.errors.",
        topic: "__streams.errors.topic",
        partition: "__streams.errors.partition",
        offset: "__streams.errors.offset",
        class: "__streams.errors.exception",
        stage: "",
        message: "__streams.errors.message",
        group: "",
        binary: false,
    },
    Family {
        prefix: "kafka_dlt-",
        topic: "kafka_dlt-original-topic",
        partition: "kafka_dlt-original-partition",
        offset: "kafka_dlt-original-offset",
        class: "kafka_dlt-exception-fqcn",
        stage: "",
        message: "kafka_dlt-exception-message",
        group: "kafka_dlt-original-consumer-group",
        binary: true,
    },
];

impl Family {
    /// The first family that names a topic.
    pub(super) fn of(headers: &Headers) -> Option<&'static Self> {
        FAMILIES
            .iter()
            .find(|family| headers.text(family.topic).is_some_and(|t| !t.is_empty()))
    }

    /// A number as the family writes it, else as the others do.
    pub(super) fn number(&self, headers: &Headers, name: &str) -> Option<i64> {
        let bytes = headers.bytes(name)?;
        if self.binary {
            big_endian(bytes).or_else(|| decimal(bytes))
        } else {
            decimal(bytes).or_else(|| big_endian(bytes))
        }
    }
}

fn decimal(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn big_endian(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => Some(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        8 => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}
