//! The model of a declared rate: how many requests an API allows in which time.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So many requests in a length of time, such as `600/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// How many requests, at least one.
    pub requests: u32,
    times: u32,
    unit: &'static TimeUnit,
}

/// A unit of time.
#[derive(Debug, PartialEq, Eq)]
struct TimeUnit {
    name: &'static str,
    seconds: u64,
}

const UNITS: [TimeUnit; 4] = [
    TimeUnit { name: "s", seconds: 1 },
    TimeUnit { name: "min", seconds: 60 },
    TimeUnit { name: "h", seconds: 3600 },
    TimeUnit { name: "d", seconds: 86_400 },
];
/// The longest time that a rate is over.
const MAX_PERIOD: Duration = Duration::from_hours(31 * 24);

impl Rate {
    /// The time in which so many requests are allowed.
    pub fn period(&self) -> Duration {
        Duration::from_secs(self.unit.seconds.saturating_mul(u64::from(self.times)))
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let read = || {
            let (requests, period) = text.split_once('/')?;
            let unit = period.trim().trim_start_matches(|c: char| c.is_ascii_digit());
            let times = period.trim().strip_suffix(unit)?;
            let rate = Self {
                requests: requests.trim().parse().ok()?,
                times: if times.is_empty() { 1 } else { times.parse().ok()? },
                unit: UNITS.iter().find(|known| known.name == unit)?,
            };
            (rate.requests > 0 && rate.times > 0 && rate.period() <= MAX_PERIOD).then_some(rate)
        };
        read().ok_or_else(|| {
            format!(
                "`{text}` is not a rate: write it like `10/s`, `600/min`, `1200/5min`, `5000/h` or `100000/d`, with whole \
                 numbers of 1 or more, and at most 31 days"
            )
        })
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = if self.times == 1 { String::new() } else { self.times.to_string() };
        write!(f, "{}/{times}{}", self.requests, self.unit.name)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-9]+/[0-9]*(s|min|h|d)$",
            "description": "Requests in a length of time, such as 10/s, 600/min, 1200/5min, 5000/h or 100000/d"
        })
    }
}

/// Rates that all hold, written as one or as a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Rates(Vec<Rate>);

impl Rates {
    /// Whether none is declared.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rates.
    pub fn as_slice(&self) -> &[Rate] {
        &self.0
    }
}

impl TryFrom<Value> for Rates {
    type Error = String;

    fn try_from(given: Value) -> Result<Self, String> {
        let given = match given {
            Value::Array(rates) => rates,
            rate => vec![rate],
        };
        let read = |rate: Value| match rate {
            Value::String(text) => Rate::try_from(text),
            other => Rate::try_from(other.to_string()),
        };
        let rates = given.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if rates.is_empty() {
            return Err("the list is empty: name a rate, such as `600/min`".to_owned());
        }
        for (number, rate) in rates.iter().enumerate() {
            if let Some(other) = rates[..number].iter().find(|other| other.period() == rate.period()) {
                return Err(format!(
                    "`{other}` and `{rate}` are rates over the same time: name the lower one"
                ));
            }
        }
        Ok(Self(rates))
    }
}

impl From<Rates> for Value {
    fn from(Rates(rates): Rates) -> Self {
        match rates.as_slice() {
            [only] => only.to_string().into(),
            several => several.iter().map(Rate::to_string).collect(),
        }
    }
}

impl JsonSchema for Rates {
    fn schema_name() -> Cow<'static, str> {
        "Rates".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Rate>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Held {
        rate: Rates,
    }

    #[test]
    fn rates_are_read_and_written_as_people_write_them() {
        for (text, rates) in [
            ("rate: 600/min", vec![(600, 60)]),
            ("rate: ' 10 / s '", vec![(10, 1)]),
            ("rate: 1200/5min", vec![(1200, 300)]),
            ("rate: [10/s, 30000/h, 1/d]", vec![(10, 1), (30_000, 3600), (1, 86_400)]),
        ] {
            let held: Held = serde_saphyr::from_str(text).unwrap();
            let found: Vec<_> =
                held.rate.as_slice().iter().map(|rate| (rate.requests, rate.period().as_secs())).collect();
            assert_eq!(found, rates, "{text}");
            let written = serde_json::to_string(&held).unwrap();
            assert_eq!(serde_json::from_str::<Held>(&written).unwrap().rate, held.rate, "{written}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_as_it_was_given() {
        for (text, part) in [
            ("rate: 600", "`600` is not a rate"),
            ("rate: fast", "`fast` is not a rate"),
            ("rate: 0/s", "`0/s` is not a rate"),
            ("rate: -1/s", "`-1/s` is not a rate"),
            ("rate: 1.5/s", "`1.5/s` is not a rate"),
            ("rate: 10/m", "`10/m` is not a rate"),
            ("rate: 10/0s", "`10/0s` is not a rate"),
            ("rate: 10/", "`10/` is not a rate"),
            ("rate: 10/32d", "at most 31 days"),
            ("rate: 99999999999/s", "is not a rate"),
            ("rate: 10/99999999999s", "is not a rate"),
            ("rate: []", "the list is empty"),
            ("rate: [10/s, 5/s]", "`10/s` and `5/s` are rates over the same time"),
            ("rate: [600/min, 1/60s]", "over the same time"),
        ] {
            let error = serde_saphyr::from_str::<Held>(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
