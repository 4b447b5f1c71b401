//! A user and a password (RFC 7617).

use http::header::AUTHORIZATION;
use jiff::Timestamp;

use super::signer::{Signer, basic_header, unusable, value_of};
use crate::api::account::Account;
use crate::api::http::Request;
use crate::catalog::{BasicAuth, Name};
use crate::error::Result;

impl Signer for BasicAuth {
    fn sign(&self, account: &Account, request: &mut Request, _: Timestamp) -> Result<()> {
        let half = |name: &Option<Name>| -> Result<String> {
            let Some(name) = name else { return Ok(String::new()) };
            let value = value_of(account, name)?;
            if value.expose().chars().any(char::is_control) {
                return Err(unusable(name, "has control characters, which basic authentication can't send"));
            }
            Ok(value.expose().to_owned())
        };
        let (user, password) = (half(&self.user)?, half(&self.password)?);
        if let Some(name) = self.user.as_ref().filter(|_| user.contains(':')) {
            let why = "has a `:`, which ends the user of basic authentication (RFC 7617)";
            return Err(
                unusable(name, why).hint("a user and password in one, as `user:password`, are two settings")
            );
        }
        request.headers.insert(AUTHORIZATION, basic_header(&user, &password)?);
        Ok(())
    }

    fn settings(&self) -> Vec<&Name> {
        self.user.iter().chain(&self.password).collect()
    }
}
