//! What an authorization server says of itself (RFC 8414; `OpenID` Connect Discovery 1.0).

use serde::Deserialize;
use url::Url;

use crate::api::http::{Request, Response, Transport};

/// How large a document may be.
const MAX_DOCUMENT: usize = 256 * 1024;

#[derive(Deserialize)]
struct Metadata {
    token_endpoint: String,
    /// By which algorithms proofs of possession may be signed (RFC 9449, section 5.1).
    #[serde(default)]
    dpop_signing_alg_values_supported: Vec<String>,
}

/// Whether the server with this token endpoint says that it takes proofs of possession. One that says nothing does not.
pub(super) async fn takes_proofs(transport: &dyn Transport, token_url: &Url) -> bool {
    for address in addresses(token_url) {
        let Ok(response) = transport.send(Request::get(address)).await else { return false };
        if let Some(metadata) = document(response).await
            && Url::parse(&metadata.token_endpoint).is_ok_and(|url| url == *token_url)
        {
            return !metadata.dpop_signing_alg_values_supported.is_empty();
        }
    }
    false
}

/// Where the document may be. An issuer is where its token endpoint begins, most often two steps above it or at the root.
fn addresses(token_url: &Url) -> Vec<Url> {
    let segments: Vec<_> = token_url.path_segments().into_iter().flatten().collect();
    let issuers = (0..segments.len()).rev().map(|end| segments[..end].join("/"));
    let paths = issuers.flat_map(|issuer| {
        let issuer = if issuer.is_empty() { issuer } else { format!("/{issuer}") };
        [
            format!("{issuer}/.well-known/openid-configuration"),
            format!("/.well-known/oauth-authorization-server{issuer}"),
        ]
    });
    let at = |path: String| {
        let mut url = token_url.clone();
        url.set_path(&path);
        url.set_query(None);
        url
    };
    paths.map(at).collect()
}

async fn document(mut response: Response) -> Option<Metadata> {
    if !response.status.is_success() {
        return None;
    }
    serde_json::from_slice(&response.read_body(MAX_DOCUMENT).await.ok()??).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::testing::{Script, ScriptedResponse};

    fn said(endpoint: &str, algorithms: &[&str]) -> ScriptedResponse {
        let document = json!({"token_endpoint": endpoint, "dpop_signing_alg_values_supported": algorithms});
        ScriptedResponse::new(200, document.to_string())
    }

    #[tokio::test]
    async fn a_server_is_believed_about_its_own_endpoint_only() {
        let url = "https://acme.example/oauth2/default/v1/token";
        let none = || ScriptedResponse::new(404, "<html>");
        for (responses, takes, last) in [
            (
                vec![none(), none(), said(url, &["ES256"])],
                true,
                "/oauth2/default/.well-known/openid-configuration",
            ),
            (
                vec![said("https://other.example/token", &["ES256"]), said(url, &[])],
                false,
                "/.well-known/oauth-authorization-server/oauth2/default/v1",
            ),
            ((0..8).map(|_| none()).collect(), false, "/.well-known/oauth-authorization-server"),
            (
                vec![ScriptedResponse::new(302, "").header("location", url), said(url, &["ES256"])],
                true,
                "/.well-known/oauth-authorization-server/oauth2/default/v1",
            ),
        ] {
            let script: Arc<Script> = Script::new(responses);
            assert_eq!(takes_proofs(&*script, &url.parse().unwrap()).await, takes, "{last}");
            assert_eq!(script.urls().last().unwrap(), &format!("https://acme.example{last}"));
        }
    }
}
