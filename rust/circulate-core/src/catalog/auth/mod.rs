//! The model of the ways to sign in, one file each.

mod header;
mod oauth2;
mod part;
mod token_file;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::template::Template;
use super::types::Name;

pub use header::HeaderAuth;
pub use oauth2::{OAuth2, SendSecret};
pub(super) use part::AuthPart;
pub use token_file::TokenFileAuth;

/// A way in which requests are signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A fixed header, such as `Authorization: SSWS 00a...`.
    Header(HeaderAuth),
    /// Access tokens of OAuth 2.0, got by client credentials (RFC 6749, section 4.4).
    Oauth2(OAuth2),
    /// Access tokens of OAuth 2.0 that somebody else gets and leaves in a file: the token extension of a Lambda function.
    TokenFile(TokenFileAuth),
    /// Nothing, for an API that is open to all.
    None,
}

impl Auth {
    /// The settings that are of use in this way only, the ones that name or prove who we are first.
    pub fn settings(&self) -> impl Iterator<Item = &Name> {
        self.parts().into_iter().map(|part| part.setting)
    }

    /// Those of them without which nobody can sign in so.
    pub fn required(&self) -> impl Iterator<Item = &Name> {
        self.parts().into_iter().filter(|part| part.required).map(|part| part.setting)
    }

    /// Settings of which exactly one is to be configured, if any are.
    pub fn alternatives(&self) -> Vec<&Name> {
        match self {
            Self::Oauth2(oauth) => oauth.proofs(),
            Self::Header(_) | Self::TokenFile(_) | Self::None => Vec::new(),
        }
    }

    /// The setting that holds a private key, or the path of a file with one.
    pub fn private_key(&self) -> Option<&Name> {
        match self {
            Self::Oauth2(oauth) => oauth.private_key.as_ref(),
            Self::Header(_) | Self::TokenFile(_) | Self::None => None,
        }
    }

    /// Where it gets tokens, if it does.
    pub fn token_url(&self) -> Option<&Template> {
        match self {
            Self::Oauth2(oauth) => Some(&oauth.token_url),
            Self::Header(_) | Self::TokenFile(_) | Self::None => None,
        }
    }

    /// What it takes to sign in so, in that order.
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        match self {
            Self::None => Vec::new(),
            Self::Header(header) => header.parts(),
            Self::TokenFile(file) => file.parts(),
            Self::Oauth2(oauth) => oauth.parts(),
        }
    }
}
