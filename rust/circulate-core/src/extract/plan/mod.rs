//! Partitions: slices of a stream that are pulled one by one, such as the users of one application. No I/O.

mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalog::{Name, Parent, path_segment};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::Window;
use crate::page::Record;
use crate::redact::Redactor;

pub use known::KnownParents;

/// Names of the bounds of a window.
const SINCE: &str = "since";
const UNTIL: &str = "until";

/// A slice of a stream, by what identifies it: members of its parent, a value, or bounds of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Partition {
    #[serde(flatten)]
    values: BTreeMap<String, String>,
    /// The address that is requested for it.
    #[serde(rename = "@url", default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl Partition {
    /// The partition that `record` of the parent's list stands for. Its watched members from number `first` on are the
    /// fields of `parent`, in their order.
    pub fn of(parent: &Parent, record: &Record<'_>, first: usize) -> Result<Self> {
        Self::of_fields(parent.fields.keys().map(Name::as_str), record, first).map_err(|missing| {
            let pointer = &parent.fields.values().nth(missing);
            let at = pointer.map(ToString::to_string).unwrap_or_default();
            let message = format!("a record of `{}` has no text or number at `{at}`", parent.endpoint);
            Error::new(ErrorKind::Data, "plan", message)
                .hint("without it the parent can't be asked for: is `parent.fields` of the definition right?")
        })
    }

    /// What the watched members of a record from number `first` on are, by these names. The error is the number of the first one
    /// that is no text or number.
    pub fn of_fields<'n>(
        names: impl Iterator<Item = &'n str>,
        record: &Record<'_>,
        first: usize,
    ) -> std::result::Result<Self, usize> {
        let fields = names.enumerate().map(|(number, name)| {
            let value = record.field(first + number).and_then(text_of).ok_or(number)?;
            Ok((name.to_owned(), value))
        });
        let values = fields.collect::<std::result::Result<_, usize>>()?;
        Ok(Self { values, url: None })
    }

    /// What of it has a value.
    #[must_use]
    pub fn with_value(&self, name: &str, value: &str) -> Self {
        let mut with = self.clone();
        with.values.insert(name.to_owned(), value.to_owned());
        with
    }

    /// What of it is in a window of time, from `since` up to but without `until`.
    #[must_use]
    pub fn in_window(&self, since: Timestamp, until: Timestamp) -> Self {
        self.with_value(SINCE, &since.to_string()).with_value(UNTIL, &until.to_string())
    }

    /// It without the window of time.
    #[must_use]
    pub fn without_window(&self) -> Self {
        let mut without = self.clone();
        without.values.retain(|name, _| name != SINCE && name != UNTIL);
        without
    }

    /// What it has under these names.
    #[must_use]
    pub fn only(&self, names: &BTreeSet<String>) -> Self {
        let kept = self.values.iter().filter(|(name, _)| names.contains(*name));
        let values = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { values, url: None }
    }

    /// What stands for a record of one of its lists, by the names that are kept of both.
    #[must_use]
    pub fn below(self, above: &Self, names: &BTreeSet<String>) -> Self {
        let mut below = above.only(names);
        below.values.extend(self.values);
        Self { url: self.url, ..below }
    }

    /// With the address that is requested for it.
    #[must_use]
    pub fn at(self, url: String) -> Self {
        Self { url: Some(url), ..self }
    }

    /// The address that is requested for it.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// It without its address, which may hold what is secret, and identifies nothing.
    #[must_use]
    pub fn without_url(&self) -> Self {
        Self { url: None, ..self.clone() }
    }

    /// What of it is of several parents, by the field that stands for all of them.
    #[must_use]
    pub fn of_several(&self, name: &str, parents: &[String]) -> Self {
        self.with_value(name, &serde_json::json!(parents).to_string())
    }

    /// The parents that a field stands for, see [`of_several`](Self::of_several).
    pub fn several(&self, name: &str) -> Vec<String> {
        self.value(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// It without a field.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut without = self.clone();
        without.values.remove(name);
        without
    }

    /// Whether it is all of a stream.
    pub fn is_whole(&self) -> bool {
        self.values.is_empty()
    }

    /// The window of time that it is, if it is one.
    pub fn window(&self) -> Option<Window> {
        let bound = |name| self.values.get(name)?.parse().ok();
        Some(Window { since: Some(bound(SINCE)?), until: Some(bound(UNTIL)?) })
    }

    /// What it has under a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Its bytes in memory, about.
    pub fn size(&self) -> usize {
        let values = self.values.iter().map(|(name, value)| name.len() + value.len() + 64);
        values.sum::<usize>() + self.url.as_ref().map_or(0, String::len)
    }

    /// What stands of it in front of a child's record, as JSON.
    pub fn as_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.values)
            .map_err(|error| Error::new(ErrorKind::Data, "mark record", "cannot write JSON").caused_by(error))
    }

    /// Distinguishes it from all others: a parent that moves while its list is read may be listed twice.
    pub fn digest(&self) -> [u8; 16] {
        let mut hasher = Sha256::new();
        for (name, value) in &self.values {
            for text in [name, value] {
                hasher.update((text.len() as u64).to_be_bytes());
                hasher.update(text);
            }
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        half
    }
}

/// The most characters of a member of its parent that are shown.
const MAX_SHOWN: usize = 200;

impl fmt::Display for Partition {
    /// A name of it for people. Members of a parent are what the API says; requests are made of them as they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.values.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name} {}", Redactor::shared().shown(value, MAX_SHOWN))?;
        }
        Ok(())
    }
}

/// The text of a JSON string or number, if it can be a path segment. A number is as it was received: one of more digits than a
/// machine's numbers have would be another one.
pub fn text_of(json: &[u8]) -> Option<String> {
    let text = match serde_json::from_slice(json).ok()? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Number(_) => std::str::from_utf8(json.trim_ascii()).ok()?.to_owned(),
        _ => return None,
    };
    path_segment(&text).map(|_| text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partition(id: &str) -> Partition {
        Partition::default().with_value("id", id)
    }

    fn marked(record: &str) -> String {
        let mut text = Vec::new();
        let record = Record::new(record.as_bytes(), &(0..record.len() as u64), &[]);
        record.write_with_parent(&partition("0oa\"1").as_json().unwrap(), &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_childs_record_has_its_parent_in_front_and_is_otherwise_as_received() {
        let mark = r#"{"_circulate":{"parent":{"id":"0oa\"1"}}"#;
        assert_eq!(marked(r#"{ "id" : 1.0, "id":2}"#), format!(r#"{mark}, "id" : 1.0, "id":2}}"#));
        assert_eq!(marked("{}"), format!("{mark}}}"));
        assert_eq!(marked("{ \n }"), format!("{mark} \n }}"));
    }

    #[test]
    fn ids_never_leave_their_path_segment() {
        for (id, segment) in [("0oa1", "0oa1"), ("a/b?c#d%e é", "a%2Fb%3Fc%23d%25e%20%C3%A9"), ("a.b", "a.b")]
        {
            assert_eq!(path_segment(partition(id).value("id").unwrap()).unwrap(), segment);
        }
    }

    #[test]
    fn what_is_no_path_segment_is_no_id() {
        for json in ["\"\"", "\".\"", "\"..\"", "null", "{}", "true"] {
            assert_eq!(text_of(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn numbers_are_ids_as_they_were_received() {
        for number in ["17", "-3", "1.0", "1e3", "12345678901234567890123"] {
            assert_eq!(text_of(number.as_bytes()).as_deref(), Some(number));
        }
    }

    proptest! {
        #[test]
        fn marked_records_are_json_and_hold_the_received_members(value in "\\PC*", number in any::<i64>()) {
            let record = serde_json::json!({"a": value, "n": number});
            let mut parsed: serde_json::Value = serde_json::from_str(&marked(&record.to_string())).unwrap();
            let mark = parsed.as_object_mut().unwrap().remove("_circulate").unwrap();
            prop_assert_eq!(&mark["parent"]["id"], "0oa\"1");
            prop_assert_eq!(parsed, record);
        }
    }
}
