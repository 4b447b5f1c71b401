//! A key in the body.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::signer::Signer;
use crate::api::account::Account;
use crate::api::http::Request;
use crate::catalog::{BodyAuth, Name};
use crate::error::{Error, ErrorKind, Result};

impl Signer for BodyAuth {
    /// The definition has made sure that all requests but those without a body have an object or a form.
    fn sign(&self, account: &Account, request: &mut Request, _: Timestamp) -> Result<()> {
        let secret = account.secret(&self.secret)?;
        if request.method == http::Method::GET {
            return Ok(());
        }
        // A form never begins so: its names are encoded.
        let body = if request.body.starts_with(b"{") {
            let unreadable = |_| {
                let what = "the body of the request is not JSON, so no key can be put into it";
                Error::new(ErrorKind::Definition, "sign in", what)
            };
            let mut document: Map<String, Value> =
                serde_json::from_slice(&request.body).map_err(unreadable)?;
            document.insert(self.name.clone(), secret.expose().into());
            Value::Object(document).to_string()
        } else {
            let fields = url::form_urlencoded::parse(&request.body).filter(|(name, _)| *name != self.name);
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(fields).append_pair(&self.name, secret.expose());
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers.entry(CONTENT_TYPE).or_insert(kind);
            form.finish()
        };
        request.body = body.into();
        Ok(())
    }

    fn settings(&self) -> Vec<&Name> {
        vec![&self.secret]
    }
}
