//! Random numbers.

use super::base64url::encoded;
use crate::error::{Error, ErrorKind, Result};

/// A number that was never used before: 128 random bits.
pub(super) fn unique() -> Result<String> {
    let mut bits = [0; 16];
    aws_lc_rs::rand::fill(&mut bits).map_err(|_| no_random_numbers())?;
    Ok(encoded(bits))
}

pub(super) fn no_random_numbers() -> Error {
    Error::new(ErrorKind::Auth, "sign in", "the system gives no random numbers")
}
