//! What counts as an empty list where a page holds no array.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an API sends instead of an empty array. By default nothing: a page without an array is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Empty {
    /// `null` where the array should be.
    pub null: bool,
    /// An object without the member that should hold the array.
    pub missing: bool,
    /// A success without a body.
    pub no_body: bool,
    /// Statuses that say so, whatever the body says.
    pub statuses: BTreeSet<u16>,
}

const EXPECTED: &str = "`null`, `missing`, `no_body` or a status such as 204";

impl Empty {
    /// Whether only an empty array is an empty list.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, word: &str) -> Result<(), String> {
        match word {
            "null" => self.null = true,
            "missing" => self.missing = true,
            "no_body" => self.no_body = true,
            other => match other.parse::<u64>() {
                Ok(status) => self.add_status(status)?,
                Err(_) => return Err(format!("`{other}` can't mean an empty list: use {EXPECTED}")),
            },
        }
        Ok(())
    }

    /// Adds a status, or says why it can't mean an empty list.
    pub(super) fn add_status(&mut self, status: u64) -> Result<(), String> {
        let why = match status {
            200 => "every page has it",
            401 => "it says that the credentials were refused",
            408 | 425 | 429 => "it asks for a retry",
            201..=299 | 400..=499 => {
                self.statuses.extend(u16::try_from(status));
                return Ok(());
            }
            500..=599 => "it says that the server failed",
            _ => "only those from 201 to 299 and from 400 to 499 can",
        };
        Err(format!("the status {status} can't mean an empty list: {why}"))
    }
}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EmptyWords(Self::default()))
    }
}

/// Takes one of the words, or a list of them.
struct EmptyWords(Empty);

impl<'de> Visitor<'de> for EmptyWords {
    type Value = Empty;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{EXPECTED}, or a list of these")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Empty, E> {
        self.visit_str("null")
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Empty, E> {
        self.visit_str("null")
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Empty, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: serde::de::Error>(mut self, word: &str) -> Result<Empty, E> {
        self.0.add(word).map_err(E::custom)?;
        Ok(self.0)
    }

    fn visit_u64<E: serde::de::Error>(mut self, status: u64) -> Result<Empty, E> {
        self.0.add_status(status).map_err(E::custom)?;
        Ok(self.0)
    }

    fn visit_i64<E: serde::de::Error>(self, status: i64) -> Result<Empty, E> {
        self.visit_u64(status.try_into().unwrap_or_default())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut words: A) -> Result<Empty, A::Error> {
        while let Some(Empty { null, missing, no_body, statuses }) = words.next_element()? {
            self.0.null |= null;
            self.0.missing |= missing;
            self.0.no_body |= no_body;
            self.0.statuses.extend(statuses);
        }
        if self.0.is_nothing() {
            return Err(A::Error::custom(format!("the list is empty: expected {EXPECTED}")));
        }
        Ok(self.0)
    }
}

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut words = serializer.serialize_seq(None)?;
        for (word, meant) in [("null", self.null), ("missing", self.missing), ("no_body", self.no_body)] {
            if meant {
                words.serialize_element(word)?;
            }
        }
        for status in &self.statuses {
            words.serialize_element(status)?;
        }
        words.end()
    }
}

impl JsonSchema for Empty {
    fn schema_name() -> Cow<'static, str> {
        "Empty".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let word = json_schema!({"anyOf": [
            {"type": "null"},
            {"enum": ["null", "missing", "no_body"]},
            {"type": "integer", "minimum": 201, "maximum": 499},
        ]});
        json_schema!({"anyOf": [word, {"type": "array", "items": word, "minItems": 1}]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Held {
        #[serde(default)]
        empty: Empty,
    }

    fn read(text: &str) -> Result<Empty, String> {
        serde_saphyr::from_str::<Held>(text).map(|held| held.empty).map_err(|error| error.to_string())
    }

    #[test]
    fn one_word_or_a_list_of_them_is_read_and_written() {
        let all = Empty { null: true, missing: true, no_body: true, statuses: [204, 404].into() };
        assert_eq!(read("empty: [null, missing, no_body, 204, 404]").unwrap(), all);
        for (text, empty) in [
            ("{}", Empty::default()),
            ("empty: null", Empty { null: true, ..Empty::default() }),
            ("empty: ~", Empty { null: true, ..Empty::default() }),
            ("empty: 'null'", Empty { null: true, ..Empty::default() }),
            ("empty: ['null', ~]", Empty { null: true, ..Empty::default() }),
            ("empty: no_body", Empty { no_body: true, ..Empty::default() }),
            ("empty: 404", Empty { statuses: [404].into(), ..Empty::default() }),
            ("empty: '404'", Empty { statuses: [404].into(), ..Empty::default() }),
        ] {
            assert_eq!(read(text).unwrap(), empty, "{text}");
            let written = serde_json::to_value(&empty).unwrap();
            if !empty.is_nothing() {
                assert_eq!(serde_json::from_value::<Empty>(written).unwrap(), empty);
            }
        }
        assert_eq!(serde_json::from_str::<Empty>("null").unwrap(), Empty { null: true, ..Empty::default() });
    }

    #[test]
    fn what_can_not_mean_an_empty_list_is_refused_with_its_reason() {
        for (text, part) in [
            ("empty: nil", "`nil` can't mean an empty list: use `null`, `missing`, `no_body` or a status"),
            ("empty: 200", "every page has it"),
            ("empty: 401", "credentials were refused"),
            ("empty: [204, 429]", "asks for a retry"),
            ("empty: 503", "the server failed"),
            ("empty: 304", "from 201 to 299"),
            ("empty: -1", "from 201 to 299"),
            ("empty: []", "the list is empty"),
            ("empty: {a: 1}", "or a list of these"),
            ("empty: true", "or a list of these"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
