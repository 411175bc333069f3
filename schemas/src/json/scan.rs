//! Tokens of JSON: punctuation, texts and numbers.
//!
//! Absent on purpose: structure (see the parent).

use serde_json::{Number, Value};

use super::{DEPTH_MAX, Error, MEMORY_BYTES_MAX};

/// The largest magnitude up to which every integer is a double.
const SAFE_INTEGER: u64 = 1 << 53;

/// A position in a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Memory that may still be used.
    left: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let left = MEMORY_BYTES_MAX;
        Self { text, at: 0, left }
    }

    /// Counts memory before it is used.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Error> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(Error::TooManyValues { at: self.at })?;
        Ok(())
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.byte()
    }

    pub(super) fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes the byte, if it is the next one after white space.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Error> {
        if self.take(byte) {
            return Ok(());
        }
        Err(self.unexpected(expected))
    }

    /// Takes an opening bracket that leads to `depth`.
    pub(super) fn open(&mut self, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep { at: self.at });
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn word(&mut self, word: &'static str, value: Value) -> Result<Value, Error> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.unexpected("true, false or null"))
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    pub(super) fn unexpected(&self, expected: &'static str) -> Error {
        let found = match self.text[self.at..].chars().next() {
            None => "the end".to_owned(),
            Some('\0') if self.at == 0 => {
                "byte 0x00 (Confluent framing: Avro, Protobuf or JSON Schema)".to_owned()
            }
            Some(c) if c.is_control() => format!("U+{:04X}", u32::from(c)),
            Some(c) => format!("`{c}`"),
        };
        Error::Unexpected {
            at: self.at,
            found,
            expected,
        }
    }

    pub(super) fn string(&mut self) -> Result<String, Error> {
        self.expect(b'"', "a text in double quotes")?;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.byte(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            // Both ends stand at ASCII bytes (or the end), so the slice holds whole characters.
            out.push_str(&self.text[start..self.at]);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(0) => return Err(Error::Nul { at: self.at }),
                _ => return Err(self.unexpected("a character of a text or its closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        self.at += 1;
        let plain = match self.byte() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.unexpected("an escape (one of \" \\ / b f n r t u)")),
        };
        self.at += 1;
        Ok(plain)
    }

    /// `uXXXX`, or a pair of them for characters beyond the basic plane. The scanner stands at the `u`.
    fn unicode(&mut self) -> Result<char, Error> {
        let at = self.at - 1;
        let first = self.hex4()?;
        if first == 0 {
            return Err(Error::Nul { at });
        }
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let low_follows = self.text[self.at..].starts_with("\\u");
        if first >= 0xdc00 || !low_follows {
            return Err(Error::LoneSurrogate { at });
        }
        self.at += 1;
        let second = self.hex4()?;
        if !(0xdc00..=0xdfff).contains(&second) {
            return Err(Error::LoneSurrogate { at });
        }
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or(Error::LoneSurrogate { at })
    }

    /// The four hexadecimal digits behind the `u` the scanner stands at.
    fn hex4(&mut self) -> Result<u32, Error> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|b| char::from(b).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.unexpected("four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(code)
    }

    pub(super) fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let integer_end = self.at;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        Ok(if self.at == integer_end {
            integer(text)
        } else {
            decimal(text)
        })
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected("a digit"));
        }
        Ok(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

pub(super) fn integer(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(n) if n.unsigned_abs() <= SAFE_INTEGER => Value::Number(n.into()),
        _ => Value::String(text.to_owned()),
    }
}

pub(super) fn decimal(text: &str) -> Value {
    let own = normal(text);
    // Where two shortest decimals are equally near, writers differ: a number that we wrote must come back as one.
    let same = |double: &f64| {
        let written = [format!("{double:e}"), Value::from(*double).to_string()];
        own.is_some() && written.iter().any(|digits| normal(digits) == own)
    };
    let exact = text.parse::<f64>().ok().filter(same);
    exact
        .and_then(Number::from_f64)
        .map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// Sign, digits without zeros at either end, and exponent of a decimal: equal for equal numbers. `None` if the exponent is absurd.
pub(super) fn normal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Some((negative, String::new(), 0));
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let shift = i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?;
    let exponent = exponent.parse::<i64>().ok()?.checked_add(shift)?;
    Some((negative, significant.to_owned(), exponent))
}
