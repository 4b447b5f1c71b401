//! What a token endpoint grants (RFC 6749, section 5.1).

use std::time::Duration;

use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::http::Response;
use crate::secrets::Secret;

/// A token as it was granted.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) token: Secret,
    /// Whether it is bound to the key that was proved.
    pub(super) bound: bool,
    pub(super) lifetime: Duration,
    /// What it is for, if the answer says so: it need not be all that was asked for.
    pub(super) scope: Option<String>,
}

/// The most that an answer may take.
const MAX_ANSWER: usize = 256 * 1024;
/// Of a token whose lifetime is not told: the answer need not tell it.
const UNTOLD_LIFETIME: Duration = Duration::from_mins(5);

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    scope: Option<String>,
}

/// Reads a success.
pub(super) async fn granted(mut response: Response) -> Result<Granted> {
    let wrong = |what: &str| {
        let error =
            Error::new(ErrorKind::Data, "get access token", format!("the token endpoint answered {what}"));
        error.hint("check the token URL: something else may be answering there")
    };
    let mut body = Vec::new();
    while let Some(piece) = response.body.next().await {
        body.extend_from_slice(&piece?);
        if body.len() > MAX_ANSWER {
            return Err(wrong("with more than 256 KB"));
        }
    }
    // What serde says of a syntax error could hold a piece of the token.
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|_| wrong("with something that is no access token"))?;
    if answer.access_token.is_empty() || !answer.access_token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("with a token that no header can hold"));
    }
    let bound = answer.token_type.eq_ignore_ascii_case("dpop");
    if !bound && !answer.token_type.eq_ignore_ascii_case("bearer") {
        return Err(wrong("with a token that is neither of the type Bearer nor DPoP"));
    }
    let lifetime = lifetime(&answer.expires_in);
    let scope = answer.scope.filter(|scope| !scope.trim().is_empty());
    Ok(Granted { token: Secret::new(answer.access_token), bound, lifetime, scope })
}

/// Seconds as a number, or as the text that some servers send.
fn lifetime(told: &Value) -> Duration {
    let seconds = told.as_f64().or_else(|| told.as_str()?.trim().parse().ok());
    let told = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    told.filter(|told| !told.is_zero()).unwrap_or(UNTOLD_LIFETIME)
}
