//! How many requests the API allows, by its quota headers and by the rates that its definition declares: how long to wait before
//! the next request, and after a 429. The stricter one holds.
//!
//! The server's clock counts, not ours: a wait is the reset time less the `Date` of the same response. Where a response
//! names a quota, but no end of its window that can be read, a minute is assumed, and said.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use tokio::time::Instant;

use super::header_time::header_wait;
use super::pace::Pace;
use crate::catalog::{QuotaHeaders, RateLimit, Share, TimeForm};
use crate::clock::{Clock, later};
use crate::progress::Quota;

/// The length of a window whose end no response has named yet.
const UNNAMED_WINDOW: Duration = Duration::from_mins(1);
/// How much later the end of a window may be in another response about it: times are in whole seconds, and seconds from now
/// are rounded at another time than `Date`.
const SAME_WINDOW: Duration = Duration::from_secs(2);

/// Learns the quota from responses, and leaves a share of it to others, which each client names. Quotas are counted by bucket:
/// some paths share one.
#[derive(Debug)]
pub struct RateLimiter {
    rules: Option<RateLimit>,
    clock: Clock,
    buckets: Mutex<BTreeMap<String, Bucket>>,
    note: Mutex<Note>,
}

/// What people are shown once.
#[derive(Debug, Default)]
enum Note {
    #[default]
    Nothing,
    ToShow(String),
    Shown,
}

#[derive(Debug, Default)]
struct Bucket {
    window: Option<QuotaWindow>,
    /// How far each of the declared rates is used.
    paces: Vec<Pace>,
    /// Requests that are on their way.
    in_flight: u64,
}

#[derive(Debug, Clone, Copy)]
struct QuotaWindow {
    /// As reported, less what was sent since.
    quota: Quota,
    /// When it ends by the server's clock, if a response named that.
    reset: Option<Timestamp>,
    /// When it ends by ours.
    ends: WindowEnd,
    /// Whether a response named when it ends.
    is_named: bool,
}

/// When a window ends, by two clocks: the one for waits stands still while a Lambda function is frozen, the one on the wall may
/// be set back. It has ended when either says so.
#[derive(Debug, Clone, Copy)]
struct WindowEnd {
    at: Instant,
    by_the_wall: Timestamp,
}

impl WindowEnd {
    fn in_time(span: Duration, clock: &Clock) -> Self {
        Self { at: clock.instant() + span, by_the_wall: later(clock.now(), span) }
    }

    fn left(self, clock: &Clock) -> Duration {
        let by_the_wall = self.by_the_wall.duration_since(clock.now());
        let by_the_wall = Duration::try_from(by_the_wall).unwrap_or_default();
        self.at.saturating_duration_since(clock.instant()).min(by_the_wall)
    }
}

/// What a 429 demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// The quota is used up for so long.
    Until(Duration),
    /// Too many requests at once: a slot frees up as soon as one of them ends.
    Concurrency,
    /// It does not say.
    Unknown,
}

/// How long to wait before a request, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaWait {
    /// How long.
    pub wait: Duration,
    /// What for, in words.
    pub why: String,
}

impl RateLimiter {
    /// The clock that waits go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Follows `rules`; without them only `Retry-After` is understood. `clock` is the one on the wall.
    pub fn new(rules: Option<RateLimit>, clock: Clock) -> Self {
        Self { rules, clock, buckets: Mutex::default(), note: Mutex::default() }
    }

    /// Lets a request for `path` go and counts it, as the API will; or returns how long to wait first, so that the share
    /// `headroom` is left to others.
    pub fn admit(&self, path: &str, headroom: Share) -> Result<RateLimitPermit<'_>, QuotaWait> {
        let bucket_name = self.bucket_of(path);
        let mut buckets = self.buckets();
        let bucket = buckets.entry(bucket_name.clone()).or_default();
        let rates = self.rules.as_ref().map_or(&[][..], |rules| rules.rate.as_slice());
        bucket.paces.resize_with(rates.len(), Pace::default);
        let now = self.clock.instant();
        let by_rate = rates.iter().zip(&bucket.paces).filter_map(|(rate, pace)| {
            let why = || format!("waiting to keep to {rate}{}", less(headroom));
            pace.wait(rate, now).map(|wait| QuotaWait { wait, why: why() })
        });
        let by_window = bucket.window.as_mut().and_then(|window| {
            let why = || format!("waiting to leave {} of the quota to others (headroom)", percent(headroom));
            window.wait(headroom, bucket.in_flight, &self.clock).map(|wait| QuotaWait { wait, why: why() })
        });
        if let Some(longest) = by_rate.chain(by_window).max_by_key(|refusal| refusal.wait) {
            return Err(longest);
        }
        rates.iter().zip(&mut bucket.paces).for_each(|(rate, pace)| pace.count(rate, headroom, now));
        if let Some(window) = &mut bucket.window {
            window.quota.remaining = window.quota.remaining.saturating_sub(1);
        }
        bucket.in_flight += 1;
        Ok(RateLimitPermit { limiter: self, bucket: bucket_name })
    }

    fn bucket_of(&self, path: &str) -> String {
        let named = self.rules.iter().flat_map(|rules| &rules.buckets);
        named
            .filter(|bucket| covers(bucket, path))
            .max_by_key(|bucket| bucket.len())
            .cloned()
            .unwrap_or_default()
    }

    /// Reads the headers of a response that throttles us.
    pub fn throttle(&self, headers: &HeaderMap) -> Throttle {
        if let Some(until @ Throttle::Until(_)) = retry_after(headers) {
            return until;
        }
        let Some((rules, names)) = self.quota_headers() else { return Throttle::Unknown };
        if rules.zero_limit_means_concurrency && quota(names, headers).is_some_and(|quota| quota.limit == 0) {
            return Throttle::Concurrency;
        }
        until_reset(names, headers).map_or(Throttle::Unknown, Throttle::Until)
    }

    /// Whether a response says that none of the quota is left.
    pub(super) fn is_used_up(&self, headers: &HeaderMap) -> bool {
        let quota = self.quota_headers().and_then(|(_, names)| quota(names, headers));
        quota.is_some_and(|quota| quota.remaining == 0 && quota.limit > 0)
    }

    fn quota_headers(&self) -> Option<(&RateLimit, QuotaHeaders<'_>)> {
        let rules = self.rules.as_ref()?;
        Some((rules, rules.headers()?))
    }

    /// What people should be shown of the quota, once.
    pub fn take_note(&self) -> Option<String> {
        let mut note = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*note, Note::ToShow(_)) {
            return None;
        }
        match std::mem::replace(&mut *note, Note::Shown) {
            Note::ToShow(text) => Some(text),
            Note::Nothing | Note::Shown => None,
        }
    }

    /// The length of a window whose end a response does not name so that it can be read.
    fn assume_window(&self, names: QuotaHeaders<'_>, headers: &HeaderMap) -> Duration {
        let header = &names.reset.header;
        let what = if headers.contains_key(header) { "says no time that can be read" } else { "is missing" };
        let text = format!("the header `{header}` {what}: the quota is taken to be reset every minute");
        let mut note = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*note, Note::Nothing) {
            *note = Note::ToShow(text);
        }
        UNNAMED_WINDOW
    }

    fn buckets(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a bucket counts requests for `path`: those for its own path and what lies below. One written with a slash at
/// its end counts only what lies below.
fn covers(bucket: &str, path: &str) -> bool {
    path.strip_prefix(bucket)
        .is_some_and(|rest| rest.is_empty() || bucket.ends_with('/') || rest.starts_with('/'))
}

/// A request that was let go, until its response.
#[derive(Debug)]
pub struct RateLimitPermit<'l> {
    limiter: &'l RateLimiter,
    bucket: String,
}

impl RateLimitPermit<'_> {
    /// Learns from the response; returns the quota if it reports one.
    pub fn observe(&self, headers: &HeaderMap) -> Option<Quota> {
        let limiter = self.limiter;
        let (_, names) = limiter.quota_headers()?;
        let reported = quota(names, headers).filter(|quota| quota.limit > 0)?;
        let wait = until_reset(names, headers);
        let reset = wait.and_then(|wait| Some(later(server_date(headers)?, wait)));
        let mut buckets = limiter.buckets();
        let bucket = buckets.entry(self.bucket.clone()).or_default();
        // Others of ours that are on their way may not have been counted when this response was made.
        let others = bucket.in_flight.saturating_sub(1);
        let counted = bucket.window.filter(|window| window.is_named_by(reset, wait, &limiter.clock));
        let remaining = match counted {
            Some(window) => window.quota.remaining.min(reported.remaining),
            None => reported.remaining.saturating_sub(others),
        };
        let quota = Quota { remaining, limit: reported.limit };
        let ends = match (wait, counted) {
            (Some(wait), _) => WindowEnd::in_time(wait, &limiter.clock),
            // It ends when it was taken to end before: else it never would.
            (None, Some(window)) => window.ends,
            (None, None) => WindowEnd::in_time(limiter.assume_window(names, headers), &limiter.clock),
        };
        bucket.window = Some(QuotaWindow { quota, reset, ends, is_named: wait.is_some() });
        Some(reported)
    }
}

impl QuotaWindow {
    /// How long to wait for the next window, if all that is ours of this one is used.
    fn wait(&mut self, headroom: Share, in_flight: u64, clock: &Clock) -> Option<Duration> {
        if self.ends.left(clock).is_zero() {
            // The next window has begun, with all of the quota. The first response names its end.
            self.quota.remaining = self.quota.limit.saturating_sub(in_flight);
            self.ends = WindowEnd::in_time(UNNAMED_WINDOW, clock);
            (self.reset, self.is_named) = (None, false);
        }
        // However small the quota is, one request of it is ours.
        let others = share_of(self.quota.limit, headroom.get()).min(self.quota.limit.saturating_sub(1));
        (others >= self.quota.remaining).then(|| self.ends.left(clock))
    }

    /// Whether a response that names this end is about this window, rather than about the next one.
    fn is_named_by(&self, reset: Option<Timestamp>, wait: Option<Duration>, clock: &Clock) -> bool {
        match (self.reset, reset, wait) {
            _ if !self.is_named => true,
            (Some(before), Some(reset), _) => reset <= later(before, SAME_WINDOW),
            (_, _, Some(wait)) => wait <= self.ends.left(clock) + SAME_WINDOW,
            (_, _, None) => !self.ends.left(clock).is_zero(),
        }
    }
}

impl Drop for RateLimitPermit<'_> {
    fn drop(&mut self) {
        if let Some(bucket) = self.limiter.buckets().get_mut(&self.bucket) {
            bucket.in_flight -= 1;
        }
    }
}

/// What `Retry-After` demands (RFC 9110, section 10.2.3), in whichever spelling; `None` if there is none. One that can't be
/// read says to wait, and not how long. Of several the longest counts.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Throttle> {
    let date = server_date(headers);
    let read = |line: &HeaderValue| header_wait(line.to_str().ok()?, TimeForm::Auto, date);
    let lines: Vec<_> = headers.get_all(RETRY_AFTER).iter().map(read).collect();
    let longest = lines.iter().flatten().max().copied();
    (!lines.is_empty()).then(|| longest.map_or(Throttle::Unknown, Throttle::Until))
}

/// How long a response that is no error says to wait.
pub fn named_wait(headers: &HeaderMap) -> Option<Duration> {
    match retry_after(headers)? {
        Throttle::Until(wait) => Some(wait),
        _ => None,
    }
}

/// The time a response was made, by the server's clock.
pub fn server_date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Timestamp::try_from(date).ok()
}

/// The wait until the window ends; of several windows until the first one does.
fn until_reset(names: QuotaHeaders<'_>, headers: &HeaderMap) -> Option<Duration> {
    let (date, form) = (server_date(headers), names.reset.form);
    let read = |text: &str| header_wait(text, form, date);
    let lines = headers.get_all(&names.reset.header).iter().filter_map(|line| line.to_str().ok());
    lines
        .filter_map(|line| {
            // A date holds a comma itself.
            read(line).or_else(|| values(line, &["t", "reset"]).filter_map(|value| read(&value)).min())
        })
        .min()
}

fn quota(names: QuotaHeaders<'_>, headers: &HeaderMap) -> Option<Quota> {
    let remaining = least(headers, names.remaining, &["r", "remaining"])?;
    Some(Quota { remaining, limit: least(headers, names.limit, &["q", "limit"])? })
}

/// The least value of a header: nested quotas send several, and the tightest one binds.
fn least(headers: &HeaderMap, name: &str, keys: &[&str]) -> Option<u64> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| values(line, keys)).filter_map(|value| value.parse().ok()).min()
}

/// The values in a header: numbers and times between commas, of each what stands before a `;`, since that describes it; or what
/// has one of `keys`, as in `"default";r=50;t=30` and `limit=100, remaining=50` (drafts of the IETF for `RateLimit`).
fn values<'l>(line: &'l str, keys: &'l [&'l str]) -> impl Iterator<Item = String> {
    split_unquoted(line, ',').into_iter().filter_map(|item| {
        let parts = split_unquoted(item, ';');
        let keyed = parts.iter().find_map(|part| {
            let (key, value) = part.split_once('=')?;
            keys.contains(&key.trim()).then(|| value.trim().trim_matches('"').to_owned())
        });
        keyed.or_else(|| Some((*parts.first()?).trim().to_owned()))
    })
}

/// The parts of a text between separators that are not in quotes.
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let is_separator = |c: char| {
        let is_one = c == separator && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        is_one
    };
    text.split(is_separator).collect()
}

/// A share as people write it.
fn percent(share: Share) -> String {
    format!("{} %", (share.get() * 1000.0).round() / 10.0)
}

/// What is taken off a rate, in words.
fn less(headroom: Share) -> String {
    if headroom.get() == 0.0 {
        return String::new();
    }
    format!(", less {} that are left to others (headroom)", percent(headroom))
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
    use proptest::prelude::*;

    use super::*;
    use crate::testing::ManualClock;

    const DATE_TEXT: &str = "Sun, 22 Nov 2026 05:30:00 GMT";
    const DATE_EPOCH: u64 = 1_795_325_400;

    fn okta() -> RateLimiter {
        by(&ManualClock::new("2026-11-22T05:30:00Z"))
    }

    fn by(wall: &ManualClock) -> RateLimiter {
        let rules = serde_saphyr::from_str(
            "{limit: X-Rate-Limit-Limit, remaining: X-Rate-Limit-Remaining, reset: X-Rate-Limit-Reset, \
             zero_limit_means_concurrency: true, buckets: [/apps, /users, /users/]}",
        );
        RateLimiter::new(Some(rules.unwrap()), wall.clock())
    }

    fn headers(lines: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn headers_of(limit: u64, remaining: u64, reset_in: u64) -> HeaderMap {
        headers(&[
            ("date", DATE_TEXT.to_owned()),
            ("x-rate-limit-limit", limit.to_string()),
            ("x-rate-limit-remaining", remaining.to_string()),
            ("x-rate-limit-reset", (DATE_EPOCH + reset_in).to_string()),
        ])
    }

    #[test]
    fn a_used_up_quota_is_waited_for_by_the_servers_clock() {
        assert_eq!(okta().throttle(&headers_of(600, 0, 17)), Throttle::Until(Duration::from_secs(18)));
        assert_eq!(okta().throttle(&headers_of(600, 0, 0)), Throttle::Until(Duration::from_secs(1)));
    }

    #[tokio::test]
    async fn limit_zero_is_concurrency_and_its_reset_is_not_waited_for() {
        assert_eq!(okta().throttle(&headers_of(0, 0, 60)), Throttle::Concurrency);
        assert!(okta().admit("/apps", Share::HALF).unwrap().observe(&headers_of(0, 0, 60)).is_none());
    }

    #[test]
    fn headers_that_are_missing_or_absurd_are_not_believed() {
        let mut headers = headers_of(600, 0, 17);
        headers.remove(DATE);
        assert_eq!(okta().throttle(&headers), Throttle::Unknown);
        assert_eq!(okta().throttle(&headers_of(600, 0, 90_000)), Throttle::Until(Duration::from_hours(24)));
        assert_eq!(okta().throttle(&HeaderMap::new()), Throttle::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_in_seconds_from_now_is_one_window_from_response_to_response() {
        let limiter = okta();
        let headers_of = |remaining: u64, second: u64, reset: u64| {
            headers(&[
                ("date", format!("Sun, 22 Nov 2026 05:30:{second:02} GMT")),
                ("x-rate-limit-limit", "10".to_owned()),
                ("x-rate-limit-remaining", remaining.to_string()),
                ("x-rate-limit-reset", reset.to_string()),
            ])
        };
        limiter.admit("/users", Share::HALF).unwrap().observe(&headers_of(8, 0, 57));
        let late = limiter.admit("/users", Share::HALF).unwrap();
        limiter.admit("/users", Share::HALF).unwrap().observe(&headers_of(6, 2, 55));
        late.observe(&headers_of(7, 1, 57));
        assert_eq!(wait(&limiter, "/users"), None, "6 of 10 are left");
        let left = wait(&limiter, "/users").unwrap();
        assert!(left <= Duration::from_secs(58), "5 of 10 are left, and it is not 1970: {left:?}");
        assert_eq!(okta().throttle(&headers_of(0, 0, 57)), Throttle::Until(Duration::from_secs(57)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_quota_whose_reset_can_not_be_read_is_kept_to_and_that_is_shown_once() {
        for reset in [Some("soon"), Some("\u{e9}"), None] {
            let mut headers = headers_of(10, 6, 0);
            headers.remove("x-rate-limit-reset");
            headers.extend(reset.map(|text| {
                (
                    http::HeaderName::from_static("x-rate-limit-reset"),
                    HeaderValue::from_bytes(text.as_bytes()).unwrap(),
                )
            }));
            let limiter = okta();
            limiter.admit("/users", Share::HALF).unwrap().observe(&headers);
            let note = limiter.take_note().unwrap();
            assert!(note.contains("`X-Rate-Limit-Reset`") && note.contains("every minute"), "{note}");
            assert_eq!(wait(&limiter, "/users"), None);
            assert_eq!(wait(&limiter, "/users"), Some(UNNAMED_WINDOW));
            tokio::time::advance(Duration::from_secs(40)).await;
            limiter.admit("/apps", Share::HALF).unwrap().observe(&headers);
            assert_eq!(limiter.take_note(), None);
            assert_eq!(wait(&limiter, "/users"), Some(Duration::from_secs(20)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_headroom_is_shown_with_its_share() {
        let limiter = okta();
        limiter.admit("/users", Share::HALF).unwrap().observe(&headers_of(10, 1, 20));
        let why = |share: f64| limiter.admit("/users", Share::try_from(share).unwrap()).unwrap_err().why;
        assert_eq!(why(0.5), "waiting to leave 50 % of the quota to others (headroom)");
        assert_eq!(why(0.125), "waiting to leave 12.5 % of the quota to others (headroom)");
        assert!(
            limiter.admit("/users", Share::try_from(0.0).unwrap()).is_ok(),
            "who leaves none takes the last"
        );
        let limiter = RateLimiter::new(Some(declared("{rate: [1/s, 1/min]}")), Clock::system());
        limiter.admit("/", Share::HALF).unwrap();
        let refusal = limiter.admit("/", Share::HALF).unwrap_err();
        assert_eq!(
            refusal.why, "waiting to keep to 1/min, less 50 % that are left to others (headroom)",
            "the stricter one"
        );
        let none = Share::try_from(0.0).unwrap();
        assert_eq!(limiter.admit("/", none).unwrap_err().why, "waiting to keep to 1/min");
    }

    fn declared(rules: &str) -> RateLimit {
        serde_saphyr::from_str(rules).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_declared_rate_is_kept_to_where_no_header_comes_and_the_stricter_one_where_one_does() {
        let rules = "{limit: X-Rate-Limit-Limit, remaining: X-Rate-Limit-Remaining, reset: X-Rate-Limit-Reset, \
                     rate: 60/min, buckets: [/users]}";
        let limiter = RateLimiter::new(Some(declared(rules)), Clock::system());
        let all = Share::try_from(0.0).unwrap();
        let let_go = |path: &str| (0..100).map_while(|_| limiter.admit(path, all).ok()).count();
        let burst = let_go("/apps");
        assert!((1..=60).contains(&burst), "{burst}");
        assert_eq!(let_go("/users"), burst, "each bucket has its own");
        tokio::time::advance(Duration::from_mins(2)).await;
        limiter.admit("/users", all).unwrap().observe(&headers_of(10, 1, 20));
        assert_eq!(let_go("/users"), 1, "one is left, whatever the rate allows");
        tokio::time::advance(Duration::from_mins(2)).await;
        limiter.admit("/users", all).unwrap().observe(&headers_of(1000, 999, 20));
        assert_eq!(let_go("/users"), burst - 1, "the rate is kept to, whatever is left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_one_limit_refuses_uses_up_none_of_another() {
        let limiter = RateLimiter::new(Some(declared("{rate: [1/s, 1000/h]}")), Clock::system());
        let all = Share::try_from(0.0).unwrap();
        limiter.admit("/", all).unwrap();
        for _ in 0..500 {
            assert_eq!(limiter.admit("/", all).unwrap_err().why, "waiting to keep to 1/s");
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        limiter.admit("/", all).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn quotas_are_read_in_the_drafts_of_the_ietf() {
        let rules = "{limit: RateLimit-Policy, remaining: RateLimit, reset: {after: RateLimit}}";
        let names = declared(rules);
        for (policy, current, quota, reset) in [
            (r#""default";q=100;w=60"#, r#""default";r=50;t=30"#, (50, 100), Some(30)),
            (
                r#""burst, or;q=1";q=10;w=1, "day";q=1000;w=86400"#,
                r#""a,b;r=1";r=7;t=1, "day";r=900;t=600"#,
                (7, 10),
                Some(1),
            ),
            ("100;w=60", "limit=100, remaining=40, reset=20", (40, 100), Some(20)),
            (r#""default";q=100"#, r#""default";r=50"#, (50, 100), None),
        ] {
            let headers =
                headers(&[("ratelimit-policy", policy.to_owned()), ("ratelimit", current.to_owned())]);
            let names = names.headers().unwrap();
            let found = super::quota(names, &headers).unwrap();
            assert_eq!((found.remaining, found.limit), quota, "{policy} {current}");
            assert_eq!(until_reset(names, &headers), reset.map(Duration::from_secs), "{current}");
        }
    }

    #[test]
    fn a_retry_after_that_can_not_be_read_still_says_to_wait() {
        for text in ["soon", "", "1700000000", "\u{e9}"] {
            let lines =
                HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_bytes(text.as_bytes()).unwrap())]);
            assert_eq!(retry_after(&lines), Some(Throttle::Unknown), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
        let several = headers(&[("retry-after", "3".to_owned()), ("retry-after", "7s".to_owned())]);
        assert_eq!(retry_after(&several), Some(Throttle::Until(Duration::from_secs(7))));
    }

    proptest! {
        #[test]
        fn no_headers_make_us_wait_beyond_the_bound_or_lose_count(
            values in proptest::collection::vec(
                (0..5usize, proptest::collection::vec(prop_oneof![32..127u8, 128..=255u8], 0..30)), 0..12,
            ),
            numbers in proptest::collection::vec((0..5usize, any::<i64>()), 0..6),
        ) {
            let names = ["date", "retry-after", "x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"];
            let numbers = numbers.into_iter().map(|(name, number)| (name, number.to_string().into_bytes()));
            let mut headers = HeaderMap::new();
            for (name, value) in values.into_iter().chain(numbers) {
                headers.append(names[name], HeaderValue::from_bytes(&value).unwrap());
            }
            let limiter = okta();
            if let Throttle::Until(wait) = limiter.throttle(&headers) {
                prop_assert!(wait <= Duration::from_hours(24));
            }
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
                for _ in 0..3 {
                    match limiter.admit("/users", Share::HALF) {
                        Ok(pass) => drop(pass.observe(&headers)),
                        Err(refusal) => assert!(refusal.wait <= Duration::from_hours(24)),
                    }
                }
            });
            let bucket = &limiter.buckets()["/users"];
            prop_assert_eq!(bucket.in_flight, 0);
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let seconds = headers(&[("retry-after", "7".to_owned())]);
        assert_eq!(okta().throttle(&seconds), Throttle::Until(Duration::from_secs(7)));
        let date = headers(&[
            ("date", DATE_TEXT.to_owned()),
            ("retry-after", "Sun, 22 Nov 2026 05:30:09 GMT".to_owned()),
        ]);
        assert_eq!(
            RateLimiter::new(None, Clock::system()).throttle(&date),
            Throttle::Until(Duration::from_secs(10))
        );
    }

    #[tokio::test]
    async fn the_tightest_of_several_quotas_binds() {
        let mut headers = headers_of(600, 400, 10);
        headers.append("x-rate-limit-remaining", "3".parse().unwrap());
        assert_eq!(
            okta().admit("/", Share::HALF).unwrap().observe(&headers),
            Some(Quota { remaining: 3, limit: 600 })
        );
    }

    fn wait(limiter: &RateLimiter, path: &str) -> Option<Duration> {
        limiter.admit(path, Share::HALF).err().map(|refusal| refusal.wait)
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_ends_by_the_wall_while_all_else_stands_still() {
        let wall = ManualClock::new("2026-11-22T05:30:00Z");
        let limiter = by(&wall);
        limiter.admit("/users", Share::HALF).unwrap().observe(&headers_of(10, 5, 45));
        assert_eq!(wait(&limiter, "/users"), Some(Duration::from_secs(46)));
        wall.advance(Duration::from_secs(40));
        assert_eq!(wait(&limiter, "/users"), Some(Duration::from_secs(6)));
        wall.advance(Duration::from_secs(6));
        assert_eq!(wait(&limiter, "/users"), None, "the function was frozen until then");
    }

    #[tokio::test(start_paused = true)]
    async fn half_the_quota_is_left_to_others() {
        let limiter = okta();
        limiter.admit("/users", Share::HALF).unwrap().observe(&headers_of(10, 7, 20));
        assert_eq!((wait(&limiter, "/users"), wait(&limiter, "/users")), (None, None));
        assert_eq!(wait(&limiter, "/users"), Some(Duration::from_secs(21)), "5 of 10 are left");
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(wait(&limiter, "/users"), None, "the window has passed");
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_smallest_quota_one_request_is_ours() {
        let limiter = okta();
        limiter.admit("/apps", Share::HALF).unwrap().observe(&headers_of(1, 0, 20));
        assert!(wait(&limiter, "/apps").is_some());
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(wait(&limiter, "/apps"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_window_is_not_overrun_before_its_first_response() {
        let limiter = okta();
        limiter.admit("/apps", Share::HALF).unwrap().observe(&headers_of(10, 5, 20));
        tokio::time::advance(Duration::from_secs(21)).await;
        let on_their_way: Vec<_> =
            (0..10).map_while(|_| limiter.admit("/apps/1/users", Share::HALF).ok()).collect();
        assert_eq!(on_their_way.len(), 5, "half of the new quota");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_on_its_way_counts_although_no_response_has_counted_it() {
        let limiter = okta();
        let first = limiter.admit("/apps", Share::HALF).unwrap();
        let others =
            [limiter.admit("/apps", Share::HALF).unwrap(), limiter.admit("/apps", Share::HALF).unwrap()];
        first.observe(&headers_of(10, 9, 20));
        drop((first, others));
        let more = (0..10).map_while(|_| limiter.admit("/apps", Share::HALF).ok()).count();
        assert_eq!(more, 2, "9 told, less two on their way, less the five that are left to others");
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_response_does_not_give_back_what_was_sent_since() {
        let limiter = okta();
        limiter.admit("/apps", Share::HALF).unwrap().observe(&headers_of(10, 9, 20));
        let second = limiter.admit("/apps", Share::HALF).unwrap();
        let third = limiter.admit("/apps", Share::HALF).unwrap();
        third.observe(&headers_of(10, 7, 20));
        second.observe(&headers_of(10, 8, 20));
        assert_eq!((0..10).map_while(|_| limiter.admit("/apps", Share::HALF).ok()).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn paths_of_one_bucket_share_its_quota_and_others_have_their_own() {
        let limiter = okta();
        limiter.admit("/apps", Share::HALF).unwrap().observe(&headers_of(10, 5, 20));
        assert!(wait(&limiter, "/apps/0oa1/users").is_some());
        assert_eq!(wait(&limiter, "/applications"), None);
        limiter.admit("/users", Share::HALF).unwrap().observe(&headers_of(10, 5, 20));
        assert_eq!(wait(&limiter, "/users/00u1"), None, "a user has another bucket than the list");
        assert!(wait(&limiter, "/users").is_some());
    }
}
