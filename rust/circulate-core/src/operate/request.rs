//! The request of an operation: its templates, filled with the values of its parameters.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::{Map, Value};

use super::fill::{FillValues, no_value, plain};
use super::values::ParameterValues;
use crate::api::account::Account;
use crate::api::http::ResponseRules;
use crate::api::page_request::{PageRequest, RequestBody, header};
use crate::catalog::{BodySpec, Name, Operation, QueryText, Template, has_steps, path_segment};
use crate::error::{Error, ErrorKind, Result};

/// The request of `operation` for an account.
pub(super) fn request_of(
    account: &Account,
    operation: &Operation,
    values: &ParameterValues,
) -> Result<PageRequest> {
    let filler = RequestValues::new(account, values);
    let query = filler.query(operation)?;
    let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let url = account.url(&filler.path(&operation.path)?, pairs);
    Ok(PageRequest {
        method: operation.method.into(),
        headers: filler.headers(operation)?,
        body: operation.body.as_ref().map(|body| filler.body(body)).transpose()?,
        base_path: account.base_url().path().trim_end_matches('/').to_owned(),
        rules: ResponseRules { errors: operation.errors.clone().into(), ..ResponseRules::default() },
        key_parameters: account.query_parameters().to_vec(),
        ..PageRequest::new(url)
    })
}

/// What placeholders stand for: parameters, and settings that are not secret.
pub(super) struct RequestValues<'v> {
    account: &'v Account,
    values: &'v ParameterValues,
}

impl<'v> RequestValues<'v> {
    pub(super) fn new(account: &'v Account, values: &'v ParameterValues) -> Self {
        Self { account, values }
    }
}

impl FillValues for RequestValues<'_> {
    fn value(&self, placeholder: &str) -> Option<Value> {
        let setting = || self.account.value(&Name::try_from(placeholder.to_owned()).ok()?).map(Value::from);
        self.values.get(placeholder).cloned().or_else(setting)
    }
}

impl RequestValues<'_> {
    /// A path, whose values are segments of it.
    fn path(&self, template: &Template) -> Result<String> {
        let mut segments = BTreeMap::new();
        for name in template.placeholders() {
            let value = plain(name, &self.value(name).ok_or_else(|| no_value(name))?)?;
            let segment = path_segment(&value).ok_or_else(|| {
                let what = format!("`{name}` is `{value}`, which can't be a part of the path `{template}`");
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

    /// The query, in the order of its names. A list repeats its parameter.
    fn query(&self, operation: &Operation) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        for (name, strings) in &operation.query {
            for QueryText { text, quote } in strings.as_slice() {
                if let Some(Value::Array(items)) = text.only_placeholder().and_then(|only| self.value(only)) {
                    for item in &items {
                        pairs.push((name.clone(), plain(name, item)?));
                    }
                    continue;
                }
                let quoted = |value: String| quote.map_or(value.clone(), |quote| quote.apply(&value));
                pairs.extend(self.text_with(text, &quoted)?.map(|value| (name.clone(), value)));
            }
        }
        Ok(pairs)
    }

    fn headers(&self, operation: &Operation) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, template) in &operation.headers {
            if let Some(value) = self.text(template)? {
                let (name, value) = header(name, &value)?;
                headers.insert(name, value);
            }
        }
        Ok(headers)
    }

    fn body(&self, body: &BodySpec) -> Result<RequestBody> {
        Ok(match body {
            BodySpec::Json(document) => {
                RequestBody::Json(self.json(document)?.unwrap_or_else(|| Value::Object(Map::new())))
            }
            BodySpec::Form(fields) => {
                let mut filled = Vec::new();
                for (name, template) in fields {
                    filled.extend(self.text(template)?.map(|value| (name.clone(), value)));
                }
                RequestBody::Form(filled)
            }
            BodySpec::Graphql(graphql) => {
                let variables = self.json(&graphql.variables)?;
                RequestBody::Json(serde_json::json!({"query": graphql.query, "variables": variables}))
            }
        })
    }
}

#[cfg(test)]
#[path = "tests/request.rs"]
mod tests;
