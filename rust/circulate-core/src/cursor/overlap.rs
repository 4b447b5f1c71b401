//! Which records the next run will be shown again, and which of this run's were delivered before. No I/O.
//!
//! Runs overlap on purpose, so the API shows some records twice. One is left out only if it is byte-identical to one
//! that was delivered: a record that changed within the overlap has other bytes.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// SHA-256 of a record's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `record`.
    pub fn of(record: &[u8]) -> Self {
        Self(<Sha256 as sha2::Digest>::digest(record).into())
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        crate::hex(&digest.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = digit(index * 2).ok_or("not a SHA-256 in hex")?;
        }
        if text.len() == 64 { Ok(Self(bytes)) } else { Err("not a SHA-256 in hex") }
    }
}

/// A record that the next run may be shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Its time.
    pub time: Timestamp,
    /// Its bytes.
    pub sha256: Digest,
}

/// Looks at the records of one run.
#[derive(Debug, Default)]
pub struct Overlap {
    delivered: HashSet<Digest>,
    recent: Vec<Recent>,
}

impl Overlap {
    /// Leaves out what is in `delivered`.
    pub fn new(delivered: impl IntoIterator<Item = Digest>) -> Self {
        Self { delivered: delivered.into_iter().collect(), recent: Vec::new() }
    }

    /// Looks at a record; returns whether an earlier run delivered the same bytes. `bound` is where the next run would
    /// begin as far as is known: records before it will not be shown again. It never moves back, so a record that is
    /// forgotten here is not missed later.
    pub fn repeats(&mut self, record: &[u8], time: Option<Timestamp>, bound: Option<Timestamp>) -> bool {
        let recent = time.filter(|time| bound.is_some_and(|bound| *time >= bound));
        if recent.is_none() && self.delivered.is_empty() {
            return false;
        }
        let sha256 = Digest::of(record);
        self.recent.extend(recent.map(|time| Recent { time, sha256 }));
        self.delivered.contains(&sha256)
    }

    /// Takes out the records seen since the last call that are not before `bound`.
    pub fn take_recent(&mut self, bound: Option<Timestamp>) -> Vec<Recent> {
        let mut recent = std::mem::take(&mut self.recent);
        recent.retain(|record| bound.is_some_and(|bound| record.time >= bound));
        recent
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn digests_travel_as_text() {
        let digest = Digest::of(b"{}");
        assert_eq!(Digest::try_from(String::from(digest)), Ok(digest));
        for text in ["", "44", &"g".repeat(64), &"a".repeat(66)] {
            assert!(Digest::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_same_bytes_are_a_repeat() {
        let mut overlap = Overlap::new([Digest::of(b"{\"a\":1}")]);
        assert!(overlap.repeats(b"{\"a\":1}", None, None));
        assert!(!overlap.repeats(b"{\"a\":1.0}", None, None));
    }

    proptest! {
        #[test]
        fn everything_the_next_run_is_shown_again_is_remembered(
            times in proptest::collection::vec(0i64..1000, 0..50),
            span in 0i64..200,
        ) {
            let mut overlap = Overlap::default();
            let mut greatest = 0;
            for (index, second) in times.iter().enumerate() {
                greatest = greatest.max(*second);
                overlap.repeats(format!("{{\"n\":{index}}}").as_bytes(), Some(time(*second)), Some(time(greatest - span)));
            }
            let bound = time(greatest - span);
            let remembered: HashSet<_> = overlap.take_recent(Some(bound)).into_iter().map(|r| r.sha256).collect();
            let shown_again: HashSet<_> = times
                .iter()
                .enumerate()
                .filter(|(_, second)| time(**second) >= bound)
                .map(|(index, _)| Digest::of(format!("{{\"n\":{index}}}").as_bytes()))
                .collect();
            prop_assert_eq!(remembered, shown_again);
        }
    }
}
