//! Times as RFC 3339 writes them, in microseconds since 1970.

/// The microseconds of a time with offset; `None` if it is none, or one that microseconds can't tell: a finer one, or a
/// leap second.
pub(super) fn micros(text: &[u8]) -> Option<i64> {
    let (head, tail) = text.split_at_checked(19)?;
    let number = |from: usize, to: usize| digits(&head[from..to]);
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if marks.iter().any(|(place, mark)| head[*place] != *mark) || !matches!(head[10], b'T' | b't') {
        return None;
    }
    let day = day_number(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, offset) = fraction(tail)?;
    let seconds = day * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds(offset)?;
    Some(seconds * 1_000_000 + fraction)
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// Days since 1970, by the Gregorian calendar also before there was one. Years begin in March here, so that a leap day
/// is their last.
fn day_number(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The microseconds after the second, and what follows them.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, offset) = rest.split_at(length);
    let (kept, finer) = fraction.split_at(length.min(6));
    if length == 0 || finer.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let missing = kept.len()..6;
    Some((missing.fold(digits(kept)?, |value, _| value * 10), offset))
}

fn offset_seconds(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let seconds = hours * 3_600 + minutes * 60;
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_microseconds_cannot_tell_is_no_time() {
        for text in [
            "2026-11-22T05:30:00.1234567Z",
            "2026-11-22T05:30:60Z",
            "2026-11-22T05:30:00",
            "2026-11-22T05:30:00.Z",
            "2026-11-22 05:30:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T05:30:00+24:00",
            "2026-11-22T05:30:00+0100",
            "2026-11-22",
            "+026-11-22T05:30:00Z",
            "",
            "Zürich, Örebro, Ærø, Łódź",
        ] {
            assert_eq!(micros(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_are_told_with_any_offset_and_fraction() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2024-02-29T00:00:00.5z", 1_709_164_800_500_000),
            ("2024-02-29t01:00:00+01:00", 1_709_164_800_000_000),
            ("2024-02-28T23:30:00.120000000-00:30", 1_709_164_800_120_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] {
            assert_eq!(micros(text.as_bytes()), Some(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_the_one_that_a_calendar_tells(expected in -62_167_219_200_000_000_i64..253_402_207_200_000_000) {
            let text = Timestamp::from_microsecond(expected).unwrap().to_string();
            prop_assert_eq!(micros(text.as_bytes()), Some(expected), "{}", text);
        }

        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            micros(&text);
        }
    }
}
