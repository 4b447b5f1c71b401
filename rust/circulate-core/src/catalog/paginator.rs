//! How one page of a list leads to the next: the paginators that a definition can name.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::hook_ref::HookRef;
use super::location::{RequestLocation, Signal};
use super::one_or_list::OneOrList;
use super::request::Quote;
use super::template::Template;
use super::types::Pointer;

/// How one page leads to the next.
#[derive(Debug, Clone, PartialEq)]
pub enum PaginatorSpec {
    /// The list is one page.
    None,
    /// Nobody has said it yet. The list is never read.
    Unknown,
    /// The `Link` response header (RFC 8288); the absence of the relation ends the list.
    LinkHeader(LinkRel),
    /// The response holds the next page's URL; its absence ends the list.
    NextUrl(NextUrl),
    /// The response holds a value that the next request takes; its absence ends the list.
    Token(TokenSpec),
    /// Requests say how many records to leave out.
    Offset(OffsetSpec),
    /// Requests say the number of the page.
    Page(PageNumberSpec),
    /// Requests say a value of the last record that was received.
    LastRecord(LastRecordSpec),
    /// A function of one's own says what the next request is.
    Hook(HookRef),
}

impl PaginatorSpec {
    /// The members of a page that lead to the next one.
    pub fn next_members(&self) -> Vec<&Pointer> {
        match self {
            Self::NextUrl(NextUrl { from: Signal::Body(pointer), .. }) => vec![pointer],
            Self::Token(token) => {
                let members = token.from.as_slice().iter().filter_map(|from| match from {
                    TokenFrom::Signal(Signal::Body(pointer))
                    | TokenFrom::Url { url: UrlFrom::Body(pointer), .. } => Some(pointer),
                    _ => None,
                });
                members.collect()
            }
            _ => Vec::new(),
        }
    }

    /// All members of a page that it reads.
    pub fn members_of_page(&self) -> Vec<&Pointer> {
        let signals = match self {
            Self::None | Self::Unknown | Self::LinkHeader(_) | Self::NextUrl(_) | Self::Hook(_) => {
                [None, None, None]
            }
            Self::Token(token) => [token.more.as_ref(), None, None],
            Self::Offset(offset) => [offset.total.as_ref(), offset.more.as_ref(), None],
            Self::Page(page) => [page.total.as_ref(), page.pages.as_ref(), page.more.as_ref()],
            Self::LastRecord(last) => [last.more.as_ref(), None, None],
        };
        let mut members = self.next_members();
        members.extend(signals.into_iter().flatten().filter_map(|signal| match signal {
            Signal::Body(pointer) => Some(pointer),
            Signal::Header(_) => None,
        }));
        members
    }
}

/// A relation of the `Link` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRel {
    /// The relation. Default `next`.
    #[serde(default = "LinkRel::next")]
    pub rel: String,
}

impl LinkRel {
    fn next() -> String {
        "next".to_owned()
    }
}

impl Default for LinkRel {
    fn default() -> Self {
        Self { rel: Self::next() }
    }
}

/// The next page's URL, in the page or in a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "NextUrlKeys", into = "NextUrlKeys")]
pub struct NextUrl {
    /// Where it is.
    pub from: Signal,
    /// Query parameters of the first request that are sent again if the URL lacks them.
    pub keep: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NextUrlKeys {
    /// The member of the page with the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Pointer>,
    /// The header with the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// Query parameters of the first request that are sent again if the URL lacks them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keep: Vec<String>,
}

impl TryFrom<NextUrlKeys> for NextUrl {
    type Error = String;

    fn try_from(NextUrlKeys { body, header, keep }: NextUrlKeys) -> Result<Self, String> {
        let from = match (body, header) {
            (Some(pointer), None) => Signal::Body(pointer),
            (None, Some(name)) => Signal::Header(name),
            _ => return Err("the next URL is either in the `body` or in a `header`".to_owned()),
        };
        Ok(Self { from, keep })
    }
}

impl From<NextUrl> for NextUrlKeys {
    fn from(NextUrl { from, keep }: NextUrl) -> Self {
        match from {
            Signal::Body(pointer) => Self { body: Some(pointer), header: None, keep },
            Signal::Header(name) => Self { body: None, header: Some(name), keep },
        }
    }
}

/// A value of the response that the next request takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// Where the response holds it; several if the next request takes several.
    pub from: OneOrList<TokenFrom>,
    /// Where the next request takes it; as many as there are in `from`, in their order.
    pub to: OneOrList<RequestLocation>,
    /// The flag that says whether there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Signal>,
    /// What the first request sends instead of a token. Default nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// What is sent with the token. Default `all`.
    #[serde(default, skip_serializing_if = "Send::is_all")]
    pub send: Send,
}

/// Where a response holds a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "TokenFromKeys", into = "TokenFromKeys")]
pub enum TokenFrom {
    /// In the page, or in a header.
    Signal(Signal),
    /// A query parameter of a URL that the response holds.
    Url {
        /// Where the URL is.
        url: UrlFrom,
        /// The parameter.
        param: String,
    },
}

/// Where a response holds a URL of which only a part is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UrlFrom {
    /// A member of the page.
    Body(Pointer),
    /// A header.
    Header(String),
    /// The link of this relation in the `Link` header.
    Link(String),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokenFromKeys {
    /// The member of the page that is the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Pointer>,
    /// The header that is the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// Where a URL is that has the token among its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<UrlFrom>,
    /// The parameter of that URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    param: Option<String>,
}

impl TryFrom<TokenFromKeys> for TokenFrom {
    type Error = String;

    fn try_from(keys: TokenFromKeys) -> Result<Self, String> {
        match keys {
            TokenFromKeys { body: Some(pointer), header: None, url: None, param: None } => {
                Ok(Self::Signal(Signal::Body(pointer)))
            }
            TokenFromKeys { body: None, header: Some(name), url: None, param: None } => {
                Ok(Self::Signal(Signal::Header(name)))
            }
            TokenFromKeys { body: None, header: None, url: Some(url), param: Some(param) } => {
                Ok(Self::Url { url, param })
            }
            _ => Err("a token comes from `{body: /pointer}`, `{header: name}` or `{url: {body: /pointer}, param: name}`"
                .to_owned()),
        }
    }
}

impl From<TokenFrom> for TokenFromKeys {
    fn from(from: TokenFrom) -> Self {
        let keys = Self { body: None, header: None, url: None, param: None };
        match from {
            TokenFrom::Signal(Signal::Body(pointer)) => Self { body: Some(pointer), ..keys },
            TokenFrom::Signal(Signal::Header(name)) => Self { header: Some(name), ..keys },
            TokenFrom::Url { url, param } => Self { url: Some(url), param: Some(param), ..keys },
        }
    }
}

/// What the requests behind the first one send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Send {
    /// What the first one sent, and the token.
    #[default]
    All,
    /// The token, and no other parameter or member.
    Token,
}

impl Send {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// Requests that say how many records to leave out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffsetSpec {
    /// Where requests take the offset.
    pub to: RequestLocation,
    /// The offset of the first record. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start: u64,
    /// What the offset advances by. Default `records`.
    #[serde(default, skip_serializing_if = "OffsetBy::is_records")]
    pub by: OffsetBy,
    /// How many records the list has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Signal>,
    /// The flag that says whether there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Signal>,
    /// The API refuses what lies behind so many records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<u64>,
    /// How the list starts over behind that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
}

/// How a list starts over behind its last record: from the value of a field by which it is ordered, smallest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The member of the last record.
    pub from: Pointer,
    /// Where requests take the bound.
    pub to: RequestLocation,
    /// Their text, in which `{last}` is the value. It has to include records of this very value: more may have it.
    pub text: Template,
    /// How its language writes a quote inside of quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What an offset advances by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffsetBy {
    /// The number of records that were received.
    #[default]
    Records,
    /// The number that was requested: for an API whose pages begin at multiples of it.
    PageSize,
}

impl OffsetBy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_records(&self) -> bool {
        *self == Self::Records
    }
}

/// Requests that say the number of the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageNumberSpec {
    /// Where requests take the number.
    pub to: RequestLocation,
    /// The number of the first page. Default 1.
    #[serde(default = "PageNumberSpec::one", skip_serializing_if = "PageNumberSpec::is_one")]
    pub first: u64,
    /// How many pages the list has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Signal>,
    /// How many records the list has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Signal>,
    /// The flag that says whether there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Signal>,
}

impl PageNumberSpec {
    fn one() -> u64 {
        1
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_one(number: &u64) -> bool {
        *number == 1
    }
}

/// Requests that say a value of the last record that was received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LastRecordSpec {
    /// The member of the record.
    pub from: Pointer,
    /// Where requests take it.
    pub to: RequestLocation,
    /// The flag that says whether there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<Signal>,
}

/// The spelling of one word.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    None,
    LinkHeader,
    Unknown,
}

/// The spelling with a key. `body_link` is short for a URL in the page, and in the hashes that cursors were
/// stored with.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Keyed {
    LinkHeader(LinkRel),
    NextUrl(NextUrl),
    Token(TokenSpec),
    Offset(OffsetSpec),
    Page(PageNumberSpec),
    LastRecord(LastRecordSpec),
    Hook(HookRef),
    BodyLink(Pointer),
}

impl Serialize for PaginatorSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.clone() {
            Self::None => Word::None.serialize(serializer),
            Self::Unknown => Word::Unknown.serialize(serializer),
            Self::LinkHeader(rel) if rel == LinkRel::default() => Word::LinkHeader.serialize(serializer),
            Self::LinkHeader(rel) => Keyed::LinkHeader(rel).serialize(serializer),
            Self::NextUrl(NextUrl { from: Signal::Body(pointer), keep }) if keep.is_empty() => {
                Keyed::BodyLink(pointer).serialize(serializer)
            }
            Self::NextUrl(next) => Keyed::NextUrl(next).serialize(serializer),
            Self::Token(token) => Keyed::Token(token).serialize(serializer),
            Self::Offset(offset) => Keyed::Offset(offset).serialize(serializer),
            Self::Page(page) => Keyed::Page(page).serialize(serializer),
            Self::LastRecord(last) => Keyed::LastRecord(last).serialize(serializer),
            Self::Hook(hook) => Keyed::Hook(hook).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PaginatorSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PaginatorVisitor)
    }
}

struct PaginatorVisitor;

impl<'de> Visitor<'de> for PaginatorVisitor {
    type Value = PaginatorSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a paginator, or one with its parameters such as `{page: {to: page}}`")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<PaginatorSpec, E> {
        if matches!(word, "next_url" | "token" | "offset" | "page" | "last_record" | "hook" | "body_link") {
            return Err(E::custom(format!("`{word}` has parameters: {}", example(word))));
        }
        Ok(match Word::deserialize(StrDeserializer::new(word))? {
            Word::None => PaginatorSpec::None,
            Word::Unknown => PaginatorSpec::Unknown,
            Word::LinkHeader => PaginatorSpec::LinkHeader(LinkRel::default()),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PaginatorSpec, A::Error> {
        Ok(match Keyed::deserialize(MapAccessDeserializer::new(map))? {
            Keyed::LinkHeader(rel) => PaginatorSpec::LinkHeader(rel),
            Keyed::NextUrl(next) => PaginatorSpec::NextUrl(next),
            Keyed::Token(token) => PaginatorSpec::Token(token),
            Keyed::Offset(offset) => PaginatorSpec::Offset(offset),
            Keyed::Page(page) => PaginatorSpec::Page(page),
            Keyed::LastRecord(last) => PaginatorSpec::LastRecord(last),
            Keyed::Hook(hook) => PaginatorSpec::Hook(hook),
            Keyed::BodyLink(pointer) => {
                PaginatorSpec::NextUrl(NextUrl { from: Signal::Body(pointer), keep: Vec::new() })
            }
        })
    }
}

fn example(word: &str) -> &'static str {
    match word {
        "token" => "`{token: {from: {body: /next_cursor}, to: cursor}}`",
        "offset" => "`{offset: {to: offset}}`",
        "page" => "`{page: {to: page}}`",
        "last_record" => "`{last_record: {from: /id, to: starting_after}}`",
        "hook" => "`{hook: hooks.py:next_page}`",
        _ => "`{next_url: {body: /next}}`",
    }
}

impl JsonSchema for PaginatorSpec {
    fn schema_name() -> Cow<'static, str> {
        "PaginatorSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = |key: &str, schema: Schema, about: &str| {
            json_schema!({
                "type": "object",
                "description": about,
                "properties": {key: schema},
                "required": [key],
                "additionalProperties": false,
            })
        };
        let kinds = [
            json_schema!({"enum": ["none", "link_header", "unknown"]}),
            one(
                "link_header",
                generator.subschema_for::<LinkRel>(),
                "The `Link` response header names the next page (RFC 8288)",
            ),
            one("next_url", generator.subschema_for::<NextUrl>(), "The response holds the next page's URL"),
            one(
                "token",
                generator.subschema_for::<TokenSpec>(),
                "The response holds a value that the next request takes",
            ),
            one(
                "offset",
                generator.subschema_for::<OffsetSpec>(),
                "Requests say how many records to leave out",
            ),
            one("page", generator.subschema_for::<PageNumberSpec>(), "Requests say the number of the page"),
            one(
                "last_record",
                generator.subschema_for::<LastRecordSpec>(),
                "Requests say a value of the last record",
            ),
            one(
                "hook",
                generator.subschema_for::<HookRef>(),
                "A function of one's own says what the next request is",
            ),
            one("body_link", generator.subschema_for::<Pointer>(), "Short for `{next_url: {body: ...}}`"),
        ];
        json_schema!({"description": "How one page leads to the next", "anyOf": kinds})
    }
}
