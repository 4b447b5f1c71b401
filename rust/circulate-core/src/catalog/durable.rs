//! The model of `incremental.durable`: what an API gives to go on with another time, when a list was read to its end.

use http::HeaderName;
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::RequestLocation;
use super::one_or_list::OneOrList;
use super::paginator::{LinkRel, NextUrl, PaginatorSpec, Send, TokenFrom, TokenSpec};
use super::types::Pointer;

/// What the next pull goes on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durable {
    /// The last page has the URL of the next pull's first page, such as `{body: "/@odata.deltaLink"}`.
    NextUrl(NextUrl),
    /// The `Link` header of the last page has it.
    LinkHeader(LinkRel),
    /// A page has a value that the next pull's first request takes.
    Token(DurableToken),
    /// The paginator's own token stays good: the last page has one too.
    Paginator,
    /// The first page has an `ETag`; while it is the same, nothing has changed (RFC 9110, section 8.8.3).
    Etag(EtagOf),
    /// The first page has `Last-Modified`; while it is the same, nothing has changed.
    LastModified,
}

/// A value of a page that the next pull's first request takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DurableToken {
    /// Where the page has it; several if the request takes several.
    pub from: OneOrList<TokenFrom>,
    /// Where the request takes it; as many as there are in `from`, in their order.
    pub to: OneOrList<RequestLocation>,
    /// What is sent with it. Default `all`.
    #[serde(default, skip_serializing_if = "Send::is_all")]
    pub send: Send,
    /// The page that has it. Default last.
    #[serde(default, skip_serializing_if = "TokenPage::is_last")]
    pub page: TokenPage,
}

/// A page of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenPage {
    /// The first: the value stands for what the list was when it was begun to be read.
    First,
    /// The last.
    #[default]
    Last,
}

impl TokenPage {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

/// What an `ETag` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EtagOf {
    /// The one page that the list is.
    Page,
    /// The whole list, whichever page has it.
    List,
}

impl Durable {
    /// The page that has it.
    pub fn page(&self) -> TokenPage {
        match self {
            Self::Token(token) => token.page,
            Self::Etag(_) | Self::LastModified => TokenPage::First,
            Self::NextUrl(_) | Self::LinkHeader(_) | Self::Paginator => TokenPage::Last,
        }
    }

    /// How a page of a list with such a paginator leads to the next pull, if it has an address to go on with.
    pub fn paginator(&self, own: &PaginatorSpec) -> Option<PaginatorSpec> {
        match self {
            Self::NextUrl(next) => Some(PaginatorSpec::NextUrl(next.clone())),
            Self::LinkHeader(rel) => Some(PaginatorSpec::LinkHeader(rel.clone())),
            Self::Token(DurableToken { from, to, send, .. }) => {
                let (from, to) = (from.clone(), to.clone());
                Some(PaginatorSpec::Token(TokenSpec { from, to, more: None, start: None, send: *send }))
            }
            Self::Paginator => match own {
                PaginatorSpec::Token(token) => {
                    Some(PaginatorSpec::Token(TokenSpec { more: None, ..token.clone() }))
                }
                _ => None,
            },
            Self::Etag(_) | Self::LastModified => None,
        }
    }

    /// A member of the page that it reads, if it reads one beside those of the list's paginator.
    pub fn member_of_page(&self) -> Option<Pointer> {
        let own = self.paginator(&PaginatorSpec::None)?;
        own.members_of_page().first().copied().cloned()
    }

    /// The header of the condition under which the next pull's first request is made, if it is not made elsewhere instead.
    pub fn condition(&self) -> Option<HeaderName> {
        match self {
            Self::Etag(_) => Some(IF_NONE_MATCH),
            Self::LastModified => Some(IF_MODIFIED_SINCE),
            Self::NextUrl(_) | Self::LinkHeader(_) | Self::Token(_) | Self::Paginator => None,
        }
    }
}
