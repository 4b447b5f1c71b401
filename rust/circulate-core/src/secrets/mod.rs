//! Values that must never be shown, and where they are kept.

mod stored;

use std::fmt;

pub(crate) use crate::net::is_loopback;
pub use stored::StoredSecret;
#[cfg(test)]
pub(crate) use stored::put_secret;

/// A secret value. It has no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value out of sight.
    pub fn new(value: impl Into<String>) -> Self {
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
