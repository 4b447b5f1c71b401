//! Signatures that a hook makes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use url::Url;

use super::Authorize;
use super::signer::{CLOCK_TOLERANCE, value_of};
use crate::api::account::Account;
use crate::api::auth::Connection;
use crate::api::hooks::{Hooks, Signature};
use crate::api::http::{Failure, Request, server_date, set_parameter};
use crate::catalog::{Name, SignAuth};
use crate::clock::{Clock, ahead_by};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;
use crate::secrets::Secret;

/// Signs requests by a hook. What that returns is headers and query parameters, so it changes neither where a request goes nor
/// what it does.
#[derive(Debug)]
pub(super) struct SignedByHook {
    spec: SignAuth,
    account: Account,
    hooks: Hooks,
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The server's clock less ours.
    ahead: SignedDuration,
    /// What was signed last, the newest at the end.
    signed: VecDeque<Signed>,
}

/// A request that was signed.
#[derive(Debug)]
struct Signed {
    /// Digest of it.
    request: [u8; 32],
    /// Digest of the settings that it was signed with.
    settings: [u8; 32],
    at: Timestamp,
}

/// How many signed requests are remembered: more than are on their way at a time.
const REMEMBERED: usize = 256;

/// Headers that say where a request goes or how it is sent, and no others may be signed by.
const NOT_OF_HOOKS: [&str; 8] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "accept-encoding",
];

impl SignedByHook {
    /// Refuses settings that are not there. No request is made.
    pub(super) fn new(spec: &SignAuth, account: &Account, connection: &Connection) -> Result<Self> {
        let made = Self {
            spec: spec.clone(),
            account: account.clone(),
            hooks: connection.hooks.clone(),
            clock: connection.tokens.clock().clone(),
            known: Mutex::default(),
        };
        made.settings()?;
        Ok(made)
    }

    fn settings(&self) -> Result<BTreeMap<Name, Secret>> {
        let names = self.spec.settings.iter();
        names.map(|name| Ok((name.clone(), value_of(&self.account, name)?))).collect()
    }

    async fn sign(&self, request: &mut Request) -> Result<()> {
        let at = ahead_by(self.clock.now(), self.known().ahead);
        let settings = self.settings()?;
        let signed_with = digest_of_settings(&settings);
        let signature = self.hooks.sign(&self.spec.hook, request.clone(), settings, at).await?;
        self.put(request, signature, at)?;
        let mut known = self.known();
        if known.signed.len() == REMEMBERED {
            known.signed.pop_front();
        }
        known.signed.push_back(Signed { request: digest_of_request(request), settings: signed_with, at });
        Ok(())
    }

    /// Puts a signature on a request. What it holds is shown nowhere.
    fn put(&self, request: &mut Request, signature: Signature, at: Timestamp) -> Result<()> {
        let wrong =
            |what: String| Error::new(ErrorKind::Hook, "sign request", what).with("hook", &self.spec.hook);
        for (name, value) in signature.headers {
            let named: HeaderName =
                name.parse().map_err(|_| wrong(format!("`{name}` is not the name of a header")))?;
            if NOT_OF_HOOKS.contains(&named.as_str()) {
                let what =
                    format!("the header `{named}` says where or how a request is sent, and signs nothing");
                return Err(wrong(what));
            }
            hide_unless_a_time(&value, at);
            let mut value: HeaderValue = value.parse().map_err(|_| {
                wrong(format!("the value of `{named}` has characters that no header can hold"))
            })?;
            value.set_sensitive(true);
            request.headers.insert(named, value);
        }
        for (name, value) in signature.query {
            if !self.spec.query.contains(&name) {
                let what = format!("it sets the query parameter `{name}`, which the definition does not say");
                return Err(wrong(what).hint(format!(
                    "add `query: [{name}]` below `sign`: the parameter is taken out of the links that the API sends"
                )));
            }
            hide_unless_a_time(&value, at);
            set_parameter(&mut request.url, &name, &value);
        }
        Ok(())
    }

    /// What is known of a request that was signed: digest of the settings, and the time.
    fn signed(&self, request: &Request) -> Option<([u8; 32], Timestamp)> {
        let digest = digest_of_request(request);
        let known = self.known();
        known
            .signed
            .iter()
            .rev()
            .find(|signed| signed.request == digest)
            .map(|signed| (signed.settings, signed.at))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authorize for SignedByHook {
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(self.sign(request).await?) })
    }

    fn renew<'a>(&'a self, refused: &'a Request) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async {
            let Some((signed_with, _)) = self.signed(refused) else { return Ok(false) };
            // Another request may have been refused before this one.
            if digest_of_settings(&self.settings()?) == signed_with {
                self.account.read_any_again(self.spec.settings.iter().collect()).await?;
            }
            Ok(digest_of_settings(&self.settings()?) != signed_with)
        })
    }

    fn is_misdated(&self, refused: &Request) -> bool {
        let now = ahead_by(self.clock.now(), self.known().ahead);
        self.signed(refused).is_some_and(|(_, at)| now.duration_since(at).abs() > CLOCK_TOLERANCE)
    }

    fn learn(&self, _: &Url, headers: &HeaderMap) {
        if let Some(date) = server_date(headers) {
            self.known().ahead = date.duration_since(self.clock.now());
        }
    }
}

/// Hides what a request is signed by. A time beside a signature is no secret, and hidden it would take times out of all that is
/// shown, and ids of runs with them.
fn hide_unless_a_time(value: &str, at: Timestamp) {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let is_date = digits.starts_with(&at.strftime("%Y%m%d").to_string()) && digits.len() <= MAX_DIGITS;
    let is_epoch = value.len() == digits.len() && digits.starts_with(&at.as_second().to_string()[..6]);
    if !(is_date || is_epoch || httpdate::parse_http_date(value).is_ok()) {
        Redactor::shared().hide_once(value);
    }
}

/// Digits of a time: of a day, an hour, and nanoseconds.
const MAX_DIGITS: usize = 8 + 6 + 9;

fn digest_of_settings(settings: &BTreeMap<Name, Secret>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for (name, value) in settings {
        digest.update(name.as_str());
        digest.update([0]);
        digest.update(value.expose());
        digest.update([0]);
    }
    digest.finalize().into()
}

fn digest_of_request(request: &Request) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(request.url.as_str());
    for (name, value) in &request.headers {
        digest.update([0]);
        digest.update(name.as_str());
        digest.update([0]);
        digest.update(value.as_bytes());
    }
    digest.update([0]);
    digest.update(&request.body);
    digest.finalize().into()
}

#[cfg(test)]
#[path = "tests/sign.rs"]
mod tests;
