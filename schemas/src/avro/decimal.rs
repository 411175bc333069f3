//! Decimals: digits and scale as text, two's complement in bytes.
//!
//! Absent on purpose: arithmetic. Nothing is rounded; what does not fit is refused.

use super::DECIMAL_DIGITS_MAX;
use crate::json;

/// Bytes of a number of [`DECIMAL_DIGITS_MAX`] digits: more cannot be a decimal, and would take long to convert.
const BYTES_MAX: usize = DECIMAL_DIGITS_MAX * 5 / 12 + 1;

/// `-12.30` of the big-endian two's complement of -1230 and the scale 2; `None` beyond the limit of digits.
pub(super) fn text(bytes: &[u8], scale: usize) -> Option<String> {
    let negative = bytes.first().is_some_and(|b| *b >= 0x80);
    let filler = if negative { 0xff } else { 0 };
    let start = bytes
        .iter()
        .position(|b| *b != filler)
        .unwrap_or(bytes.len());
    let significant = &bytes[start..];
    if significant.len() > BYTES_MAX {
        return None;
    }
    let mut magnitude: Vec<u8> = significant.to_vec();
    if negative {
        negate(&mut magnitude);
    }
    let mut digits = to_digits(&magnitude);
    while digits.len() <= scale {
        digits.insert(0, '0');
    }
    if scale > 0 {
        digits.insert(digits.len() - scale, '.');
    }
    Some(if negative {
        format!("-{digits}")
    } else {
        digits
    })
}

/// Two's complement in as few bytes as keep the sign, of a decimal text with this precision and scale.
pub(super) fn bytes(text: &str, precision: usize, scale: usize) -> Result<Vec<u8>, String> {
    let (negative, digits, exponent) = json::decimal_parts(text).ok_or("is no decimal number")?;
    let zeros = exponent.saturating_add(i64::try_from(scale).unwrap_or(i64::MAX));
    if digits.is_empty() {
        return Ok(vec![0]);
    }
    let Ok(zeros) = usize::try_from(zeros) else {
        return Err(format!("has more than {scale} decimal places"));
    };
    if zeros > precision || digits.len() + zeros > precision {
        return Err(format!("has more than {precision} digits"));
    }
    let mut magnitude = from_digits(digits.bytes().chain(std::iter::repeat_n(b'0', zeros)));
    if negative {
        negate(&mut magnitude);
    }
    let has_sign = magnitude.first().is_some_and(|b| (*b >= 0x80) == negative);
    if !has_sign {
        magnitude.insert(0, if negative { 0xff } else { 0 });
    }
    Ok(magnitude)
}

/// Two's complement of exactly `size` bytes; `None` if it does not fit.
pub(super) fn widen(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let missing = size.checked_sub(bytes.len())?;
    let negative = bytes.first().is_some_and(|b| *b >= 0x80);
    let mut out = vec![if negative { 0xff } else { 0 }; missing];
    out.extend(bytes);
    Some(out)
}

/// Two's complement without regard to a sign bit: 2^(8 n) - x. No bytes stand for -1, whose sign was cut off.
fn negate(bytes: &mut Vec<u8>) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
        (*byte, carry) = (sum, over);
    }
    if carry {
        bytes.insert(0, 1);
    }
}

fn to_digits(magnitude: &[u8]) -> String {
    const BILLION: u64 = 1_000_000_000;
    let mut limbs: Vec<u64> = magnitude
        .rchunks(4)
        .map(|chunk| chunk.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
        .collect();
    let mut groups = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut rest = 0;
        for limb in limbs.iter_mut().rev() {
            let sum = rest << 32 | *limb;
            (*limb, rest) = (sum / BILLION, sum % BILLION);
        }
        groups.push(format!("{rest:09}"));
    }
    let digits: String = groups.into_iter().rev().collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { "0" } else { digits }.to_owned()
}

fn from_digits(digits: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut magnitude: Vec<u8> = Vec::new();
    for digit in digits {
        let mut carry = u16::from(digit - b'0');
        for byte in magnitude.iter_mut().rev() {
            let sum = u16::from(*byte) * 10 + carry;
            (*byte, carry) = (sum.to_be_bytes()[1], sum >> 8);
        }
        if carry > 0 {
            magnitude.insert(0, carry.to_be_bytes()[1]);
        }
    }
    magnitude
}
