//! A value of the response that the next request takes, such as a cursor.

use serde_json::Value;

use super::end::EndKind;
use super::link_header::linked;
use super::paginator::{Next, PageFacts, Paginator};
use super::signal::{Signals, is_nothing, members, shown, unreadable};
use crate::api::page_request::{PageRequest, parameter, text};
use crate::catalog::{Pointer, RequestLocation, Send, Signal, TokenFrom, TokenSpec, UrlFrom, path_segment};
use crate::error::{Error, ErrorKind, Result};

/// Sends a token on; a page without one, or with `null`, `false`, 0 or something empty there, is the last.
#[derive(Debug, Clone)]
pub(super) struct TokenPaginator(pub(super) TokenSpec);

impl TokenPaginator {
    /// Where the response is looked at for tokens, in the order of `from`; none for a `Link` header.
    fn signals(&self) -> impl Iterator<Item = Signal> {
        self.0.from.as_slice().iter().filter_map(|from| match from {
            TokenFrom::Signal(signal) => Some(signal.clone()),
            TokenFrom::Url { url, .. } => signal_of(url),
        })
    }

    fn tokens(&self, facts: &PageFacts<'_>, signals: &mut Signals<'_>) -> Result<Vec<Option<Value>>> {
        self.0.from.as_slice().iter().map(|from| token(from, facts, signals)).collect()
    }
}

fn signal_of(url: &UrlFrom) -> Option<Signal> {
    match url {
        UrlFrom::Body(pointer) => Some(Signal::Body(pointer.clone())),
        UrlFrom::Header(name) => Some(Signal::Header(name.clone())),
        UrlFrom::Link(_) => None,
    }
}

/// One token of a response.
fn token(from: &TokenFrom, facts: &PageFacts<'_>, signals: &mut Signals<'_>) -> Result<Option<Value>> {
    let page = &facts.request.address.url;
    let (url, param, named) = match from {
        TokenFrom::Signal(signal) => {
            let value = signals.value(signal)?.filter(|value| !is_nothing(value));
            let scalars =
                |value: &Value| !value.is_object() && !value.is_array() && *value != Value::Bool(true);
            return match value {
                Some(Value::Array(items)) if items.iter().all(scalars) => Ok(Some(Value::Array(items))),
                Some(other) if !scalars(&other) => {
                    Err(unreadable(signal, &format!("is {}, which is not a token", shown(&other))))
                }
                value => Ok(value),
            };
        }
        TokenFrom::Url { url: UrlFrom::Link(rel), param } => {
            (linked(facts.headers, page, rel)?, param, format!("the link `{rel}`"))
        }
        TokenFrom::Url { url, param } => {
            let Some(signal) = signal_of(url) else { return Ok(None) };
            let target = match signals.value(&signal)?.filter(|value| !is_nothing(value)) {
                None => None,
                Some(Value::String(target)) => Some(
                    page.join(&target)
                        .map_err(|error| unreadable(&signal, &format!("is not a URL: {error}")))?,
                ),
                Some(other) => {
                    return Err(unreadable(&signal, &format!("is {}, which is not a URL", shown(&other))));
                }
            };
            (target, param, signal.to_string())
        }
    };
    let Some(url) = url else { return Ok(None) };
    match parameter(&url, param).filter(|value| !value.is_empty()) {
        Some(value) => Ok(Some(Value::String(value))),
        None => Err(Error::new(
            ErrorKind::Data,
            "read next link",
            format!("the URL in {named} has no parameter `{param}`, where the definition says the token is"),
        )),
    }
}

impl Paginator for TokenPaginator {
    fn page_fields(&self) -> Vec<Pointer> {
        members(self.signals().chain(self.0.more.clone()).collect::<Vec<_>>().iter())
    }

    fn start(&self, request: &mut PageRequest) -> Result<()> {
        match &self.0.start {
            Some(start) => {
                let locations = self.0.to.as_slice();
                locations
                    .iter()
                    .try_for_each(|location| put(request, location, &Value::String(start.clone())))
            }
            None => Ok(()),
        }
    }

    fn next(&self, facts: &PageFacts<'_>) -> Result<Next> {
        let mut signals = Signals::new(facts.headers, facts.fields);
        let tokens = self.tokens(facts, &mut signals)?;
        let more = signals.flag(self.0.more.as_ref())?;
        if more == Some(false) {
            return Ok(Next::End(EndKind::Flag));
        }
        let Some(tokens) = tokens.iter().cloned().collect::<Option<Vec<_>>>() else {
            if tokens.iter().any(Option::is_some) {
                let what = "the page has only some of the values that the next request takes";
                return Err(Error::new(ErrorKind::Data, "read page", what));
            }
            return Ok(match (more, &self.0.more) {
                (Some(true), Some(signal)) => {
                    Next::Missing(format!("{signal} is true, and there is no token"))
                }
                _ => Next::Unnamed,
            });
        };
        let mut next = facts.request.clone();
        if self.0.send == Send::Token {
            next.address.url.set_query(None);
            next.address.body.clear();
            next.address.alone = true;
        }
        for (location, token) in self.0.to.as_slice().iter().zip(&tokens) {
            put(&mut next, location, token)?;
        }
        Ok(Next::Page(Box::new(next.address)))
    }
}

/// Lets a request take a token, also as a part of its path.
fn put(request: &mut PageRequest, location: &RequestLocation, token: &Value) -> Result<()> {
    let RequestLocation::Path(template) = location else { return request.set(location, token) };
    let segment = path_segment(&text(token))
        .ok_or_else(|| Error::new(ErrorKind::Data, "build request", "the token can't be a part of a path"))?;
    let path = template.fill(|_| Some(&segment)).map_err(|name| {
        Error::new(ErrorKind::Definition, "build request", format!("no value for `{{{name}}}`"))
    })?;
    request.address.url.set_path(&format!("{}{path}", request.base_path));
    Ok(())
}
