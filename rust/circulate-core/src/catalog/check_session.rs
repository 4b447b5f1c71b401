//! What is wrong with what a definition says of sessions.

use super::auth::{BasicAuth, LoginMethod, LoginRequest, SessionAuth, SessionSend, SessionToken, TOKEN};
use super::check_headers::{check_header_name, check_parameter, check_prefix};
use super::check_placeholders::check_open;
use super::source::Source;
use super::template::{Template, has_steps};
use super::wrong::Wrong;

/// All that is wrong with it, but for the settings of `basic` and `jwt`.
pub(super) fn check_session(source: &Source, at: &str, session: &SessionAuth) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (key, request) in session.requests() {
        wrongs.extend(check_request(source, &format!("{at}.{key}"), request, key == "exchange"));
    }
    let locations = session
        .requests()
        .filter_map(|(key, request)| Some((format!("{key}.token"), request.token.as_ref()?)));
    for (key, location) in locations.chain(std::iter::once(("token".to_owned(), &session.token))) {
        wrongs.extend(check_place(&format!("{at}.{key}"), location).err());
    }
    if session.exchange.is_none() && session.login.token.is_some() {
        let why = "`login.token` is for a login that `exchange` follows: the session's own token is named by `token`";
        wrongs.push(Wrong::at(&format!("{at}.login.token"), why.to_owned()));
    }
    if session.exchange.as_ref().is_some_and(|exchange| exchange.token.is_some()) {
        let why = "where the response to `exchange` has the token says `token` of the session";
        wrongs.push(Wrong::at(&format!("{at}.exchange.token"), why.to_owned()));
    }
    match &session.send {
        SessionSend::Header(header) => {
            wrongs.extend(check_header_name(&format!("{at}.send.header.name"), &header.name).err());
            wrongs.extend(check_prefix(&format!("{at}.send.header.prefix"), &header.prefix).err());
        }
        SessionSend::Query(name) => wrongs.extend(check_parameter(source, &format!("{at}.send.query"), name)),
        SessionSend::Cookie(name) => wrongs.extend(check_cookie(&format!("{at}.send.cookie"), name).err()),
    }
    if let Some(logout) = &session.logout {
        wrongs.extend(check_path(source, &format!("{at}.logout.path"), &logout.path));
    }
    if session.lifetime.is_some_and(|lifetime| lifetime.get().is_zero()) {
        wrongs.push(Wrong::at(
            &format!("{at}.lifetime"),
            "a session that lives for no time is of no use".to_owned(),
        ));
    }
    if !proves_something(source, session) {
        let why = "the login uses no setting that is marked `secret: true`, so it proves nothing";
        wrongs.push(Wrong::at(&format!("{at}.login"), why.to_owned()));
    }
    wrongs
}

/// Whether a secret is sent, as far as the settings that it names are there.
fn proves_something(source: &Source, session: &SessionAuth) -> bool {
    let secret =
        |name: &str| source.settings.iter().any(|(key, setting)| key.as_str() == name && setting.secret);
    session.requests().any(|(_, request)| {
        request.basic.is_some() || request.jwt.is_some() || request.in_content().into_iter().any(secret)
    })
}

fn check_request(source: &Source, at: &str, request: &LoginRequest, is_second: bool) -> Vec<Wrong> {
    let mut wrongs = check_path(source, &format!("{at}.path"), &request.path);
    let in_query = request.query.values().flat_map(Template::placeholders);
    wrongs.extend(check_open(source, &format!("{at}.query"), in_query, "secrets never go into a URL").err());
    for name in request.headers.keys() {
        wrongs.extend(check_header_name(&format!("{at}.headers"), name).err());
    }
    let known = |name: &str| source.settings.keys().any(|key| key.as_str() == name);
    for name in request.in_content() {
        let why = match (name == TOKEN && is_second, known(name)) {
            (true, true) => {
                "`{token}` is the token of the login here: give the setting `token` another name".to_owned()
            }
            (true, false) | (false, true) => continue,
            (false, false) => format!("`{{{name}}}` is not among the settings"),
        };
        wrongs.push(Wrong::at(at, why));
    }
    if request.body.is_some() && request.method == Some(LoginMethod::Get) {
        wrongs.push(Wrong::at(
            &format!("{at}.method"),
            "a GET has no body: leave `method` out, or the `body`".to_owned(),
        ));
    }
    if matches!(&request.basic, Some(BasicAuth { user: None, password: None })) {
        let why = "basic needs `user`, `password` or both: the settings that hold them";
        wrongs.push(Wrong::at(&format!("{at}.basic"), why.to_owned()));
    }
    let in_header = request.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
    if [request.basic.is_some(), request.jwt.is_some(), in_header].into_iter().filter(|given| *given).count()
        > 1
    {
        let why = "`basic`, `jwt` and the header `Authorization` are the same header: use one of them";
        wrongs.push(Wrong::at(at, why.to_owned()));
    }
    if request.jwt.as_ref().is_some_and(|jwt| jwt.lifetime.get().is_zero()) {
        wrongs.push(Wrong::at(
            &format!("{at}.jwt.lifetime"),
            "a note that is good for no time is of no use".to_owned(),
        ));
    }
    wrongs
}

fn check_path(source: &Source, at: &str, path: &Template) -> Vec<Wrong> {
    let mut wrongs: Vec<_> = check_open(source, at, path.placeholders(), "secrets never go into a URL")
        .err()
        .into_iter()
        .collect();
    let text = path.to_string();
    let is_address = path.fixes_origin() || text.starts_with('{');
    if !text.starts_with('/') && !is_address || text.contains(['?', '#']) || has_steps(&text) {
        let why = format!(
            "`{text}` is neither a path, such as `/login`, nor an address, such as `https://login.acme.example/token`; \
             parameters go into `query`"
        );
        wrongs.push(Wrong::at(at, why));
    }
    wrongs
}

fn check_place(at: &str, location: &SessionToken) -> Result<(), Wrong> {
    match location {
        SessionToken::Body(_) => Ok(()),
        SessionToken::Header(name) => check_header_name(&format!("{at}.header"), name),
        SessionToken::Cookie(name) => check_cookie(&format!("{at}.cookie"), name),
    }
}

/// RFC 6265, section 4.1.1: names of cookies are made as those of headers are.
fn check_cookie(at: &str, name: &str) -> Result<(), Wrong> {
    check_header_name(at, name).map_err(|_| Wrong::at(at, format!("`{name}` is not the name of a cookie")))
}
