//! What came differently from what the table's schema says: counted, with one example each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::redact::Redactor;

/// Different paths and kinds that are counted apart; the rest is counted together.
const MAX_ENTRIES: usize = 1_000;
/// Limit of the characters of a path, and of an example.
const MAX_SHOWN: usize = 1_000;

/// Counts of what drifted, by path and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredDrift", into = "StoredDrift")]
pub struct Drift {
    entries: BTreeMap<(String, DriftKind), (u64, String)>,
    others: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredDrift {
    entries: Vec<DriftEntry>,
    #[serde(default)]
    others: u64,
}

/// What drifted at one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftEntry {
    /// The JSON Pointer of the member; `*` stands for the elements of a list.
    pub path: String,
    /// How it drifted.
    #[serde(flatten)]
    pub kind: DriftKind,
    /// How often.
    pub count: u64,
    /// The beginning of one of the values. It is data, and shown nowhere but here.
    pub example: String,
}

/// How a value differs from what its column holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum DriftKind {
    /// There is no column for the member.
    #[serde(rename = "new member")]
    NewMember,
    /// The value is of another type.
    #[serde(rename = "type")]
    Type {
        /// The column's type.
        expected: Cow<'static, str>,
        /// The value's.
        found: Cow<'static, str>,
    },
    /// A number too large for the column, or too close to zero.
    #[serde(rename = "number out of range")]
    OutOfRange,
    /// A number with more digits than floating point keeps.
    #[serde(rename = "number with too many digits")]
    TooManyDigits,
    /// Text where a time with offset (RFC 3339) should be, or one finer than a microsecond.
    #[serde(rename = "not a time")]
    NotATime,
    /// A lone surrogate, which has no text.
    #[serde(rename = "not unicode")]
    NotUnicode,
    /// An object has the key more than once; the last value counts.
    #[serde(rename = "repeated key")]
    RepeatedKey,
    /// The name differs from a column's only in case, and readers do not distinguish cases.
    #[serde(rename = "name differs only in case")]
    CaseOnly,
    /// The name is empty, one of our own, or what another column is called in this layout.
    #[serde(rename = "name taken")]
    NameTaken,
    /// The record would take far more memory as columns than as text, and is rescued as a whole.
    #[serde(rename = "record too wide")]
    TooWide,
}

impl DriftKind {
    pub(super) fn of_type(expected: &'static str, found: &'static str) -> Self {
        Self::Type { expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for DriftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NewMember => "new member",
            Self::Type { expected, found } => return write!(f, "expected {expected}, found {found}"),
            Self::OutOfRange => "number out of range",
            Self::TooManyDigits => "number with too many digits",
            Self::NotATime => "not a time with offset (RFC 3339)",
            Self::NotUnicode => "not unicode",
            Self::RepeatedKey => "repeated key",
            Self::CaseOnly => "name differs only in case",
            Self::NameTaken => "name taken",
            Self::TooWide => "record too wide",
        })
    }
}

impl Drift {
    /// Whether nothing drifted.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.others == 0
    }

    /// How many values drifted.
    pub fn total(&self) -> u64 {
        self.entries.values().map(|(count, _)| count).sum::<u64>() + self.others
    }

    /// What drifted where, by path. Names and values are what the API sent, as they may be shown.
    pub fn entries(&self) -> impl Iterator<Item = DriftEntry> {
        let shown = |text: &str| Redactor::shared().shown(text, MAX_SHOWN);
        self.entries.iter().map(move |((path, kind), (count, example))| DriftEntry {
            path: shown(path),
            kind: kind.clone(),
            count: *count,
            example: shown(example),
        })
    }

    /// What was counted beyond the paths and kinds that are counted apart.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Adds what drifted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.others += other.others;
        for (key, (count, example)) in other.entries {
            self.add(key, count, example);
        }
    }

    /// Adds the new members that drifted elsewhere and are not counted here.
    pub(crate) fn merge_new_members(&mut self, before: Self) {
        for (key, (count, example)) in before.entries {
            if key.1 == DriftKind::NewMember && !self.entries.contains_key(&key) {
                self.add(key, count, example);
            }
        }
    }

    pub(super) fn count(&mut self, path: String, kind: DriftKind, example: String) {
        self.add((path, kind), 1, example);
    }

    /// Counts what is not counted by path.
    pub(super) fn count_others(&mut self, count: u64) {
        self.others += count;
    }

    fn add(&mut self, key: (String, DriftKind), count: u64, example: String) {
        let full = self.entries.len() >= MAX_ENTRIES;
        match self.entries.get_mut(&key) {
            Some((there, _)) => *there += count,
            None if full => self.others += count,
            None => drop(self.entries.insert(key, (count, example))),
        }
    }
}

impl From<Drift> for StoredDrift {
    fn from(drift: Drift) -> Self {
        Self { entries: drift.entries().collect(), others: drift.others }
    }
}

impl From<StoredDrift> for Drift {
    fn from(stored: StoredDrift) -> Self {
        let mut drift = Self { others: stored.others, ..Self::default() };
        for entry in stored.entries {
            drift.add((entry.path, entry.kind), entry.count, entry.example);
        }
        drift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_bounded_and_the_rest_is_counted_together() {
        let mut drift = Drift::default();
        for number in 0..1_500 {
            drift.count(format!("/{number}"), DriftKind::NewMember, String::new());
        }
        assert_eq!((drift.entries().count(), drift.others(), drift.total()), (1_000, 500, 1_500));
    }

    #[test]
    fn drift_goes_through_json_and_merges() {
        let mut drift = Drift::default();
        drift.count("/age".to_owned(), DriftKind::of_type("integer", "string"), "\"x\"".to_owned());
        drift.count("/age".to_owned(), DriftKind::of_type("integer", "string"), "\"y\"".to_owned());
        let json = serde_json::to_string(&drift).unwrap();
        assert_eq!(
            json,
            r#"{"entries":[{"path":"/age","kind":"type","expected":"integer","found":"string","count":2,"example":"\"x\""}],"others":0}"#
        );
        let mut back: Drift = serde_json::from_str(&json).unwrap();
        assert_eq!(back, drift);
        back.merge(drift);
        assert_eq!(back.total(), 4);
    }
}
