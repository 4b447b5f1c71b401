//! What is wrong with what a definition says of OAuth.

use super::auth::{GrantType, OAuth2};
use super::check_placeholders::check_open;
use super::request::JsonTemplate;
use super::source::Source;
use super::template::Template;
use super::wrong::Wrong;

/// Parameters that prove who asks, or what for.
const PROOFS: [&str; 5] =
    ["assertion", "client_assertion", "client_assertion_type", "client_secret", "refresh_token"];
/// Claims of an assertion that are ours.
const CLAIMS: [&str; 7] = ["aud", "exp", "iat", "iss", "jti", "scope", "sub"];

/// All that is wrong with it, but for the settings it names.
pub(super) fn check_oauth2(source: &Source, at: &str, oauth: &OAuth2) -> Vec<Wrong> {
    let mut wrongs: Vec<_> = check_open(
        source,
        &format!("{at}.token_url"),
        oauth.token_url.placeholders(),
        "secrets never go into a URL",
    )
    .err()
    .into_iter()
    .collect();
    wrongs.extend(check_keys(at, oauth));
    for (name, value) in &oauth.params {
        let at = format!("{at}.params");
        wrongs.extend(check_parameter(source, &at, oauth, name, value).err().map(|wrong| wrong.below(name)));
    }
    if let Some(audience) = &oauth.audience {
        let why = "an assertion shows what it holds";
        wrongs.extend(check_open(source, &format!("{at}.audience"), audience.placeholders(), why).err());
    }
    for (name, value) in &oauth.claims {
        let at = format!("{at}.claims");
        wrongs.extend(check_claim(source, &at, name, value).err().map(|wrong| wrong.below(name)));
    }
    wrongs
}

/// Which keys go together.
fn check_keys(at: &str, oauth: &OAuth2) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let mut wrong = |key: &str, why: &str| wrongs.push(Wrong::at(&format!("{at}.{key}"), why.to_owned()));
    match (oauth.grant, &oauth.refresh_token) {
        (GrantType::RefreshToken, None) => {
            wrong(
                "grant",
                "the grant `refresh_token` needs `refresh_token`, the setting that holds the first one",
            );
        }
        (GrantType::RefreshToken, Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            let why =
                "`refresh_token` is used by the grant `refresh_token` alone: add `grant: refresh_token`";
            wrong("refresh_token", why);
        }
    }
    match oauth.grant {
        GrantType::ClientCredentials => {
            if oauth.client_id.is_none() {
                wrong("token_url", "oauth2 needs `client_id`, the setting that holds the client's id");
            }
            if oauth.private_key.is_none() && oauth.client_secret.is_none() {
                let why = "oauth2 needs `private_key`, `client_secret` or both, to prove who asks";
                wrong(if oauth.client_id.is_some() { "client_id" } else { "token_url" }, why);
            }
        }
        GrantType::RefreshToken if oauth.client_id.is_none() => {
            wrong("token_url", "oauth2 needs `client_id`, the setting that holds the client's id");
        }
        GrantType::RefreshToken => {}
        GrantType::JwtBearer => {
            if oauth.private_key.is_none() {
                wrong("grant", "`grant: jwt_bearer` needs `private_key`, which signs its assertions");
            }
        }
    }
    if oauth.grant != GrantType::JwtBearer {
        if oauth.subject.is_some() {
            wrong(
                "subject",
                "`subject` is for `grant: jwt_bearer`: other tokens are not for a user that the client names",
            );
        }
        if !oauth.claims.is_empty() {
            wrong("claims", "`claims` is for `grant: jwt_bearer`, whose assertion makes them");
        }
    }
    if oauth.audience.is_some() && oauth.private_key.is_none() {
        wrong(
            "audience",
            "`audience` is of assertions, which need `private_key`; a parameter of that name goes into `params`",
        );
    }
    wrongs
}

fn check_parameter(
    source: &Source,
    at: &str,
    oauth: &OAuth2,
    name: &str,
    value: &Template,
) -> Result<(), Wrong> {
    if PROOFS.contains(&name) {
        let why = format!("`{name}` is a credential, which oauth2 sends by itself: leave it out of `params`");
        return Err(Wrong::at(at, why));
    }
    let client_id = oauth.client_id.as_ref().map(|name| format!("{{{name}}}"));
    if name == "client_id" && client_id.is_none_or(|id| id != value.to_string()) {
        let why =
            "`client_id` may be sent as a parameter too, but no other one than that of `oauth2.client_id`"
                .to_owned();
        return Err(Wrong::at(at, why));
    }
    let why = "what is secret is sent as `client_secret` or `private_key` says, never as another parameter";
    check_open(source, at, value.placeholders(), why)
}

fn check_claim(source: &Source, at: &str, name: &str, value: &JsonTemplate) -> Result<(), Wrong> {
    if CLAIMS.contains(&name) {
        let instead = match name {
            "sub" => "`subject` names the setting that holds it",
            "aud" => "`audience` says it",
            "iss" => "`client_id` names the setting that holds it",
            "scope" => "endpoints name their `scopes`",
            _ => "each assertion has its own",
        };
        return Err(Wrong::at(at, format!("`{name}` can't be added to the claims: {instead}")));
    }
    check_open(source, at, value.placeholders(), "an assertion shows what it holds")
}
