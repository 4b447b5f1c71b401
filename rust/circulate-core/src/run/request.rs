//! The first request of a list, with its placeholders filled in.

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;

use crate::api::account::Account;
use crate::api::http::ResponseRules;
use crate::api::page_request::{PageRequest, RequestBody, header, text};
use crate::catalog::{
    Before, BodySpec, Encode, Incremental, Method, Name, QueryValue, RequestLocation, StreamSpec, Template,
    has_steps, path_segment,
};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::{FilterTimes, Window};
use crate::extract::plan::Partition;
use crate::page::paginator;

/// The first page of `stream`, or of a partition of it, for the part of time that `rule` can filter by.
pub(super) fn first_request(
    account: &Account,
    stream: &StreamSpec,
    partition: Option<&Partition>,
    rule: Option<&Incremental>,
    window: &Window,
) -> Result<PageRequest> {
    let whole = Partition::default();
    let values = PlaceholderValues { account, partition: partition.unwrap_or(&whole) };
    let mut query = values.query(&stream.query)?;
    let bounds = rule.map_or(Ok(Vec::new()), |rule| bounds(rule, window))?;
    let filtered = !bounds.is_empty();
    // Parameters are sent in the order of their names.
    let size = stream.page_size.as_ref().map(|size| (&size.param, Value::from(size.requested())));
    let mut others = Vec::new();
    for (location, value) in size.into_iter().chain(bounds) {
        match location.query() {
            Some(name) => {
                query.insert(name.to_owned(), vec![text(&value)]);
            }
            None => others.push((location, value)),
        }
    }
    let pairs = query.iter().flat_map(|(name, values)| values.iter().map(|value| (&**name, &**value)));
    let mut url = account.url(&values.path(&stream.path)?, pairs);
    if stream.encode == Encode::Percent {
        let query = url.query().map(|query| query.replace('+', "%20"));
        url.set_query(query.as_deref());
    }
    let body = stream.body.as_ref().map(|body| values.body(body)).transpose()?;
    let mut request = PageRequest {
        method: method(stream.method, body.is_some()),
        headers: values.headers(&stream.headers)?,
        body,
        base_path: account.base_url().path().trim_end_matches('/').to_owned(),
        page_size: stream.page_size.clone(),
        rules: ResponseRules::of(stream),
        filtered,
        key_parameter: account.auth().query_parameter().map(str::to_owned),
        ..PageRequest::new(url)
    };
    for (location, value) in others {
        request.set(location, &value)?;
    }
    paginator(&stream.paginator).start(&mut request)?;
    // What every request of the list has is not kept with the address of each.
    request.body = request.body.take().map(|body| body.with(&request.address)).transpose()?;
    request.address.body.clear();
    Ok(request)
}

/// The request that must have been made before a list.
pub(super) fn request_before(account: &Account, before: &Before) -> Result<PageRequest> {
    let values = PlaceholderValues { account, partition: &Partition::default() };
    let query = values.query(&before.query)?;
    let pairs = query.iter().flat_map(|(name, values)| values.iter().map(|value| (&**name, &**value)));
    let body = before.body.as_ref().map(|body| values.body(body)).transpose()?;
    let url = account.url(&values.path(&before.path)?, pairs);
    Ok(PageRequest {
        method: method(before.method, body.is_some()),
        body,
        rules: ResponseRules { empty: before.accept.iter().copied().collect(), ..ResponseRules::default() },
        ..PageRequest::new(url)
    })
}

fn method(given: Option<Method>, has_body: bool) -> http::Method {
    match given {
        Some(Method::Post) => http::Method::POST,
        None if has_body => http::Method::POST,
        Some(Method::Get) | None => http::Method::GET,
    }
}

/// What a request takes for the bounds of a period.
fn bounds<'r>(rule: &'r Incremental, window: &Window) -> Result<Vec<(&'r RequestLocation, Value)>> {
    let Some(param) = &rule.param else { return Ok(Vec::new()) };
    let times = FilterTimes::of(rule);
    let since = bound(rule.since.as_ref(), window.since.map(|since| times.lower(since)), &times)?;
    let until = bound(rule.until.as_ref(), window.until.map(|until| times.upper(until)), &times)?;
    let until_param = rule.until_param.as_ref();
    Ok(match (since, until) {
        (Some(since), Some(until)) if until_param.is_none() => {
            vec![(param, Value::String([text(&since), text(&until)].join(&rule.join)))]
        }
        (since, until) => {
            let since = since.map(|since| (param, since));
            since.into_iter().chain(until.map(|until| (until_param.unwrap_or(param), until))).collect()
        }
    })
}

/// What a request takes for one bound: a text, or a number where the template says so.
fn bound(
    template: Option<&Template>,
    bound: Option<Timestamp>,
    times: &FilterTimes<'_>,
) -> Result<Option<Value>> {
    let (Some(template), Some(bound)) = (template, bound) else { return Ok(None) };
    let written = times.text(bound).ok_or_else(|| {
        let what = format!("the bound {bound} cannot be written as the definition says (`format`)");
        Error::new(ErrorKind::Settings, "build request", what)
    })?;
    let filled = template.fill(|_| Some(&written)).map_err(|name| no_value(&name))?;
    if !template.is_number() {
        return Ok(Some(Value::String(filled)));
    }
    let number = serde_json::from_str::<serde_json::Number>(&filled).map_err(|error| {
        Error::new(ErrorKind::Definition, "build request", "the bound is not a number").caused_by(error)
    })?;
    Ok(Some(Value::Number(number)))
}

/// What placeholders stand for: fields of a parent, the value of a partition, and settings that are not secret.
struct PlaceholderValues<'v> {
    account: &'v Account,
    partition: &'v Partition,
}

impl<'v> PlaceholderValues<'v> {
    fn get(&self, name: &str) -> Option<&'v str> {
        let setting = || self.account.value(&Name::try_from(name.to_owned()).ok()?);
        self.partition.value(name).or_else(setting)
    }

    fn fill(&self, template: &Template) -> Result<String> {
        template.fill(|name| self.get(name)).map_err(|name| no_value(&name))
    }

    /// A path, whose values are segments of it.
    fn path(&self, template: &Template) -> Result<String> {
        let mut segments = BTreeMap::new();
        for name in template.placeholders() {
            let value = self.get(name).ok_or_else(|| no_value(name))?;
            let segment = path_segment(value).ok_or_else(|| {
                let what =
                    format!("`{{{name}}}` is `{value}`, which can't be a part of the path `{template}`");
                Error::new(ErrorKind::Settings, "build request", what)
            })?;
            segments.insert(name, segment);
        }
        let path =
            template.fill(|name| segments.get(name).map(String::as_str)).map_err(|name| no_value(&name))?;
        if has_steps(&path) {
            let what = format!("the path `{template}` becomes `{path}`, which leads elsewhere");
            return Err(Error::new(ErrorKind::Settings, "build request", what));
        }
        Ok(path)
    }

    fn query(&self, query: &BTreeMap<String, QueryValue>) -> Result<BTreeMap<String, Vec<String>>> {
        let mut filled = BTreeMap::new();
        for (name, strings) in query {
            let strings = strings.as_slice().iter().map(|text| match text.quote {
                None => self.fill(&text.text),
                Some(quote) => {
                    let quoted = text
                        .text
                        .placeholders()
                        .filter_map(|name| Some((name, quote.apply(self.get(name)?))));
                    let quoted: BTreeMap<_, _> = quoted.collect();
                    text.text
                        .fill(|name| quoted.get(name).map(String::as_str))
                        .map_err(|name| no_value(&name))
                }
            });
            filled.insert(name.clone(), strings.collect::<Result<_>>()?);
        }
        Ok(filled)
    }

    fn headers(&self, headers: &BTreeMap<String, Template>) -> Result<HeaderMap> {
        headers.iter().map(|(name, template)| header(name, &self.fill(template)?)).collect()
    }

    fn body(&self, body: &BodySpec) -> Result<RequestBody> {
        let fill = |document: &crate::catalog::JsonTemplate| {
            document
                .fill(&|name| self.get(name))
                .map_err(|why| Error::new(ErrorKind::Settings, "build request", why))
        };
        Ok(match body {
            BodySpec::Json(document) => RequestBody::Json(fill(document)?),
            BodySpec::Form(fields) => {
                let fields = fields.iter().map(|(name, template)| Ok((name.clone(), self.fill(template)?)));
                RequestBody::Form(fields.collect::<Result<_>>()?)
            }
            BodySpec::Graphql(graphql) => RequestBody::Json(serde_json::json!({
                "query": graphql.query,
                "variables": fill(&graphql.variables)?,
            })),
        })
    }
}

fn no_value(name: &str) -> Error {
    Error::new(ErrorKind::Settings, "build request", format!("no value for `{{{name}}}`"))
        .hint(format!("the definition uses the setting `{name}`: give it a value"))
}
