//! Logical types: what a primitive or fixed type stands for.
//!
//! A logical type that is unknown, or does not fit its type, is ignored, as the specification demands; a decimal without usable
//! digits is refused, because nobody wants an amount as base64.

use serde_json::{Map, Value};

use crate::avro::DECIMAL_DIGITS_MAX;

use super::{Decimal, Type, Unit};

pub(super) fn of(plain: Type, object: &Map<String, Value>) -> Result<Type, String> {
    let Some(logical) = object.get("logicalType").and_then(Value::as_str) else {
        return Ok(plain);
    };
    let timestamp = |unit, local| Type::Timestamp { unit, local };
    Ok(match (logical, plain) {
        ("decimal", Type::Bytes) => Type::Decimal(decimal(object, None)?),
        ("decimal", Type::Fixed { name, size }) => {
            Type::Decimal(decimal(object, Some((name, size)))?)
        }
        ("uuid", Type::Fixed { name, size: 16 }) => Type::Uuid { name },
        ("duration", Type::Fixed { name, size: 12 }) => Type::Duration { name },
        ("date", Type::Int) => Type::Date,
        ("time-millis", Type::Int) => Type::Time(Unit::Milli),
        ("time-micros", Type::Long) => Type::Time(Unit::Micro),
        ("timestamp-millis", Type::Long) => timestamp(Unit::Milli, false),
        ("timestamp-micros", Type::Long) => timestamp(Unit::Micro, false),
        ("timestamp-nanos", Type::Long) => timestamp(Unit::Nano, false),
        ("local-timestamp-millis", Type::Long) => timestamp(Unit::Milli, true),
        ("local-timestamp-micros", Type::Long) => timestamp(Unit::Micro, true),
        ("local-timestamp-nanos", Type::Long) => timestamp(Unit::Nano, true),
        (_, plain) => plain,
    })
}

fn decimal(object: &Map<String, Value>, fixed: Option<(String, usize)>) -> Result<Decimal, String> {
    let number = |key: &str| {
        let number = object.get(key).map(|n| n.as_u64());
        number.map(|n| {
            n.and_then(|n| usize::try_from(n).ok())
                .unwrap_or(usize::MAX)
        })
    };
    let precision = number("precision").unwrap_or(0);
    let scale = number("scale").unwrap_or(0);
    if !(1..=DECIMAL_DIGITS_MAX).contains(&precision) || scale > precision {
        return Err(format!(
            "a decimal needs a `precision` of 1 to {DECIMAL_DIGITS_MAX} digits and a `scale` of 0 to that"
        ));
    }
    Ok(Decimal {
        precision,
        scale,
        fixed,
    })
}
