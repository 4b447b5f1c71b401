//! What a token endpoint grants (RFC 6749, section 5.1).
//!
//! Servers take liberties with the names and types of members. They are read as far as only one thing can be meant; what can't
//! be read is named in the error.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::api::http::{Response, without_mark};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;
use crate::secrets::Secret;

/// What was granted.
#[derive(Debug)]
pub(super) struct Granted {
    /// The token, or what can't be read of it.
    pub(super) access: Result<GrantedAccess>,
    /// What to get the next one with: the one before it may be used up, whatever the access token is.
    pub(super) refresh_token: Option<Secret>,
}

/// An access token as it was granted.
#[derive(Debug)]
pub(super) struct GrantedAccess {
    pub(super) token: Secret,
    /// Whether it is bound to the key that was proved.
    pub(super) bound: bool,
    pub(super) lifetime: Duration,
    /// What it is for, if the response says so: it need not be all that was requested.
    pub(super) scope: Option<String>,
}

/// What a success says.
#[derive(Debug)]
pub(super) enum Reply {
    Granted(Granted),
    /// An error, whatever the status says; its body is still to be read.
    Refused(Response),
}

/// How large a response may be.
const MAX_RESPONSE: usize = 256 * 1024;
/// Of a token whose lifetime is not named, or can't be read: the response need not name it.
const UNNAMED_LIFETIME: Duration = Duration::from_mins(5);
/// The most members that are named in an error, and the most characters of a name.
const NAMED: usize = 12;
const NAME_LENGTH: usize = 40;

type JsonObject = Map<String, Value>;

/// Reads a success.
pub(super) async fn reply(mut response: Response) -> Result<Reply> {
    let body = response.read_body(MAX_RESPONSE).await?;
    let body = body.ok_or_else(|| elsewhere("with more than 256 KB"))?;
    // What serde says of a syntax error could hold a piece of the token.
    let members: JsonObject = match serde_json::from_slice(without_mark(&body)) {
        Ok(Value::Object(members)) => members,
        _ if body.trim_ascii().is_empty() => return Err(elsewhere("an empty body")),
        _ => return Err(elsewhere("something that is neither an access token nor a JSON object")),
    };
    let is_error = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
    let token = access_token(&members);
    if token.is_none() && member(&members, "error").is_some_and(is_error) {
        let body = stream::iter([Ok(Bytes::from(body))]).boxed();
        return Ok(Reply::Refused(Response { body, ..response }));
    }
    let refresh_token = refresh_token(&members)?;
    Ok(Reply::Granted(Granted { access: granted_access(&members, token), refresh_token }))
}

fn granted_access(members: &JsonObject, token: Option<&Value>) -> Result<GrantedAccess> {
    let token = token.ok_or_else(|| without_token(members))?;
    let token = token.as_str().map(str::trim).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("a token that no header can hold"));
    }
    let (bound, lifetime, scope) = (is_bound(members)?, lifetime(members), scope(members)?);
    Ok(GrantedAccess { token: Secret::new(token), bound, lifetime, scope })
}

/// One that can't be read is not taken for none: the one before it may be used up.
fn refresh_token(members: &JsonObject) -> Result<Option<Secret>> {
    match member(members, "refresh_token") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::String(token)) => Ok(Some(token).filter(|token| !token.is_empty()).map(Secret::new)),
        Some(_) => Err(wrong("a `refresh_token` that is not a string")),
    }
}

/// The one member of this name, written as `access_token`, `accessToken`, `Access-Token` ...
fn member<'m>(members: &'m JsonObject, name: &str) -> Option<&'m Value> {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
    };
    let exact = members.get(name);
    exact.or_else(|| members.iter().find(|(key, _)| letters(key) == letters(name)).map(|(_, value)| value))
}

/// `token` is meant only where nothing is named more clearly.
fn access_token(members: &JsonObject) -> Option<&Value> {
    let is_given =
        |value: &&Value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty());
    let given = |name| member(members, name).filter(is_given);
    given("access_token").or_else(|| given("token").filter(|value| value.is_string()))
}

/// Bearer where it is not said (RFC 6749, section 7.1, wants it said), since a bound token says so (RFC 9449, section 5).
fn is_bound(members: &JsonObject) -> Result<bool> {
    match member(members, "token_type") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::String(kind)) => match kind.trim().to_lowercase().as_str() {
            "dpop" => Ok(true),
            "" | "bearer" | "bearertoken" | "bearer_token" => Ok(false),
            _ => Err(wrong("a `token_type` that is neither Bearer nor DPoP")),
        },
        Some(_) => Err(wrong("a `token_type` that is not a string")),
    }
}

/// A text of scopes, or a list of them.
fn scope(members: &JsonObject) -> Result<Option<String>> {
    let named = ["scope", "scopes", "scp", "granted_scopes"];
    let given = named.iter().find_map(|name| member(members, name).filter(|value| !value.is_null()));
    let scope = match given {
        None => return Ok(None),
        Some(Value::String(scope)) => scope.clone(),
        Some(Value::Array(scopes)) => {
            let scopes: Option<Vec<_>> = scopes.iter().map(Value::as_str).collect();
            scopes.ok_or_else(|| wrong("a `scope` that is a list of something else than texts"))?.join(" ")
        }
        Some(_) => return Err(wrong("a `scope` that is neither a string nor a list of strings")),
    };
    Ok(Some(scope).filter(|scope| !scope.trim().is_empty()))
}

/// Seconds as a number, or as a text, with a unit or without.
fn lifetime(members: &JsonObject) -> Duration {
    let named = member(members, "expires_in");
    let from_text = |text: &str| {
        let span = || text.parse::<SignedDuration>().ok().map(|span| span.as_secs_f64());
        text.parse().ok().or_else(span)
    };
    let seconds = named.and_then(|named| named.as_f64().or_else(|| from_text(named.as_str()?.trim())));
    let lifetime = seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    lifetime.filter(|lifetime| !lifetime.is_zero()).unwrap_or(UNNAMED_LIFETIME)
}

/// Names the members that are there, and none of their values.
fn without_token(members: &JsonObject) -> Error {
    let shown = |name: &String| format!("`{}`", Redactor::shared().shown(name, NAME_LENGTH));
    let names: Vec<_> = members.keys().take(NAMED).map(shown).collect();
    match names.as_slice() {
        [] => wrong("an object without members"),
        names => wrong(&format!("no member `access_token`, but {}", names.join(", "))),
    }
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Data, "get access token", format!("the token endpoint's response has {what}"))
}

fn elsewhere(what: &str) -> Error {
    Error::new(ErrorKind::Data, "get access token", format!("the token endpoint returned {what}"))
        .hint("check the token URL: something else may be responding there")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: impl Into<Bytes>) -> Result<Reply> {
        let body = stream::iter([Ok(body.into())]).boxed();
        let response = Response { status: StatusCode::OK, headers: HeaderMap::new(), body };
        futures_util::FutureExt::now_or_never(reply(response)).unwrap()
    }

    fn granted(response: &Value) -> GrantedAccess {
        match read(response.to_string()).unwrap() {
            Reply::Granted(granted) => granted.access.unwrap(),
            Reply::Refused(_) => panic!("{response}"),
        }
    }

    /// What can't be read, if anything can't.
    fn refused(body: impl Into<Bytes>) -> Option<Error> {
        match read(body) {
            Ok(Reply::Granted(granted)) => granted.access.err(),
            Ok(Reply::Refused(_)) => None,
            Err(error) => Some(error),
        }
    }

    #[test]
    fn a_refresh_token_is_read_whatever_the_access_token_is() {
        for body in [
            json!({"access_token": "c4nary c4nary", "refresh_token": "r2"}),
            json!({"access_token": "t", "token_type": "mac", "refresh_token": "r2"}),
            json!({"access_token": "t", "scope": {"a": 1}, "refresh_token": "r2"}),
            json!({"refresh_token": "r2"}),
        ] {
            let Ok(Reply::Granted(granted)) = read(body.to_string()) else { panic!("{body}") };
            assert!(granted.access.is_err() && granted.refresh_token.unwrap().expose() == "r2", "{body}");
        }
    }

    #[test]
    fn liberties_are_taken_as_they_are_meant() {
        for (response, scope, seconds) in [
            (json!({"access_token": "t"}), None, 300),
            (json!({"access_token": "t", "token_type": null, "expires_in": null, "scope": null}), None, 300),
            (json!({"access_token": "t", "scope": "a b", "expires_in": 60}), Some("a b"), 60),
            (json!({"access_token": "t", "scope": ["a", "b"], "expires_in": "60"}), Some("a b"), 60),
            (json!({"accessToken": "t", "scopes": ["a", "b"], "expiresIn": "60s"}), Some("a b"), 60),
            (
                json!({"token": "t", "scp": "a,b", "tokenType": "BearerToken", "expires_in": 60.5}),
                Some("a,b"),
                60,
            ),
            (json!({"access_token": "t", "token": "other", "expires_in": -5, "error": null}), None, 300),
            (json!({"access_token": " t ", "expires_in": "soon", "scope": ""}), None, 300),
        ] {
            let granted = granted(&response);
            assert_eq!((granted.token.expose(), granted.bound), ("t", false), "{response}");
            assert_eq!(
                (granted.scope.as_deref(), granted.lifetime.as_secs()),
                (scope, seconds),
                "{response}"
            );
        }
        assert!(granted(&json!({"access_token": "t", "token_type": "dpop"})).bound);
    }

    #[test]
    fn an_error_with_a_good_status_is_an_error() {
        assert!(matches!(read("\u{feff}{\"access_token\":\"t\"}"), Ok(Reply::Granted(_))));
        for response in [
            json!({"error": "invalid_client"}),
            json!({"ok": false, "error": {"code": 7}}),
            json!({"error": "invalid_scope", "access_token": ""}),
        ] {
            assert!(matches!(read(response.to_string()), Ok(Reply::Refused(_))), "{response}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_named_and_not_shown() {
        Redactor::shared().hide("s3cret");
        for (body, part) in [
            (json!({"data": {"access_token": "c4nary"}, "s3cret": 1}).to_string(), "but `data`, `***`"),
            (json!({"access_token": 7}).to_string(), "a token that no header can hold"),
            (json!({"access_token": "c4nary c4nary"}).to_string(), "a token that no header can hold"),
            (
                json!({"access_token": "c4nary", "token_type": "mac"}).to_string(),
                "a `token_type` that is neither",
            ),
            (json!({"access_token": "c4nary", "scope": {"a": 1}}).to_string(), "a `scope` that is neither"),
            (json!({"access_token": "c4nary", "scope": [1]}).to_string(), "a `scope` that is a list of"),
            (
                json!({"access_token": "c4nary", "refresh_token": ["c4nary"]}).to_string(),
                "a `refresh_token` that is not a string",
            ),
            (json!({}).to_string(), "without members"),
            ("[\"c4nary\"]".to_owned(), "nor a JSON object"),
            ("<html>c4nary".to_owned(), "nor a JSON object"),
            (" \n".to_owned(), "an empty body"),
        ] {
            let error = refused(body.clone()).unwrap();
            assert!(
                error.to_string().contains(part) && !format!("{error:?}").contains("c4nary"),
                "{body}: {error}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_response_shows_what_it_holds(body in proptest::collection::vec(any::<u8>(), 0..200), name in "[a-z_]{0,20}") {
            let hostile = json!({name.clone(): "c4nary", "access_token": {name: "c4nary"}}).to_string();
            for body in [body, hostile.into_bytes()] {
                if let Some(error) = refused(body) {
                    let shown = format!("{error:?}");
                    prop_assert!(!shown.contains("c4nary"), "{}", shown);
                }
            }
        }
    }
}
