//! What a response says under a name that a definition gives: a flag, a number, a value.

use http::HeaderMap;
use serde_json::Value;

use crate::catalog::{Pointer, Signal};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;

/// The members of the page among `signals`, in their order.
pub(super) fn members<'s>(signals: impl IntoIterator<Item = &'s Signal>) -> Vec<Pointer> {
    let member = |signal: &Signal| match signal {
        Signal::Body(pointer) => Some(pointer.clone()),
        Signal::Header(_) => None,
    };
    signals.into_iter().filter_map(member).collect()
}

/// Reads signals one after the other, in the order in which their [`members`] were named.
pub(super) struct Signals<'p> {
    headers: &'p HeaderMap,
    fields: std::slice::Iter<'p, Option<Vec<u8>>>,
}

impl<'p> Signals<'p> {
    pub(super) fn new(headers: &'p HeaderMap, fields: &'p [Option<Vec<u8>>]) -> Self {
        Self { headers, fields: fields.iter() }
    }

    /// The value of the next signal; `None` if there is none, or `null`.
    pub(super) fn value(&mut self, signal: &Signal) -> Result<Option<Value>> {
        let value = match signal {
            Signal::Header(name) => match self.headers.get(name) {
                None => return Ok(None),
                Some(value) => Value::String(
                    value.to_str().map_err(|_| unreadable(signal, "is not readable text"))?.trim().to_owned(),
                ),
            },
            Signal::Body(_) => match self.fields.next().and_then(Option::as_ref) {
                None => return Ok(None),
                Some(json) => {
                    serde_json::from_slice(json).map_err(|_| unreadable(signal, "is not readable text"))?
                }
            },
        };
        Ok(Some(value).filter(|value| !value.is_null()))
    }

    /// The flag of the next signal.
    pub(super) fn flag(&mut self, signal: Option<&Signal>) -> Result<Option<bool>> {
        let Some(signal) = signal else { return Ok(None) };
        let Some(value) = self.value(signal)? else { return Ok(None) };
        let flag = match &value {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) if number.as_u64() == Some(0) => Some(false),
            Value::Number(number) if number.as_u64() == Some(1) => Some(true),
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Some(true),
                "false" | "no" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        flag.map(Some).ok_or_else(|| {
            unreadable(signal, &format!("is {}, where true or false was expected", shown(&value)))
        })
    }

    /// The count of the next signal.
    pub(super) fn count(&mut self, signal: Option<&Signal>) -> Result<Option<u64>> {
        let Some(signal) = signal else { return Ok(None) };
        let Some(value) = self.value(signal)? else { return Ok(None) };
        let count = match &value {
            Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        count
            .map(Some)
            .ok_or_else(|| unreadable(signal, &format!("is {}, where a count was expected", shown(&value))))
    }
}

/// `537.0` is a count, too.
fn whole(number: f64) -> Option<u64> {
    let is_whole = number >= 0.0 && number.fract() == 0.0 && number < 9e15;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was just checked")]
    is_whole.then_some(number as u64)
}

/// Whether a value says that there is nothing more: what is empty, false or 0.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(true) => false,
    }
}

/// What a value is, for people.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) => format!("the text `{}`", Redactor::shared().shown(text, 50)),
        Value::Number(number) => format!("the number {number}"),
        other => format!("`{other}`"),
    }
}

pub(super) fn unreadable(signal: &Signal, what: &str) -> Error {
    Error::new(ErrorKind::Data, "read page", format!("{signal} {what}")).hint(
        "nothing says whether the list goes on, so the page is not taken in: correct `paginator` in the endpoint's definition",
    )
}
