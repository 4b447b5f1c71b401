//! Credentials that settings hold and requests carry as they are, or that sign requests: no token is got.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::Authorize;
use crate::api::account::Account;
use crate::api::http::{Failure, Request, server_date};
use crate::catalog::Name;
use crate::clock::{Clock, ahead_by};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;
use crate::secrets::Secret;

/// A clock that is further off may be why a signature was refused. Less than that a response may have taken.
pub(super) const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// Puts credentials on a request, in place of those that it has.
pub(super) trait Signer: Send + Sync + fmt::Debug {
    /// Signs `request` with what `account` has now. The same request is signed in the same way at the same time.
    fn sign(&self, account: &Account, request: &mut Request, now: Timestamp) -> Result<()>;

    /// The settings that it uses.
    fn settings(&self) -> Vec<&Name>;

    /// The time that a signed request says, if it says one.
    fn signed_at(&self, _request: &Request) -> Option<Timestamp> {
        None
    }
}

/// Signs requests in by settings of an account, as long as these stay the same.
#[derive(Debug)]
pub struct SignedBySettings {
    signer: Box<dyn Signer>,
    account: Account,
    clock: Clock,
    /// The server's clock less ours.
    ahead: Mutex<SignedDuration>,
}

impl SignedBySettings {
    /// Refuses settings that no request can carry. No request is made.
    pub(super) fn new(signer: impl Signer + 'static, account: &Account, clock: &Clock) -> Result<Self> {
        let (signer, ahead) = (Box::new(signer), Mutex::default());
        let made = Self { signer, account: account.clone(), clock: clock.clone(), ahead };
        let mut request = Request::get(account.base_url().clone());
        made.signer.sign(account, &mut request, clock.now())?;
        Ok(made)
    }

    /// The server's time, as far as it is known.
    fn now(&self) -> Timestamp {
        ahead_by(self.clock.now(), *self.ahead.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the settings sign a request in another way than it was signed, at the time it says.
    fn sign_otherwise(&self, signed: &Request) -> Result<bool> {
        let mut again = signed.clone();
        let at = self.signer.signed_at(signed).unwrap_or_else(|| self.now());
        self.signer.sign(&self.account, &mut again, at)?;
        Ok(again.url != signed.url || again.headers != signed.headers || again.body != signed.body)
    }
}

impl Authorize for SignedBySettings {
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(self.signer.sign(&self.account, request, self.now())?) })
    }

    fn renew<'a>(&'a self, refused: &'a Request) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async {
            // Another request may have been refused before this one.
            if !self.sign_otherwise(refused)? {
                self.account.read_any_again(self.signer.settings()).await?;
            }
            self.sign_otherwise(refused)
        })
    }

    fn is_misdated(&self, refused: &Request) -> bool {
        let said = self.signer.signed_at(refused);
        said.is_some_and(|said| self.now().duration_since(said).abs() > CLOCK_TOLERANCE)
    }

    fn learn(&self, _: &Url, headers: &HeaderMap) {
        if let Some(date) = server_date(headers) {
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) =
                date.duration_since(self.clock.now());
        }
    }
}

/// The value of a setting, secret or not.
pub(super) fn value_of(account: &Account, name: &Name) -> Result<Secret> {
    account.current(name).ok_or_else(|| {
        let what = format!("`{name}` is no longer in the stored secret");
        Error::new(ErrorKind::Settings, "prepare credentials", what)
    })
}

/// `text` as the value of a header that is shown nowhere. `about` names the setting it is made of.
pub(super) fn secret_header(text: &str, about: &Name) -> Result<HeaderValue> {
    // What is outside of ASCII could be sent, and be read in two ways (RFC 9110, section 5.5).
    let value = text.parse::<HeaderValue>().ok().filter(|_| text.is_ascii());
    let mut value = value.ok_or_else(|| unusable(about, "has characters that no header can hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Authorization: Basic` of two halves.
pub(super) fn basic_header(user: &str, password: &str) -> Result<HeaderValue> {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    Redactor::shared().hide(&pair);
    let mut value = HeaderValue::try_from(format!("Basic {pair}")).map_err(|error| {
        Error::new(ErrorKind::Auth, "prepare credentials", "the credentials make no valid header")
            .caused_by(error)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A setting that no request can carry.
pub(super) fn unusable(name: &Name, why: &str) -> Error {
    Error::new(ErrorKind::Settings, "prepare credentials", format!("`{name}` {why}"))
        .hint("it may have been copied with a line break or typographic quotes")
}
