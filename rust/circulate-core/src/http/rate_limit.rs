//! What the API's quota headers mean for us: how long to wait before the next request, and after a 429.
//!
//! The server's clock counts, not ours: a wait is the reset time less the `Date` of the same answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::progress::Quota;
use crate::spec::RateLimit;

/// Added to a wait until reset, since both times are told in whole seconds.
const RESET_MARGIN: Duration = Duration::from_secs(1);
/// A told wait longer than this is not believed.
const MAX_TOLD_WAIT: Duration = Duration::from_hours(24);

/// Learns the quota from answers, and leaves the source's headroom of it to others.
#[derive(Debug)]
pub struct RateLimiter {
    rules: Option<RateLimit>,
    window: Mutex<Option<Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    quota: Quota,
    resets: Instant,
}

/// What a 429 asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// The quota is used up for so long.
    Until(Duration),
    /// Too many requests at once: a slot frees up as soon as one of them ends.
    Concurrency,
    /// It does not say.
    Unknown,
}

impl RateLimiter {
    /// Follows `rules`; without them only `Retry-After` is understood.
    pub fn new(rules: Option<RateLimit>) -> Self {
        Self { rules, window: Mutex::new(None) }
    }

    /// How long to wait before the next request so that the headroom is left to others; `None` if not at all.
    /// The request is counted, as the API will count it.
    pub fn pace(&self) -> Option<Duration> {
        let headroom = self.rules.as_ref()?.headroom.get();
        let mut window = self.window();
        let current = window.as_mut()?;
        let now = Instant::now();
        if current.resets <= now {
            *window = None;
            return None;
        }
        if share_of(current.quota.limit, headroom) >= current.quota.remaining {
            return Some(current.resets - now);
        }
        current.quota.remaining -= 1;
        None
    }

    /// Learns from an answer; returns the quota if it told one.
    pub fn observe(&self, headers: &HeaderMap) -> Option<Quota> {
        let rules = self.rules.as_ref()?;
        let quota = quota(rules, headers).filter(|quota| quota.limit > 0)?;
        if let Some(wait) = until_reset(rules, headers) {
            *self.window() = Some(Window { quota, resets: Instant::now() + wait });
        }
        Some(quota)
    }

    /// Reads the headers of a 429.
    pub fn throttle(&self, headers: &HeaderMap) -> Throttle {
        if let Some(wait) = retry_after(headers) {
            return Throttle::Until(wait);
        }
        let Some(rules) = &self.rules else { return Throttle::Unknown };
        if rules.zero_limit_means_concurrency && quota(rules, headers).is_some_and(|quota| quota.limit == 0) {
            return Throttle::Concurrency;
        }
        until_reset(rules, headers).map_or(Throttle::Unknown, Throttle::Until)
    }

    fn window(&self) -> MutexGuard<'_, Option<Window>> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait that `Retry-After` (RFC 9110 section 10.2.3) asks for, in either of its forms.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => since(httpdate::parse_http_date(text).ok()?, date(headers)?) + RESET_MARGIN,
    };
    believed(wait)
}

/// The time an answer was made, by the server's clock.
pub fn server_date(headers: &HeaderMap) -> Option<Timestamp> {
    date(headers).and_then(|date| Timestamp::try_from(date).ok())
}

fn until_reset(rules: &RateLimit, headers: &HeaderMap) -> Option<Duration> {
    let reset = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(least(headers, &rules.reset)?))?;
    believed(since(reset, date(headers)?) + RESET_MARGIN)
}

fn believed(wait: Duration) -> Option<Duration> {
    (wait <= MAX_TOLD_WAIT).then_some(wait)
}

fn since(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

fn quota(rules: &RateLimit, headers: &HeaderMap) -> Option<Quota> {
    Some(Quota { remaining: least(headers, &rules.remaining)?, limit: least(headers, &rules.limit)? })
}

/// The least value of a header: nested quotas send several, and the tightest one binds.
fn least(headers: &HeaderMap, name: &str) -> Option<u64> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(|value| value.trim().parse().ok()).min()
}

/// `share` of `limit`, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share is below 1 and a quota far below 2^52"
)]
fn share_of(limit: u64, share: f64) -> u64 {
    (limit as f64 * share).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE_TEXT: &str = "Sun, 22 Nov 2026 05:30:00 GMT";
    const DATE_EPOCH: u64 = 1_795_325_400;

    fn okta() -> RateLimiter {
        let rules = serde_saphyr::from_str(
            "{limit: X-Rate-Limit-Limit, remaining: X-Rate-Limit-Remaining, reset: X-Rate-Limit-Reset, \
             zero_limit_means_concurrency: true}",
        );
        RateLimiter::new(Some(rules.unwrap()))
    }

    fn headers(lines: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn told(limit: u64, remaining: u64, reset_in: u64) -> HeaderMap {
        headers(&[
            ("date", DATE_TEXT.to_owned()),
            ("x-rate-limit-limit", limit.to_string()),
            ("x-rate-limit-remaining", remaining.to_string()),
            ("x-rate-limit-reset", (DATE_EPOCH + reset_in).to_string()),
        ])
    }

    #[test]
    fn a_used_up_quota_is_waited_for_by_the_servers_clock() {
        assert_eq!(okta().throttle(&told(600, 0, 17)), Throttle::Until(Duration::from_secs(18)));
        assert_eq!(okta().throttle(&told(600, 0, 0)), Throttle::Until(Duration::from_secs(1)));
    }

    #[test]
    fn limit_zero_is_concurrency_and_its_reset_is_not_waited_for() {
        assert_eq!(okta().throttle(&told(0, 0, 60)), Throttle::Concurrency);
        assert!(okta().observe(&told(0, 0, 60)).is_none());
    }

    #[test]
    fn headers_that_are_missing_or_absurd_are_not_believed() {
        let mut headers = told(600, 0, 17);
        headers.remove(DATE);
        assert_eq!(okta().throttle(&headers), Throttle::Unknown);
        assert_eq!(okta().throttle(&told(600, 0, 90_000)), Throttle::Unknown);
        assert_eq!(okta().throttle(&HeaderMap::new()), Throttle::Unknown);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let seconds = headers(&[("retry-after", "7".to_owned())]);
        assert_eq!(okta().throttle(&seconds), Throttle::Until(Duration::from_secs(7)));
        let date = headers(&[
            ("date", DATE_TEXT.to_owned()),
            ("retry-after", "Sun, 22 Nov 2026 05:30:09 GMT".to_owned()),
        ]);
        assert_eq!(RateLimiter::new(None).throttle(&date), Throttle::Until(Duration::from_secs(10)));
    }

    #[test]
    fn the_tightest_of_several_quotas_binds() {
        let mut headers = told(600, 400, 10);
        headers.append("x-rate-limit-remaining", "3".parse().unwrap());
        assert_eq!(okta().observe(&headers), Some(Quota { remaining: 3, limit: 600 }));
    }

    #[tokio::test(start_paused = true)]
    async fn half_the_quota_is_left_to_others() {
        let limiter = okta();
        assert_eq!(limiter.pace(), None, "nothing is known before the first answer");
        limiter.observe(&told(10, 7, 20));
        assert_eq!(limiter.pace(), None);
        assert_eq!(limiter.pace(), None);
        assert_eq!(limiter.pace(), Some(Duration::from_secs(21)), "5 of 10 are left");
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(limiter.pace(), None, "the window has passed");
    }
}
