//! What is wrong with the ways to sign in, and with what addresses are made of.

use super::auth::{Auth, AuthPart, AwsAuth, BasicAuth, BodyAuth};
use super::check_headers::{check_all_headers, check_header, check_parameter};
use super::check_hooks::check_sign;
use super::check_oauth2::check_oauth2;
use super::check_placeholders::check_open;
use super::check_session::check_session;
use super::source::Source;
use super::template::Template;
use super::types::Name;
use super::wrong::Wrong;

/// What is wrong with the ways to sign in.
pub(super) fn check_ways(source: &Source) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    if source.auth.is_empty() {
        let why = "auth is empty: name at least one way to sign in, or `none`".to_owned();
        wrongs.push(Wrong::at("auth", why));
    }
    for (number, way) in source.auth.iter().enumerate() {
        wrongs.extend(check_auth(source, &format!("auth.{number}"), way));
        let mut others = source.auth[..number].iter().flat_map(|other| source.settings_of(other));
        if let Some(shared) = others.find(|other| source.settings_of(way).any(|used| used == *other)) {
            let why = format!(
                "two ways to sign in use the setting `{shared}`: nothing would show which one is meant"
            );
            wrongs.push(Wrong::at(&format!("auth.{number}"), why));
        }
    }
    wrongs
}

fn check_auth(source: &Source, at: &str, way: &Auth) -> Vec<Wrong> {
    let mut wrongs = match way {
        Auth::Oauth2(oauth) => check_oauth2(source, &format!("{at}.oauth2"), oauth),
        Auth::Header(header) => check_header(&format!("{at}.header"), header),
        Auth::Headers(headers) => check_all_headers(&format!("{at}.headers"), headers),
        Auth::Basic(basic) => check_basic(&format!("{at}.basic"), basic).err().into_iter().collect(),
        Auth::Query(query) => check_parameter(source, &format!("{at}.query.name"), &query.name),
        Auth::Body(body) => check_key_in_body(source, &format!("{at}.body"), body),
        Auth::AwsSigv4(aws) => check_aws(source, &format!("{at}.aws_sigv4"), aws),
        Auth::Session(session) => check_session(source, &format!("{at}.session"), session),
        Auth::TokenFile(_) => {
            check_token_file(source, &format!("{at}.token_file")).err().into_iter().collect()
        }
        Auth::Sign(sign) => check_sign(source, &format!("{at}.sign"), sign),
        Auth::Bearer(_) | Auth::DuoV5(_) | Auth::None => Vec::new(),
    };
    let checked =
        way.parts().into_iter().map(|part| check_setting(source, &format!("{at}.{}", part.key), &part));
    wrongs.extend(checked.filter_map(Result::err));
    wrongs
}

fn check_basic(at: &str, basic: &BasicAuth) -> Result<(), Wrong> {
    if basic.user.is_some() || basic.password.is_some() {
        return Ok(());
    }
    let why = "basic needs `user`, `password` or both: the settings that hold them";
    Err(Wrong::at(at, why.to_owned()))
}

/// The check of the account is a request without a body.
fn check_key_in_body(source: &Source, at: &str, body: &BodyAuth) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    if body.name.is_empty() {
        wrongs.push(Wrong::at(&format!("{at}.name"), "a field of a body has a name".to_owned()));
    }
    if source.check.is_some() {
        let why = "a check has no body that the key of `auth` could be in: leave it out; `circulate check SOURCE.STREAM` \
                   requests a list";
        wrongs.push(Wrong::at("check", why.to_owned()));
    }
    wrongs
}

fn check_aws(source: &Source, at: &str, aws: &AwsAuth) -> Vec<Wrong> {
    let shown = "a signature shows what it is for";
    let check = |key: &str, template: &Template| {
        check_open(source, &format!("{at}.{key}"), template.placeholders(), shown).err()
    };
    [check("region", &aws.region), check("service", &aws.service)].into_iter().flatten().collect()
}

/// A token in a file is sent as that of a login is, so all logins say the same of that.
fn check_token_file(source: &Source, at: &str) -> Result<(), Wrong> {
    let mut sends = source.sessions().map(|session| &session.send);
    let first = sends.next();
    if sends.all(|send| Some(send) == first) {
        return Ok(());
    }
    let why = "the sessions beside it `send` their tokens in different ways: nothing would show how one of a file is sent";
    Err(Wrong::at(at, why.to_owned()))
}

fn check_setting(source: &Source, at: &str, part: &AuthPart<'_>) -> Result<(), Wrong> {
    let name = part.setting;
    let wrong = |why: &str| Err(Wrong::at(at, format!("auth uses `{name}`, which {why}")));
    match source.settings.get(name) {
        None => wrong("is not among the settings"),
        Some(setting) if setting.secret != part.secret && !part.either => {
            wrong(if part.secret { "must be marked `secret: true`" } else { "is marked as a secret" })
        }
        Some(_) => Ok(()),
    }
}

/// What a URL is made of must be there, and must not be secret.
pub(super) fn check_uses(source: &Source, at: &str, template: &Template) -> Result<(), Wrong> {
    check_open(source, at, template.placeholders(), "secrets never go into a URL")
}

/// Whether an address or a way to sign in uses a setting.
pub(super) fn is_used(source: &Source, name: &Name) -> bool {
    let of_ways = source.auth.iter().flat_map(Auth::placeholders);
    source.base_url.placeholders().chain(of_ways).any(|used| used == name.as_str())
        || source.auth.iter().any(|way| source.settings_of(way).any(|used| used == name))
}
