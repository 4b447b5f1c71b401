//! Cookies that a response sets (RFC 6265).

use std::time::Duration;

use http::HeaderMap;
use http::header::SET_COOKIE;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A cookie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) value: String,
    /// How long it is good for, if it says so.
    pub(super) lifetime: Option<Duration>,
}

/// The last cookie of a name (section 5.2), unless it is one that is taken back: that has no value, or is over at `now`.
pub(super) fn cookie(headers: &HeaderMap, name: &str, now: Timestamp) -> Option<Cookie> {
    let lines = headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut named = lines.filter_map(|line| {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| (value.trim().to_owned(), attributes.to_owned()))
    });
    let (value, attributes) = named.next_back()?;
    // The last one of a name counts (section 5.3), and `Max-Age` before `Expires`.
    let last = |attribute_name: &str| {
        let mut pairs = attributes.rsplit(';').filter_map(|attribute| attribute.split_once('='));
        pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(attribute_name)).map(|(_, value)| value.trim())
    };
    let max_age = last("max-age").and_then(seconds);
    let expires = || Some(point_in_time(last("expires")?)?.duration_since(now));
    let left = max_age.map(jiff::SignedDuration::from_secs).or_else(expires);
    let is_over = left.is_some_and(|left| !left.is_positive());
    let lifetime = left.map(jiff::SignedDuration::unsigned_abs);
    (!value.is_empty() && !is_over).then_some(Cookie { value, lifetime })
}

/// So many seconds (section 5.2.2); more than can be counted are as many as can be.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    is_number.then(|| text.parse().unwrap_or(limit))
}

/// A point in time in any of the ways in which servers write it (section 5.1.1).
fn point_in_time(text: &str) -> Option<Timestamp> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for part in text.split(|c| !is_part(c)).filter(|part| !part.is_empty()) {
        let month_of = |part: &str| {
            let name = part.get(..3)?.to_ascii_lowercase();
            MONTHS.iter().position(|month| *month == name)
        };
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = || part[..digits].parse::<i16>().ok();
        if time.is_none() && part.contains(':') {
            time = clock_time(part);
        } else if day.is_none() && (1..=2).contains(&digits) {
            day = number();
        } else if month.is_none() && month_of(part).is_some() {
            month = month_of(part);
        } else if year.is_none() && (2..=4).contains(&digits) {
            year = number();
        }
    }
    let year = match year? {
        year @ 70..=99 => 1900 + year,
        year @ 0..=69 => 2000 + year,
        year => year,
    };
    let [hour, minute, second] = time?;
    let (month, day) = (i8::try_from(month? + 1).ok()?, i8::try_from(day?).ok()?);
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    // One at the end of the calendar is later than all that can be asked for.
    Some(Offset::UTC.to_timestamp(time).unwrap_or(Timestamp::MAX))
}

/// `hh:mm:ss`.
fn clock_time(text: &str) -> Option<[i8; 3]> {
    let parts: Vec<_> = text.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NOW: &str = "2026-11-22T05:30:00Z";

    fn read(lines: &[&str]) -> Option<Cookie> {
        let lines = lines.iter().map(|line| (SET_COOKIE, HeaderValue::from_str(line).unwrap()));
        cookie(&lines.collect(), "SID", NOW.parse().unwrap())
    }

    #[test]
    fn the_last_cookie_of_a_name_counts_unless_it_is_taken_back() {
        for (lines, value, seconds) in [
            (&["SID=a; Path=/; Max-Age=60", "SID2=b"][..], Some("a"), Some(60)),
            (&["SID=; Max-Age=0", "SID=\"q=1\"; HttpOnly; max-age=5"], Some("\"q=1\""), Some(5)),
            (&["SID=a", "SID=b"], Some("b"), None),
            (&["SID=a; Max-Age=soon"], Some("a"), None),
            (&["SID=a", "SID=; Max-Age=0"], None, None),
            (&["SID=a; Max-Age=-1"], None, None),
            (&["sid=a", "SID", "=a"], None, None),
            (&["SID=a; Max-Age=1; Max-Age=7"], Some("a"), Some(7)),
            (&["SID=a; Max-Age=99999999999999999999"], Some("a"), Some(u64::try_from(i64::MAX).unwrap())),
            (&["SID=a; Max-Age=-99999999999999999999"], None, None),
        ] {
            let found = read(lines);
            assert_eq!(found.as_ref().map(|cookie| cookie.value.as_str()), value, "{lines:?}");
            assert_eq!(
                found.and_then(|cookie| cookie.lifetime).map(|age| age.as_secs()),
                seconds,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn a_cookie_that_has_expired_is_taken_back_in_whatever_way_that_is_written() {
        for past in [
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Thu, 01-Jan-1970 00:00:01 GMT",
            "Thu, 01-Jan-70 00:00:01 GMT",
            "Thu Jan  1 00:00:00 1970",
            "Sun, 22 Nov 2026 05:30:00 GMT",
        ] {
            assert_eq!(read(&[&format!("SID=deleted; expires={past}; path=/")]), None, "{past}");
        }
        for (future, seconds) in [
            ("Sun, 22 Nov 2026 05:31:00 GMT", 60),
            ("Sun, 22-Nov-26 05:31:00 GMT", 60),
            ("Sun Nov 22 05:31:00 2026", 60),
            ("Mon, 29 Feb 2028 05:30:00 GMT", 464 * 86_400),
        ] {
            let lifetime = read(&[&format!("SID=a; Expires={future}")]).unwrap().lifetime.unwrap();
            assert_eq!(lifetime.as_secs(), seconds, "{future}");
        }
        assert!(read(&["SID=a; Expires=Fri, 31 Dec 9999 23:59:59 GMT"]).unwrap().lifetime.is_some());
        let by_age = read(&["SID=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5"]).unwrap();
        assert_eq!(by_age.lifetime, Some(Duration::from_secs(5)), "the age comes before");
        for none in ["soon", "Thu, 31 Feb 2027 00:00:00 GMT", "25:00:00", "", "1 Jan 2027"] {
            assert_eq!(read(&[&format!("SID=a; Expires={none}")]).unwrap().lifetime, None, "{none}");
        }
    }
}
