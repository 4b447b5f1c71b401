//! Pages that pass through hooks before they are read, and what a hook says of the next one.

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, once};
use http::{HeaderMap, StatusCode};

use super::error_inside::{ErrorField, ErrorInside};
use super::format::BodyError;
use super::paginator::Next;
use super::record::Problem;
use crate::api::hooks::{HookedPage, Hooks, LargePage, NextRequest};
use crate::api::http::{Failure, Success, remove_parameter};
use crate::api::page_address::PageAddress;
use crate::api::page_request::{PageRequest, RequestBody};
use crate::catalog::{HookRef, PageHooks, PaginatorSpec, Pointer, RequestLocation, StreamSpec};
use crate::error::{Error, ErrorKind, Result};

/// The hooks that pages of a list pass through.
#[derive(Debug, Clone)]
pub struct ThroughHooks {
    hooks: Hooks,
    by_hooks: Box<PageHooks>,
    paginator: Option<HookRef>,
}

/// Pages up to this share of the largest one may be in memory side by side: as many together as lists are read at a time.
const SMALL: u64 = 8;

/// A part of a page as it is taken in.
#[derive(Debug)]
pub(super) enum PagePiece {
    /// Bytes of its body.
    Body(Bytes),
    /// Whole records.
    Records(Vec<Bytes>),
}

/// A page that a hook has made something of, or will.
pub(super) struct HookedBody {
    pub(super) pieces: BoxStream<'static, Result<PagePiece>>,
    /// How many bytes came, if that is not what the pieces hold.
    pub(super) received: Option<u64>,
    /// The body, if a hook needs it to say what comes next.
    pub(super) body: Option<Bytes>,
    /// It is so large that no other one like it may be in memory.
    pub(super) large: Option<LargePage>,
    /// What the body that the last hook gets says where errors do.
    pub(super) said: Vec<ErrorField>,
}

impl ThroughHooks {
    /// Those of `stream`, if it has some.
    pub fn of(stream: &StreamSpec, hooks: &Hooks) -> Option<Self> {
        let paginator = match &stream.paginator {
            PaginatorSpec::Hook(hook) => Some(hook.clone()),
            _ => None,
        };
        let has_some = paginator.is_some() || !stream.hooks.are_none();
        has_some.then(|| Self { hooks: hooks.clone(), by_hooks: stream.hooks.clone(), paginator })
    }

    /// The hook that makes the records, or what holds them.
    pub(super) fn maker(&self) -> Option<&HookRef> {
        self.by_hooks.split.as_ref().or(self.by_hooks.page.as_ref())
    }

    /// Whether a hook makes the records.
    pub(super) fn splits(&self) -> bool {
        self.by_hooks.split.is_some()
    }

    /// Whether a hook says where pages lead.
    pub(super) fn leads(&self) -> bool {
        self.paginator.is_some()
    }

    /// Reads `body` to its end, and lets the hooks make of it what is taken in; none if it has nothing in it and the definition
    /// says that this is an empty list. A body that a hook gets, and one that is needed as a whole behind it, is at most `limit`
    /// bytes. `errors` says whether it is one: a hook need not know.
    pub(super) async fn take<J>(
        &self,
        body: BoxStream<'static, Result<Bytes>>,
        limit: u64,
        errors: &ErrorInside<'_, J>,
    ) -> Result<Option<HookedBody>, Failure>
    where
        J: Fn(StatusCode, &HeaderMap, &[ErrorField]) -> Result<Success, Failure> + Sync,
    {
        let (status, headers) = (errors.status, errors.headers);
        let page = |body: Bytes| HookedPage { status: status.as_u16(), headers: headers.clone(), body };
        let mut large = None;
        let mut whole = self.collected(body, limit, &mut large).await?;
        if errors.watch.empty().no_body && whole.trim_ascii().is_empty() {
            return Ok(None);
        }
        let received = Some(whole.len() as u64);
        let mut said = errors.said_in(&whole);
        if let Some(hook) = &self.by_hooks.page {
            let made = self.hooks.page(hook, page(whole))?;
            if self.by_hooks.split.is_none() && self.paginator.is_none() {
                let pieces = made.map_ok(PagePiece::Body).boxed();
                return Ok(Some(HookedBody { pieces, received, body: None, large, said }));
            }
            whole = match self.collected(made, limit, &mut large).await {
                Ok(made) => made,
                Err(error) => {
                    errors.judge(&said)?;
                    return Err(error.into());
                }
            };
            said = errors.said_in(&whole);
        }
        let body = self.paginator.is_some().then(|| whole.clone());
        let pieces = match &self.by_hooks.split {
            Some(hook) => {
                // Records have nothing around them where an error could be.
                if !said.is_empty() {
                    errors.judge(&said)?;
                }
                self.hooks.split(hook, page(whole))?.map_ok(PagePiece::Records).boxed()
            }
            None => once(std::future::ready(Ok(PagePiece::Body(whole)))).boxed(),
        };
        Ok(Some(HookedBody { pieces, received, body, large, said }))
    }

    /// A body as a whole. One that is large waits until no other is in memory.
    async fn collected(
        &self,
        mut pieces: BoxStream<'static, Result<Bytes>>,
        limit: u64,
        large: &mut Option<LargePage>,
    ) -> Result<Bytes> {
        let mut whole = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            let size = (whole.len() + piece.len()) as u64;
            if size > limit {
                let what = format!("a page that goes through a hook is larger than {} MB", limit / 1_000_000);
                return Err(Error::new(ErrorKind::Limit, "read page", what).hint(
                    "such a page is in memory as a whole, a quarter of `memory` at most: request smaller pages, or give more \
                     memory",
                ));
            }
            if size > limit / SMALL && large.is_none() {
                *large = self.hooks.large_page().await;
            }
            if whole.is_empty() {
                // Most come in one piece, which is not copied.
                whole = BytesMut::from(piece);
            } else {
                whole.extend_from_slice(&piece);
            }
        }
        Ok(whole.freeze())
    }

    /// Where a page leads, if a hook says that.
    pub async fn next(&self, request: &PageRequest, page: HookedPage) -> Result<Option<Next>> {
        let Some(hook) = &self.paginator else { return Ok(None) };
        let next = self.hooks.next(hook, request.to_http()?, page).await?;
        let address = next.map(|next| address_of(request, next)).transpose();
        let address = address.map_err(|why| hook_error(hook, "follow next page", &why))?;
        Ok(Some(Next::named(address)))
    }
}

/// The address of the page that a hook names; else what is wrong with it.
fn address_of(request: &PageRequest, next: NextRequest) -> Result<PageAddress, String> {
    let mut request = request.clone();
    if let Some(url) = &next.url {
        let joined = request.address.url.join(url);
        request.address.url =
            joined.map_err(|error| format!("the `url` that it returned is none: {error}"))?;
    }
    for (name, value) in next.query {
        match value {
            Some(value) => put(&mut request, &RequestLocation::Query(name), &value.into())?,
            None => remove_parameter(&mut request.address.url, &name),
        }
    }
    for (name, value) in next.headers {
        put(&mut request, &RequestLocation::Header(name), &value.into())?;
    }
    for (pointer, value) in next.body {
        let members = Pointer::try_from(pointer.clone())?;
        match &request.body {
            None => {
                return Err(format!(
                    "it returned `{pointer}` of the body, and requests of the list have none"
                ));
            }
            Some(_) if members.segments().is_empty() => {
                return Err("it returned a whole body: name its members, such as `/cursor`".to_owned());
            }
            Some(RequestBody::Form(_)) if members.segments().len() > 1 => {
                return Err(format!(
                    "it returned `{pointer}`, which leads into an object, and a form has fields only"
                ));
            }
            Some(_) => put(&mut request, &RequestLocation::Body(members), &value)?,
        }
    }
    // A body that can't be built is an error of the hook, and not of the request that would be the next.
    request.to_http().map_err(|error| error.to_string())?;
    for name in &request.key_parameters {
        remove_parameter(&mut request.address.url, name);
    }
    Ok(request.address)
}

fn put(
    request: &mut PageRequest,
    location: &RequestLocation,
    value: &serde_json::Value,
) -> Result<(), String> {
    request.set(location, value).map_err(|error| error.to_string())
}

/// Something that a hook returned and that can't be used.
fn hook_error(hook: &HookRef, operation: &'static str, what: &str) -> Error {
    Error::new(ErrorKind::Hook, operation, format!("the hook failed: {what}")).with("hook", hook)
}

/// What is wrong with a record that a hook made.
pub(super) fn refused_record(BodyError { line, error }: &BodyError, hook: &HookRef) -> Error {
    let number = line.unwrap_or_default();
    let what = match &error.problem {
        Problem::Syntax(expected) => format!("record {number} is not JSON: expected {expected}"),
        Problem::Utf8 => format!("record {number} is not UTF-8"),
        Problem::NotARecord { found, .. } => {
            format!("record {number} is {}, and a record is an object", found.as_str())
        }
        Problem::RecordTooLarge => {
            format!("record {number} is larger than records may be (`max_record_bytes`)")
        }
        Problem::TooManyRecords => "it made more records than a page may have".to_owned(),
        Problem::TooDeep => format!("record {number} nests too deeply"),
        _ => format!("record {number} is not exactly one JSON object"),
    };
    Error::new(ErrorKind::Hook, "read page", format!("the hook made no records: {what}")).with("hook", hook)
}

#[cfg(test)]
#[path = "tests/hooked.rs"]
mod tests;
