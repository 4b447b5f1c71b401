//! The incremental position of a stream: how far it has been read, and where the next run begins. No I/O.

mod overlap;
mod times;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::{earlier, later, truncate_to_millis};

pub use overlap::{Digest, MAX_DEDUP_SET, Overlap, Recent};
pub use times::{FilterTimes, RecordTimes, TimeRange};

/// The greatest time seen in the records of a run. Times are compared as times, never as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    greatest: Option<Timestamp>,
    /// Records whose time is missing or is none. They are delivered and counted, and move nothing.
    #[serde(default)]
    pub without_time: u64,
}

impl Watermark {
    /// The greatest time seen.
    pub fn greatest(&self) -> Option<Timestamp> {
        self.greatest
    }

    /// Takes a record's time in, if it has one.
    pub fn see(&mut self, time: Option<TimeRange>) {
        match time {
            Some(time) => self.greatest = self.greatest.max(Some(time.from)),
            None => self.without_time += 1,
        }
    }

    /// The lower bound of the next run: the greatest time seen, but never past `first_server_date` (the server's
    /// `Date` at the first response of the run), less `overlap`. It never moves back before the `old` one, unless that lies
    /// in the future: what was delivered before it is remembered nowhere. A run that saw no time keeps the `old` bound,
    /// and so does one whose server sent no date.
    pub fn next_bound(
        &self,
        old: Option<Timestamp>,
        first_server_date: Option<Timestamp>,
        overlap: Duration,
    ) -> Option<Timestamp> {
        match (self.greatest, first_server_date) {
            (Some(greatest), Some(date)) => {
                let new = earlier(greatest.min(date), overlap);
                let least = old.map(|old| old.min(earlier(date, overlap)));
                Some(truncate_to_millis(least.map_or(new, |least| least.max(new))))
            }
            _ => old,
        }
    }
}

/// The period that a run takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Inclusive lower bound; `None` is everything.
    pub since: Option<Timestamp>,
    /// Exclusive upper bound; `None` is up to now.
    pub until: Option<Timestamp>,
}

impl Window {
    /// Whether a time may lie in it.
    pub fn may_hold(&self, time: TimeRange) -> bool {
        self.since.is_none_or(|since| time.to >= since) && self.until.is_none_or(|until| time.from < until)
    }

    /// It with `margin` more on either side, for an API that does not say whether its bounds belong to it.
    pub fn widened(&self, margin: Duration) -> Self {
        Self {
            since: self.since.map(|since| earlier(since, margin)),
            until: self.until.map(|until| later(until, margin)),
        }
    }

    /// Whether it holds any time at all.
    pub fn is_empty(&self) -> bool {
        matches!((self.since, self.until), (Some(since), Some(until)) if later(since, Duration::ZERO) >= until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::Incremental;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(seconds: &[i64]) -> Watermark {
        let mut watermark = Watermark::default();
        for second in seconds {
            watermark.see(Some(time(*second).into()));
        }
        watermark
    }

    #[test]
    fn times_are_compared_as_times() {
        let rule: Incremental = serde_json::from_str(r#"{"cursor": ["/a", "/b"]}"#).unwrap();
        let read = RecordTimes::of(&rule);
        let mut watermark = Watermark::default();
        watermark.see(read.greatest([Some(&br#""2026-01-01T23:30:00+02:00""#[..]), None]));
        let both = [Some(&br#""2026-01-01T20:00:00Z""#[..]), Some(br#""2026-01-01T22:00:00.5Z""#)];
        watermark.see(read.greatest(both));
        let bound = watermark.next_bound(None, Some(Timestamp::MAX), Duration::ZERO);
        assert_eq!(bound, Some("2026-01-01T22:00:00.5Z".parse().unwrap()));
    }

    #[test]
    fn records_without_a_time_are_counted_and_move_nothing() {
        let mut watermark = seen(&[100]);
        for _ in 0..4 {
            watermark.see(None);
        }
        assert_eq!(watermark.without_time, 4);
        assert_eq!(watermark.next_bound(None, Some(time(200)), Duration::ZERO), Some(time(100)));
    }

    #[test]
    fn a_record_from_the_future_does_not_silence_the_stream() {
        let far = "2099-01-01T00:00:00Z".parse::<Timestamp>().unwrap().as_second();
        let bound = seen(&[50, far]).next_bound(None, Some(time(200)), Duration::from_secs(10));
        assert_eq!(bound, Some(time(190)));
    }

    #[test]
    fn the_bound_never_moves_back_but_out_of_the_future() {
        let bound =
            |old: i64| seen(&[50]).next_bound(Some(time(old)), Some(time(200)), Duration::from_secs(10));
        assert_eq!(bound(30), Some(time(40)));
        assert_eq!(bound(60), Some(time(60)), "the newest record is gone since");
        assert_eq!(bound(500), Some(time(190)));
    }

    #[test]
    fn a_run_without_records_keeps_the_old_bound() {
        let nothing = Watermark::default();
        assert_eq!(nothing.next_bound(Some(time(5)), Some(time(9)), Duration::ZERO), Some(time(5)));
        assert_eq!(seen(&[7]).next_bound(Some(time(5)), None, Duration::ZERO), Some(time(5)));
    }

    proptest! {
        #[test]
        fn the_bound_never_outruns_what_was_seen_or_the_server(
            times in proptest::collection::vec(0i64..4_000_000_000, 1..20),
            date in 0i64..4_000_000_000,
            overlap in 0u64..100_000,
        ) {
            let bound = seen(&times).next_bound(None, Some(time(date)), Duration::from_secs(overlap)).unwrap();
            let greatest = times.iter().copied().max().unwrap().min(date);
            prop_assert_eq!(bound.as_second(), greatest - i64::try_from(overlap).unwrap());
        }
    }
}
