//! The shipped definitions, and what people are shown of definitions that are wrong.

use std::path::{Path, PathBuf};

use super::*;
use crate::error::ErrorKind;

/// Not the shipped definitions: the tests count lines.
const SOURCE: &str = r#"source: okta
title: Okta
settings:
  org_url: {env: OKTA_ORG_URL, about: the address of the org}
  api_token:
    env: OKTA_API_TOKEN
    about: an API token
    secret: true
base_url: "{org_url}"
auth:
- header: {name: Authorization, prefix: "SSWS ", secret: api_token}
rate_limit:
  limit: X-Limit
  remaining: X-Remaining
  reset: X-Reset
  headroom: 0.5
error_body: {code: /errorCode, message: /errorSummary}
check: {path: /api/v1/users}
"#;
const USERS: &str = r#"endpoint: users
about: People.
list:
  path: /api/v1/users
  primary_key: [/id]
  page_size: {param: limit, max: 200, min: 10}
  paginator: link_header
  incremental:
    cursor: /lastUpdated
    overlap: 5m
    param: filter
    since: 'lastUpdated ge "{since}"'
    until: 'lastUpdated lt "{until}"'
    join: " and "
    full_since: 1970-01-01T00:00:00Z
"#;
const COLUMNS: &str = "columns:
  id: string
  profile:
    login: string
  tags: [string]
";

fn catalog_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/circulate_core/catalog")
}

/// What is said about `text` with the first `from` replaced by `to`.
fn reported(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is no part of the definition any more");
    let (broken, file) = (text.replacen(from, to, 1), Path::new("okta.yaml"));
    let error = if text == SOURCE {
        source_from_yaml(&broken, file).map(drop).unwrap_err()
    } else {
        endpoint_from_yaml(&broken, file).map(drop).unwrap_err()
    };
    assert_eq!(error.kind(), ErrorKind::Definition);
    error.to_string()
}

/// Each is the text replaced, its replacement, where the error says it stands, and a part of what it says.
fn assert_reported(text: &str, cases: &[(&str, &str, &str, &str)]) {
    for (from, to, position, part) in cases {
        let reported = reported(text, from, to);
        assert!(reported.contains(&format!("okta.yaml:{position}: ")), "{from} -> {to}: {reported}");
        assert!(reported.contains(part), "{from} -> {to}: {reported}");
    }
}

#[test]
fn every_shipped_definition_is_valid() {
    let catalog = Catalog::new(vec![catalog_folder()]);
    let streams = catalog.streams().unwrap();
    assert!(streams.contains(&"okta.users".to_owned()));
    for name in streams {
        assert_eq!(catalog.stream(&name).unwrap().name(), name);
    }
}

#[test]
fn a_reset_is_named_plainly_or_with_how_it_is_read_and_written_as_it_was() {
    for (text, form) in [
        ("X-Reset", TimeForm::Auto),
        ("{at: X-Reset}", TimeForm::At),
        ("{after: X-Reset}", TimeForm::After),
        ("{auto: X-Reset}", TimeForm::Auto),
    ] {
        let yaml = SOURCE.replace("reset: X-Reset", &format!("reset: {text}"));
        let rules = source_from_yaml(&yaml, Path::new("okta.yaml")).unwrap().rate_limit.unwrap();
        let reset = rules.reset.clone().unwrap();
        assert_eq!((reset.header.as_str(), reset.form), ("X-Reset", form), "{text}");
        let written: RateLimit = serde_json::from_value(serde_json::to_value(&rules).unwrap()).unwrap();
        assert_eq!(written, rules);
    }
    let plain = source_from_yaml(SOURCE, Path::new("okta.yaml")).unwrap();
    assert_eq!(serde_json::to_value(&plain).unwrap()["rate_limit"]["reset"], "X-Reset");
}

#[test]
fn what_counts_as_an_empty_list_is_no_part_of_the_digest_of_those_that_say_nothing() {
    let plain = endpoint_from_yaml(USERS, Path::new("okta.yaml")).unwrap();
    assert_eq!(serde_json::to_value(&plain.list).unwrap().get("empty"), None);
    let yaml = USERS.replace("  paginator:", "  empty: [null, 204]\n  paginator:");
    let empty = endpoint_from_yaml(&yaml, Path::new("okta.yaml")).unwrap().list.empty;
    assert_eq!(empty, Empty { null: true, statuses: [204].into(), ..Empty::default() });
    let wrong = reported(USERS, "  paginator:", "  empty: nul\n  paginator:");
    assert!(
        wrong.starts_with("okta.yaml:7:10: ") && wrong.contains("`nul` can't mean an empty list"),
        "{wrong}"
    );
}

#[test]
fn what_is_wrong_in_a_source_is_reported_with_its_line() {
    assert_reported(
        SOURCE,
        &[
            (
                "title: Okta",
                "titel: Okta",
                "2:1",
                "unknown key `titel` (did you mean `title`?); the keys here are source, title",
            ),
            ("title: Okta", "title: [1]", "2:8", "expected a string"),
            ("title: Okta\n", "", "17:1", "the key `title` is missing beside this one"),
            ("header: {", "headr: {", "11:3", "unknown value `headr`"),
            ("secret: true", "secret: maybe", "8:13", "expected `true` or `false`"),
            ("source: okta", "source: Okta", "1:9", "use a-z, 0-9 and _"),
            ("code: /errorCode", "code: errorCode", "17:20", "not a JSON Pointer: it starts with `/`"),
            ("headroom: 0.5", "headroom: 1.5", "16:13", "from 0 up to"),
            ("headroom: 0.5", "headroom: half", "16:13", "expected a number"),
            (
                "reset: X-Reset",
                "reset: {atr: X-Reset}",
                "15:10",
                "unknown key `atr`; the keys here are at, after, auto",
            ),
            ("reset: X-Reset", "reset: {at: A, after: B}", "15:10", "one of `{at: NAME}`"),
            ("check:", "title: Twice\ncheck:", "18:1", "the key `title` is given twice"),
            ("check:", "timeouts: {read: soon}\ncheck:", "18:18", "write it like `30s`"),
            ("{org_url}", "{org_url", "9:11", "has a lone `{`"),
            ("{org_url}", "{api_token}", "9:11", "secrets never go into a URL"),
            ("{org_url}", "{org}", "9:11", "not among the settings"),
            ("secret: api_token", "secret: org_url", "11:58", "must be marked `secret: true`"),
            ("secret: api_token", "secret: apitoken", "11:58", "`apitoken`, which is not among the settings"),
            (
                "auth:\n- header: {name: Authorization, prefix: \"SSWS \", secret: api_token}",
                "auth: []",
                "10:7",
                "name at least one way to sign in",
            ),
            (
                "  api_token:",
                "  more: {env: M, about: m, secret: true}\n  api_token:",
                "5:9",
                "nothing uses the secret `more`",
            ),
            ("    secret: true", "    secret: true\n    default: x", "9:14", "what signs in has no default"),
            ("check:", "auth2: 1\ncheck:", "18:1", "unknown key"),
            ("path: /api", "scopes: [a b], path: /api", "18:17", "invalid OAuth scope `a b`"),
            ("about: the address", "default: '{api_token}', about: the address", "4:41", "a secret"),
            ("about: the address", "default: '{org_url}', about: the address", "4:41", "a default itself"),
            (
                "auth:",
                "auth:\n- oauth2: {token_url: '{x}', client_id: org_url}",
                "11:23",
                "`{x}` is not among",
            ),
            (
                "auth:",
                "auth:\n- oauth2: {token_url: '{org_url}', client_id: org_url}",
                "11:47",
                "needs `private_key`",
            ),
            (
                "auth:",
                "auth:\n- oauth2: {token_url: '{org_url}', client_id: api_token, client_secret: api_token}",
                "11:47",
                "is marked as a secret",
            ),
            (
                "auth:",
                "auth:\n- oauth2: {token_url: '{org_url}', client_id: org_url, client_secret: api_token, send_secret: url}",
                "11:95",
                "unknown value `url`",
            ),
            ("path: /api", "path: api", "18:15", "is not a path"),
        ],
    );
}

#[test]
fn what_is_wrong_in_an_endpoint_is_reported_with_its_line() {
    assert_reported(
        USERS,
        &[
            (
                "link_header",
                "link_heder",
                "7:3",
                "unknown paginator `link_heder`; the paginators are\n    {page: {to: page}} ",
            ),
            ("link_header", "page", "7:14", "`page` has parameters: `{page: {to: page}}`"),
            ("link_header", "{pages: {to: page}}", "7:15", "unknown paginator `pages`; the paginators are"),
            ("link_header", "{page: {too: page}}", "7:22", "unknown key `too` (did you mean `to`?)"),
            ("link_header", "{page: {to: /page}}", "7:26", "write `{body: /page}`"),
            ("link_header", "{page: {to: {header: a b}}}", "7:26", "`a b` is not a header name"),
            ("link_header", "{page: {to: {body: /page}}}", "7:26", "needs a body: add `body: {json: {}}`"),
            (
                "link_header",
                "{page: {to: limit}}",
                "7:26",
                "the query parameter `limit` takes another value already",
            ),
            ("link_header", "{page: {to: page, total: total}}", "7:39", "is not a JSON Pointer"),
            ("link_header", "{next_url: {}}", "7:25", "either in the `body` or in a `header`"),
            (
                "link_header",
                "{next_url: {body: /a, header: b}}",
                "7:25",
                "either in the `body` or in a `header`",
            ),
            (
                "link_header",
                "{token: {from: {body: /a}, to: [a, b]}}",
                "7:45",
                "as many values as each other",
            ),
            ("link_header", "{token: {from: {url: {body: /a}}, to: a}}", "7:29", "param: name}`"),
            (
                "link_header",
                "{token: {from: {body: /a}, to: {path: /x}}}",
                "7:45",
                "has to use `{token}` once",
            ),
            ("link_header", "{token: {from: [], to: a}}", "7:29", "the list is empty"),
            ("link_header", "{offset: {to: offset, cap: 0}}", "7:41", "would have no record"),
            ("link_header", "{last_record: {from: '', to: a}}", "7:35", "name a member of the record"),
            ("link_header", "{page: {to: p}}\n  single: certain", "8:11", "use `paginator: none`"),
            ("link_header", "link_header\n  end: {short_page: true}", "8:21", "may be the last"),
            ("link_header", "link_header\n  method: GET\n  body: {json: {}}", "8:11", "a GET has no body"),
            ("link_header", "link_header\n  method: PUT", "8:11", "unknown value `PUT`"),
            ("link_header", "link_header\n  body: {json: {a: '{'}}", "8:16", "has a lone `{`"),
            ("link_header", "link_header\n  query: {q: 'a eq \"{id}\"'}", "8:14", "quote: backslash"),
            ("link_header", "link_header\n  before: {path: start}", "8:18", "is not a path"),
            (
                "link_header",
                "link_header\n  query: {v: 1.10}",
                "8:14",
                "`1.10` would be sent as `1.1`: put it in quotes",
            ),
            ("link_header", "link_header\n  query: {in: [se, no]}", "8:20", "`no` would be sent as `false`"),
            ("link_header", "link_header\n  query: {id: 012}", "8:15", "`012` would be sent as `12`"),
            ("max: 200", "max: 200, ask: 500", "6:44", "it is from min (10) to max (200)"),
            ("  paginator: link_header\n", "", "7:3", "nothing says how one page leads to the next"),
            ("[/id]", "/id", "5:16", "are a list: write `[/id]`"),
            ("[/id]", "[]", "5:16", "name the members that identify a record"),
            ("[/id]", "[id]", "5:17", "it starts with `/`"),
            ("max: 200", "max: -1", "6:34", "expected a whole number"),
            ("min: 10", "min: 1000", "6:14", "min is at least 1 and at most max"),
            ("overlap: 5m", "overlap: 5 moons", "10:14", "`5 moons` is not a length of time"),
            ("{since}", "then", "12:12", "must use `{since}`, and"),
            ("{until}", "{until} {since}", "13:12", "must use `{until}`, and"),
            ("1970-01", "1970-13", "15:17", "month"),
            ("endpoint: users", "- endpoint", "1:1", "expected keys and their values"),
        ],
    );
}

#[test]
fn values_of_a_query_are_sent_as_they_are_written() {
    let query = "{a: 5, b: true, c: 'no', d: \"1.10\", e: [open, -1, 2.5], f: a b, g: v1.10, h: x=1}";
    let yaml = USERS.replace("link_header", &format!("link_header\n  query: {query}"));
    let list = endpoint_from_yaml(&yaml, Path::new("users.yaml")).unwrap().list;
    let sent: Vec<_> =
        list.query.values().flat_map(QueryValue::as_slice).map(|it| it.text.to_string()).collect();
    assert_eq!(sent, ["5", "true", "no", "1.10", "open", "-1", "2.5", "a b", "v1.10", "x=1"]);
}

#[test]
fn all_that_is_wrong_is_said_at_once_in_its_order() {
    let file = Path::new("users.yaml");
    let lines = |yaml: &str| {
        let error = endpoint_from_yaml(yaml, file).unwrap_err().to_string();
        let positions = error
            .match_indices("users.yaml:")
            .map(|(at, name)| error[at + name.len()..].split(':').next().unwrap().parse::<u32>().unwrap());
        positions.collect::<Vec<_>>()
    };
    let of_types = USERS
        .replace("about:", "abuot:")
        .replace("max: 200", "max: many")
        .replace("overlap: 5m", "overlap: soon")
        .replace("link_header", "{page: {too: page}}");
    assert_eq!(lines(&of_types), [2, 6, 7, 10], "{}", endpoint_from_yaml(&of_types, file).unwrap_err());
    let of_kinds = USERS.replace("about:", "abuot:").replace("link_header", "{pages: {to: page}}");
    assert_eq!(lines(&of_kinds), [2, 7], "{}", endpoint_from_yaml(&of_kinds, file).unwrap_err());
    let of_meaning = USERS
        .replace("path: /api", "path: api")
        .replace("min: 10", "min: 0")
        .replace("link_header", "{offset: {to: offset, cap: 0}}")
        .replace("{since}", "{then}");
    assert_eq!(lines(&of_meaning), [4, 6, 7, 12]);
}

#[test]
fn what_is_wrong_with_columns_is_reported_with_its_line() {
    assert_reported(
        &format!("{USERS}{COLUMNS}"),
        &[
            (
                "id: string",
                "id: strin",
                "17:3",
                "unknown value `strin` (did you mean `string`?); the values here are string",
            ),
            ("id: string", "_id: string", "17:8", "names with `_` in front are for our own columns"),
            ("id: string", "\"\": string", "17:7", "a column has a name"),
            ("  tags:", "  id: json\n  tags:", "20:3", "the key `id` is given twice"),
            ("  tags:", "  ID: json\n  tags:", "20:7", "differs from this one only in case"),
            ("login: string", "{}", "19:5", "has no members: name some, or use `json`"),
            ("login: string", "_login: string", "19:13", "`_login` can't be declared"),
            ("[string]", "[string, string]", "20:9", "exactly one type"),
            ("[string]", "[]", "20:9", "exactly one type"),
            ("[string]", "[{}]", "20:10", "the objects of this list have no members"),
            ("[string]", "[{a: string, A: json}]", "20:25", "only in case"),
            ("[string]", "7", "20:3", "a type (string, integer"),
        ],
    );
}

#[test]
fn columns_keep_their_order_and_do_not_change_what_is_requested() {
    let with = endpoint_from_yaml(&format!("{USERS}{COLUMNS}"), Path::new("users.yaml")).unwrap();
    let json = serde_json::to_string(&with.columns).unwrap();
    assert_eq!(json, r#"{"id":"string","profile":{"login":"string"},"tags":["string"]}"#);
    assert_eq!(serde_json::from_str::<Columns>(&json).unwrap(), with.columns);
    let without = endpoint_from_yaml(USERS, Path::new("users.yaml")).unwrap();
    assert_eq!(with.list, without.list);
    assert!(!serde_json::to_string(&without).unwrap().contains("columns"));
}

#[test]
fn every_shipped_stream_declares_columns() {
    let catalog = Catalog::new(vec![catalog_folder()]);
    for name in catalog.streams().unwrap() {
        assert!(!catalog.stream(&name).unwrap().endpoint.columns.is_empty(), "{name}");
    }
}

#[test]
fn the_line_is_shown_with_a_mark_under_the_position() {
    let reported = reported(USERS, "overlap: 5m", "overlap: 5 moons");
    let shown: Vec<_> = reported.lines().skip(1).collect();
    assert_eq!(shown, ["   |", "10 |     overlap: 5 moons", "   |              ^"]);
}

#[test]
fn a_name_that_is_nearly_right_is_suggested() {
    let catalog = Catalog::new(vec![catalog_folder()]);
    let error = catalog.stream("okta.user").unwrap_err();
    assert!(error.hint_text().unwrap().contains("did you mean `okta.users`?"), "{error:?}");
    assert!(catalog.stream("users").unwrap_err().hint_text().unwrap().contains("`source.endpoint`"));
}

#[test]
fn a_definition_is_known_by_what_it_requests_and_not_by_its_layout() {
    let definition = |users: &str, source: &str| Definition {
        source: source_from_yaml(source, Path::new("source.yaml")).unwrap(),
        endpoint: endpoint_from_yaml(users, Path::new("users.yaml")).unwrap(),
        parents: Vec::new(),
        hooks: std::sync::Arc::default(),
    };
    let hash = |users: &str, source: &str| definition(users, source).spec_hash().unwrap();
    let shipped = hash(USERS, SOURCE);
    assert_eq!(hash(&format!("# a comment\n{USERS}"), &SOURCE.replace("0.5", "0.25")), shipped);
    assert_ne!(hash(&USERS.replace("/api/v1/users", "/api/v1/groups"), SOURCE), shipped);
    let judged = USERS.replace("  primary_key:", "  kind: event\n  version: /lastUpdated\n  primary_key:");
    assert_ne!(judged, USERS);
    assert_eq!(hash(&judged, SOURCE), shipped);
}
