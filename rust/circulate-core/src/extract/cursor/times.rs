//! Times of records, and bounds that requests take. No I/O.
//!
//! What a record says may be no instant: a day, or a local time that comes twice when clocks are set back. So a record's time is
//! a range. A cursor goes by its beginning and never outruns a record; what may be left out goes by its end. A request's lower
//! bound is never later than the instant it stands for, whatever its format can say, and its upper bound never earlier.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

use crate::catalog::{Incremental, PatternTime, TimeFormat, truncated_to, unit_later};
use crate::timestamp::{Instant, parse_timestamp};

/// The instants that a record's time may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first of them.
    pub from: Timestamp,
    /// The last of them.
    pub to: Timestamp,
}

impl From<Timestamp> for TimeRange {
    fn from(time: Timestamp) -> Self {
        Self { from: time, to: time }
    }
}

impl TimeRange {
    /// From an instant up to another one that does not belong to it.
    fn up_to(from: Timestamp, end: Timestamp) -> Self {
        Self { from, to: just_before(end).max(from) }
    }

    fn or_later(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.max(other.to) }
    }
}

/// Reads the times of records.
#[derive(Debug, Clone)]
pub struct RecordTimes<'r> {
    format: &'r TimeFormat,
    zone: Option<TimeZone>,
}

impl<'r> RecordTimes<'r> {
    /// Those of records that are selected by a rule.
    pub fn of(rule: &'r Incremental) -> Self {
        Self { format: rule.format_of_records(), zone: rule.zone_of_records().cloned() }
    }

    /// Those that are written in this format, without an offset in this zone.
    pub fn written_as(format: &'r TimeFormat, zone: Option<TimeZone>) -> Self {
        Self { format, zone }
    }

    /// The greatest of a record's watched members that are times, given as JSON text.
    pub fn greatest<'f>(&self, fields: impl IntoIterator<Item = Option<&'f [u8]>>) -> Option<TimeRange> {
        fields.into_iter().flatten().filter_map(|field| self.read(field)).reduce(TimeRange::or_later)
    }

    fn read(&self, json: &[u8]) -> Option<TimeRange> {
        let text = text_of(json)?;
        let text = text.as_ref();
        match self.format {
            TimeFormat::Rfc3339 => match parse_timestamp(text.as_bytes()).and_then(Instant::timestamp) {
                Some(time) => Some(time.into()),
                None => self.read_without_offset(text),
            },
            TimeFormat::Date => {
                let day = jiff::civil::Date::strptime("%Y-%m-%d", text).ok().filter(|_| text.len() == 10)?;
                self.local(day.at(0, 0, 0, 0), Unit::Day)
            }
            TimeFormat::EpochS => since_1970(text, Unit::Second),
            TimeFormat::EpochMs => since_1970(text, Unit::Millisecond),
            TimeFormat::EpochUs => since_1970(text, Unit::Microsecond),
            TimeFormat::Pattern(pattern) => match pattern.read(text)? {
                PatternTime::Local(time) => self.local(time, self.format.unit()),
                PatternTime::Instant(time) => {
                    let end = unit_later(TimeZone::UTC.to_datetime(time), self.format.unit())?;
                    Some(TimeRange::up_to(time, TimeZone::UTC.to_timestamp(end).ok()?))
                }
            },
        }
    }

    /// A time without an offset, of the zone that is declared.
    fn read_without_offset(&self, text: &str) -> Option<TimeRange> {
        self.zone.as_ref()?;
        let as_if = parse_timestamp(format!("{text}Z").as_bytes()).and_then(Instant::timestamp)?;
        let time = TimeZone::UTC.to_datetime(as_if);
        self.local(time, Unit::Nanosecond)
    }

    fn local(&self, time: DateTime, unit: Unit) -> Option<TimeRange> {
        let zone = self.zone.as_ref().unwrap_or(const { &TimeZone::UTC });
        Some(TimeRange::up_to(earliest(zone, time)?, latest(zone, unit_later(time, unit)?)?))
    }
}

/// Writes the bounds of a request.
#[derive(Debug, Clone)]
pub struct FilterTimes<'r> {
    format: &'r TimeFormat,
    zone: TimeZone,
    /// The API selects what is at the lower bound.
    inclusive: bool,
}

impl<'r> FilterTimes<'r> {
    /// Those of requests that select by a rule.
    pub fn of(rule: &'r Incremental) -> Self {
        let zone = rule.zone_of_filter().cloned().unwrap_or(TimeZone::UTC);
        Self { format: rule.format_of_filter(), zone, inclusive: rule.inclusive }
    }

    /// The instant that is sent as the lower bound, so that all from `since` on is selected.
    pub fn lower(&self, since: Timestamp) -> Timestamp {
        let floor = self.floor(self.before_fold(since));
        if self.inclusive { floor } else { self.floor(self.before_fold(just_before(floor))) }
    }

    /// The instant that is sent as the upper bound, so that all before `until` is selected.
    pub fn upper(&self, until: Timestamp) -> Timestamp {
        let until = self.behind_fold(until);
        let floor = self.floor(until);
        if floor == until {
            return until;
        }
        let unit = self.format.unit();
        let ceiling = unit_later(self.datetime(floor), unit).and_then(|time| {
            if self.format.is_local() {
                latest(&self.zone, time)
            } else {
                self.zone().to_timestamp(time).ok()
            }
        });
        ceiling.map_or(Timestamp::MAX, |ceiling| self.behind_fold(ceiling))
    }

    /// The text of a bound that [`Self::lower`] or [`Self::upper`] has given.
    pub fn text(&self, bound: Timestamp) -> Option<String> {
        Some(match self.format {
            TimeFormat::Rfc3339 => format!("{bound:.3}"),
            TimeFormat::Date => self.datetime(bound).strftime("%Y-%m-%d").to_string(),
            TimeFormat::EpochS => bound.as_nanosecond().div_euclid(1_000_000_000).to_string(),
            TimeFormat::EpochMs => bound.as_nanosecond().div_euclid(1_000_000).to_string(),
            TimeFormat::EpochUs => bound.as_nanosecond().div_euclid(1_000).to_string(),
            TimeFormat::Pattern(pattern) => {
                let time = self.zone.to_datetime(bound);
                pattern.write(time, self.zone.to_offset(bound))?
            }
        })
    }

    /// The zone in which its units begin.
    fn zone(&self) -> &TimeZone {
        let units_of_zone = self.format.is_local() || self.format.unit() >= Unit::Minute;
        if units_of_zone { &self.zone } else { const { &TimeZone::UTC } }
    }

    fn datetime(&self, time: Timestamp) -> DateTime {
        self.zone().to_datetime(time)
    }

    /// The latest instant that its format can say and that is not after `time`.
    pub fn floor(&self, time: Timestamp) -> Timestamp {
        let nanoseconds = match self.format.unit() {
            Unit::Nanosecond => return time,
            Unit::Microsecond => 1_000,
            Unit::Millisecond => 1_000_000,
            Unit::Second => 1_000_000_000,
            unit => {
                let floor = earliest(self.zone(), truncated_to(self.datetime(time), unit));
                return floor.map_or(time, |floor| floor.min(time));
            }
        };
        let time = time.as_nanosecond();
        Timestamp::from_nanosecond(time - time.rem_euclid(nanoseconds)).unwrap_or(Timestamp::MIN)
    }

    /// A local time that comes twice may be taken for either one, and may be compared as the text that it is; so a lower
    /// bound is sent from before both.
    fn before_fold(&self, time: Timestamp) -> Timestamp {
        self.fold_around(time).map_or(time, |(start, _)| just_before(start))
    }

    fn behind_fold(&self, time: Timestamp) -> Timestamp {
        self.fold_around(time).map_or(time, |(_, end)| end)
    }

    /// The first instant whose local time comes twice, and the first behind all of these.
    fn fold_around(&self, time: Timestamp) -> Option<(Timestamp, Timestamp)> {
        if !self.format.is_local() {
            return None;
        }
        let local = self.zone.to_datetime(time);
        let (first, second) = (earliest(&self.zone, local)?, latest(&self.zone, local)?);
        let length = second.duration_since(first);
        let turn = self.zone.preceding(second.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?).next();
        let turn = turn.filter(|_| first < second)?.timestamp();
        Some((turn.checked_sub(length).ok()?, turn.checked_add(length).ok()?))
    }
}

fn just_before(time: Timestamp) -> Timestamp {
    time.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(time)
}

/// The earlier one of the instants that a local time may stand for.
fn earliest(zone: &TimeZone, time: DateTime) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(time).earlier().ok()
}

fn latest(zone: &TimeZone, time: DateTime) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(time).later().ok()
}

/// What a JSON string or number says.
fn text_of(json: &[u8]) -> Option<Cow<'_, str>> {
    if json.first()? == &b'"' {
        return serde_json::from_slice(json).ok();
    }
    let is_number = json.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    is_number.then(|| std::str::from_utf8(json).ok()).flatten().map(Cow::from)
}

/// A decimal number of units since 1970. One with a fraction is as fine as that.
fn since_1970(text: &str, unit: Unit) -> Option<TimeRange> {
    let digits: u32 = match unit {
        Unit::Second => 9,
        Unit::Millisecond => 6,
        _ => 3,
    };
    let text = text.trim();
    let (magnitude, sign) = text.strip_prefix('-').map_or((text, 1), |rest| (rest, -1));
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    if whole.is_empty() || !magnitude.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return with_exponent(text, digits);
    }
    let scale = 10_i128.pow(digits);
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(digits as usize).collect();
    let nanoseconds = whole.parse::<i128>().ok()?.checked_mul(scale)?.checked_add(kept.parse().ok()?)?;
    let from = Timestamp::from_nanosecond(sign * nanoseconds).ok()?;
    if !fraction.is_empty() {
        return Some(from.into());
    }
    let end = Timestamp::from_nanosecond(sign * nanoseconds + scale).unwrap_or(Timestamp::MAX);
    Some(TimeRange::up_to(from, end))
}

/// A number such as `1.7e9`, as JSON may have it.
fn with_exponent(text: &str, digits: u32) -> Option<TimeRange> {
    let number: f64 = text.contains(['e', 'E']).then(|| text.parse().ok()).flatten()?;
    let nanoseconds = number * 10_f64.powi(i32::try_from(digits).ok()?);
    // Of a number that is finer than a float can say the earlier microsecond counts.
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, and no time is so far away")]
    let floor = ((nanoseconds / 1_000.0).floor() as i128).checked_mul(1_000)?;
    Timestamp::from_nanosecond(floor).ok().map(TimeRange::from)
}

#[cfg(test)]
#[path = "tests/times.rs"]
mod tests;
