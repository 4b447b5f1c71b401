//! Signatures of Duo's Admin API, in their version 5: <https://duo.com/docs/adminapi#authentication>.

use aws_lc_rs::hmac;
use http::HeaderValue;
use http::header::{AUTHORIZATION, DATE};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use sha2::{Digest, Sha512};

use super::signer::{Signer, basic_header, unusable, value_of};
use crate::api::account::Account;
use crate::api::http::{Request, percent_encoded};
use crate::catalog::{DuoAuth, Name};
use crate::error::{Error, ErrorKind, Result};

/// Headers that are signed begin so.
const SIGNED_HEADERS: &str = "x-duo-";

impl Signer for DuoAuth {
    fn sign(&self, account: &Account, request: &mut Request, now: Timestamp) -> Result<()> {
        let integration = value_of(account, &self.integration_key)?;
        if integration.expose().contains(|c: char| c == ':' || c.is_control()) {
            return Err(unusable(
                &self.integration_key,
                "is not an integration key: it has a `:` or control characters",
            ));
        }
        let date = date(now)?;
        let key = hmac::Key::new(hmac::HMAC_SHA512, account.secret(&self.secret_key)?.expose().as_bytes());
        let signature = hmac::sign(&key, canonical(request, &date).as_bytes());
        request
            .headers
            .insert(AUTHORIZATION, basic_header(integration.expose(), &crate::hex(signature.as_ref()))?);
        let date = HeaderValue::try_from(date).map_err(|error| no_date().caused_by(error))?;
        request.headers.insert(DATE, date);
        Ok(())
    }

    fn settings(&self) -> Vec<&Name> {
        vec![&self.integration_key, &self.secret_key]
    }

    fn signed_at(&self, request: &Request) -> Option<Timestamp> {
        DateTimeParser::new().parse_timestamp(request.headers.get(DATE)?.as_bytes()).ok()
    }
}

/// RFC 2822, as Duo wants it: `Tue, 21 Aug 2012 17:29:18 -0000`.
fn date(time: Timestamp) -> Result<String> {
    DateTimePrinter::new().timestamp_to_string(&time).map_err(|error| no_date().caused_by(error))
}

fn no_date() -> Error {
    Error::new(ErrorKind::Auth, "sign request", "the time of the clock is none of a calendar")
}

/// What is signed: a line each for date, method, host, path, query, digest of the body, digest of Duo's own headers.
fn canonical(request: &Request, date: &str) -> String {
    let (url, method) = (&request.url, request.method.as_str());
    let host = url.host_str().unwrap_or_default().to_lowercase();
    let (path, query, body) = (url.path(), canonical_query(request), digest(&request.body));
    [date, method, &host, path, &query, &body, &digest(canonical_headers(request))].join("\n")
}

/// The parameters in order, encoded as RFC 5849, section 3.6, has it.
fn canonical_query(request: &Request) -> String {
    let pairs = request.url.query_pairs();
    let mut pairs: Vec<_> =
        pairs.map(|(name, value)| (percent_encoded(&name), percent_encoded(&value))).collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn canonical_headers(request: &Request) -> Vec<u8> {
    let named = request.headers.iter().filter(|(name, _)| name.as_str().starts_with(SIGNED_HEADERS));
    let mut named: Vec<_> = named.map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]).collect();
    named.sort();
    named.concat().join(&0)
}

fn digest(bytes: impl AsRef<[u8]>) -> String {
    crate::hex(&Sha512::digest(bytes))
}
