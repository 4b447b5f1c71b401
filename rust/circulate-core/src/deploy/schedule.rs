//! When a pipeline runs, in the words of EventBridge Scheduler.
//!
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// `rate(15 minutes)`, or `cron(0 3 ? * SUN *)`: minute, hour, day of month, month, day of week, year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule(String);

/// A field of a cron expression.
struct Field {
    name: &'static str,
    least: u32,
    greatest: u32,
    /// Names of values; the first stands for `least`.
    names: &'static [&'static str],
    /// What it may hold besides numbers, names, `*`, `,`, `-` and `/`.
    special: &'static str,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const FIELDS: [Field; 6] = [
    Field { name: "minutes", least: 0, greatest: 59, names: &[], special: "" },
    Field { name: "hours", least: 0, greatest: 23, names: &[], special: "" },
    Field { name: "day of month", least: 1, greatest: 31, names: &[], special: "?LW" },
    Field { name: "month", least: 1, greatest: 12, names: &MONTHS, special: "" },
    Field { name: "day of week", least: 1, greatest: 7, names: &DAYS, special: "?L#" },
    Field { name: "year", least: 1970, greatest: 2199, names: &[], special: "" },
];

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let inside = |kind: &str| text.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        let checked = match (inside("rate"), inside("cron")) {
            (Some(rate), _) => check_rate(rate),
            (_, Some(cron)) => check_cron(cron),
            _ => Err("write `rate(15 minutes)` or `cron(0 3 ? * SUN *)`".to_owned()),
        };
        match checked {
            Ok(()) => Ok(Self(text)),
            Err(why) => Err(format!("invalid schedule `{text}`: {why}")),
        }
    }
}

fn check_rate(rate: &str) -> Result<(), String> {
    let (number, unit) = rate.split_once(' ').unwrap_or((rate, ""));
    let number: u32 =
        number.parse().ok().filter(|number| *number > 0).ok_or("a rate is a number above 0 and a unit")?;
    let units = if number == 1 { ["minute", "hour", "day"] } else { ["minutes", "hours", "days"] };
    if units.contains(&unit) {
        return Ok(());
    }
    Err(format!("after {number} comes {}, {} or {}", units[0], units[1], units[2]))
}

fn check_cron(cron: &str) -> Result<(), String> {
    let given: Vec<_> = cron.split(' ').collect();
    if given.len() != FIELDS.len() {
        let names = FIELDS.map(|field| field.name).join(", ");
        return Err(format!("cron has {} fields ({names}), and this has {}", FIELDS.len(), given.len()));
    }
    for (field, text) in FIELDS.iter().zip(&given) {
        if *text != "*" && !(*text == "?" && field.special.contains('?')) {
            text.split(',').try_for_each(|part| field.check(part))?;
        }
    }
    match (given[2], given[4]) {
        ("?", "?") => Err("day of month and day of week are both `?`".to_owned()),
        ("?", _) | (_, "?") => Ok(()),
        _ => Err("one of day of month and day of week must be `?`".to_owned()),
    }
}

impl Field {
    fn check(&self, part: &str) -> Result<(), String> {
        let wrong = || format!("invalid {} `{part}`: {} to {}", self.name, self.least, self.greatest);
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let fits = step
            .is_none_or(|step| step.parse().is_ok_and(|step: u32| step > 0 && step <= self.greatest))
            && match range.split_once('-') {
                Some((from, to)) => {
                    self.value(from).is_some_and(|from| self.value(to).is_some_and(|to| from <= to))
                }
                None => {
                    range == "*" || self.value(range).is_some() || step.is_none() && self.is_special(range)
                }
            };
        if fits { Ok(()) } else { Err(wrong()) }
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().zip(self.least..).find(|(name, _)| **name == text);
        let value = named.map_or_else(|| text.parse().ok(), |(_, value)| Some(value))?;
        (self.least..=self.greatest).contains(&value).then_some(value)
    }

    /// `L` the last, `5L` the last Thursday, `15W` the weekday nearest to the 15th, `2#1` the first Monday.
    fn is_special(&self, text: &str) -> bool {
        let has = |special| self.special.contains(special);
        match text.split_once('#') {
            Some((day, week)) => {
                has('#') && self.value(day).is_some() && matches!(week, "1" | "2" | "3" | "4" | "5")
            }
            None if text == "L" || text == "LW" => has('L') && (text == "L" || has('W')),
            None if text.ends_with('L') => has('#') && self.value(&text[..text.len() - 1]).is_some(),
            None => has('W') && text.strip_suffix('W').is_some_and(|day| self.value(day).is_some()),
        }
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.0
    }
}

impl JsonSchema for Schedule {
    fn schema_name() -> Cow<'static, str> {
        "Schedule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(rate\([1-9][0-9]* (minutes?|hours?|days?)\)|cron\([^ ]+( [^ ]+){5}\))$",
            "description": "When, as EventBridge Scheduler writes it, in UTC: rate(15 minutes), or cron(0 3 ? * SUN *)"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_eventbridge_reads_them() {
        for text in [
            "rate(1 minute)",
            "rate(15 minutes)",
            "rate(2 days)",
            "cron(0 3 ? * SUN *)",
            "cron(0/15 * * * ? *)",
            "cron(15,45 8-18 ? JAN-MAR MON-FRI 2026-2030)",
            "cron(0 0 L * ? *)",
            "cron(0 0 LW * ? *)",
            "cron(0 0 15W * ? *)",
            "cron(0 0 ? * 5L *)",
            "cron(0 0 ? * 2#1 *)",
            "cron(*/5 * * * ? *)",
        ] {
            assert_eq!(Schedule::try_from(text.to_owned()).map(String::from), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_eventbridge_would_refuse_is_refused_and_says_why() {
        for (text, why) in [
            ("hourly", "write `rate(15 minutes)`"),
            ("at(2026-11-22T00:00:00)", "write `rate(15 minutes)`"),
            ("rate(0 minutes)", "a number above 0"),
            ("rate(1 hours)", "after 1 comes minute, hour or day"),
            ("rate(5 hour)", "after 5 comes minutes, hours or days"),
            ("rate(5)", "after 5 comes"),
            (
                "cron(0 3 * * *)",
                "cron has 6 fields (minutes, hours, day of month, month, day of week, year), and this has 5",
            ),
            ("cron(0 3 * * * *)", "one of day of month and day of week must be `?`"),
            ("cron(0 3 ? * ? *)", "both `?`"),
            ("cron(60 3 ? * SUN *)", "invalid minutes `60`: 0 to 59"),
            ("cron(0 24 ? * SUN *)", "invalid hours `24`"),
            ("cron(0 ? * * SUN *)", "invalid hours `?`"),
            ("cron(0 3 ? * SOL *)", "invalid day of week `SOL`"),
            ("cron(0 3 ? 13 SUN *)", "invalid month `13`"),
            ("cron(0 3 ? * 5-2 *)", "invalid day of week `5-2`"),
            ("cron(0 3 ? * 2#6 *)", "invalid day of week `2#6`"),
            ("cron(0 3 1#2 * ? *)", "invalid day of month `1#2`"),
            ("cron(0/0 3 ? * SUN *)", "invalid minutes `0/0`"),
            ("cron(0 3  ? * SUN)", "invalid day of month ``"),
        ] {
            let refused = Schedule::try_from(text.to_owned()).unwrap_err();
            assert!(
                refused.contains(why) && refused.starts_with(&format!("invalid schedule `{text}`: ")),
                "{refused}"
            );
        }
    }
}
