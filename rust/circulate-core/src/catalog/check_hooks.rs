//! What is wrong with hooks that types alone do not show.

use super::auth::SignAuth;
use super::check_headers::check_parameter;
use super::durable::Durable;
use super::records::PageFormat;
use super::source::Source;
use super::stream::StreamSpec;
use super::wrong::Wrong;

/// A hook that makes the records leaves nothing around them.
pub(super) fn check_hooks(stream: &StreamSpec) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    if stream.hooks.split.is_none() {
        return wrongs;
    }
    let mut wrong = |at: &str, why: String| wrongs.push(Wrong::at(at, why));
    if stream.format != PageFormat::Json {
        let why = format!(
            "`format: {}` says what records are made of, and `hooks.split` makes them itself",
            stream.format.as_str()
        );
        wrong("list.format", why);
    }
    if !stream.records.is_the_page() {
        let why = "`records` says where in a page the records are, and `hooks.split` returns them: leave it out, or make the page \
                   JSON by `hooks.page` instead";
        wrong("list.records", why.to_owned());
    }
    if stream.empty.null || stream.empty.missing {
        let why = "`null` and `missing` are about a member of a JSON document, and `hooks.split` returns a list of no records";
        wrong("list.empty", why.to_owned());
    }
    if let Some(pointer) = stream.paginator.members_of_page().first() {
        let why = format!(
            "the paginator reads `{pointer}` of the page, and `hooks.split` returns records only: name a header, make the page \
             JSON by `hooks.page`, or say what comes next by `{{hook: ...}}`"
        );
        wrong("list.paginator", why);
    }
    if let Some(pointer) = stream.durable().and_then(Durable::member_of_page) {
        let why = format!(
            "it is read from `{pointer}` of the page, and `hooks.split` returns records only: name a header, or make the page JSON \
             by `hooks.page`"
        );
        wrong("list.incremental.durable", why);
    }
    wrongs
}

/// A signature proves something, by settings, and what it puts into the query is known.
pub(super) fn check_sign(source: &Source, at: &str, sign: &SignAuth) -> Vec<Wrong> {
    let mut wrongs: Vec<_> =
        sign.query.iter().flat_map(|name| check_parameter(source, &format!("{at}.query"), name)).collect();
    let is_secret = |name| source.settings.get(name).is_some_and(|setting| setting.secret);
    let declared = sign.settings.iter().all(|name| source.settings.contains_key(name));
    if declared && !sign.settings.iter().any(is_secret) {
        let why =
            "`settings` names no secret: name what the hook signs with; without one it has nothing to prove";
        wrongs.push(Wrong::at(&format!("{at}.settings"), why.to_owned()));
    }
    wrongs
}
