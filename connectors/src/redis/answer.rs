//! Answers as typed values.
//!
//! Absent on purpose: leniency. What does not have the expected shape was written by something else, and is refused.

use std::collections::BTreeMap;

use ::redis::{FromRedisValue, Value, from_redis_value};

use crate::store::{Answer, Due, Error, Loaded, Position};

type Fields = (
    Option<i64>,
    Option<i64>,
    Option<u64>,
    Option<String>,
    Option<i64>,
    Option<String>,
);

/// Anything the library can read.
pub fn value<T: FromRedisValue>(answer: Value) -> Result<T, Error> {
    from_redis_value(answer).map_err(|error| Error::Refused {
        reason: format!("unexpected content: {error}"),
    })
}

/// A position.
pub fn position(answer: Value) -> Result<Position, Error> {
    let (wm, jpos, ep, owners, at_ms, installation): Fields = value(answer)?;
    Ok(Position {
        ep: ep.unwrap_or_default(),
        wm,
        jpos,
        // Owners are a hint for fencing; unreadable ones must not keep a lane from being claimed.
        owners: owners
            .and_then(|list| serde_json::from_str(&list).ok())
            .unwrap_or_default(),
        at_ms,
        installation,
    })
}

/// The answer to a commit.
pub fn commit(answer: Value) -> Result<Answer, Error> {
    match answer {
        Value::Int(_) => Ok(Answer::Done),
        refused => Ok(Answer::Refused(position(refused)?)),
    }
}

/// What a load brought.
pub fn loaded(answer: Value) -> Result<Loaded, Error> {
    let (place, counters, documents): (Value, BTreeMap<String, i64>, Vec<Option<Vec<u8>>>) =
        value(answer)?;
    Ok(Loaded {
        position: position(place)?,
        documents,
        counters,
    })
}

/// Ids with their scores, as a sorted set lists them.
pub fn scored(answer: Value) -> Result<Vec<(String, i64)>, Error> {
    let pairs: Vec<(String, f64)> = value(answer)?;
    Ok(pairs.into_iter().map(|(id, s)| (id, s as i64)).collect())
}

/// Timer entries that are still there and still due.
pub fn due(ids: Vec<String>, answer: Value, until_ms: i64) -> Result<Vec<Due>, Error> {
    let entries: Vec<(Option<f64>, Vec<u8>)> = value(answer)?;
    let found = ids
        .into_iter()
        .zip(entries)
        .filter_map(|(id, (score, head))| {
            let score = score.filter(|score| *score <= until_ms as f64)?;
            Some(Due {
                id,
                score_ms: score as i64,
                header: header(&head),
            })
        });
    Ok(found.collect())
}

/// The ASCII header: up to and with the fifth colon, or the sixth if a re-send follows. `None` if there is no document.
fn header(head: &[u8]) -> Option<String> {
    let colons = head.iter().enumerate().filter(|(_, b)| **b == b':');
    let mut ends = colons.map(|(at, _)| at + 1);
    let end = ends.nth(4).unwrap_or(head.len());
    let end = match head.get(end) {
        Some(b'@') => ends.next().unwrap_or(head.len()),
        _ => end,
    };
    (!head.is_empty()).then(|| String::from_utf8_lossy(&head[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_ends_at_its_fifth_colon() {
        let head = b"1M:7:w3:-:r:body:\xff";
        assert_eq!(header(head).as_deref(), Some("1M:7:w3:-:r:"));
        let resend = b"1M:7:w3:5:r:@credit+500:body:\xff";
        assert_eq!(header(resend).as_deref(), Some("1M:7:w3:5:r:@credit+500:"));
        assert_eq!(header(b""), None);
        assert_eq!(header(b"damaged").as_deref(), Some("damaged"));
    }

    #[test]
    fn unreadable_owners_do_not_hide_a_position() {
        let text = |t: &str| Value::BulkString(t.as_bytes().to_vec());
        let fields = [
            text("5"),
            Value::Nil,
            text("2"),
            text("{"),
            Value::Nil,
            Value::Nil,
        ];
        let position = position(Value::Array(fields.to_vec())).unwrap();
        assert_eq!(
            (position.wm, position.jpos, position.ep),
            (Some(5), None, 2)
        );
        assert!(position.owners.is_empty());
        assert!(super::position(Value::Array(vec![text("x")])).is_err());
    }
}
