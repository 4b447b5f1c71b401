//! The model of the ways to sign in, one file each.

mod basic;
mod body;
mod header;
mod oauth2;
mod part;
mod query;
mod session;
mod sign;
mod signature;
mod token_file;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::Name;

pub use basic::BasicAuth;
pub use body::BodyAuth;
pub use header::HeaderAuth;
pub use oauth2::{GrantType, OAuth2, SendSecret};
pub(super) use part::AuthPart;
pub use query::QueryAuth;
pub(super) use session::TOKEN;
pub use session::{
    LoginJwt, LoginMethod, LoginRequest, Logout, SessionAuth, SessionExpiry, SessionHeader, SessionSend,
    SessionToken,
};
pub use sign::SignAuth;
pub use signature::{AwsAuth, DuoAuth};
pub use token_file::TokenFileAuth;

/// A way in which requests are signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A fixed header, such as `Authorization: SSWS 00a...`.
    Header(HeaderAuth),
    /// `Authorization: Bearer` with the secret in the setting of this name.
    Bearer(Name),
    /// Several fixed headers, such as a key of the user and one of the application.
    Headers(Vec<HeaderAuth>),
    /// A user and a password.
    Basic(BasicAuth),
    /// A key in the query.
    Query(QueryAuth),
    /// A key in the body.
    Body(BodyAuth),
    /// Signatures of Duo's Admin API.
    DuoV5(DuoAuth),
    /// Signatures of AWS.
    AwsSigv4(AwsAuth),
    /// Signatures that a function of one's own makes.
    Sign(SignAuth),
    /// Access tokens of OAuth 2.0 (RFC 6749).
    Oauth2(OAuth2),
    /// A session that begins with a login.
    Session(Box<SessionAuth>),
    /// Tokens of OAuth 2.0 or of a login that somebody else gets and leaves in a file: the token extension of a Lambda function.
    TokenFile(TokenFileAuth),
    /// Nothing, for an API that is open to all.
    None,
}

impl Auth {
    /// The settings that it names.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Name> {
        self.parts().into_iter().map(|part| part.setting)
    }

    /// Those of them without which nobody can sign in so.
    pub fn required(&self) -> impl Iterator<Item = &Name> {
        self.parts().into_iter().filter(|part| part.required).map(|part| part.setting)
    }

    /// Settings of which at most one is to be configured.
    pub fn alternatives(&self) -> Vec<&Name> {
        match self {
            Self::Oauth2(oauth) => oauth.proofs(),
            _ => Vec::new(),
        }
    }

    /// Whether one of [`Auth::alternatives`] must be configured, if there are any.
    pub fn needs_alternative(&self) -> bool {
        matches!(self, Self::Oauth2(oauth) if oauth.needs_proof())
    }

    /// The setting that holds a private key, or the path of a file with one.
    pub fn private_key(&self) -> Option<&Name> {
        match self {
            Self::Oauth2(oauth) => oauth.private_key.as_ref(),
            Self::Session(session) => session.private_key(),
            _ => None,
        }
    }

    /// The query parameters that it puts on each request.
    pub fn query_parameters(&self) -> &[String] {
        match self {
            Self::Query(query) => std::slice::from_ref(&query.name),
            Self::Session(session) => session.send.query_parameters(),
            Self::Sign(sign) => &sign.query,
            _ => &[],
        }
    }

    /// Those of [`Auth::placeholders`] that stand where no secret may, so that they are none.
    pub(super) fn open_placeholders(&self) -> Vec<&str> {
        match self {
            Self::Session(session) => session.placeholders_of_addresses(),
            _ => self.placeholders(),
        }
    }

    /// The settings that its templates use, such as that of the address where it gets tokens.
    pub fn placeholders(&self) -> Vec<&str> {
        match self {
            Self::Oauth2(oauth) => oauth.placeholders(),
            Self::AwsSigv4(aws) => aws.placeholders(),
            Self::Session(session) => session.placeholders(),
            _ => Vec::new(),
        }
    }

    /// What it takes to sign in so, in that order.
    pub(super) fn parts(&self) -> Vec<AuthPart<'_>> {
        match self {
            Self::None => Vec::new(),
            Self::Header(header) => header.parts(),
            Self::Bearer(secret) => vec![AuthPart::secret("bearer", secret)],
            Self::Headers(headers) => HeaderAuth::parts_of_all(headers),
            Self::Basic(basic) => basic.parts("basic"),
            Self::Query(query) => query.parts(),
            Self::Body(body) => body.parts(),
            Self::DuoV5(duo) => duo.parts(),
            Self::AwsSigv4(aws) => aws.parts(),
            Self::Sign(sign) => sign.parts(),
            Self::Session(session) => session.parts(),
            Self::TokenFile(file) => file.parts(),
            Self::Oauth2(oauth) => oauth.parts(),
        }
    }
}
