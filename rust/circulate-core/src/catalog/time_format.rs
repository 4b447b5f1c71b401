//! How an API writes times: in records, and in the filter of its requests.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan, Unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a time is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TimeFormat {
    /// RFC 3339, such as `2026-11-22T05:30:00Z`, and what others write for it.
    #[default]
    Rfc3339,
    /// A day, such as `2026-11-22`.
    Date,
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Microseconds since 1970.
    EpochUs,
    /// As `strftime` writes it by a pattern.
    Pattern(TimePattern),
}

/// The names of formats.
const NAMES: [(&str, TimeFormat); 5] = [
    ("rfc3339", TimeFormat::Rfc3339),
    ("date", TimeFormat::Date),
    ("epoch_s", TimeFormat::EpochS),
    ("epoch_ms", TimeFormat::EpochMs),
    ("epoch_us", TimeFormat::EpochUs),
];

impl TimeFormat {
    /// Whether it is a number, which can be sent as one.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::EpochS | Self::EpochMs | Self::EpochUs)
    }

    /// Whether what it writes names a time only together with a zone.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Date => true,
            Self::Pattern(pattern) => pattern.is_local,
            Self::Rfc3339 | Self::EpochS | Self::EpochMs | Self::EpochUs => false,
        }
    }

    /// The finest that it writes.
    pub fn unit(&self) -> Unit {
        match self {
            Self::Rfc3339 | Self::EpochMs => Unit::Millisecond,
            Self::Date => Unit::Day,
            Self::EpochS => Unit::Second,
            Self::EpochUs => Unit::Microsecond,
            Self::Pattern(pattern) => pattern.unit,
        }
    }
}

impl TryFrom<String> for TimeFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some((_, format)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(format.clone());
        }
        if text.contains('%') {
            return TimePattern::try_from(text).map(Self::Pattern);
        }
        Err(format!(
            "`{text}` is not a format of times: these are {}, or a strftime pattern such as `%d/%m/%Y %H:%M`",
            NAMES.map(|(name, _)| name).join(", ")
        ))
    }
}

impl From<TimeFormat> for String {
    fn from(format: TimeFormat) -> Self {
        match NAMES.into_iter().find(|(_, named)| *named == format) {
            Some((name, _)) => name.to_owned(),
            None => format.to_string(),
        }
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => f.write_str(&pattern.text),
            named => {
                let name = NAMES.iter().find(|(_, format)| format == named).map_or("", |(name, _)| *name);
                f.write_str(name)
            }
        }
    }
}

impl JsonSchema for TimeFormat {
    fn schema_name() -> Cow<'static, str> {
        "TimeFormat".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = NAMES.map(|(name, _)| name);
        json_schema!({
            "description": "How times are written; a strftime pattern has `%` in it, such as %d/%m/%Y %H:%M",
            "anyOf": [{"enum": names}, {"type": "string", "pattern": "%"}],
        })
    }
}

/// A `strftime` pattern by which a time can be written and read back, at least to its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimePattern {
    text: String,
    unit: Unit,
    is_local: bool,
}

impl TimePattern {
    /// The local time as it writes it, at this offset.
    pub fn write(&self, time: DateTime, offset: Offset) -> Option<String> {
        let zoned = time.to_zoned(TimeZone::fixed(offset)).ok()?;
        strtime::format(&self.text, &zoned).ok()
    }

    /// The time that a text names by it.
    pub fn read(&self, text: &str) -> Option<PatternTime> {
        read_by(&self.text, text)
    }
}

/// What a pattern reads from a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternTime {
    /// A time of a zone that the text does not name.
    Local(DateTime),
    /// An instant: the text has an offset, or counts from 1970.
    Instant(Timestamp),
}

fn read_by(pattern: &str, text: &str) -> Option<PatternTime> {
    let read = BrokenDownTime::parse(pattern, text).ok()?;
    if read.offset().is_some() || read.timestamp().is_some() {
        return read.to_timestamp().ok().map(PatternTime::Instant);
    }
    read.to_datetime().ok().map(PatternTime::Local)
}

/// Units of patterns, from the finest.
const UNITS: [Unit; 7] = [
    Unit::Nanosecond,
    Unit::Microsecond,
    Unit::Millisecond,
    Unit::Second,
    Unit::Minute,
    Unit::Hour,
    Unit::Day,
];

/// A time without what is finer than a unit.
pub fn truncated_to(time: DateTime, unit: Unit) -> DateTime {
    let (hour, minute, second, nanosecond) =
        (time.hour(), time.minute(), time.second(), time.subsec_nanosecond());
    let date = time.date();
    match unit {
        Unit::Minute => date.at(hour, minute, 0, 0),
        Unit::Hour => date.at(hour, 0, 0, 0),
        Unit::Second => date.at(hour, minute, second, 0),
        Unit::Millisecond => date.at(hour, minute, second, nanosecond / 1_000_000 * 1_000_000),
        Unit::Microsecond => date.at(hour, minute, second, nanosecond / 1_000 * 1_000),
        Unit::Nanosecond => time,
        _ => date.at(0, 0, 0, 0),
    }
}

impl TryFrom<String> for TimePattern {
    type Error = String;

    /// What a pattern loses is found by writing times and reading them: one that has everything, and those whose parts have
    /// fewer digits, or stand at an end of the clock or of the calendar.
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is not a pattern of times: {why}");
        let lost = "a time that it writes cannot be read back to its day; it needs a year, a month and a day, hours that no others \
                    are written like (`%H`, or `%I` with `%p`), and parts that do not run into each other";
        let read_back = |sample: DateTime| -> Result<(DateTime, bool), String> {
            let zoned = sample.to_zoned(TimeZone::UTC).map_err(|error| wrong(&error.to_string()))?;
            let written = strtime::format(&text, &zoned).map_err(|error| wrong(&error.to_string()))?;
            match read_by(&text, &written).ok_or_else(|| wrong(lost))? {
                PatternTime::Local(time) => Ok((time, true)),
                PatternTime::Instant(time) => Ok((Offset::UTC.to_datetime(time), false)),
            }
        };
        let sample = jiff::civil::date(2001, 11, 27).at(21, 47, 58, 987_654_321);
        let (time, is_local) = read_back(sample)?;
        let unit = UNITS.into_iter().find(|unit| truncated_to(sample, *unit) == time);
        let unit = unit.ok_or_else(|| wrong(lost))?;
        for (year, month, day, hour, minute, second, nanosecond) in [
            (2004, 2, 29, 0, 0, 0, 0),
            (2012, 1, 11, 12, 5, 1, 6_000_000),
            (2012, 11, 1, 1, 11, 9, 100_000_000),
            (2026, 12, 31, 11, 59, 59, 999_999_999),
        ] {
            let sample = jiff::civil::date(year, month, day).at(hour, minute, second, nanosecond);
            if read_back(sample)?.0 != truncated_to(sample, unit) {
                return Err(wrong(lost));
            }
        }
        Ok(Self { text: text.clone(), unit, is_local })
    }
}

/// A zone, by its IANA name or as an offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    text: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone.
    pub fn get(&self) -> &TimeZone {
        &self.zone
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    /// The zones are those that this version was built with: the machine's may differ from those of another one.
    fn try_from(text: String) -> Result<Self, String> {
        let zone = match offset(&text) {
            Some(offset) => Some(TimeZone::fixed(offset)),
            None => TimeZoneDatabase::bundled().get(&text).ok(),
        };
        zone.map(|zone| Self { text: text.clone(), zone }).ok_or_else(|| {
            format!("`{text}` is not a zone: write its IANA name, such as `Europe/Berlin`, or an offset, such as `+02:00`")
        })
    }
}

/// `Z`, `+02:00` or `-0330`.
fn offset(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match text.as_bytes() {
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            (sign, [*h1, *h2, *m1, *m2])
        }
        _ => return None,
    };
    let [h1, h2, m1, m2] = digits.map(|digit| digit.is_ascii_digit().then(|| i32::from(digit - b'0')));
    let (hours, minutes) = (h1? * 10 + h2?, m1? * 10 + m2?);
    let seconds = hours * 3_600 + minutes * 60;
    let signed = if *sign == b'-' { -seconds } else { seconds };
    (minutes < 60).then(|| Offset::from_seconds(signed).ok()).flatten()
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.text
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for Zone {
    fn schema_name() -> Cow<'static, str> {
        "Zone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "An IANA name, such as Europe/Berlin, or an offset, such as +02:00"})
    }
}

/// What holds for the times of records, and for those of the filter. Written as one value it holds for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BothSides<T> {
    /// Of records.
    pub records: Option<T>,
    /// Of the filter.
    pub filter: Option<T>,
    written_as_one: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
struct TwoSides<T> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    records: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<T>,
}

impl<T> Default for BothSides<T> {
    fn default() -> Self {
        Self { records: None, filter: None, written_as_one: false }
    }
}

impl<T> BothSides<T> {
    /// Whether nothing is said of either.
    pub(super) fn is_unsaid(&self) -> bool {
        self.records.is_none() && self.filter.is_none()
    }

    /// Whether the filter has one of its own.
    pub(super) fn is_of_filter(&self) -> bool {
        self.filter.is_some() && !self.written_as_one
    }
}

impl<T: Serialize> Serialize for BothSides<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.records {
            Some(one) if self.written_as_one => one.serialize(serializer),
            _ => TwoSides { records: self.records.as_ref(), filter: self.filter.as_ref() }
                .serialize(serializer),
        }
    }
}

impl<'de, T> Deserialize<'de> for BothSides<T>
where
    T: Deserialize<'de> + TryFrom<String, Error = String> + Clone,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BothSidesVisitor(PhantomData))
    }
}

struct BothSidesVisitor<T>(PhantomData<T>);

impl<'de, T> Visitor<'de> for BothSidesVisitor<T>
where
    T: Deserialize<'de> + TryFrom<String, Error = String> + Clone,
{
    type Value = BothSides<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or `{records: ..., filter: ...}`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BothSides<T>, E> {
        let one = T::try_from(text.to_owned()).map_err(E::custom)?;
        Ok(BothSides { records: Some(one.clone()), filter: Some(one), written_as_one: true })
    }

    // A zone such as `+0200` looks like a number.
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<BothSides<T>, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<BothSides<T>, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BothSides<T>, A::Error> {
        use serde::de::Error as _;
        let TwoSides { records, filter } = TwoSides::deserialize(MapAccessDeserializer::new(map))?;
        if records.is_none() && filter.is_none() {
            return Err(A::Error::custom("name `records`, `filter` or both"));
        }
        Ok(BothSides { records, filter, written_as_one: false })
    }
}

impl<T: JsonSchema> JsonSchema for BothSides<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("BothSidesOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        let two = json_schema!({
            "type": "object", "properties": {"records": one, "filter": one}, "additionalProperties": false, "minProperties": 1
        });
        json_schema!({"anyOf": [one, two]})
    }
}

/// One unit later.
pub fn unit_later(time: DateTime, unit: Unit) -> Option<DateTime> {
    let span = match unit {
        Unit::Nanosecond => 1.nanosecond(),
        Unit::Microsecond => 1.microsecond(),
        Unit::Millisecond => 1.millisecond(),
        Unit::Second => 1.second(),
        Unit::Minute => 1.minute(),
        Unit::Hour => 1.hour(),
        _ => 1.day(),
    };
    time.checked_add(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> Result<TimeFormat, String> {
        TimeFormat::try_from(text.to_owned())
    }

    #[test]
    fn a_pattern_is_known_by_what_it_keeps_of_a_time() {
        for (pattern, unit, is_local) in [
            ("%Y-%m-%d", Unit::Day, true),
            ("%d/%m/%Y %H:%M", Unit::Minute, true),
            ("%Y%m%d%H", Unit::Hour, true),
            ("%-d/%-m/%Y %-H:%M:%S", Unit::Second, true),
            ("%y-%j", Unit::Day, true),
            ("%Y-%m-%dT%H:%M:%S%.fZ", Unit::Nanosecond, true),
            ("%Y-%m-%dT%H:%M:%SZ", Unit::Second, true),
            ("%m/%d/%Y %I:%M:%S %p", Unit::Second, true),
            ("%Y-%m-%d %H:%M:%S%.3f", Unit::Millisecond, true),
            ("%Y-%m-%d %H:%M:%S%.6f", Unit::Microsecond, true),
            ("%Y-%m-%dT%H:%M:%S%:z", Unit::Second, false),
            ("%s", Unit::Second, false),
            ("%a, %d %b %Y %T GMT", Unit::Second, true),
        ] {
            let read = format(pattern).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((read.unit(), read.is_local()), (unit, is_local), "{pattern}");
            assert_eq!(String::from(read), pattern);
        }
    }

    #[test]
    fn what_does_not_name_a_day_is_refused() {
        for pattern in [
            "%Y%-m%-d",
            "%-d%-m%Y %H:%M",
            "%d/%m/%Y %-H%-M",
            "%Y",
            "%H:%M",
            "%Y-%m",
            "%Y-%m-%d %I:%M",
            "%Y-%m-%d %!",
            "%d.%m.",
            "%Q9",
            "iso",
            "epoch",
            "",
        ] {
            let error = format(pattern).expect_err(pattern);
            assert!(error.contains(&format!("`{pattern}` is not")), "{error}");
        }
    }

    #[test]
    fn zones_are_names_or_offsets() {
        for text in ["UTC", "Z", "Europe/Berlin", "America/St_Johns", "+02:00", "-0330", "+00:00"] {
            assert_eq!(String::from(Zone::try_from(text.to_owned()).unwrap()), text);
        }
        for text in ["Mars/Base", "+2", "+02:60", "+99:00", "CEST+1", "", "02:00"] {
            assert!(Zone::try_from(text.to_owned()).expect_err(text).contains("is not a zone"));
        }
    }
}
