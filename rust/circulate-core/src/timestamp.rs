//! Times as APIs write them: RFC 3339, and what is written beside it that can be no other instant.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// An instant that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    /// Seconds since 1970, without leap seconds, as Unix counts them.
    pub seconds: i64,
    /// Nanoseconds after that.
    pub nanoseconds: i32,
}

impl Instant {
    /// Microseconds since 1970; `None` if it is finer than that.
    pub fn microseconds(self) -> Option<i64> {
        let finer = self.nanoseconds % 1_000 != 0;
        (!finer).then(|| self.seconds * 1_000_000 + i64::from(self.nanoseconds / 1_000))
    }

    /// The same; `None` for the last two days of the year 9999, which a [`Timestamp`] cannot hold.
    pub fn timestamp(self) -> Option<Timestamp> {
        Timestamp::new(self.seconds, self.nanoseconds).ok()
    }
}

/// The instant that `text` names, for cursors and columns alike; `None` if it names none, or one that nanoseconds can't
/// hold.
///
/// That is a time of RFC 3339, and what others write for it: a space instead of `T`, a comma before the fraction, an offset
/// without a colon or without minutes (`+0000`, `+00`), and no seconds (ISO 8601). `-00:00` is UTC (RFC 3339, 4.3). A leap
/// second is the second after it, as it is in Unix time; within it, or where there can be none, there is no instant.
pub fn parse_timestamp(text: &[u8]) -> Option<Instant> {
    let (head, tail) = text.split_at_checked(16)?;
    let number = |from: usize, to: usize| digits(head.get(from..to)?);
    let marks = [(4, b'-'), (7, b'-'), (13, b':')];
    if marks.iter().any(|(at, mark)| head[*at] != *mark) || !matches!(head[10], b'T' | b't' | b' ') {
        return None;
    }
    let day = day_number(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute) = (number(11, 13)?, number(14, 16)?);
    let (second, tail) = match tail {
        [b':', tens, ones, tail @ ..] => (digits(&[*tens, *ones])?, tail),
        _ => (0, tail),
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Only seconds have a fraction.
    let (nanoseconds, offset) = if tail.len() < text.len() - 16 { fraction(tail)? } else { (0, tail) };
    let seconds = day * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds(offset)?;
    // Leap seconds are at the end of a UTC month.
    let is_leap = || nanoseconds == 0 && seconds % 86_400 == 0 && is_first_of_month(seconds / 86_400);
    (second < 60 || is_leap()).then_some(Instant { seconds, nanoseconds })
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

/// Whether a day since 1970 is the first of its month. Leap seconds are rare: it may look at a calendar.
fn is_first_of_month(day: i64) -> bool {
    let date = Timestamp::from_second(day * 86_400).map(|time| time.to_zoned(TimeZone::UTC).day());
    date.is_ok_and(|day| day == 1)
}

/// The nanoseconds after the second, and what follows them.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let [b'.' | b',', rest @ ..] = text else { return Some((0, text)) };
    let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, offset) = rest.split_at(length);
    let (kept, finer) = fraction.split_at(length.min(9));
    if length == 0 || finer.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let missing = kept.len()..9;
    let nanoseconds = missing.fold(digits(kept)?, |value, _| value * 10);
    Some((i32::try_from(nanoseconds).ok()?, offset))
}

fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, h1, h2, m1, m2) = match text {
        b"Z" | b"z" => return Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            (sign, h1, h2, m1, m2)
        }
        [sign @ (b'+' | b'-'), h1, h2] => (sign, h1, h2, &b'0', &b'0'),
        _ => return None,
    };
    let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
    let seconds = hours * 3_600 + minutes * 60;
    (hours <= 23 && minutes <= 59).then_some(if *sign == b'-' { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> Option<i64> {
        parse_timestamp(text.as_bytes()).and_then(Instant::microseconds)
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "2026-11-22T05:30:00",
            "2026-11-22T05:30:00.Z",
            "2026-11-22  05:30:00Z",
            "2026-11-22T05:30.5Z",
            "2026-11-22T05:3Z",
            "2026-11-22T05:30:0Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T05:60:00Z",
            "2026-11-22T05:30:61Z",
            "2026-11-22T05:30:00+24:00",
            "2026-11-22T05:30:00+0160",
            "2026-11-22T05:30:00+1",
            "2026-11-22T05:30:00 +0100",
            "2026-11-22T05:30:00.1234567891Z",
            // Leap seconds where there can be none, and times within one, which Unix has no number for.
            "2026-11-22T05:30:60Z",
            "2026-11-22T23:59:60Z",
            "2016-12-31T23:59:60+01:00",
            "2016-12-31T23:59:60.5Z",
            "2026-11-22",
            "20261122T053000Z",
            "+026-11-22T05:30:00Z",
            "",
            "Z\u{fc}rich, \u{d6}rebro, \u{c6}r\u{f8}, \u{141}\u{f3}d\u{17a}",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_are_read_in_every_form_that_names_one_instant() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2024-02-29T00:00:00.5z", 1_709_164_800_500_000),
            ("2024-02-29t01:00:00+01:00", 1_709_164_800_000_000),
            ("2024-02-28T23:30:00.120000000-00:30", 1_709_164_800_120_000),
            ("2024-02-29T01:00:00+0100", 1_709_164_800_000_000),
            ("2024-02-29 01:00:00+01", 1_709_164_800_000_000),
            ("2024-02-29 00:00:00,25Z", 1_709_164_800_250_000),
            ("2024-02-29 00:00:00.000000000000Z", 1_709_164_800_000_000),
            ("2024-02-29T00:00Z", 1_709_164_800_000_000),
            ("2024-02-29T00:00:00-00:00", 1_709_164_800_000_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
            ("1990-12-31T15:59:60-08:00", 662_688_000_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] {
            assert_eq!(micros(text), Some(expected), "{text}");
        }
        // A column can't hold it, a cursor can.
        let finer = parse_timestamp(b"2024-02-29T00:00:00.123456789Z").unwrap();
        assert_eq!(
            (finer.microseconds(), finer.timestamp().unwrap().subsec_nanosecond()),
            (None, 123_456_789)
        );
    }

    /// Texts of one instant, in the forms that APIs use.
    fn forms(time: Timestamp, offset_minutes: i32, form: u32) -> String {
        let offset = jiff::tz::Offset::from_seconds(offset_minutes * 60).unwrap();
        let local = offset.to_datetime(time);
        let separator = [" ", "T", "t"][form as usize % 3];
        let point = if (form / 3).is_multiple_of(2) { "." } else { "," };
        let sign = if offset_minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
        let colon = if (form / 6).is_multiple_of(2) { ":" } else { "" };
        format!(
            "{}{separator}{}{point}{:09}{sign}{hours:02}{colon}{minutes:02}",
            local.strftime("%Y-%m-%d"),
            local.strftime("%H:%M:%S"),
            local.subsec_nanosecond()
        )
    }

    proptest! {
        #[test]
        fn every_form_names_the_instant_that_a_calendar_has(
            seconds in -62_167_100_000_i64..253_402_100_000,
            nanoseconds in 0i32..1_000_000_000,
            offset in -1_439i32..1_440,
            form in 0u32..12,
        ) {
            let time = Timestamp::new(seconds, nanoseconds).unwrap();
            let text = forms(time, offset, form);
            let parsed = parse_timestamp(text.as_bytes()).and_then(Instant::timestamp);
            prop_assert_eq!(parsed, Some(time), "{}", text);
        }

        #[test]
        fn the_column_never_holds_another_instant_than_the_cursor(text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt _][0-2][0-9]:[0-5][0-9](:[0-6][0-9])?([.,][0-9]{0,12})?([Zz]|[+-][0-2][0-9](:?[0-6][0-9])?)?") {
            if let Some(instant) = parse_timestamp(text.as_bytes())
                && let (Some(micros), Some(time)) = (instant.microseconds(), instant.timestamp())
            {
                prop_assert_eq!(Timestamp::from_microsecond(micros).unwrap(), time);
            }
        }

        #[test]
        fn what_is_taken_for_a_time_is_that_time_for_others_too(text in "20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?([Zz]|[+-][01][0-9]:[0-5][0-9])") {
            let ours = parse_timestamp(text.as_bytes()).and_then(Instant::timestamp);
            prop_assert_eq!(ours, text.parse::<Timestamp>().ok(), "{}", text);
        }

        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            parse_timestamp(&text);
        }
    }
}
