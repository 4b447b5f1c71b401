//! The first request of a list, with its placeholders filled in.

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::MAX_TEXT;
use crate::api::account::Account;
use crate::api::http::ResponseRules;
use crate::api::page_request::{PageRequest, RequestBody, add_parameter, header, remove_parameter, text};
use crate::catalog::{
    Before, BodySpec, Encode, Incremental, JobRequest, Method, Name, Parent, QueryValue, RequestLocation,
    StreamSpec, Template, has_steps, path_segment,
};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::{FilterTimes, Window};
use crate::extract::plan::Partition;
use crate::page::paginator;
use crate::redact::Redactor;

/// The first page of `stream`, or of a partition of it, for the part of time that `rule` can filter by.
pub(super) fn first_request(
    account: &Account,
    stream: &StreamSpec,
    partition: Option<&Partition>,
    rule: Option<&Incremental>,
    window: &Window,
) -> Result<PageRequest> {
    let whole = Partition::default();
    let partition = partition.unwrap_or(&whole);
    let values = PlaceholderValues::new(account, stream, partition)?;
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
    let mut url = match partition.url() {
        Some(address) => with_query(address, pairs)?,
        None => account.url(&values.path(&stream.path)?, pairs),
    };
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
        key_parameters: account.query_parameters().to_vec(),
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

/// The address that a parent names, with the parameters of the definition instead of those of the same name.
fn with_query<'q>(address: &str, pairs: impl Iterator<Item = (&'q str, &'q str)>) -> Result<Url> {
    let mut url = Url::parse(address).map_err(|error| {
        Error::new(ErrorKind::State, "build request", "a stored address is not a URL").caused_by(error)
    })?;
    let pairs: Vec<_> = pairs.collect();
    for (name, _) in &pairs {
        remove_parameter(&mut url, name);
    }
    for (name, value) in pairs {
        add_parameter(&mut url, name, value);
    }
    Ok(url)
}

/// The request that must have been made before a list.
pub(super) fn request_before(account: &Account, before: &Before) -> Result<PageRequest> {
    let whole = Partition::default();
    let values = PlaceholderValues { account, partition: &whole, several: None };
    let request = values.request(&before.path, &before.query, before.body.as_ref())?;
    Ok(PageRequest {
        method: method(before.method, request.body.is_some()),
        rules: ResponseRules { empty: before.accept.iter().copied().collect(), ..ResponseRules::default() },
        ..request
    })
}

/// A request about a job, with the bounds of a period if it takes them.
pub(super) fn request_about_job(
    account: &Account,
    about: &JobRequest,
    rules: ResponseRules,
    method: http::Method,
    job: &Partition,
    rule: Option<&Incremental>,
    period: &Window,
) -> Result<PageRequest> {
    let values = PlaceholderValues { account, partition: job, several: None };
    let mut request = PageRequest {
        method: about.method.map_or(method, http::Method::from),
        headers: values.headers(&about.headers)?,
        rules,
        ..values.request(&about.path, &about.query, about.body.as_ref())?
    };
    for (location, value) in rule.map_or(Ok(Vec::new()), |rule| bounds(rule, period))? {
        request.set(location, &value)?;
    }
    request.body = request.body.take().map(|body| body.with(&request.address)).transpose()?;
    request.address.body.clear();
    Ok(request)
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
    several: Option<Several<'v>>,
}

/// Several parents that one field stands for.
struct Several<'v> {
    name: &'v str,
    parents: Vec<String>,
    join: Option<&'v str>,
    joined: String,
}

impl<'v> PlaceholderValues<'v> {
    /// Parents that are joined must not hold what joins them.
    fn new(account: &'v Account, stream: &'v StreamSpec, partition: &'v Partition) -> Result<Self> {
        let Some((batch, name, _)) = stream.parent().and_then(Parent::batched) else {
            return Ok(Self { account, partition, several: None });
        };
        let (parents, join) = (partition.several(name), batch.join.as_deref());
        if let Some(join) = join
            && let Some(parent) = parents.iter().find(|parent| parent.contains(join))
        {
            let shown = Redactor::shared().shown(parent, MAX_TEXT);
            let what =
                format!("the parent `{shown}` holds `{join}`, which joins several of them in a request");
            return Err(Error::new(ErrorKind::Data, "build request", what)
                .hint("choose another `join`, if the API takes one, or leave `batch` out"));
        }
        let joined = parents.join(join.unwrap_or_default());
        Ok(Self { account, partition, several: Some(Several { name, parents, join, joined }) })
    }

    /// A request that is of no list.
    fn request(
        &self,
        path: &Template,
        query: &BTreeMap<String, QueryValue>,
        body: Option<&BodySpec>,
    ) -> Result<PageRequest> {
        let query = self.query(query)?;
        let pairs = query.iter().flat_map(|(name, values)| values.iter().map(|value| (&**name, &**value)));
        let body = body.map(|body| self.body(body)).transpose()?;
        Ok(PageRequest { body, ..PageRequest::new(self.account.url(&self.path(path)?, pairs)) })
    }

    fn get(&self, name: &str) -> Option<&str> {
        if let Some(several) = self.several.as_ref().filter(|several| several.name == name) {
            return Some(&several.joined);
        }
        let setting = || self.account.value(&Name::try_from(name.to_owned()).ok()?);
        self.partition.value(name).or_else(setting)
    }

    /// The values of a text that is nothing but a placeholder for a list of them.
    fn list(&self, name: &str) -> Option<&[String]> {
        let several = self.several.as_ref().filter(|several| several.name == name && several.join.is_none());
        several.map(|several| several.parents.as_slice())
    }

    fn list_of(&self, template: &Template) -> Option<&[String]> {
        self.list(template.only_placeholder()?)
    }

    fn fill(&self, template: &Template) -> Result<String> {
        template.fill(|name| self.get(name)).map_err(|name| no_value(&name))
    }

    /// A value as a part of a path; several are encoded one by one, so that what joins them stays what it is.
    fn segment(&self, name: &str, template: &Template) -> Result<String> {
        let value = self.get(name).ok_or_else(|| no_value(name))?;
        let several = self.several.as_ref().filter(|several| several.name == name);
        let segment = match several.and_then(|several| Some((several, several.join?))) {
            Some((several, join)) => {
                let segments: Option<Vec<_>> =
                    several.parents.iter().map(|parent| path_segment(parent)).collect();
                let join =
                    if matches!(join, "," | ";" | ":") { Some(join.to_owned()) } else { path_segment(join) };
                segments.zip(join).map(|(segments, join)| segments.join(&join))
            }
            None => path_segment(value),
        };
        segment.ok_or_else(|| {
            let what = format!("`{{{name}}}` is `{value}`, which can't be a part of the path `{template}`");
            Error::new(ErrorKind::Settings, "build request", what)
        })
    }

    /// A path, whose values are segments of it.
    fn path(&self, template: &Template) -> Result<String> {
        let mut segments = BTreeMap::new();
        for name in template.placeholders() {
            segments.insert(name, self.segment(name, template)?);
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
            let several =
                strings.as_slice().iter().filter_map(|text| self.list_of(&text.text)).flatten().cloned();
            let single = strings.as_slice().iter().filter(|text| self.list_of(&text.text).is_none());
            let strings = single.map(|text| match text.quote {
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
            filled.insert(name.clone(), strings.chain(several.map(Ok)).collect::<Result<_>>()?);
        }
        Ok(filled)
    }

    fn headers(&self, headers: &BTreeMap<String, Template>) -> Result<HeaderMap> {
        headers.iter().map(|(name, template)| header(name, &self.fill(template)?)).collect()
    }

    fn body(&self, body: &BodySpec) -> Result<RequestBody> {
        let fill = |document: &crate::catalog::JsonTemplate| {
            document
                .fill_with_lists(&|name| self.get(name), &|name| self.list(name))
                .map_err(|why| Error::new(ErrorKind::Settings, "build request", why))
        };
        Ok(match body {
            BodySpec::Json(document) => RequestBody::Json(fill(document)?),
            BodySpec::Form(fields) => {
                let mut filled = Vec::new();
                for (name, template) in fields {
                    match self.list_of(template) {
                        Some(values) => {
                            filled.extend(values.iter().map(|value| (name.clone(), value.clone())));
                        }
                        None => filled.push((name.clone(), self.fill(template)?)),
                    }
                }
                RequestBody::Form(filled)
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
