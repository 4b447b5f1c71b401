use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::yaml::{endpoint_from_yaml, source_from_yaml};
use super::*;

/// What YAML might take for something else than it is.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "~",
    "null",
    "Null",
    "yes",
    "No",
    "on",
    "true",
    "1",
    "1e3",
    "0x1F",
    "0o7",
    "1_000",
    ".5",
    ".inf",
    "-",
    "- a",
    "? a",
    ": a",
    "a: b",
    "a:",
    "a #b",
    "#a",
    "*a",
    "&a",
    "!a",
    "!!str a",
    "%a",
    "@a",
    "`a`",
    "|",
    ">-",
    "'",
    "\"",
    "{{",
    "{{a}}",
    "[a",
    "a, b",
    "a]",
    "\\",
    "2026-01-01",
    "2026-01-01T00:00:00Z",
    "12:30:45",
    "---",
    "...",
    "--- a",
    "<<",
    "=",
    "a\nb",
    "a\nb\n",
    "a\n\nb",
    "\na",
    "a\n",
    "a\n\n",
    " a\nb",
    "a\n b",
    "a\n ",
    "a\n \nb",
    "a\n\tb",
    "\ta\nb",
    "a\r\nb",
    "a\rb",
    "a ",
    " a",
    "a\u{85}b",
    "a\u{2028}b",
    "\u{feff}a",
    "\u{7f}",
    "\u{0}",
    "\u{1b}[0m",
    "é",
    "日本",
    "🦀",
    "a\u{a0}b",
    "600/min",
    "1h 30m",
    "5m",
    "1d",
    "12",
];

/// Every kind of value that a definition can hold, with hostile strings as keys and values.
fn values() -> impl Strategy<Value = Value> {
    let strings = prop_oneof![
        prop::sample::select(HOSTILE).prop_map(str::to_owned),
        ".*",
        "(?s).{0,40}",
        "[a-z ,:#\\n{}\\[\\]'\"-]{0,300}",
    ]
    .prop_filter("a brace is a placeholder", |text| !text.replace("{{", "").contains(['{', '}']));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON", |number| number.is_finite()).prop_map(Value::from),
        strings.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(strings.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn endpoint(list: &Value) -> crate::catalog::Endpoint {
    let mut whole = json!({"path": "/items", "primary_key": ["/id"], "paginator": "none"});
    whole.as_object_mut().unwrap().extend(list.as_object().unwrap().clone());
    let text = json!({"endpoint": "items", "about": "Items", "list": whole}).to_string();
    endpoint_from_yaml(&text, Path::new("items.yaml")).unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(value in values(), about in "(?s).*") {
        let mut endpoint = endpoint(&json!({"method": "POST"}));
        endpoint.about = about;
        endpoint.list.body = serde_json::from_value(json!({"json": value})).ok();
        let text = written(&endpoint).unwrap();
        prop_assert_eq!(endpoint_from_yaml(&text, Path::new("items.yaml")).unwrap(), endpoint, "{}", text);
    }
}

#[test]
fn a_file_is_written_as_a_person_would() {
    let endpoint = endpoint(&json!({
        "query": {"status": ["open", "closed"], "q": "a: b"},
        "headers": {},
        "records": "",
        "page_size": {"param": "limit", "max": 100, "min": 1},
        "paginator": {"body_link": "/links/next"},
        "incremental": {"cursor": "/updated", "overlap": "5m", "param": "f", "since": "{since}", "until": "{until}", "join": ""},
        "body": {"graphql": {"query": "query {\n  items { id }\n}\n", "variables": {"first": 100, "on": true, "no": "no"}}},
        "errors": [{"when": {"status": 200, "body": {"/ok": false}}, "then": "fail"}],
    }));
    assert_eq!(
        written(&endpoint).unwrap(),
        r#"endpoint: items
about: Items

list:
  path: /items
  query: {q: "a: b", status: [open, closed]}
  body:
    graphql:
      query: |
        query {
          items { id }
        }
      variables: {first: 100, "no": "no", "on": true}
  errors:
    - {when: {status: 200, body: {/ok: false}}, then: fail}
  primary_key: [/id]
  page_size: {param: limit, max: 100}
  paginator: {next_url: {body: /links/next}}
  incremental: {cursor: /updated, param: f, since: "{since}", until: "{until}"}
"#
    );
}

#[test]
fn settings_are_declared_without_what_goes_without_saying() {
    let text = json!({
        "source": "acme", "title": "Acme",
        "settings": {"token": {"env": "ACME_TOKEN", "about": "a token", "secret": true},
                     "site": {"env": "ACME_SITE", "about": "an address", "secret": false}},
        "base_url": "{site}/api",
        "auth": [{"header": {"name": "Authorization", "prefix": "Bearer ", "secret": "token"}}],
        "timeouts": {"connect": "10s", "read": "60s", "total": "300s"},
        "rate_limit": {"rate": ["600/min", "5/s"], "in_flight": 8, "headroom": 0.1},
    });
    let source = source_from_yaml(&text.to_string(), Path::new("source.yaml")).unwrap();
    let text = written(&source).unwrap();
    assert_eq!(
        text,
        r#"source: acme
title: Acme

settings:
  site: {env: ACME_SITE, about: an address}
  token: {env: ACME_TOKEN, about: a token, secret: true}

base_url: "{site}/api"

auth:
  - header: {name: Authorization, prefix: "Bearer ", secret: token}

rate_limit: {rate: [600/min, 5/s], headroom: 0.1}
"#
    );
    assert_eq!(source_from_yaml(&text, Path::new("source.yaml")).unwrap(), source);
}
