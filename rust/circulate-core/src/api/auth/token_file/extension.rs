//! Asking the one who writes tokens for a new one, over a Unix socket beside the files: a line of JSON each way.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::TokenFolder;

/// How long a response may take: the token endpoint is requested meanwhile.
const PATIENCE: Duration = Duration::from_secs(8);
const MAX_RESPONSE: u64 = 64 * 1024;

#[derive(Serialize)]
struct Question<'q> {
    profile: &'q str,
    /// Digest of the token that the API refused.
    refused: Option<&'q str>,
}

#[derive(Deserialize)]
struct ExtensionResponse {
    /// Why there is no other token.
    error: Option<String>,
    /// Whether there may be one a little later.
    #[serde(default)]
    retryable: bool,
}

/// What came of a request.
pub(super) enum ExtensionOutcome {
    /// The file is as new as it can be.
    Written,
    /// There is no other token, and why; and whether there may be one a little later.
    Refused(String, bool),
    /// There is no extension.
    Absent,
}

/// Requests a token of `profile`, other than the one that was `refused`.
pub(super) async fn request_token(
    folder: &TokenFolder,
    profile: &str,
    refused: Option<&str>,
) -> ExtensionOutcome {
    if !folder.is_ours() {
        return ExtensionOutcome::Absent;
    }
    match tokio::time::timeout(PATIENCE, exchange(folder, profile, refused)).await {
        Ok(outcome) => outcome.unwrap_or(ExtensionOutcome::Absent),
        Err(_) => ExtensionOutcome::Refused(format!("no response within {} s", PATIENCE.as_secs()), true),
    }
}

async fn exchange(
    folder: &TokenFolder,
    profile: &str,
    refused: Option<&str>,
) -> std::io::Result<ExtensionOutcome> {
    let mut stream = UnixStream::connect(folder.socket()).await?;
    let mut line = serde_json::to_vec(&Question { profile, refused })?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut text = Vec::new();
    (&mut stream).take(MAX_RESPONSE).read_to_end(&mut text).await?;
    let response: ExtensionResponse = serde_json::from_slice(&text)?;
    Ok(response
        .error
        .map_or(ExtensionOutcome::Written, |why| ExtensionOutcome::Refused(why, response.retryable)))
}
