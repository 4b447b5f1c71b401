//! The wall clock, as a value that tests can set.
//!
//! Waits use `tokio::time`, which tests can pause. Wall time is only for what is written down: run starts,
//! leases of a local store, ledger entries.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

/// Source of the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
    pub fn system() -> Self {
        Self::from_fn(|| Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX))
    }

    /// A clock that says what `now` says.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time, to the millisecond: stores and file formats keep no more.
    pub fn now(&self) -> Timestamp {
        truncate_to_millis((self.0)())
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
