//! When to try again, and how long to wait before it. No I/O: the client does the waiting.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How patient we are with one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts at a request that fails. Default 6.
    pub attempts: u32,
    /// 429 responses to one request that are waited out. Default 30.
    pub throttled: u32,
    /// Upper bound of the first backoff; it doubles from one to the next. Default 500 ms.
    pub base: Duration,
    /// Upper bound of every backoff. Default 30 s.
    pub cap: Duration,
    /// Retries that a client may spend at once over all its requests; each success earns a fifth of one back, so
    /// that an API in trouble does not get twice as many requests. Default 20.
    pub budget: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            throttled: 30,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            budget: 20,
        }
    }
}

/// What a failed attempt allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// It will fail again.
    Fail,
    /// The credentials were refused: it will fail again unless there are others.
    Renew,
    /// The session behind the credentials is not valid: try again once, with others where there are any.
    Session,
    /// A proof of possession is without the nonce that came with the response (RFC 9449, section 9): try again at once, with
    /// it.
    Nonce,
    /// The page is too large: try again at once with a smaller one, if there is one.
    SmallerPage,
    /// It will most likely fail again: try once more after a backoff.
    Once,
    /// Try again after a backoff.
    Backoff,
    /// Try again after the time that the API named.
    After(Duration),
    /// Requested too much at once (429): try again after the time that was named, or a backoff.
    Throttled(Option<Duration>),
}

/// Random numbers for waits, so that many clients do not come back at the same time.
#[derive(Debug)]
pub struct Jitter(Mutex<fastrand::Rng>);

impl Jitter {
    /// Different on every run.
    pub fn random() -> Self {
        Self(Mutex::new(fastrand::Rng::new()))
    }

    /// The same on every run.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// Anything from nothing to `limit`.
    fn up_to(&self, limit: Duration) -> Duration {
        limit.mul_f64(self.0.lock().unwrap_or_else(PoisonError::into_inner).f64())
    }
}

/// Failures of one request so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    failed: u32,
    tried_once_more: bool,
    throttled: u32,
}

/// The one retry policy of a client.
#[derive(Debug)]
pub struct Retry {
    policy: RetryPolicy,
    jitter: Jitter,
    /// Fifths of a retry that are left.
    budget: Mutex<u32>,
}

const FIFTHS: u32 = 5;

impl Retry {
    /// A policy with its source of randomness.
    pub fn new(policy: RetryPolicy, jitter: Jitter) -> Self {
        Self { policy, jitter, budget: Mutex::new(policy.budget * FIFTHS) }
    }

    /// Earns back some of the budget.
    pub fn succeeded(&self) {
        let mut budget = self.budget();
        *budget = (*budget + 1).min(self.policy.budget * FIFTHS);
    }

    /// The wait before the next attempt, or `None` to give up.
    pub fn wait(&self, verdict: RetryDecision, tally: &mut Tally) -> Option<Duration> {
        match verdict {
            RetryDecision::Fail
            | RetryDecision::Renew
            | RetryDecision::Nonce
            | RetryDecision::SmallerPage => None,
            RetryDecision::Session | RetryDecision::Once => {
                let again = !std::mem::replace(&mut tally.tried_once_more, true);
                (again && self.policy.attempts > 1 && self.spend()).then(|| self.backoff(1))
            }
            RetryDecision::Throttled(wait) => {
                tally.throttled += 1;
                (tally.throttled <= self.policy.throttled)
                    .then(|| self.wait_or_backoff(wait, tally.throttled))
            }
            RetryDecision::Backoff | RetryDecision::After(_) => {
                tally.failed += 1;
                if tally.failed >= self.policy.attempts || !self.spend() {
                    return None;
                }
                let wait = if let RetryDecision::After(wait) = verdict { Some(wait) } else { None };
                Some(self.wait_or_backoff(wait, tally.failed))
            }
        }
    }

    /// "Full jitter": anything up to a bound that doubles with each failure.
    fn backoff(&self, failures: u32) -> Duration {
        let bound = self.policy.base.saturating_mul(1 << (failures - 1).min(20)).min(self.policy.cap);
        self.jitter.up_to(bound)
    }

    /// The time that was named and up to a second more: all clients have the same. No time at all is a backoff, as an API
    /// that says "at once" each time would be requested without a pause.
    fn wait_or_backoff(&self, wait: Option<Duration>, failures: u32) -> Duration {
        match wait.filter(|wait| !wait.is_zero()) {
            Some(wait) => wait + self.jitter.up_to(Duration::from_secs(1)),
            None => self.backoff(failures),
        }
    }

    fn spend(&self) -> bool {
        let mut budget = self.budget();
        let left = budget.checked_sub(FIFTHS);
        *budget = left.unwrap_or(*budget);
        left.is_some()
    }

    fn budget(&self) -> MutexGuard<'_, u32> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn retry(policy: RetryPolicy) -> Retry {
        Retry::new(policy, Jitter::seeded(7))
    }

    #[test]
    fn attempts_are_bounded() {
        let (retry, mut tally) = (retry(RetryPolicy::default()), Tally::default());
        let waits = std::iter::from_fn(|| retry.wait(RetryDecision::Backoff, &mut tally)).count();
        assert_eq!(waits, 5, "six attempts have five waits between them");
        assert_eq!(retry.wait(RetryDecision::Fail, &mut Tally::default()), None);
    }

    #[test]
    fn the_budget_is_shared_by_all_requests_and_earned_back() {
        let retry = retry(RetryPolicy { budget: 3, ..RetryPolicy::default() });
        let one_retry = || retry.wait(RetryDecision::Backoff, &mut Tally::default()).is_some();
        assert!(one_retry() && one_retry() && one_retry());
        assert!(!one_retry());
        for _ in 0..5 {
            retry.succeeded();
        }
        assert!(one_retry() && !one_retry());
    }

    #[test]
    fn being_throttled_costs_no_attempts_but_ends_too() {
        let (retry, mut tally) = (retry(RetryPolicy::default()), Tally::default());
        let wait = RetryDecision::Throttled(Some(Duration::from_secs(10)));
        let waits: Vec<_> = std::iter::from_fn(|| retry.wait(wait, &mut tally)).collect();
        assert_eq!(waits.len(), 30);
        assert!(waits.iter().all(|wait| (10.0..=11.0).contains(&wait.as_secs_f64())));
        assert!(retry.wait(RetryDecision::Backoff, &mut tally).is_some());
    }

    #[test]
    fn what_is_worth_one_retry_gets_one() {
        for verdict in [RetryDecision::Once, RetryDecision::Session] {
            let (retry, mut tally) = (retry(RetryPolicy::default()), Tally::default());
            assert!(retry.wait(verdict, &mut tally).is_some());
            assert_eq!(retry.wait(verdict, &mut tally), None);
            assert!(
                retry.wait(RetryDecision::Backoff, &mut tally).is_some(),
                "another trouble is counted apart"
            );
        }
    }

    #[test]
    fn an_api_that_says_at_once_is_not_requested_without_a_pause() {
        let (retry, mut tally) = (retry(RetryPolicy::default()), Tally::default());
        let at_once = RetryDecision::Throttled(Some(Duration::ZERO));
        let waits: Duration = std::iter::from_fn(|| retry.wait(at_once, &mut tally)).sum();
        assert!(waits > Duration::from_mins(3), "{waits:?}");
    }

    proptest! {
        #[test]
        fn backoff_stays_within_its_bounds(seed in any::<u64>(), failures in 1u32..40) {
            let policy = RetryPolicy::default();
            let wait = Retry::new(policy, Jitter::seeded(seed)).backoff(failures);
            let doubled = policy.base.as_secs_f64() * 2f64.powi(i32::try_from(failures).unwrap() - 1);
            prop_assert!(wait.as_secs_f64() <= doubled && wait <= policy.cap);
        }
    }
}
