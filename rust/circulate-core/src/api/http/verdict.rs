//! What a response means, in one table that is read from top to bottom: what protocols say of themselves, then what the
//! definition of the API declares, then what the status says.

use std::collections::BTreeSet;

use http::HeaderMap;
use serde_json::Value;

use super::RetryDecision;
use super::challenge::wants_nonce as challenged;
use super::rate_limit::{RateLimiter, Throttle, retry_after};
use crate::catalog::{ErrorRule, Then};

/// What is known of a response.
pub(super) struct Facts<'r> {
    pub(super) status: u16,
    pub(super) headers: &'r HeaderMap,
    /// Null if it was not read, or is no JSON.
    pub(super) body: &'r Value,
    /// The token lacks a scope.
    pub(super) missing_scope: bool,
    /// The vendor's code says that the session is not valid.
    pub(super) invalid_session: bool,
    /// Statuses that mean an empty list.
    pub(super) empty: &'r BTreeSet<u16>,
}

/// What a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseKind {
    /// It demands a proof with the nonce that comes with it.
    Nonce,
    /// The token lacks a scope. Another one would have no more.
    MissingScope,
    /// The session behind the credentials is not valid, whatever the status says.
    InvalidSession,
    /// What a definition can declare too.
    Known(Then),
}

/// The meaning of a response, and the rule of the definition that says so, if one does.
pub(super) struct Judgement<'r> {
    pub(super) kind: ResponseKind,
    pub(super) rule: Option<&'r ErrorRule>,
}

type Row = (fn(&Facts<'_>, &RateLimiter) -> bool, ResponseKind);

/// What protocols say of themselves comes first: no status that a definition takes for something else hides that a token has
/// too few rights. A missing scope is said with 401 by some, with 403 by most (RFC 6750, section 3.1).
const PROTOCOLS: [Row; 2] = [
    (|facts, _| wants_nonce(facts), ResponseKind::Nonce),
    (|facts, _| facts.missing_scope && matches!(facts.status, 400..=428), ResponseKind::MissingScope),
];

/// What statuses say (RFC 9110, section 15). What is not known is treated as the first of its class, and what is of no class as
/// a 5xx.
const STATUSES: [Row; 9] = [
    (|facts, _| facts.status == 401, ResponseKind::Known(Then::Renew)),
    (|facts, _| matches!(facts.status, 408 | 425), ResponseKind::Known(Then::Retry)),
    (|facts, _| matches!(facts.status, 420 | 429), ResponseKind::Known(Then::Throttled)),
    // Any other 4xx with `Retry-After` demands a later retry, but for those that are about the request itself.
    (
        |facts, _| {
            matches!(facts.status, 400..=499) && !is_about_the_request(facts.status) && has_retry_after(facts)
        },
        ResponseKind::Known(Then::Throttled),
    ),
    // As GitHub says that no quota is left.
    (
        |facts, limiter| facts.status == 403 && limiter.is_used_up(facts.headers),
        ResponseKind::Known(Then::Throttled),
    ),
    (
        |facts, _| facts.status >= 500 && (has_retry_after(facts) || !is_for_good(facts.status)),
        ResponseKind::Known(Then::Retry),
    ),
    (|facts, _| facts.empty.contains(&facts.status), ResponseKind::Known(Then::End)),
    (|facts, _| facts.invalid_session, ResponseKind::InvalidSession),
    (|_, _| true, ResponseKind::Known(Then::Fail)),
];

/// It says so by its challenge (RFC 9449, section 9), or as token endpoints do.
fn wants_nonce(facts: &Facts<'_>) -> bool {
    let says = challenged(facts.headers) || facts.body["error"] == "use_dpop_nonce";
    matches!(facts.status, 400 | 401 | 403) && says && facts.headers.contains_key("dpop-nonce")
}

/// It would be the same later.
fn is_about_the_request(status: u16) -> bool {
    matches!(status, 400 | 404 | 405 | 410 | 414 | 415 | 422)
}

/// 501 and 505 say that the server never does what was requested, and 511 that a network in between wants somebody to sign in.
fn is_for_good(status: u16) -> bool {
    matches!(status, 501 | 505 | 511)
}

fn has_retry_after(facts: &Facts<'_>) -> bool {
    retry_after(facts.headers).is_some()
}

/// What a response means that is not a success; `rules` are those of the definition, in their order.
pub(super) fn judge<'r>(
    facts: &Facts<'_>,
    rules: impl Iterator<Item = &'r ErrorRule>,
    limiter: &RateLimiter,
) -> Judgement<'r> {
    let first = |rows: &[Row]| rows.iter().find(|(fits, _)| fits(facts, limiter)).map(|(_, kind)| *kind);
    let known = |kind| Judgement { kind, rule: None };
    first(&PROTOCOLS)
        .map(known)
        .or_else(|| declared(facts, rules))
        .or_else(|| first(&STATUSES).map(known))
        .unwrap_or(known(ResponseKind::Known(Then::Fail)))
}

/// What the first rule says that fits a response. It may be a success, which is one unless a rule says otherwise.
pub(super) fn declared<'r>(
    facts: &Facts<'_>,
    mut rules: impl Iterator<Item = &'r ErrorRule>,
) -> Option<Judgement<'r>> {
    let rule = rules.find(|rule| rule.when.fits(facts.status, facts.headers, facts.body))?;
    Some(Judgement { kind: ResponseKind::Known(rule.then), rule: Some(rule) })
}

impl ResponseKind {
    /// What may be done about it.
    pub(super) fn decision(self, headers: &HeaderMap, limiter: &RateLimiter) -> RetryDecision {
        match self {
            Self::Nonce => RetryDecision::Nonce,
            Self::InvalidSession => RetryDecision::Session,
            Self::Known(Then::Renew) => RetryDecision::Renew,
            Self::Known(Then::SmallerPage) => RetryDecision::SmallerPage,
            Self::Known(Then::Throttled) => RetryDecision::Throttled(match limiter.throttle(headers) {
                Throttle::Until(wait) => Some(wait),
                Throttle::Concurrency | Throttle::Unknown => None,
            }),
            Self::Known(Then::Retry) => match retry_after(headers) {
                Some(Throttle::Until(wait)) => RetryDecision::After(wait),
                _ => RetryDecision::Backoff,
            },
            Self::MissingScope
            | Self::Known(
                Then::Unavailable
                | Then::Gone
                | Then::End
                | Then::Gap
                | Then::SmallerWindow
                | Then::Restart
                | Then::Fail,
            ) => RetryDecision::Fail,
        }
    }
}
