//! What is wrong with the ways to sign in, and with what addresses are made of.

use super::auth::Auth;
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
        wrongs.extend(check_auth(source, &format!("auth.{number}"), way).err());
        let mut others = source.auth[..number].iter().flat_map(Auth::settings);
        if let Some(shared) = others.find(|other| way.settings().any(|used| used == *other)) {
            let why = format!(
                "two ways to sign in use the setting `{shared}`: nothing would show which one is meant"
            );
            wrongs.push(Wrong::at(&format!("auth.{number}"), why));
        }
    }
    wrongs
}

fn check_auth(source: &Source, at: &str, way: &Auth) -> Result<(), Wrong> {
    if let Auth::Oauth2(oauth) = way {
        check_uses(source, &format!("{at}.oauth2.token_url"), &oauth.token_url)?;
        if oauth.private_key.is_none() && oauth.client_secret.is_none() {
            let why = "oauth2 needs `private_key`, `client_secret` or both, to prove who asks";
            return Err(Wrong::at(&format!("{at}.oauth2.client_id"), why.to_owned()));
        }
    }
    let mut parts = way.parts().into_iter();
    parts.try_for_each(|part| check_setting(source, &format!("{at}.{}", part.key), part.setting, part.secret))
}

fn check_setting(source: &Source, at: &str, name: &Name, secret: bool) -> Result<(), Wrong> {
    let wrong = |why: &str| Err(Wrong::at(at, format!("auth uses `{name}`, which {why}")));
    match source.settings.get(name) {
        None => wrong("is not among the settings"),
        Some(setting) if setting.secret != secret => {
            wrong(if secret { "must be marked `secret: true`" } else { "is marked as a secret" })
        }
        Some(_) => Ok(()),
    }
}

/// What a URL is made of must be there, and must not be secret.
pub(super) fn check_uses(source: &Source, at: &str, template: &Template) -> Result<(), Wrong> {
    let wrong = |why: String| Err(Wrong::at(at, why));
    for name in template.placeholders() {
        match source.settings.iter().find(|(key, _)| key.as_str() == name) {
            None => return wrong(format!("`{{{name}}}` is not among the settings")),
            Some((_, setting)) if setting.secret => {
                return wrong(format!("{at} uses `{{{name}}}`, a secret: secrets never go into a URL"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether an address or a way to sign in uses a setting.
pub(super) fn is_used(source: &Source, name: &Name) -> bool {
    let token_urls = source.auth.iter().filter_map(Auth::token_url);
    let mut templates = std::iter::once(&source.base_url).chain(token_urls);
    templates.any(|template| template.placeholders().any(|used| used == name.as_str()))
        || source.auth.iter().any(|way| way.settings().any(|used| used == name))
}
