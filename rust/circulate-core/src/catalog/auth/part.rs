//! The settings that a way to sign in needs.

use crate::catalog::types::Name;

/// A setting that a way to sign in needs.
#[derive(Debug, Clone, Copy)]
pub(in crate::catalog) struct AuthPart<'a> {
    /// Where the way names it.
    pub(in crate::catalog) key: &'static str,
    pub(in crate::catalog) setting: &'a Name,
    pub(in crate::catalog) secret: bool,
    /// Whether nobody can sign in without it.
    pub(in crate::catalog) required: bool,
}

impl<'a> AuthPart<'a> {
    /// One that is shown to anybody.
    pub(super) fn open(key: &'static str, setting: &'a Name) -> Self {
        Self { key, setting, secret: false, required: true }
    }

    /// One that is shown to nobody.
    pub(super) fn secret(key: &'static str, setting: &'a Name) -> Self {
        Self { key, setting, secret: true, required: true }
    }

    /// One that need not be configured.
    pub(super) fn optional(self) -> Self {
        Self { required: false, ..self }
    }
}
