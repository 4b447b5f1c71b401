//! The wall clock, as a value that tests can set.
//!
//! Waits use `tokio::time`, which tests can pause. Wall time is only for what is written down: run starts,
//! leases of a local store, ledger entries. Waits for an API go by the clock of its connection, so that a replay takes none of
//! their time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Source of the time.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Milliseconds of waits that were skipped; `None` where waits take their time.
    skipped: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
    pub fn system() -> Self {
        Self::from_fn(|| Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX))
    }

    /// A clock that says what `now` says.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), skipped: None }
    }

    /// A clock that stands at `start`, and that nothing but a wait moves on: waits are over at once.
    pub fn skipping_waits(start: Timestamp) -> Self {
        Self { now: Arc::new(move || start), skipped: Some(Arc::default()) }
    }

    /// The time, to the millisecond: stores and file formats keep no more.
    pub fn now(&self) -> Timestamp {
        later(truncate_to_millis((self.now)()), self.skipped())
    }

    /// The time for waits, which goes on evenly.
    pub fn instant(&self) -> Instant {
        Instant::now() + self.skipped()
    }

    /// Waits for `span`.
    pub async fn sleep(&self, span: Duration) {
        match &self.skipped {
            None => tokio::time::sleep(span).await,
            Some(skipped) => {
                let millis = u64::try_from(span.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
                // As far as times go; see `later`.
                let _ = skipped.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                    Some(now.saturating_add(millis))
                });
                tokio::task::yield_now().await;
            }
        }
    }

    /// How long the waits were that it skipped.
    pub fn skipped(&self) -> Duration {
        Duration::from_millis(self.skipped.as_ref().map_or(0, |skipped| skipped.load(Ordering::Relaxed)))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Drops what is finer than a millisecond.
pub fn truncate_to_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// `time + span`, or the end of time.
pub fn later(time: Timestamp, span: Duration) -> Timestamp {
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// `time - span`, or the beginning of time.
pub fn earlier(time: Timestamp, span: Duration) -> Timestamp {
    time.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// `time` by a clock that is so much ahead.
pub fn ahead_by(time: Timestamp, ahead: SignedDuration) -> Timestamp {
    let span = ahead.unsigned_abs();
    if ahead.is_negative() { earlier(time, span) } else { later(time, span) }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-22T05:30:00.000Z`.
pub fn rfc3339_millis(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_of_a_replay_take_no_time_and_are_counted() {
        let clock = Clock::skipping_waits(Timestamp::UNIX_EPOCH);
        let began = clock.instant();
        clock.sleep(Duration::from_hours(1)).await;
        clock.sleep(Duration::from_micros(1)).await;
        assert_eq!(clock.skipped(), Duration::from_millis(3_600_001));
        assert_eq!(clock.now(), later(Timestamp::UNIX_EPOCH, clock.skipped()));
        assert!(clock.instant() - began >= Duration::from_hours(1));
    }

    #[tokio::test(start_paused = true)]
    async fn other_clocks_wait() {
        let (clock, began) = (Clock::from_fn(|| Timestamp::UNIX_EPOCH), Instant::now());
        clock.sleep(Duration::from_mins(1)).await;
        assert_eq!(Instant::now() - began, Duration::from_mins(1));
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }
}
