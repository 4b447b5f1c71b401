//! The request of a page, before it is signed in and sent.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use super::http::{Request, ResponseRules};
use super::page_address::PageAddress;
use crate::catalog::{PageSize, Pointer, RequestLocation};
use crate::error::{Error, ErrorKind, Result};

pub use crate::api::http::{add_parameter, parameter, remove_parameter, set_parameter};

/// A page to request.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// The method.
    pub method: Method,
    /// Headers of all requests of the list.
    pub headers: HeaderMap,
    /// The body of the first request of the list.
    pub body: Option<RequestBody>,
    /// Where the page is.
    pub address: PageAddress,
    /// The path of the API's base URL, without a slash at its end.
    pub base_path: String,
    /// How its size may be made smaller.
    pub page_size: Option<PageSize>,
    /// The number of the page, if the request says one.
    pub numbered: Option<Numbered>,
    /// What responses to it mean that are no pages.
    pub rules: ResponseRules,
    /// The header of a condition under which the page is requested (RFC 9110, section 13).
    pub condition: Option<(HeaderName, String)>,
    /// It asks for a part of the list, such as what is newer than a time.
    pub filtered: bool,
    /// The query parameters by which it is signed in when it is sent, which no address has: APIs repeat them in links.
    pub key_parameters: Vec<String>,
}

/// The number of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Where the request takes it.
    pub to: RequestLocation,
    /// The number of the first page.
    pub first: u64,
}

/// A body with its values filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestBody {
    /// A JSON document.
    Json(Value),
    /// Fields of a form.
    Form(Vec<(String, String)>),
}

impl PageRequest {
    /// A GET of `url`, without anything more to know of it.
    pub fn new(url: Url) -> Self {
        Self {
            method: Method::GET,
            headers: HeaderMap::new(),
            body: None,
            address: url.into(),
            base_path: String::new(),
            page_size: None,
            numbered: None,
            rules: ResponseRules::default(),
            condition: None,
            filtered: false,
            key_parameters: Vec::new(),
        }
    }

    /// The request of another page of the same list.
    #[must_use]
    pub fn at(self, address: PageAddress) -> Self {
        Self { address, ..self }
    }

    /// As HTTP sends it, without credentials.
    pub fn to_http(&self) -> Result<Request> {
        let mut sent = Request {
            method: self.method.clone(),
            url: self.address.url.clone(),
            headers: self.headers.clone(),
            body: Bytes::new(),
        };
        for (name, value) in &self.address.headers {
            let (name, value) = header(name, value)?;
            sent.headers.insert(name, value);
        }
        if let Some((name, value)) = &self.condition {
            let (name, value) = header(name.as_str(), value)?;
            sent.headers.insert(name, value);
        }
        if let Some(body) = &self.body {
            let (kind, bytes) = body.with(&self.address)?.encoded();
            sent.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
            sent.body = bytes;
        }
        Ok(sent)
    }

    /// Lets the request take `value` at `location`, instead of what it takes there.
    pub fn set(&mut self, location: &RequestLocation, value: &Value) -> Result<()> {
        match location {
            RequestLocation::Query(name) => set_parameter(&mut self.address.url, name, &text(value)),
            RequestLocation::Header(name) => {
                header(name, &text(value))?;
                self.address.headers.insert(name.clone(), text(value));
            }
            RequestLocation::Body(pointer) => {
                self.address.body.insert(pointer.to_string(), value.clone());
            }
            // Where a path leads is known to whoever knows the base URL.
            RequestLocation::Path(_) => {}
        }
        Ok(())
    }

    /// What the request takes at `location`.
    pub fn get(&self, location: &RequestLocation) -> Option<Value> {
        match location {
            RequestLocation::Query(name) => parameter(&self.address.url, name).map(Value::String),
            RequestLocation::Header(name) => self.address.headers.get(name).cloned().map(Value::String),
            RequestLocation::Body(pointer) => {
                let pointer = pointer.to_string();
                let given = self.address.body.get(&pointer).cloned();
                given.or_else(|| match self.body.as_ref()? {
                    RequestBody::Json(document) => document.pointer(&pointer).cloned(),
                    RequestBody::Form(fields) => {
                        let field = fields.iter().find(|(name, _)| *name == field_name(&pointer))?;
                        Some(Value::String(field.1.clone()))
                    }
                })
            }
            RequestLocation::Path(_) => None,
        }
    }

    /// How many records it requests.
    pub fn requested_size(&self) -> Option<usize> {
        number(&self.get(&self.page_size.as_ref()?.param)?).and_then(|size| usize::try_from(size).ok())
    }

    /// Requests about half as many records, down to the least; returns the new size if there is one. Where pages have
    /// numbers, it divides the old one: the page begins where it began before.
    pub fn make_smaller(&mut self) -> Option<u32> {
        let requested = u32::try_from(self.requested_size()?).ok()?;
        let least = self.page_size.as_ref()?.min;
        let smaller = match &self.numbered {
            None => (requested / 2).max(least),
            Some(_) => (least..=requested / 2).rev().find(|size| requested.is_multiple_of(*size))?,
        };
        if smaller >= requested || !self.set_size(smaller) {
            return None;
        }
        if let Some(numbered) = self.numbered.clone() {
            let page = number(&self.get(&numbered.to)?)?;
            let before = page.checked_sub(numbered.first)?.checked_mul(u64::from(requested / smaller))?;
            self.set(&numbered.to, &Value::from(numbered.first.checked_add(before)?)).ok()?;
        }
        Some(smaller)
    }

    /// Requests another number of records, if the request says one. `false` if so few may not be requested of its API.
    pub fn set_size(&mut self, records: u32) -> bool {
        let Some(size) = self.page_size.clone() else { return false };
        let may = records >= size.min && self.get(&size.param).is_some();
        may && self.set(&size.param, &Value::from(records)).is_ok()
    }
}

impl RequestBody {
    /// It with what `address` says instead.
    pub fn with(&self, address: &PageAddress) -> Result<Self> {
        match self {
            Self::Json(document) => {
                let mut document =
                    if address.alone { Value::Object(serde_json::Map::new()) } else { document.clone() };
                for (pointer, value) in &address.body {
                    put(&mut document, pointer, value.clone())?;
                }
                Ok(Self::Json(document))
            }
            Self::Form(fields) => {
                let mut fields = if address.alone { Vec::new() } else { fields.clone() };
                for (pointer, value) in &address.body {
                    let name = field_name(pointer);
                    fields.retain(|(field, _)| *field != name);
                    fields.push((name, text(value)));
                }
                Ok(Self::Form(fields))
            }
        }
    }

    fn encoded(&self) -> (&'static str, Bytes) {
        match self {
            Self::Json(document) => ("application/json", document.to_string().into()),
            Self::Form(fields) => {
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                ("application/x-www-form-urlencoded", body.into())
            }
        }
    }
}

/// The field of a form that a pointer names.
fn field_name(pointer: &str) -> String {
    let pointer = Pointer::try_from(pointer.to_owned()).unwrap_or_default();
    pointer.segments().first().cloned().unwrap_or_default()
}

/// Puts `value` where `pointer` says, with the objects that lead there.
fn put(document: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let pointer = Pointer::try_from(pointer.to_owned())
        .map_err(|why| Error::new(ErrorKind::State, "build request", why))?;
    let mut location = document;
    for segment in pointer.segments() {
        if location.is_null() {
            *location = Value::Object(serde_json::Map::new());
        }
        let Value::Object(members) = location else {
            let what = format!("`{pointer}` leads through something in the body that is not an object");
            return Err(Error::new(ErrorKind::Definition, "build request", what));
        };
        location = members.entry(segment.clone()).or_insert(Value::Null);
    }
    *location = value;
    Ok(())
}

/// A value as text, for queries, headers and forms; lists are joined with commas.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A whole number that is not negative, also as text.
pub fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A header that can be sent; the error says what is wrong with it.
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let wrong = || {
        let shown = crate::redact::Redactor::shared().shown(value, 100);
        Error::new(ErrorKind::Definition, "build request", format!("invalid header `{name}: {shown}`"))
            .hint("a header holds no line breaks or other control characters")
    };
    Ok((name.parse().map_err(|_| wrong())?, value.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: RequestBody) -> PageRequest {
        let url = "https://acme.example/items?a=1".parse().unwrap();
        PageRequest { method: Method::POST, body: Some(body), ..PageRequest::new(url) }
    }

    fn body_of(request: &PageRequest) -> String {
        String::from_utf8(request.to_http().unwrap().body.to_vec()).unwrap()
    }

    fn body(pointer: &str) -> RequestLocation {
        RequestLocation::Body(Pointer::try_from(pointer.to_owned()).unwrap())
    }

    #[test]
    fn a_value_goes_into_a_json_body_with_its_type() {
        let mut request = request(RequestBody::Json(json!({"limit": 5, "page": {"size": 2}})));
        request.set(&body("/page/number"), &json!(3)).unwrap();
        request.set(&body("/new/cursor"), &json!("c")).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&body_of(&request)).unwrap(),
            json!({"limit": 5, "page": {"size": 2, "number": 3}, "new": {"cursor": "c"}})
        );
        assert_eq!(request.get(&body("/page/size")), Some(json!(2)));
        request.address.alone = true;
        assert_eq!(body_of(&request), r#"{"new":{"cursor":"c"},"page":{"number":3}}"#);
    }

    #[test]
    fn a_place_that_is_no_object_is_an_error() {
        let mut request = request(RequestBody::Json(json!({"limit": 5})));
        request.set(&body("/limit/size"), &json!(1)).unwrap();
        assert!(request.to_http().unwrap_err().to_string().contains("`/limit/size` leads through"));
    }

    #[test]
    fn a_value_goes_into_a_form() {
        let mut request = request(RequestBody::Form(vec![("a b".to_owned(), "1&2".to_owned())]));
        request.set(&body("/cursor"), &json!(["x", 7])).unwrap();
        assert_eq!(body_of(&request), "a+b=1%262&cursor=x%2C7");
    }

    #[test]
    fn a_smaller_page_begins_where_the_page_began() {
        let size =
            PageSize { param: RequestLocation::Query("n".to_owned()), preferred: None, max: 90, min: 1 };
        let url = "https://acme.example/items?n=90&page=3".parse().unwrap();
        let numbered = Numbered { to: RequestLocation::Query("page".to_owned()), first: 1 };
        let mut request =
            PageRequest { page_size: Some(size), numbered: Some(numbered), ..PageRequest::new(url) };
        assert_eq!(request.make_smaller(), Some(45));
        assert_eq!(request.address.url.query(), Some("n=45&page=5"), "180 records come before it");
        assert_eq!(request.make_smaller(), Some(15), "22 does not divide 45");
        assert_eq!(request.address.url.query(), Some("n=15&page=13"));
    }

    #[test]
    fn a_header_takes_what_it_can_hold() {
        let mut request = request(RequestBody::Json(json!({})));
        request.set(&RequestLocation::Header("X-Cursor".to_owned()), &json!("a")).unwrap();
        assert_eq!(request.to_http().unwrap().headers["x-cursor"], "a");
        let error =
            request.set(&RequestLocation::Header("X-Cursor".to_owned()), &json!("a\r\nb")).unwrap_err();
        assert!(error.to_string().contains("invalid header `X-Cursor"), "{error}");
    }
}
