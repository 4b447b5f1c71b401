//! JSON numbers as 64-bit integers and floats, when these hold them without loss.

/// Why a column can't hold a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Too large, or too close to zero.
    Range,
    /// It has more digits than a float keeps.
    Digits,
}

/// Digits that a float keeps.
const DIGITS: usize = 17;

/// Whole numbers up to this one are all floats.
const EXACT: u64 = 1 << 53;

/// Whether the text of a number is that of a whole one: without fraction and exponent.
#[inline]
pub(crate) fn is_whole(raw: &[u8]) -> bool {
    !raw.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

/// A whole number, if 64 bits hold it.
#[inline]
pub(crate) fn integer(raw: &[u8]) -> Option<i64> {
    let (negative, digits) = match raw {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 18 {
        return std::str::from_utf8(raw).ok()?.parse().ok();
    }
    let value = digits
        .iter()
        .try_fold(0_i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))?;
    (!digits.is_empty()).then_some(if negative { -value } else { value })
}

/// A number as a float, if that loses nothing a reader could see.
pub(crate) fn float(raw: &[u8]) -> Result<f64, Unfit> {
    let value: f64 = std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok()).ok_or(Unfit::Range)?;
    if !value.is_finite() {
        return Err(Unfit::Range);
    }
    if is_whole(raw) {
        return if is_exact(raw, value) { Ok(value) } else { Err(Unfit::Digits) };
    }
    let digits = significant_digits(raw);
    if digits > 0 && !value.is_normal() {
        return Err(Unfit::Range);
    }
    if digits > DIGITS { Err(Unfit::Digits) } else { Ok(value) }
}

/// A number as the float that a table holds of it; `None` if that would change it.
pub(crate) fn exact_float(raw: &[u8]) -> Option<f64> {
    float(raw).ok()
}

/// Whether `value` is the whole number `raw`, to the last digit.
#[expect(clippy::cast_possible_truncation, reason = "a float that is cut differs from the number")]
fn is_exact(raw: &[u8], value: f64) -> bool {
    match integer(raw) {
        Some(whole) if whole.unsigned_abs() <= EXACT => true,
        _ => {
            let whole = std::str::from_utf8(raw).ok().and_then(|text| text.parse::<i128>().ok());
            whole.is_some_and(|whole| whole == value as i128)
        }
    }
}

/// How many digits the number has, without zeros in front and at the end.
fn significant_digits(raw: &[u8]) -> usize {
    let mantissa = raw.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let digits = mantissa.iter().filter(|byte| byte.is_ascii_digit()).enumerate();
    let mut positions = digits.filter(|(_, digit)| **digit != b'0').map(|(position, _)| position);
    let Some(first) = positions.next() else { return 0 };
    positions.last().unwrap_or(first) - first + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_64_bits() {
        for (raw, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-17", Some(-17)),
            ("999999999999999999", Some(999_999_999_999_999_999)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("1.0", None),
            ("1e5", None),
            ("-", None),
        ] {
            assert_eq!(integer(raw.as_bytes()), value, "{raw}");
        }
    }

    #[test]
    fn floats_hold_what_they_do_not_change() {
        for raw in
            ["0", "-0", "-0.0", "1.0", "0.1000", "1e5", "1E+2", "9007199254740992", "18446744073709551616"]
        {
            let value: f64 = raw.parse().unwrap();
            assert_eq!(float(raw.as_bytes()).map(f64::to_bits), Ok(value.to_bits()), "{raw}");
        }
        for raw in ["0.12345678901234567", "1.00000000000000000000000", "0e999", "2.2250738585072014e-308"] {
            assert!(float(raw.as_bytes()).is_ok(), "{raw}");
        }
        for (raw, why) in [
            ("9007199254740993", Unfit::Digits),
            ("18446744073709551615", Unfit::Digits),
            ("12345678901234567890123", Unfit::Digits),
            ("3.14159265358979323846264338327950288", Unfit::Digits),
            ("1e400", Unfit::Range),
            ("-1e400", Unfit::Range),
            ("2.5E-324", Unfit::Range),
            ("1e-400", Unfit::Range),
        ] {
            assert_eq!(float(raw.as_bytes()), Err(why), "{raw}");
        }
    }
}
