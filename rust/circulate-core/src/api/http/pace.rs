//! How far a declared rate is used: a generic cell rate algorithm, without I/O.

use std::time::Duration;

use tokio::time::Instant;

use crate::catalog::{Rate, Share};

/// A tenth of its time may be used at once, and the rest is spread so that no stretch of that time holds more requests than the
/// rate allows: neither by our windows nor by those that the server counts by, wherever these begin.
const AT_ONCE: f64 = 0.1;
/// The longest time between two requests that is counted.
const MAX_INTERVAL: Duration = Duration::from_hours(366 * 24);

/// The use of one rate.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// When requests at an even pace would have come as far as those that were sent.
    even: Option<Instant>,
}

impl Pace {
    /// How long to wait before a request, if it can't be sent `now`.
    pub(super) fn wait(self, rate: &Rate, now: Instant) -> Option<Duration> {
        let ahead = self.even?.saturating_duration_since(now);
        let wait = ahead.saturating_sub(at_once(rate));
        (!wait.is_zero()).then_some(wait)
    }

    /// Counts a request that is sent `now`.
    pub(super) fn count(&mut self, rate: &Rate, headroom: Share, now: Instant) {
        self.even = Some(self.even.map_or(now, |even| even.max(now)) + interval(rate, headroom));
    }
}

fn at_once(rate: &Rate) -> Duration {
    rate.period().mul_f64(AT_ONCE)
}

/// The time between two requests at an even pace, rounded up. With a tenth at once, `n` requests in a period take one that is a
/// tenth longer.
fn interval(rate: &Rate, headroom: Share) -> Duration {
    let ours = f64::from(rate.requests) * (1.0 - headroom.get());
    let seconds = rate.period().as_secs_f64() * (1.0 + AT_ONCE) / ours;
    let interval = Duration::try_from_secs_f64(seconds).unwrap_or(MAX_INTERVAL);
    interval.saturating_add(Duration::from_nanos(1)).min(MAX_INTERVAL)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(text: &str) -> Rate {
        Rate::try_from(text.to_owned()).unwrap()
    }

    /// The times at which requests are sent by somebody who sends as many as are let go, in seconds.
    fn sent(rate: &Rate, headroom: Share, idle: f64, requests: usize) -> Vec<f64> {
        let began = Instant::now();
        let (mut pace, mut now) = (Pace::default(), began);
        let mut times = Vec::new();
        for number in 0..requests {
            if number == requests / 2 {
                now += Duration::from_secs_f64(idle);
            }
            now += pace.wait(rate, now).unwrap_or_default();
            assert_eq!(pace.wait(rate, now), None, "the wait that was named is long enough");
            pace.count(rate, headroom, now);
            times.push((now - began).as_secs_f64());
        }
        times
    }

    #[test]
    fn a_rate_is_kept_to_and_used() {
        for (text, headroom, limit) in
            [("600/min", 0.0, 600), ("600/min", 0.3, 420), ("10/s", 0.5, 5), ("1/s", 0.0, 1), ("3/h", 0.0, 3)]
        {
            let (rate, headroom) = (rate(text), Share::try_from(headroom).unwrap());
            let times = sent(&rate, headroom, 0.0, 1500);
            let period = rate.period().as_secs_f64();
            let first = times.iter().filter(|time| **time < period).count();
            assert!(
                first <= limit && first * 10 >= limit * 9,
                "{text}: {first} of {limit} in the first {period} s"
            );
        }
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_holds_more_than_our_share(
            requests in 1u32..400, unit in proptest::sample::select(vec!["s", "5s", "min", "h"]),
            headroom in 0.0..0.99, idle in 0.0..1e4,
        ) {
            let (rate, headroom) = (rate(&format!("{requests}/{unit}")), Share::try_from(headroom).unwrap());
            let times = sent(&rate, headroom, idle, 3 * requests as usize + 3);
            let ours = (f64::from(requests) * (1.0 - headroom.get())).ceil();
            // Less than what rounding may take.
            let period = rate.period().as_secs_f64() - 1e-9;
            for (number, time) in times.iter().enumerate() {
                let held = times[number..].iter().take_while(|other| **other - time < period).count();
                prop_assert!(f64::from(u32::try_from(held).unwrap()) <= ours, "{held} of {ours} within {period} s from {time} on");
            }
        }
    }
}
