//! What a `WWW-Authenticate` header says is wrong (RFC 6750, section 3; RFC 9449, section 7.1): often all that an API says, its
//! body being empty.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use http_auth::ChallengeRef;

/// An error of a challenge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// `invalid_token`, `insufficient_scope`, ...
    pub(super) error: String,
    /// The server's sentence.
    pub(super) description: Option<String>,
    /// The scope that would do.
    pub(super) scope: Option<String>,
}

/// Whether a response demands a proof of possession (RFC 9449, sections 5 and 7.1), and no bearer token would do.
pub(crate) fn demands_dpop(headers: &HeaderMap) -> bool {
    let names = |scheme| challenges(headers).any(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
    names("DPoP") && !names("Bearer")
}

/// Whether a response demands a proof with a nonce (RFC 9449, section 9).
pub(super) fn wants_nonce(headers: &HeaderMap) -> bool {
    let error = |challenge: &ChallengeRef<'_>| parameter(challenge, "error");
    challenges(headers).any(|challenge| error(&challenge).is_some_and(|error| error == "use_dpop_nonce"))
}

fn challenges(headers: &HeaderMap) -> impl Iterator<Item = ChallengeRef<'_>> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| http_auth::parse_challenges(line).unwrap_or_default())
}

/// The first error that the challenges of a response name; what can't be read is passed over.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    challenges(headers).find_map(|challenge| {
        Some(Challenge {
            error: parameter(&challenge, "error")?,
            description: parameter(&challenge, "error_description"),
            scope: parameter(&challenge, "scope"),
        })
    })
}

fn parameter(challenge: &ChallengeRef<'_>, name: &str) -> Option<String> {
    let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.to_unescaped())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge_in(lines: &[&str]) -> Option<Challenge> {
        let lines = lines.iter().map(|line| (WWW_AUTHENTICATE, line.parse().unwrap()));
        challenge(&lines.collect())
    }

    #[test]
    fn a_proof_is_needed_where_no_bearer_token_would_do() {
        let headers = |lines: &[&str]| -> HeaderMap {
            lines.iter().map(|line| (WWW_AUTHENTICATE, line.parse().unwrap())).collect()
        };
        let nonce = r#"DPoP error="use_dpop_nonce", error_description="nonce, please""#;
        assert!(demands_dpop(&headers(&[nonce])) && demands_dpop(&headers(&[r#"dpop algs="ES256""#])));
        assert!(!demands_dpop(&headers(&["Bearer", nonce])) && !demands_dpop(&headers(&[])));
        assert!(wants_nonce(&headers(&[r#"Bearer error="invalid_token""#, nonce])));
        assert!(wants_nonce(&headers(&[nonce])) && !wants_nonce(&headers(&[r#"dpop algs="ES256""#])));
    }

    #[test]
    fn the_error_is_found_among_challenges_and_lines() {
        let okta = r#"Bearer authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.groups.read", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="/api/v1/groups""#;
        let found = challenge_in(&[okta]).unwrap();
        assert_eq!(
            (found.error.as_str(), found.scope.as_deref()),
            ("insufficient_scope", Some("okta.groups.read"))
        );
        let found = challenge_in(&[
            r#"Basic realm="x""#,
            r#"Bearer realm="a, b", DPoP error="use_\"nonce\"", algs="ES256""#,
        ]);
        assert_eq!(found.unwrap().error, r#"use_"nonce""#);
        for nothing in
            [&[][..], &["Bearer"], &[r#"Bearer realm="x""#], &[r#"Bearer error=""#], &["\u{1}"][..0]]
        {
            assert_eq!(challenge_in(nothing), None, "{nothing:?}");
        }
    }
}
