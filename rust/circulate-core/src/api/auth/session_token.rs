//! The token of a session in a request: where the definition says.

use http::header::COOKIE;
use http::{HeaderName, HeaderValue};

use crate::api::http::{Request, parameter, set_parameter};
use crate::catalog::SessionSend;
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// Puts a token on a request, in place of another one.
pub(super) fn put(send: &SessionSend, request: &mut Request, token: &Secret) -> Result<()> {
    let token = token.expose();
    match send {
        SessionSend::Query(name) => set_parameter(&mut request.url, name, token),
        SessionSend::Header(header) => {
            let name: HeaderName = header.name.parse().map_err(|_| unfit("header"))?;
            request.headers.insert(name, sensitive("header", &format!("{}{token}", header.prefix))?);
        }
        SessionSend::Cookie(name) => {
            // It would end there, and another cookie would begin.
            if token.contains(';') {
                return Err(unfit("cookie"));
            }
            let others = cookies(request).filter(|(_, key, _)| key != name).map(|(pair, _, _)| pair);
            let all: Vec<_> = others.chain([format!("{name}={token}")]).collect();
            request.headers.insert(COOKIE, sensitive("cookie", &all.join("; "))?);
        }
    }
    Ok(())
}

/// The token that a request was signed in with.
pub(super) fn token_in(send: &SessionSend, request: &Request) -> Option<String> {
    match send {
        SessionSend::Query(name) => parameter(&request.url, name),
        SessionSend::Header(header) => {
            let value = request.headers.get(&header.name)?.to_str().ok()?;
            value.strip_prefix(&header.prefix).map(str::to_owned)
        }
        SessionSend::Cookie(name) => {
            cookies(request).find(|(_, key, _)| key == name).map(|(.., token)| token)
        }
    }
}

/// The cookies of a request: each as it is written, its name and its value.
fn cookies(request: &Request) -> impl Iterator<Item = (String, String, String)> {
    let line = request.headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let pairs: Vec<_> =
        line.split(';').map(str::trim).filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    pairs.into_iter().map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
        let (name, value) = (name.to_owned(), value.to_owned());
        (pair, name, value)
    })
}

fn sensitive(location: &str, text: &str) -> Result<HeaderValue> {
    let mut value: HeaderValue = text.parse().map_err(|_| unfit(location))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unfit(location: &str) -> Error {
    let what = format!("the token of the session has characters that no {location} can hold");
    Error::new(ErrorKind::Data, "sign in", what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::SessionHeader;

    fn request() -> Request {
        let mut request = Request::get("https://acme.example/items?session=old&page=2".parse().unwrap());
        request.headers.insert(COOKIE, "theme=dark; SID=old; flag".parse().unwrap());
        request
    }

    fn sends() -> [SessionSend; 4] {
        let header = |name: &str, prefix: &str| {
            SessionSend::Header(SessionHeader { name: name.to_owned(), prefix: prefix.to_owned() })
        };
        [
            header("Authorization", "Bearer "),
            header("X-Session", ""),
            SessionSend::Query("session".to_owned()),
            SessionSend::Cookie("SID".to_owned()),
        ]
    }

    #[test]
    fn a_token_takes_the_place_of_another_one_and_of_nothing_else() {
        for send in sends() {
            let mut signed = request();
            for token in ["t1", "t2"] {
                put(&send, &mut signed, &Secret::new(token)).unwrap();
            }
            let cookie = if matches!(send, SessionSend::Cookie(_)) {
                "theme=dark; flag; SID=t2"
            } else {
                "theme=dark; SID=old; flag"
            };
            let query = if matches!(send, SessionSend::Query(_)) {
                "session=t2&page=2"
            } else {
                "session=old&page=2"
            };
            assert_eq!(
                (&signed.headers["cookie"], signed.url.query()),
                (&cookie.parse::<HeaderValue>().unwrap(), Some(query))
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_put_is_what_is_found(token in "[!-~]{1,60}") {
            for send in sends() {
                let mut signed = request();
                match put(&send, &mut signed, &Secret::new(token.clone())) {
                    Ok(()) => prop_assert_eq!(token_in(&send, &signed), Some(token.clone())),
                    Err(_) => prop_assert!(token.contains(';') && matches!(send, SessionSend::Cookie(_))),
                }
            }
        }
    }
}
