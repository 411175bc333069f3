//! Signatures of inbox records that only Skald may write.
//!
//! `skald-sig: v1:<key id>:<base64 of HMAC-SHA256>` (RFC 2104, RFC 4648) over app, partition, key, every `skald-*` and `ce_*` header
//! but the signature itself, and the value. Each part carries its length, so no two records sign the same bytes; the partition is part
//! of it, so a record copied to another lane is refused. The first key signs, all verify: a secret is changed by adding the new one
//! behind the old, then in front, then dropping the old.
//!
//! Absent on purpose: whether a record without signature is accepted ([`Error::Missing`]: the caller's switch decides), protection
//! against a copy within its lane (ids and arm sequences make that harmless), and topics other than the inbox.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::headers;
use crate::record::{Headers, Outgoing, Received};

/// Shortest secret, in bytes.
pub const SECRET_BYTES_MIN: usize = 16;

/// Secrets by key id. The first signs, all verify; none means that signatures are off.
#[derive(Clone, Default)]
pub struct Keys(Vec<(String, Vec<u8>)>);

impl Keys {
    /// The keys, in order.
    ///
    /// # Errors
    /// [`Error::KeyId`] and [`Error::Secret`].
    pub fn new(keys: Vec<(String, Vec<u8>)>) -> Result<Self, Error> {
        for (id, secret) in &keys {
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
            if id.is_empty() || !id.bytes().all(legal) {
                return Err(Error::KeyId { id: id.clone() });
            }
            if secret.len() < SECRET_BYTES_MIN {
                return Err(Error::Secret { id: id.clone() });
            }
        }
        Ok(Self(keys))
    }

    /// Are signatures off?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn secret(&self, id: &str) -> Option<&[u8]> {
        let key = self.0.iter().find(|(known, _)| known == id);
        key.map(|(_, secret)| secret.as_slice())
    }
}

/// Secrets never show.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(id, _)| id))
            .finish()
    }
}

/// Why keys or a signature are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A key id that cannot stand in a header.
    #[error("inbox.secrets: key id `{id}` is not usable: write letters, digits, `_`, `-` or `.`")]
    KeyId {
        /// The id.
        id: String,
    },
    /// A secret that can be guessed.
    #[error(
        "inbox.secrets: the secret of `{id}` is shorter than {SECRET_BYTES_MIN} bytes: make one with `openssl rand -base64 32`"
    )]
    Secret {
        /// Its key id.
        id: String,
    },
    /// No signature.
    #[error("header `skald-sig` is missing: only Skald may write this kind of record")]
    Missing,
    /// A signature that does not follow the grammar.
    #[error("header `skald-sig` is not `v1:<key id>:<base64>`")]
    Malformed,
    /// A key id that is not configured here.
    #[error("header `skald-sig`: key `{id}` is not among inbox.secrets")]
    UnknownKey {
        /// The id, cut to 64 characters.
        id: String,
    },
    /// The record is not what was signed.
    #[error("header `skald-sig` does not match the record (app, partition, key, headers or value)")]
    Mismatch,
}

/// Signs a record that goes to `partition` of the app's inbox. Without keys it does nothing.
pub fn sign(keys: &Keys, app: &str, partition: u32, record: &mut Outgoing) {
    let Some((id, secret)) = keys.0.first() else {
        return;
    };
    record.headers.0.retain(|(name, _)| name != headers::SIG);
    let parts = Parts {
        app,
        partition,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: &record.headers,
    };
    let tag = STANDARD.encode(parts.mac(secret).finalize().into_bytes());
    record.headers.push(headers::SIG, format!("v1:{id}:{tag}"));
}

/// Verifies the signature of a record read from the app's inbox. Without keys everything passes.
///
/// # Errors
/// [`Error::Missing`] where there is none (the caller may accept that for a time); all others mean that the record is refused.
pub fn verify(keys: &Keys, app: &str, record: &Received) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let signature = record.headers.bytes(headers::SIG).ok_or(Error::Missing)?;
    let (id, tag) = split(signature).ok_or(Error::Malformed)?;
    let secret = keys.secret(id).ok_or_else(|| Error::UnknownKey {
        id: id.chars().take(64).collect(),
    })?;
    let parts = Parts {
        app,
        partition: record.partition.number,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: &record.headers,
    };
    // `verify_slice` compares in constant time.
    parts
        .mac(secret)
        .verify_slice(&tag)
        .map_err(|_| Error::Mismatch)
}

fn split(signature: &[u8]) -> Option<(&str, Vec<u8>)> {
    let text = std::str::from_utf8(signature).ok()?;
    let (id, tag) = text.strip_prefix("v1:")?.split_once(':')?;
    Some((id, STANDARD.decode(tag).ok()?))
}

struct Parts<'a> {
    app: &'a str,
    partition: u32,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: &'a Headers,
}

impl Parts<'_> {
    fn mac(&self, secret: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        part(&mut mac, Some(self.app.as_bytes()));
        part(&mut mac, Some(&self.partition.to_be_bytes()));
        part(&mut mac, self.key);
        let signed = signed_headers(self.headers);
        part(&mut mac, Some(&(signed.len() as u64).to_be_bytes()));
        for (name, value) in signed {
            part(&mut mac, Some(name.as_bytes()));
            part(&mut mac, Some(value));
        }
        part(&mut mac, self.value);
        mac
    }
}

/// Sorted by name; headers of the same name keep their order, because the last one counts.
fn signed_headers(headers: &Headers) -> Vec<(&str, &[u8])> {
    let covered = |name: &str| name.starts_with("skald-") || name.starts_with("ce_");
    let mut list: Vec<_> = headers
        .0
        .iter()
        .filter(|(name, _)| covered(name) && name != headers::SIG)
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    list.sort_by_key(|(name, _)| *name);
    list
}

/// One part: 0 for nothing, else 1, its length and its bytes.
fn part(mac: &mut Hmac<Sha256>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        mac.update(&[0]);
        return;
    };
    mac.update(&[1]);
    mac.update(&(bytes.len() as u64).to_be_bytes());
    mac.update(bytes);
}

#[cfg(test)]
mod tests;
