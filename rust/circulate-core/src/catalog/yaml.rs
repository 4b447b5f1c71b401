//! YAML in, checked definitions out, with errors that show the line; and the JSON Schemas editors complete by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::schema_for;
use serde::de::DeserializeOwned;
use serde_saphyr::{MessageFormatter, UserMessageFormatter};

use super::auth::Auth;
use super::check_auth::{check_uses, check_ways, is_used};
use super::check_headers::{check_body_of, check_parameters_of};
use super::check_hooks::check_hooks;
use super::check_incremental::check_incremental;
use super::check_job::{check_job, check_settings_of_job};
use super::check_operations::{check_elsewhere, check_names_of_operations, check_operations};
use super::check_partitions::{check_partitions, check_settings_of_values};
use super::check_requests::{check_names, check_requests};
use super::columns::Columns;
use super::durable::Durable;
use super::errors::{self, ErrorRule};
use super::job::{Job, JobParts};
use super::one_or_list::OneOrList;
use super::paginator::PaginatorSpec;
use super::playbook::Playbook;
use super::position::{self, Mistake};
use super::records::{PageFormat, PrimaryKey};
use super::source::{RateLimit, Setting, Source};
use super::stream::{Endpoint, StreamSpec};
use super::types::Name;
use super::wrong::{Wrong, wrong_path};
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest;

/// Reads and checks a `source.yaml`; `file` is for messages.
pub fn source_from_yaml(text: &str, file: &Path) -> Result<Source> {
    read(text, file, check_source)
}

/// As [`source_from_yaml`], for a source that is defined in code, for which what goes without saying need not be said: the
/// settings that it uses are declared by that.
pub(super) fn inline_source(text: &str, name: &Path) -> Result<Source> {
    let mut source: Source = parse(text, name)?;
    declare_what_is_used(&mut source);
    checked(source, text, name, check_source)
}

/// Reads and checks an endpoint's file; `file` is for messages.
pub fn endpoint_from_yaml(text: &str, file: &Path) -> Result<Endpoint> {
    read(text, file, |endpoint: &Endpoint| {
        let mut wrongs = check_endpoint(endpoint);
        wrongs.extend(check_as_written(text, endpoint));
        wrongs
    })
}

/// As [`endpoint_from_yaml`], and checks what it uses of its source, and of the names that it has from its parent's requests;
/// `None` if nobody knows these.
pub(super) fn endpoint_of_source(
    text: &str,
    file: &Path,
    source: &Source,
    inherited: Option<&BTreeSet<String>>,
) -> Result<Endpoint> {
    read(text, file, |endpoint: &Endpoint| {
        let mut wrongs = check_endpoint(endpoint);
        wrongs.extend(check_as_written(text, endpoint));
        wrongs.extend(check_settings_of_values(source, &endpoint.list));
        wrongs.extend(check_settings_of_job(source, &endpoint.list));
        wrongs.extend(check_names(source, &endpoint.list, inherited));
        wrongs.extend(check_parameters_of(source, &endpoint.list));
        wrongs.extend(check_body_of(source, &endpoint.list));
        wrongs.extend(check_names_of_operations(source, endpoint));
        wrongs
    })
}

/// The same endpoint, if all is right that its operations name of other endpoints, which `find` reads.
pub(super) fn with_others(
    endpoint: Endpoint,
    text: &str,
    file: &Path,
    find: &dyn Fn(&str) -> Result<Option<Endpoint>>,
) -> Result<Endpoint> {
    checked(endpoint, text, file, |endpoint| check_elsewhere(endpoint, find))
}

/// What `polling` was called before 0.2.
const EARLIER_KEY: &str = "endless";

/// Where an endpoint's file has keys by their earlier names, and what these are called now.
pub(super) fn earlier_keys(text: &str, file: &Path) -> Vec<String> {
    let found = position::find_key(text, &["list", EARLIER_KEY].map(str::to_owned)).map(|at| {
        let (line, column) = (at.line(), at.column());
        let file = file.display();
        format!("{file}:{line}:{column}: the key `{EARLIER_KEY}` is now called `polling`; the earlier name goes with 0.3")
    });
    found.into_iter().collect()
}

/// A value of a query is sent as it is written: YAML takes `no`, `1.10` or `012` for something that is written otherwise.
fn check_as_written(text: &str, endpoint: &Endpoint) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (name, value) in &endpoint.list.query {
        for (number, string) in value.as_slice().iter().enumerate() {
            let mut path = ["list", "query", name].map(str::to_owned).to_vec();
            if let OneOrList::List(_) = value {
                path.push(number.to_string());
            }
            let sent = string.text.to_string();
            // All else was read as a string.
            if !matches!(sent.as_str(), "true" | "false") && sent.parse::<f64>().is_err() {
                continue;
            }
            let written = position::find(text, &path).and_then(|at| position::plain_scalar(text, at));
            if let Some(written) = written.filter(|written| *written != sent) {
                let why = format!("`{written}` would be sent as `{sent}`: put it in quotes");
                wrongs.push(Wrong { path, message: why });
            }
        }
    }
    wrongs
}

fn check_endpoint(endpoint: &Endpoint) -> Vec<Wrong> {
    let checked =
        [check_scopes("scopes", endpoint.scopes.iter().flatten()), check_columns(&endpoint.columns)];
    let mut wrongs = check_stream(&endpoint.list);
    wrongs.extend(check_operations(endpoint));
    let scopes = endpoint.operations.iter().filter_map(|(name, operation)| {
        check_scopes(&format!("operations.{name}.scopes"), operation.scopes.iter().flatten()).err()
    });
    wrongs.extend(scopes);
    wrongs.extend(checked.into_iter().filter_map(Result::err));
    wrongs
}

/// The JSON Schemas of the kinds of file, by file name, for editors.
pub fn json_schemas() -> [(&'static str, serde_json::Value); 3] {
    [
        ("source.schema.json", schema_for!(Source).into()),
        ("endpoint.schema.json", schema_for!(Endpoint).into()),
        ("playbook.schema.json", schema_for!(Playbook).into()),
    ]
}

/// Reads a file and checks it. All that is found to be wrong is said at once, in the order in which it stands there.
pub(crate) fn read<T: DeserializeOwned>(
    text: &str,
    file: &Path,
    check: impl Fn(&T) -> Vec<Wrong>,
) -> Result<T> {
    checked(parse(text, file)?, text, file, check)
}

fn parse<T: DeserializeOwned>(text: &str, file: &Path) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|error| {
        let mistakes = mistakes::<T>(text, &error);
        definition_error(position::show_all(&mistakes, file, text))
    })
}

/// The first mistake of a text, and what else is wrong once it is left out. Where that leaves something without what it needs,
/// it is left out too.
fn mistakes<T: DeserializeOwned>(text: &str, first: &serde_saphyr::Error) -> Vec<Mistake> {
    let mut mistakes = vec![Mistake { message: in_words(first), at: first.location() }];
    let Some(mut rest) = position::Rest::of(text) else { return mistakes };
    let mut left_out: Vec<Vec<String>> = Vec::new();
    let mut wrong = first.location().and_then(|at| position::path_at(text, at));
    while let Some(path) = wrong.take().filter(|_| mistakes.len() < MAX_MISTAKES) {
        if !rest.leave_out(&path) {
            break;
        }
        left_out.push(path);
        let Err(error) = serde_saphyr::from_str::<T>(rest.text()) else { break };
        let Some(path) = error.location().and_then(|at| position::path_at(rest.text(), at)) else { break };
        if let serde_saphyr::Error::SerdeMissingField { field, .. } = error.without_snippet() {
            // Beside the member that the error is about.
            let around = &path[..path.len() - 1];
            let is_ours = |path: &Vec<String>| {
                path.len() > around.len() && path.starts_with(around) && path[around.len()] == **field
            };
            if around.is_empty() || !left_out.iter().any(is_ours) {
                break;
            }
            wrong = Some(around.to_vec());
            continue;
        }
        let at = match error.without_snippet() {
            serde_saphyr::Error::SerdeUnknownField { .. } => position::find_key(text, &path),
            _ => position::find(text, &path),
        };
        mistakes.push(Mistake { message: in_words(&error), at });
        wrong = Some(path);
    }
    mistakes
}

/// The most mistakes of a file that are said.
const MAX_MISTAKES: usize = 20;

fn checked<T>(definition: T, text: &str, file: &Path, check: impl Fn(&T) -> Vec<Wrong>) -> Result<T> {
    let wrongs = check(&definition);
    if wrongs.is_empty() {
        return Ok(definition);
    }
    let mistakes: Vec<_> = wrongs
        .into_iter()
        .take(MAX_MISTAKES)
        .map(|wrong| Mistake { at: position::find(text, &wrong.path), message: wrong.message })
        .collect();
    Err(definition_error(position::show_all(&mistakes, file, text)))
}

/// Declares the settings that addresses and ways to sign in use and that are not declared.
fn declare_what_is_used(source: &mut Source) {
    let mut used: BTreeMap<Name, bool> = BTreeMap::new();
    for way in &source.auth {
        used.extend(way.parts().into_iter().map(|part| (part.setting.clone(), part.secret)));
    }
    let of_ways = source.auth.iter().flat_map(Auth::open_placeholders);
    for name in source.base_url.placeholders().chain(of_ways) {
        used.extend(Name::try_from(name.to_owned()).ok().map(|name| (name, false)));
    }
    // What a login holds beside that may prove something.
    for name in source.auth.iter().flat_map(Auth::placeholders) {
        if let Ok(name) = Name::try_from(name.to_owned()) {
            used.entry(name).or_insert(true);
        }
    }
    for (name, secret) in used {
        let env = format!("{}_{name}", source.source).to_uppercase();
        let about = format!("`{name}` of its definition");
        let declared = Setting { env, about, secret, aliases: Vec::new(), default: None };
        source.settings.entry(name).or_insert(declared);
    }
}

fn definition_error(message: String) -> Error {
    Error::new(ErrorKind::Definition, "read definition", message)
        .hint("the JSON Schemas beside the catalog complete and check definitions in an editor")
}

/// The paginators there are. None is proposed for another: the wrong one reads a page and takes it for the list.
pub(super) const PAGINATORS: &str = "the paginators are
    {page: {to: page}}                              requests say the number of the page
    {offset: {to: offset}}                          requests say how many records to leave out
    {token: {from: {body: /cursor}, to: cursor}}    the response holds a value that the next request takes
    {next_url: {body: /next}}                       the response holds the address of the next page
    {last_record: {from: /id, to: after}}           requests say a value of the last record
    link_header                                     the response header `Link` has rel=\"next\" (RFC 8288)
    {hook: hooks.py:next_page}                      a function of your own says what the next request is
    none                                            only for an API that is known to return one page";

/// What is wrong, in the words of somebody who writes YAML rather than of somebody who writes Rust.
fn in_words(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as E;
    match error.without_snippet() {
        E::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        E::SerdeUnknownVariant { variant, expected, .. } if expected.contains(&"link_header") => {
            format!("unknown paginator `{variant}`; {PAGINATORS}")
        }
        E::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        E::SerdeMissingField { field: "paginator", .. } => {
            format!(
                "the key `paginator` is missing beside this one: nothing says how one page leads to the next; {PAGINATORS}"
            )
        }
        E::SerdeMissingField { field, .. } => format!("the key `{field}` is missing beside this one"),
        E::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` is given twice"),
        E::Unexpected { expected: "string scalar", .. } => "expected a string".to_owned(),
        E::Unexpected { expected: "sequence start", .. } => "expected a list, such as `[a, b]`".to_owned(),
        E::Unexpected { expected: "mapping start", .. } => "expected keys and their values".to_owned(),
        E::InvalidScalar { ty: "boolean", .. } => "expected `true` or `false`".to_owned(),
        E::InvalidScalar { ty: "floating point", .. } => "expected a number".to_owned(),
        E::InvalidScalar { ty: "u32", .. } => "expected a whole number that is not negative".to_owned(),
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

fn unknown(what: &str, found: &str, known: &[&'static str]) -> String {
    let known: Vec<_> = known.iter().copied().filter(|name| *name != EARLIER_KEY).collect();
    let meant = nearest(found, known.iter().copied());
    let meant = meant.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
    format!("unknown {what} `{found}`{meant}; the {what}s here are {}", known.join(", "))
}

fn check_source(source: &Source) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    wrongs.extend(check_uses(source, "base_url", &source.base_url).err());
    let defaults = source.settings.iter().map(|(name, setting)| check_default(source, name, setting));
    wrongs.extend(defaults.filter_map(Result::err));
    wrongs.extend(check_ways(source));
    // Others may be used by endpoints.
    let unused = source.settings.iter().filter(|(name, setting)| setting.secret && !is_used(source, name));
    wrongs.extend(unused.map(|(unused, _)| {
        Wrong::at(&format!("settings.{unused}"), format!("nothing uses the secret `{unused}`"))
    }));
    wrongs.extend(check_errors("errors", &source.errors, None).err());
    wrongs.extend(check_rate_limit(source.rate_limit.as_ref()).err());
    if let Some(check) = &source.check {
        wrongs.extend(check_scopes("check.scopes", check.scopes.iter()).err());
        wrongs.extend(check_path("check.path", &check.path).err());
    }
    wrongs
}

fn check_default(source: &Source, name: &Name, setting: &Setting) -> Result<(), Wrong> {
    let Some(default) = &setting.default else { return Ok(()) };
    let at = format!("settings.{name}.default");
    if setting.secret || source.auth.iter().any(|way| source.settings_of(way).any(|used| used == name)) {
        let why = "what signs in has no default: it is known by what is configured".to_owned();
        return Err(Wrong::at(&at, why));
    }
    check_uses(source, &at, default)?;
    let known = |used: &str| source.settings.iter().find(|(key, _)| key.as_str() == used);
    if default.placeholders().filter_map(known).any(|(_, used)| used.default.is_some()) {
        let why = format!("the default of `{name}` uses a setting that has a default itself");
        return Err(Wrong::at(&at, why));
    }
    Ok(())
}

/// RFC 6749, section 3.3.
fn check_scopes<'s>(at: &str, mut scopes: impl Iterator<Item = &'s String>) -> Result<(), Wrong> {
    let plain = |scope: &str| {
        !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    };
    match scopes.find(|scope| !plain(scope)) {
        None => Ok(()),
        Some(scope) => Err(Wrong::at(at, format!("invalid OAuth scope `{scope}`: a scope has no spaces"))),
    }
}

fn check_stream(stream: &StreamSpec) -> Vec<Wrong> {
    let before = stream.before.as_ref().map(|before| before.path.to_string());
    let checked = [
        check_address(stream),
        before.map_or(Ok(()), |path| check_path("list.before.path", &path)),
        check_records(stream),
        check_page_size(stream),
        check_errors("list.errors", &stream.errors, Some(stream.page_size.is_some())),
    ];
    let mut wrongs: Vec<_> = checked.into_iter().filter_map(Result::err).collect();
    wrongs.extend(check_partitions(stream));
    wrongs.extend(check_job(stream));
    wrongs.extend(check_incremental(stream));
    wrongs.extend(check_requests(stream));
    wrongs.extend(check_hooks(stream));
    wrongs
}

fn check_page_size(stream: &StreamSpec) -> Result<(), Wrong> {
    let Some(size) = &stream.page_size else { return Ok(()) };
    if size.min == 0 || size.min > size.max {
        let why = format!("min is {} and max is {}: min is at least 1 and at most max", size.min, size.max);
        return Err(Wrong::at("list.page_size", why));
    }
    if !(size.min..=size.max).contains(&size.requested()) {
        let why = format!("ask is {}: it is from min ({}) to max ({})", size.requested(), size.min, size.max);
        return Err(Wrong::at("list.page_size.ask", why));
    }
    Ok(())
}

/// What a record is must go with what its page is, and with what identifies it.
fn check_records(stream: &StreamSpec) -> Result<(), Wrong> {
    let wrong = |at: &str, why: String| Err(Wrong::at(at, why));
    if stream.records.is_one() && stream.paginator != PaginatorSpec::None {
        let why = "`one` is a record and no list, so no page follows it: write `paginator: none`";
        return wrong("list.paginator", why.to_owned());
    }
    let format = stream.format;
    if !format.is_json() && !stream.records.is_the_page() {
        let why = format!(
            "`records` points into JSON documents: with `format: {}` each {} is a record",
            format.as_str(),
            if format == PageFormat::Csv { "row" } else { "line" }
        );
        return wrong("list.records", why);
    }
    let in_page = stream.paginator.members_of_page();
    match (format, in_page.first()) {
        (PageFormat::NdjsonWithTrailer, None) => {
            let why = "nothing would distinguish a trailer from an error: it is known by a member that the paginator reads, \
                       such as a token, `more` or `total`";
            return wrong("list.format", why.to_owned());
        }
        (PageFormat::Ndjson | PageFormat::Csv, Some(pointer)) => {
            let why = format!(
                "the paginator reads `{pointer}` of the page, and `format: {}` has records only: name a header",
                format.as_str()
            );
            return wrong("list.paginator", why);
        }
        _ => {}
    }
    if let (PageFormat::Ndjson | PageFormat::Csv, Some(pointer)) =
        (format, stream.durable().and_then(Durable::member_of_page))
    {
        let why = format!(
            "it is read from `{pointer}` of the page, and `format: {}` has records only: name a header",
            format.as_str()
        );
        return wrong("list.incremental.durable", why);
    }
    if !format.is_json() && (stream.empty.null || stream.empty.missing) {
        let why = format!(
            "`null` and `missing` are about a member of a JSON document, and a page is `{}`: only `no_body` and statuses can \
             mean an empty list",
            format.as_str()
        );
        return wrong("list.empty", why);
    }
    if stream.primary_key == PrimaryKey::Members(Vec::new()) {
        let why =
            "primary_key is empty: name the members that identify a record, or write `none` if nothing does";
        return wrong("list.primary_key", why.to_owned());
    }
    let key = stream.primary_key.members().iter().map(|member| ("list.primary_key", member));
    let times = stream.times().iter().map(|member| ("list.incremental.cursor", member));
    let version = stream.version.iter().map(|member| ("list.version", member));
    match key
        .chain(times)
        .chain(version)
        .find_map(|(at, member)| Some((at, stream.records.reason_missing(member)?)))
    {
        Some((at, why)) => wrong(at, why),
        None => Ok(()),
    }
}

fn check_errors(at: &str, rules: &[ErrorRule], sized: Option<bool>) -> Result<(), Wrong> {
    let Some((path, message)) = errors::wrong(rules, sized) else { return Ok(()) };
    Err(Wrong { path: at.split('.').map(str::to_owned).chain(path).collect(), message })
}

/// The headers of a quota are of use together only.
fn check_rate_limit(rules: Option<&RateLimit>) -> Result<(), Wrong> {
    let Some(rules) = rules else { return Ok(()) };
    let named = [
        ("limit", rules.limit.is_some()),
        ("remaining", rules.remaining.is_some()),
        ("reset", rules.reset.is_some()),
    ];
    match named.iter().find(|(_, is_named)| !is_named) {
        Some((missing, _)) if named.iter().any(|(_, is_named)| *is_named) => {
            let why = format!(
                "`limit`, `remaining` and `reset` name the headers of a quota together, and `{missing}` is missing; where the \
                 API sends none, declare its `rate` instead"
            );
            Err(Wrong::at("rate_limit", why))
        }
        _ => Ok(()),
    }
}

fn check_columns(columns: &Columns) -> Result<(), Wrong> {
    columns.wrong().map_or(Ok(()), |(mut path, message)| {
        path.insert(0, "columns".to_owned());
        Err(Wrong { path, message })
    })
}

/// Requests go to a path, or to an address that a parent names.
fn check_address(stream: &StreamSpec) -> Result<(), Wrong> {
    let of_job = matches!(stream.job, Some(Job { parts: Some(JobParts::Urls(_)), .. }));
    let has_url = stream.parent().is_some_and(|parent| parent.url.is_some()) || of_job;
    match (has_url, stream.path.is_empty()) {
        (false, true) => {
            Err(Wrong::at("list", "the key `path` is missing: the path below the base URL".to_owned()))
        }
        // What is wrong with the path of a job is said there.
        (true, false) if of_job => Ok(()),
        (true, false) => {
            Err(Wrong::at("list.path", "the parent names an address (`url`): leave `path` out".to_owned()))
        }
        (true, true) => Ok(()),
        (false, false) => check_path("list.path", &stream.path.to_string()),
    }
}

fn check_path(field: &'static str, path: &str) -> Result<(), Wrong> {
    wrong_path(path).map_or(Ok(()), |why| Err(Wrong::at(field, why)))
}
