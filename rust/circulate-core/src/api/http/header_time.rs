//! What a header says about time: `Retry-After`, and the end of a quota's window, in the spellings that APIs have for it.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::catalog::TimeForm;

/// The longest wait: whatever a header says, the next request is sent after a day.
pub(super) const MAX_HEADER_WAIT: Duration = Duration::from_hours(24);
/// How far a time may lie before the response that names it; the clocks of a gateway and of what is behind it differ.
const LATE_BY: SignedDuration = SignedDuration::from_mins(1);
/// Added to the wait until a time, since it and `Date` are in whole seconds.
const MARGIN: Duration = Duration::from_secs(1);
/// A number below this is seconds from now, not a time since 1970: as such it would lie in 1973.
const LEAST_EPOCH: f64 = 1e8;
/// Epoch times in milliseconds, microseconds and nanoseconds begin here.
const FINER_EPOCHS: [(f64, f64); 3] = [(1e17, 1e9), (1e14, 1e6), (1e11, 1e3)];

/// How long to wait, of a header's `text`; never longer than a day. `date` is the time of the response by the server's
/// clock: a point in time is reached by that clock, not by ours.
///
/// Read are seconds (also fractions, and negative ones, which mean no wait), a number with a unit (`13s`, `250ms`, `6m0s`,
/// `PT1M`), epoch seconds, milliseconds and finer, RFC 3339, and HTTP dates in all three forms of RFC 9110, section 5.6.7. A
/// number may be an epoch time or seconds from now as `form` says. With `auto` it is seconds from now if it is too small for
/// an epoch time: one that lay before `Date` would be over.
///
/// `None` is for a text that says none of these, a point in time of a response without `Date`, and one that lies before its
/// response: the caller falls back to a wait of its own.
pub(super) fn header_wait(text: &str, form: TimeForm, date: Option<Timestamp>) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<f64>() {
        Ok(number) => match form {
            TimeForm::After => seconds(number),
            TimeForm::Auto if number < LEAST_EPOCH => seconds(number),
            TimeForm::At | TimeForm::Auto => until(epoch(number)?, date)?,
        },
        Err(_) => match point_in_time(text) {
            Some(time) => until(time, date)?,
            None => seconds(text.parse::<SignedDuration>().ok()?.as_secs_f64()),
        },
    };
    Some(wait.min(MAX_HEADER_WAIT))
}

/// A length of time; what is negative is over, what is too long is bounded by the caller. NaN means no wait.
fn seconds(number: f64) -> Duration {
    if number.is_nan() || number <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX)
}

fn until(time: Timestamp, date: Option<Timestamp>) -> Option<Duration> {
    let left = time.duration_since(date?);
    (left >= -LATE_BY).then(|| Duration::try_from(left).unwrap_or_default() + MARGIN)
}

fn epoch(number: f64) -> Option<Timestamp> {
    let finer = FINER_EPOCHS.iter().find(|(least, _)| number >= *least);
    let seconds = finer.map_or(number, |(_, parts)| number / parts);
    let span = SignedDuration::try_from_secs_f64(seconds).ok();
    let time = span.and_then(|span| Timestamp::from_duration(span).ok());
    // Beyond what a time can be: the bound of waits takes care of it.
    time.or((seconds > 0.0).then_some(Timestamp::MAX))
}

fn point_in_time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = httpdate::parse_http_date(text) {
        return Timestamp::try_from(time).ok();
    }
    let by_name = || jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let without_zone = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(by_name).or_else(without_zone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_325_400;

    fn wait(text: &str, form: TimeForm) -> Option<f64> {
        let date = Timestamp::from_second(NOW).unwrap();
        header_wait(text, form, Some(date)).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn a_wait_is_read_in_all_its_spellings() {
        for (text, seconds) in [
            ("7", 7.0),
            (" 57 ", 57.0),
            ("0.503", 0.503),
            ("13s", 13.0),
            ("250ms", 0.25),
            ("6m0s", 360.0),
            ("PT1M", 60.0),
            ("0", 0.0),
            ("-5", 0.0),
            ("-5s", 0.0),
            ("1795325409", 10.0),
            ("1795325409.5", 10.5),
            ("1795325409000", 10.0),
            ("1795325409000000", 10.0),
            ("2026-11-22T05:30:09Z", 10.0),
            ("2026-11-22T06:30:09.000+01:00", 10.0),
            ("2026-11-22 05:30:09", 10.0),
            ("Sun, 22 Nov 2026 05:30:09 GMT", 10.0),
            ("Sunday, 22-Nov-26 05:30:09 GMT", 10.0),
            ("Sun Nov 22 05:30:09 2026", 10.0),
            ("Sun, 22 Nov 2026 06:30:09 +0100", 10.0),
            // Just before, by a clock that is a little behind.
            ("1795325399", 1.0),
        ] {
            let read = wait(text, TimeForm::Auto).unwrap_or_else(|| panic!("{text}"));
            assert!((read - seconds).abs() < 0.001, "{text}: {read}");
        }
    }

    #[test]
    fn a_number_is_what_the_definition_says() {
        assert_eq!(wait("57", TimeForm::After), Some(57.0));
        assert_eq!(wait("57", TimeForm::At), None, "1970 is over");
        assert_eq!(wait("1795325457", TimeForm::At), Some(58.0));
        assert_eq!(wait("1795325457", TimeForm::After), Some(86_400.0), "57 years, bounded");
    }

    #[test]
    fn no_wait_is_longer_than_a_day() {
        for text in ["86401", "1e300", "inf", "1896325400", "9999-01-01T00:00:00Z", "PT999999H", "9e18"] {
            assert_eq!(wait(text, TimeForm::Auto), Some(86_400.0), "{text}");
        }
    }

    #[test]
    fn what_says_no_time_is_not_taken_for_one() {
        for text in
            ["", "soon", "1,5", "7 or so", "0x10", "1700000000", "2025-11-22T05:30:09Z", "{}", "13 apples"]
        {
            assert_eq!(wait(text, TimeForm::Auto), None, "{text}");
        }
        for text in ["1795325409", "Sun, 22 Nov 2026 05:30:09 GMT"] {
            assert_eq!(header_wait(text, TimeForm::Auto, None), None, "there is no `Date` to go by: {text}");
        }
        assert_eq!(header_wait("57", TimeForm::Auto, None), Some(Duration::from_secs(57)));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_bounded_wait_or_none(text in "\\PC*", number in any::<f64>(), date in any::<Option<i32>>()) {
            let date = date.map(|seconds| Timestamp::from_second(i64::from(seconds)).unwrap());
            for form in [TimeForm::At, TimeForm::After, TimeForm::Auto] {
                for text in [text.clone(), number.to_string(), format!("{number}s"), format!("{number:e}")] {
                    prop_assert!(header_wait(&text, form, date).is_none_or(|wait| wait <= MAX_HEADER_WAIT));
                }
            }
        }
    }
}
