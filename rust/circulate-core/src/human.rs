//! Sizes and times as people write them in options: `64MB`, `7d`, `2026-01-31`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::catalog::Span;

/// Units of sizes by their names in lower case: decimal as disks and networks have them, binary as memory has.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// Years that RFC 3339 can write.
const FIRST_YEAR: i16 = 1;
const LAST_YEAR: i16 = 9999;

/// The bytes that a text names: a whole number, or a number with a unit, decimal (`64MB`) or binary (`64MiB`).
///
/// `64M` is refused, since some tools take it for one and some for the other.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: write it like `64MB`, `64MiB` or `64000000`");
    let (number, unit) =
        text.trim().split_at(text.trim().trim_end_matches(|c: char| !c.is_ascii_digit()).len());
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // So many digits cannot overflow.
    let digits =
        |text: &str, limit: usize| text.len() <= limit && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole, 20) || !digits(fraction, 9) || number.ends_with('.') {
        return Err(wrong());
    }
    let whole: u128 = whole.parse().map_err(|_| wrong())?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| wrong())? };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
    let scaled = (whole * scale + part) * u128::from(*factor);
    u64::try_from(scaled / scale).ok().filter(|_| scaled.is_multiple_of(scale)).ok_or_else(wrong)
}

/// The instant that a text names: a time of RFC 3339; one without an offset, or a date alone, in UTC; or a length of time,
/// which is that long before `now`.
pub fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "`{text}` is not a time: write it like `2026-01-31`, `2026-01-31T00:00:00Z` or `7d` (7 days ago)"
        )
    };
    // What names a zone in brackets would be read without it.
    if text.contains('[') {
        return Err(wrong());
    }
    let text = text.trim();
    let instant = match (text.parse::<Timestamp>(), text.parse::<DateTime>()) {
        (Ok(instant), _) => Some(instant),
        (Err(_), Ok(civil)) => Some(TimeZone::UTC.to_timestamp(civil).map_err(|_| wrong())?),
        (Err(_), Err(_)) => None,
    };
    if let Some(instant) = instant {
        let is_written_with_four_digits =
            (FIRST_YEAR..=LAST_YEAR).contains(&instant.to_zoned(TimeZone::UTC).year());
        let far = || format!("`{text}` is not in the years 1 to 9999 in UTC");
        return is_written_with_four_digits.then_some(instant).ok_or_else(far);
    }
    // `12:30` would be a length of time, too.
    let span = Some(text).filter(|text| !text.contains(':')).ok_or_else(wrong)?;
    let span = Span::try_from(span.to_owned()).map_err(|_| wrong())?;
    now.checked_sub(span.get()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-02-08T12:00:00.5Z".parse().unwrap()
    }

    #[test]
    fn sizes_are_decimal_or_binary() {
        let sizes = [
            ("0", 0),
            ("3000000", 3_000_000),
            ("64MB", 64_000_000),
            ("64 mb", 64_000_000),
            (" 64kB ", 64_000),
            ("64MiB", 64 << 20),
            ("1.5GB", 1_500_000_000),
            ("0.5KiB", 512),
            ("12B", 12),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_way_to_write_one() {
        let wrong = [
            "",
            " ",
            "MB",
            "64M",
            "64MBB",
            "-1",
            "+1",
            "1,000",
            "1e6",
            "1.",
            ".5MB",
            "1.5",
            "1.2.3MB",
            "٣",
            "nan",
            "18446744073709551616",
            "99999999999GB",
            "1.0000000001GB",
            "0x10",
            "64 000",
        ];
        for text in wrong {
            let why = parse_size(text).unwrap_err();
            assert!(why.starts_with(&format!("`{text}` is not a size")), "{why}");
        }
    }

    #[test]
    fn times_are_instants_dates_or_that_long_ago() {
        let times = [
            ("2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z"),
            ("2026-01-31T01:00:00.123456789+01:00", "2026-01-31T00:00:00.123456789Z"),
            ("2026-01-31T00:00", "2026-01-31T00:00:00Z"),
            ("2026-01-31 06:30:00", "2026-01-31T06:30:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("20260131", "2026-01-31T00:00:00Z"),
            ("7d", "2026-02-01T12:00:00.5Z"),
            ("1h 30m", "2026-02-08T10:30:00.5Z"),
        ];
        for (text, instant) in times {
            assert_eq!(
                parse_time(text, now()).map(|time| time.to_string()),
                Ok(instant.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_way_to_write_one() {
        let wrong = [
            "",
            "yesterday",
            "31.01.2026",
            "2026-02-30",
            "2026-01-31T25:00Z",
            "-7d",
            "7d ago",
            "7",
            "1y",
            "1mo",
            "2026-01-31T00:00[Europe/Berlin]",
            "99999999d",
            "+012026-01-31",
        ];
        for text in wrong {
            let why = parse_time(text, now()).unwrap_err();
            assert!(why.contains("is not a time: write it like `2026-01-31`"), "{text}: {why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "[ 0-9.a-zA-Z:+\\-\\[\\]]{0,24}|\\PC{0,12}") {
            let _ = (parse_size(&text), parse_time(&text, now()));
        }

        #[test]
        fn a_whole_number_of_bytes_is_itself(bytes: u64) {
            proptest::prop_assert_eq!(parse_size(&bytes.to_string()), Ok(bytes));
        }
    }
}
