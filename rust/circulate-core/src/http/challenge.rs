//! What a `WWW-Authenticate` header says is wrong (RFC 6750, section 3; RFC 9449, section 7.1): often all that an API says, its
//! body being empty.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

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

/// The first error that the challenges of an answer tell; what can't be read is passed over.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let challenges = lines.flat_map(|line| http_auth::parse_challenges(line).unwrap_or_default());
    challenges.into_iter().find_map(|challenge| {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        Some(Challenge {
            error: parameter("error")?,
            description: parameter("error_description"),
            scope: parameter("scope"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Option<Challenge> {
        let lines = lines.iter().map(|line| (WWW_AUTHENTICATE, line.parse().unwrap()));
        challenge(&lines.collect())
    }

    #[test]
    fn the_error_is_found_among_challenges_and_lines() {
        let okta = r#"Bearer authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.groups.read", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="/api/v1/groups""#;
        let found = told(&[okta]).unwrap();
        assert_eq!(
            (found.error.as_str(), found.scope.as_deref()),
            ("insufficient_scope", Some("okta.groups.read"))
        );
        let found =
            told(&[r#"Basic realm="x""#, r#"Bearer realm="a, b", DPoP error="use_\"nonce\"", algs="ES256""#]);
        assert_eq!(found.unwrap().error, r#"use_"nonce""#);
        for nothing in
            [&[][..], &["Bearer"], &[r#"Bearer realm="x""#], &[r#"Bearer error=""#], &["\u{1}"][..0]]
        {
            assert_eq!(told(nothing), None, "{nothing:?}");
        }
    }
}
