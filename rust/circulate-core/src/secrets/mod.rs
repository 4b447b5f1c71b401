//! Values that must never be shown, and where they are kept.

mod private_folder;
mod stored;
mod versions;

use std::fmt;

use crate::redact::Redactor;

pub(crate) use crate::net::is_loopback;
pub(crate) use private_folder::PrivateFolder;
pub use stored::StoredSecret;
#[cfg(test)]
pub(crate) use stored::put_secret;
pub(crate) use versions::{LastClaim, SecretVersion};

/// A secret value. It has no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value out of sight: from now on this process shows it nowhere, see [`Redactor::shared`].
    pub fn new(value: impl Into<String>) -> Self {
        let value = value.into();
        Redactor::shared().hide(&value);
        Self(value)
    }

    /// A value that is kept with secrets and may be shown, such as an address or a client id.
    pub(crate) fn not_secret(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
