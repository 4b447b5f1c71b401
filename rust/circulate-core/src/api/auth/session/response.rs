//! What the response to a login holds. What can't be read is named, and nothing of it is shown.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use super::cookie::cookie;
use crate::api::http::{Response, server_date, without_mark};
use crate::catalog::{Pointer, SessionAuth, SessionExpiry, SessionToken};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;
use crate::secrets::Secret;

/// How large a response may be.
const MAX_RESPONSE: usize = 256 * 1024;
/// Of a token that nothing is known of: until it is refused.
pub(super) const UNTIL_REFUSED: Duration = Duration::from_hours(24 * 365);
/// The most members that are named in an error, and the most characters of a name.
const NAMED: usize = 12;
const NAME_LENGTH: usize = 40;
/// Epoch seconds are fewer until the year 5138, and milliseconds are more since 1973.
const FIRST_MILLISECOND: f64 = 1e11;

/// A success.
#[derive(Debug)]
pub(super) struct LoginResponse {
    headers: HeaderMap,
    body: Vec<u8>,
    /// When it came, by the server's clock if that is known.
    at: Timestamp,
}

impl LoginResponse {
    /// Reads a response to its end; `now` is by our clock.
    pub(super) async fn read(mut response: Response, now: Timestamp) -> Result<Self> {
        let body = response.read_body(MAX_RESPONSE).await?;
        let body = body.ok_or_else(|| unreadable("has more than 256 KB"))?;
        let at = server_date(&response.headers).unwrap_or(now);
        Ok(Self { headers: response.headers, body: without_mark(&body).to_vec(), at })
    }

    /// The token at a place.
    pub(super) fn token(&self, location: &SessionToken) -> Result<Secret> {
        let found = match location {
            SessionToken::Body(pointer) => self.text_at(pointer)?,
            SessionToken::Header(name) => header(&self.headers, name),
            SessionToken::Cookie(name) => cookie(&self.headers, name, self.at).map(|cookie| cookie.value),
        };
        let token = found.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let token = token.ok_or_else(|| self.without_token(location))?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unreadable("has a token that no header can hold"));
        }
        Ok(Secret::new(token))
    }

    /// How long the token is good for, if the response says so.
    pub(super) fn lifetime(&self, spec: &SessionAuth) -> Result<Option<Duration>> {
        let Some(expires) = &spec.expires else {
            return match &spec.token {
                SessionToken::Cookie(name) => {
                    Ok(cookie(&self.headers, name, self.at).and_then(|cookie| cookie.lifetime))
                }
                SessionToken::Body(_) | SessionToken::Header(_) => Ok(None),
            };
        };
        let (SessionExpiry::After(pointer) | SessionExpiry::AfterMs(pointer) | SessionExpiry::At(pointer)) =
            expires;
        let document: Value = serde_json::from_slice(&self.body).map_err(|_| unreadable("is not JSON"))?;
        let value = document.pointer(&pointer.to_string()).filter(|value| !value.is_null());
        let Some(value) = value else { return Ok(None) };
        let seconds = match expires {
            SessionExpiry::After(_) => number(value),
            SessionExpiry::AfterMs(_) => number(value).map(|millis| millis / 1000.0),
            SessionExpiry::At(_) => point_in_time(value).map(|at| at - self.at.as_duration().as_secs_f64()),
        };
        let wrong = |what: &str| {
            let shown = Redactor::shared().shown(&value.to_string(), NAME_LENGTH);
            unreadable(&format!("says at `{pointer}` how long the session lasts, {what}: {shown}"))
                .hint("correct `expires` of the session; leave it out if the API says something else there")
        };
        let seconds = seconds.ok_or_else(|| wrong("which can't be read"))?;
        // More than can be counted is as good as for ever.
        let lifetime = Duration::try_from_secs_f64(seconds.min(UNTIL_REFUSED.as_secs_f64())).ok();
        let lifetime = lifetime.filter(|lifetime| !lifetime.is_zero());
        lifetime.map(Some).ok_or_else(|| wrong("which is over already"))
    }

    /// The text at a member of the body.
    fn text_at(&self, pointer: &Pointer) -> Result<Option<String>> {
        let document: Value = match serde_json::from_slice(&self.body) {
            Ok(document) => document,
            Err(_) if pointer.segments().is_empty() => {
                return Ok(Some(String::from_utf8_lossy(&self.body).into_owned()));
            }
            Err(_) => return Err(unreadable("is not JSON")),
        };
        Ok(match document.pointer(&pointer.to_string()) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(unreadable(&format!("has something at `{pointer}` that is not a text")));
            }
        })
    }

    fn without_token(&self, location: &SessionToken) -> Error {
        let beside = match serde_json::from_slice(&self.body) {
            Ok(Value::Object(members)) if !members.is_empty() => {
                let shown = |name: &String| Redactor::shared().shown(name, NAME_LENGTH);
                let names: Vec<_> =
                    members.keys().take(NAMED).map(|name| format!("`{}`", shown(name))).collect();
                format!("; its members: {}", names.join(", "))
            }
            _ => String::new(),
        };
        let what = match location {
            SessionToken::Body(pointer) => format!("has no token at `{pointer}`{beside}"),
            SessionToken::Header(name) => format!("has no header `{name}` with a token"),
            SessionToken::Cookie(name) => format!("has no cookie `{name}`"),
        };
        unreadable(&what).hint(
            "a page for people responds so to a wrong user or password; else correct `token` of the session in the definition",
        )
    }
}

/// Whether a token is in the headers of a response, whatever its body is.
pub(super) fn is_beside_body(headers: &HeaderMap, location: &SessionToken, now: Timestamp) -> bool {
    match location {
        SessionToken::Body(_) => false,
        SessionToken::Header(name) => header(headers, name).is_some(),
        SessionToken::Cookie(name) => cookie(headers, name, server_date(headers).unwrap_or(now)).is_some(),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A number, also as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// A point in time, in epoch seconds.
fn point_in_time(value: &Value) -> Option<f64> {
    if let Some(number) = number(value) {
        return Some(if number >= FIRST_MILLISECOND { number / 1000.0 } else { number });
    }
    let text = value.as_str()?.trim();
    let parsed: Option<Timestamp> = text.parse().ok();
    // The last day that can be written stands for one that never comes, and is beyond what an instant can be.
    let never = || text.strip_suffix('Z')?.parse::<DateTime>().ok().map(|_| Timestamp::MAX);
    Some(parsed.or_else(never)?.as_duration().as_secs_f64())
}

fn unreadable(what: &str) -> Error {
    Error::new(ErrorKind::Data, "log in", format!("the response to the login {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_point_in_time_is_read_in_each_of_its_forms() {
        for same in [
            json!(1_750_000_000),
            json!("1750000000"),
            json!(1_750_000_000_000_i64),
            json!("1750000000000"),
            json!("2025-06-15T15:06:40Z"),
            json!("2025-06-15T17:06:40.000+02:00"),
        ] {
            let read = point_in_time(&same).unwrap();
            assert!((read - 1_750_000_000.0).abs() < 1e-6, "{same}: {read}");
        }
        for never in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z", "9999-12-31T00:00:00.000Z"] {
            assert!(point_in_time(&json!(never)).unwrap() > 2.5e11, "{never}");
        }
        for other in [
            json!("2025-06-15T15:06:40"),
            json!("9999-12-31T25:00:00Z"),
            json!("9999-12-31Tsoon"),
            json!("NaN"),
            json!("inf"),
            json!(true),
            json!([]),
            json!(""),
        ] {
            assert_eq!(point_in_time(&other), None, "{other}");
        }
    }

    #[test]
    fn a_lifetime_that_never_ends_is_none_that_is_over() {
        let spec = |expires: Value| -> SessionAuth {
            let spec = json!({"login": {"path": "/login"}, "token": {"body": "/t"}, "expires": expires});
            serde_json::from_value(spec).unwrap()
        };
        for (expires, said) in [
            (json!({"after": "/e"}), json!(1e300)),
            (json!({"after": "/e"}), json!(i64::MAX)),
            (json!({"after_ms": "/e"}), json!(u64::MAX)),
            (json!({"at": "/e"}), json!("9999-12-31T23:59:59Z")),
            (json!({"at": "/e"}), json!(4_102_444_800_000_000_i64)),
        ] {
            let body = json!({"t": "t1", "e": said}).to_string().into_bytes();
            let response = LoginResponse { headers: HeaderMap::new(), body, at: Timestamp::UNIX_EPOCH };
            assert_eq!(response.lifetime(&spec(expires)).unwrap(), Some(UNTIL_REFUSED), "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_response_shows_what_it_holds(body in proptest::collection::vec(any::<u8>(), 0..100), end in "\\PC{0,20}") {
            let hostile = json!({"token": ["c4nary"], "other": "c4nary", "end": end}).to_string();
            for body in [body, hostile.into_bytes()] {
                let response = LoginResponse { headers: HeaderMap::new(), body, at: Timestamp::UNIX_EPOCH };
                for pointer in ["", "/token", "/none"] {
                    let pointer = Pointer::try_from(pointer.to_owned()).unwrap();
                    if let Err(error) = response.token(&SessionToken::Body(pointer)) {
                        let shown = format!("{error:?}");
                        prop_assert!(!shown.contains("c4nary"), "{}", shown);
                    }
                }
            }
        }
    }
}
