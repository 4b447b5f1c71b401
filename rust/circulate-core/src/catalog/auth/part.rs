//! The settings that a way to sign in needs.

use std::borrow::Cow;

use crate::catalog::types::Name;

/// A setting that a way to sign in needs.
#[derive(Debug, Clone)]
pub(in crate::catalog) struct AuthPart<'a> {
    /// Where the way names it.
    pub(in crate::catalog) key: Cow<'static, str>,
    pub(in crate::catalog) setting: &'a Name,
    pub(in crate::catalog) secret: bool,
    /// Whether it may as well be shown to anybody as to nobody.
    pub(in crate::catalog) either: bool,
    /// Whether nobody can sign in without it.
    pub(in crate::catalog) required: bool,
}

impl<'a> AuthPart<'a> {
    /// One that is shown to anybody.
    pub(super) fn open(key: impl Into<Cow<'static, str>>, setting: &'a Name) -> Self {
        Self { key: key.into(), setting, secret: false, either: false, required: true }
    }

    /// One that is shown to nobody.
    pub(super) fn secret(key: impl Into<Cow<'static, str>>, setting: &'a Name) -> Self {
        Self { secret: true, ..Self::open(key, setting) }
    }

    /// One that is as its setting says.
    pub(super) fn either(key: impl Into<Cow<'static, str>>, setting: &'a Name) -> Self {
        Self { either: true, ..Self::open(key, setting) }
    }

    /// One that need not be configured.
    pub(super) fn optional(self) -> Self {
        Self { required: false, ..self }
    }
}
