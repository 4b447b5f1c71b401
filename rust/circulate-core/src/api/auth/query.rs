//! A key in the query.

use jiff::Timestamp;

use super::signer::{Signer, unusable};
use crate::api::account::Account;
use crate::api::http::{Request, set_parameter};
use crate::catalog::{Name, QueryAuth};
use crate::error::Result;

impl Signer for QueryAuth {
    fn sign(&self, account: &Account, request: &mut Request, _: Timestamp) -> Result<()> {
        let secret = account.secret(&self.secret)?;
        if secret.expose().chars().any(char::is_control) {
            return Err(unusable(&self.secret, "has control characters"));
        }
        set_parameter(&mut request.url, &self.name, secret.expose());
        Ok(())
    }

    fn settings(&self) -> Vec<&Name> {
        vec![&self.secret]
    }
}
