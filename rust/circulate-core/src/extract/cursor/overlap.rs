//! Which records the next run will be shown again, and which of this run's were delivered before. No I/O.
//!
//! Runs overlap on purpose, so the API shows some records twice. One is left out only if it is byte-identical to one
//! that was delivered: a record that changed within the overlap has other bytes.

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

/// How many records of an overlap are remembered, of one run and of those before it: some 20 MB. Beyond it the next run
/// delivers them again.
pub const MAX_DEDUP_SET: usize = 250_000;

/// Looks at the records of one run.
#[derive(Debug, Default)]
pub struct Overlap {
    /// Sorted.
    delivered: Vec<Digest>,
    recent: Vec<Recent>,
    /// Records up to this time were too many to be remembered.
    forgotten: Option<Timestamp>,
}

impl Overlap {
    /// Leaves out what is in `delivered`. Records up to `forgotten` were too many to be remembered, in an earlier attempt.
    pub fn new(mut delivered: Vec<Digest>, forgotten: Option<Timestamp>) -> Self {
        delivered.sort_unstable();
        Self { delivered, recent: Vec::new(), forgotten }
    }

    /// Looks at a record; returns whether an earlier run delivered the same bytes. `bound` is where the next run would
    /// begin as far as is known: records before it will not be shown again. It never moves back, so a record that is
    /// forgotten here is not missed later.
    pub fn repeats(&mut self, record: &[u8], time: Option<Timestamp>, bound: Option<Timestamp>) -> bool {
        // One of a time that others were forgotten of is of no use: its set could not be whole.
        let recent =
            time.filter(|time| bound.is_some_and(|bound| *time >= bound) && Some(*time) > self.forgotten);
        if recent.is_none() && self.delivered.is_empty() {
            return false;
        }
        let sha256 = Digest::of(record);
        if let Some(time) = recent {
            if self.recent.len() >= MAX_DEDUP_SET {
                self.make_room(bound);
            }
            if Some(time) > self.forgotten {
                self.recent.push(Recent { time, sha256 });
            }
        }
        self.delivered.binary_search(&sha256).is_ok()
    }

    /// Forgets what will not be shown again; if that is not enough, the older half.
    fn make_room(&mut self, bound: Option<Timestamp>) {
        self.recent.retain(|record| bound.is_some_and(|bound| record.time >= bound));
        if self.recent.len() > MAX_DEDUP_SET / 2 {
            let middle = self.recent.len() / 2;
            let (_, newest, _) = self.recent.select_nth_unstable_by_key(middle, |record| record.time);
            let newest = newest.time;
            self.forgotten = self.forgotten.max(Some(newest));
            self.recent.retain(|record| record.time > newest);
        }
    }

    /// Records up to this time were too many to be remembered: a set of those after an earlier bound is not whole.
    pub fn forgotten(&self) -> Option<Timestamp> {
        self.forgotten
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
    use std::collections::HashSet;

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
        let others = (0..9).map(|number: u8| Digest::of(&[number]));
        let mut overlap = Overlap::new(others.chain([Digest::of(b"{\"a\":1}")]).collect(), None);
        assert!(overlap.repeats(b"{\"a\":1}", None, None));
        assert!(!overlap.repeats(b"{\"a\":1.0}", None, None));
    }

    #[test]
    fn records_of_one_time_take_no_more_memory_however_many_they_are() {
        let mut overlap = Overlap::default();
        for number in 0..2 * MAX_DEDUP_SET {
            overlap.repeats(&number.to_le_bytes(), Some(time(7)), Some(time(0)));
            assert!(overlap.recent.len() <= MAX_DEDUP_SET);
        }
        assert_eq!(overlap.forgotten(), Some(time(7)));
        // What is newer is remembered all the same: the bound may come to lie behind what was forgotten.
        overlap.repeats(b"newer", Some(time(8)), Some(time(0)));
        assert_eq!(
            overlap.take_recent(Some(time(8))),
            [Recent { time: time(8), sha256: Digest::of(b"newer") }]
        );
    }

    #[test]
    fn of_more_than_are_remembered_the_newest_are() {
        let mut overlap = Overlap::default();
        let count = i64::try_from(MAX_DEDUP_SET).unwrap() * 2;
        for second in 0..count {
            overlap.repeats(&second.to_le_bytes(), Some(time(second)), Some(time(0)));
        }
        let forgotten = overlap.forgotten().unwrap().as_second();
        assert!((1..count - 10_000).contains(&forgotten), "{forgotten}");
        let kept: HashSet<_> =
            overlap.take_recent(Some(time(0))).iter().map(|kept| kept.time.as_second()).collect();
        assert_eq!(kept, (forgotten + 1..count).collect());
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
