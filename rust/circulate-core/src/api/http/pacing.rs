//! What all clients of one account share, so that together they keep to its limits.

use super::{ConcurrencyLimiter, RateLimiter};
use crate::catalog::{RateLimit, Source};
use crate::clock::Clock;

/// The quota and the places for requests of one account.
#[derive(Debug)]
pub struct Pacing {
    /// Knows the quota.
    pub limiter: RateLimiter,
    /// Bounds how many requests are on their way.
    pub slots: ConcurrencyLimiter,
}

impl Pacing {
    /// By the rules of `source`. `clock` is the one on the wall.
    pub fn new(source: &Source, clock: Clock) -> Self {
        let limit =
            source.rate_limit.as_ref().map_or_else(RateLimit::default_in_flight, |rules| rules.in_flight);
        Self {
            limiter: RateLimiter::new(source.rate_limit.clone(), clock),
            slots: ConcurrencyLimiter::new(usize::try_from(limit).unwrap_or(1)),
        }
    }
}
