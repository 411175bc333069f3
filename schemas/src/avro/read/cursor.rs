//! Bytes of a datum, in order.
//!
//! Absent on purpose: meaning.

/// A position in a datum.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes that were not read.
    pub(super) fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, size: usize) -> Result<&'a [u8], String> {
        let rest = self.rest();
        if size > rest {
            return Err(format!("{size} bytes are needed, {rest} are left"));
        }
        let taken = &self.bytes[self.at..self.at + size];
        self.at += size;
        Ok(taken)
    }

    /// A zig-zag number in at most 10 bytes of 7 bits, lowest first.
    pub(super) fn long(&mut self) -> Result<i64, String> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                let half = i64::try_from(number >> 1).unwrap_or_default();
                return Ok(half ^ -i64::from(number & 1 == 1));
            }
        }
        Err("a number of more than 64 bits".to_owned())
    }
}
