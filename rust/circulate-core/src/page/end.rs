//! How lists ended: recorded of each, in the checkpoint, the manifest and the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::redact::Redactor;

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndKind {
    /// The last page names no next one.
    NoNext,
    /// A hook says that there is no next page.
    Hook,
    /// It is one page, as its definition says.
    Single,
    /// A flag that the definition declares says that there is no more.
    Flag,
    /// As many records or pages were read as the API says that there are.
    Total,
    /// The last page has no records.
    EmptyPage,
    /// The last page has fewer records than were requested, which the definition declares to be the end.
    ShortPage,
    /// A status, or a response without a body, that the definition declares to be an empty list.
    Status,
    /// The last page has what the next pull goes on with.
    Durable,
    /// The API says that nothing has changed since it was read before.
    Unchanged,
    /// A polling stream had nothing more for now; or the list, newest records first, was read down to what was read before.
    CaughtUp,
    /// A deadline or a person ended a polling stream before that. It is complete up to there, and goes on there.
    Behind,
    /// A page that named no next one was requested once more, or in a smaller size, and that showed that it is the last.
    Confirmed,
    /// One page came, and nothing shows that the paginator works; nothing speaks against it either.
    Assumed,
    /// It is a part of what a job has made, or all of that.
    Job,
    /// The API says that the parent does not exist.
    Gone,
    /// The account lacks the feature.
    Unavailable,
}

/// The end of one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEnd {
    /// How it ended.
    pub end: EndKind,
    /// What says that it goes on all the same. Its records up to there are kept, and it is not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradicted: Option<String>,
    /// How it was found that the list changed while it was read by numbers: it is complete in what was read of it, and what
    /// is not in it may be there all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
}

impl ListEnd {
    /// An end that something contradicts.
    pub fn contradicted(end: EndKind, why: String) -> Self {
        Self { contradicted: Some(why), ..end.into() }
    }
}

impl From<EndKind> for ListEnd {
    fn from(end: EndKind) -> Self {
        Self { end, contradicted: None, moved: None }
    }
}

/// The end of a list, by the list's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedEnd {
    /// The stream, or the partition of it.
    pub list: String,
    /// Its last page, the first one being 1; 0 if there was none.
    pub page: u64,
    /// How it ended.
    #[serde(flatten)]
    pub end: ListEnd,
}

/// How all lists of a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// How many lists ended so.
    pub counts: BTreeMap<EndKind, u64>,
    /// How many of these are contradicted.
    pub contradicted: u64,
    /// 100 of them by name, as they ended, contradicted ones before others.
    pub lists: Vec<NamedEnd>,
}

/// The most lists that are named.
const NAMED: usize = 100;
/// The most characters of a name.
const NAME: usize = 200;

impl Ends {
    /// Records the end of one list, whose last page was number `page`.
    pub fn add(&mut self, list: &str, page: u64, end: ListEnd) {
        *self.counts.entry(end.end).or_default() += 1;
        let contradicted = end.contradicted.is_some();
        self.contradicted += u64::from(contradicted);
        if self.lists.len() == NAMED {
            let other = self.lists.iter().rposition(|named| named.end.contradicted.is_none());
            match other.filter(|_| contradicted || end.moved.is_some()) {
                Some(other) => drop(self.lists.remove(other)),
                None => return,
            }
        }
        let list = Redactor::shared().shown(list, NAME);
        self.lists.push(NamedEnd { list, page, end });
    }

    /// Whether no list has ended yet.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The named lists that changed while they were read, and how that was found.
    pub fn moved(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lists.iter().filter_map(|named| Some((named.list.as_str(), named.end.moved.as_deref()?)))
    }

    /// What is missing: the lists that go on behind what was read of them.
    pub fn gaps(&self) -> impl Iterator<Item = String> {
        self.lists.iter().filter_map(|named| {
            let why = named.end.contradicted.as_ref()?;
            Some(match named.page {
                0 => format!("{}: {why}", named.list),
                page => format!("{} after page {page}: {why}", named.list),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_lists_are_named_and_contradicted_ones_first() {
        let mut ends = Ends::default();
        for number in 0..150 {
            ends.add(&format!("id {number}"), 1, EndKind::NoNext.into());
        }
        let contradicted = ListEnd::contradicted(EndKind::NoNext, "`/next` is `2`".to_owned());
        ends.add("id 150", 3, contradicted);
        assert_eq!((ends.counts[&EndKind::NoNext], ends.contradicted, ends.lists.len()), (151, 1, NAMED));
        assert_eq!(ends.gaps().collect::<Vec<_>>(), ["id 150 after page 3: `/next` is `2`"]);
    }
}
