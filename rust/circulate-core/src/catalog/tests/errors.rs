//! Rules about errors: what fits them, and what is said of rules that are wrong.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::endpoint_from_yaml;

fn rules(text: &str) -> Vec<ErrorRule> {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        map.append(name, value);
    }
    map
}

#[test]
fn a_response_fits_if_all_of_it_does() {
    let headers = headers(&[("x-error", " quota "), ("x-error", "second"), ("x-code", "7"), ("x-none", "")]);
    let body = json!({
        "ok": false, "code": 7, "big": 9_007_199_254_740_993_i64, "text": "7", "none": null, "errors": [{"code": "a"}],
        "empty": [], "a/b": 1,
    });
    for (when, fits) in [
        ("{status: 403}", true),
        ("{status: [400, 403]}", true),
        ("{status: 400}", false),
        ("{header: {X-Error: quota}}", true),
        ("{header: {X-Error: [none, second]}}", true),
        ("{header: {X-Error: Quota}}", false),
        ("{header: {X-Error: {not: third}}}", true),
        ("{header: {X-Error: {not: second}}}", false),
        ("{header: {X-Missing: {not: third}}}", false),
        ("{header: {X-Code: 7}}", true),
        ("{header: {X-None: {empty: true}}}", true),
        ("{header: {X-Missing: {empty: true}}}", true),
        ("{header: {X-Error: {empty: true}}}", false),
        ("{body: {/ok: false}}", true),
        ("{body: {/ok: 0}}", false),
        ("{body: {/ok: 'false'}}", false),
        ("{body: {/code: 7.0}}", true),
        ("{body: {/code: '7'}}", false),
        ("{body: {/text: 7}}", false),
        ("{body: {/big: 9007199254740992}}", false),
        ("{body: {/big: 9007199254740993}}", true),
        ("{body: {/none: null}}", true),
        ("{body: {/missing: null}}", false),
        ("{body: {/missing: {empty: true}}}", true),
        ("{body: {/none: {empty: true}}}", true),
        ("{body: {/empty: {empty: true}}}", true),
        ("{body: {/errors: {empty: false}}}", true),
        ("{body: {/code: {empty: false}}}", true),
        ("{body: {/errors/0/code: a}}", true),
        ("{body: {/errors/1/code: a}}", false),
        ("{body: {/a~1b: 1}}", true),
        ("{body: {/code: {not: [0, null]}}}", true),
        ("{body: {/code: {not: 7}}}", false),
        ("{body: {/missing: {not: 7}}}", false),
        ("{status: 403, header: {X-Error: quota}, body: {/ok: false, /code: 7}}", true),
        ("{status: 403, header: {X-Error: quota}, body: {/ok: false, /code: 8}}", false),
    ] {
        let [rule]: [ErrorRule; 1] = rules(&format!("[{{when: {when}, then: fail}}]")).try_into().unwrap();
        assert_eq!(rule.when.fits(403, &headers, &body), fits, "{when}");
        let written = serde_json::to_string(&rule).unwrap();
        assert_eq!(serde_json::from_str::<ErrorRule>(&written).unwrap(), rule, "{written}");
    }
}

#[test]
fn what_can_never_fit_is_refused_where_it_stands() {
    for (rules, at, part) in [
        ("[{when: {}, then: retry}]", "10:", "`when` is empty"),
        (
            "[{when: {status: 99}, then: retry}]",
            "10:",
            "`99` is not a status of a response: these are from 200 to 599",
        ),
        ("[{when: {status: many}, then: retry}]", "10:", "`many` is not a status"),
        ("[{when: {status: []}, then: retry}]", "10:", "the list is empty"),
        ("[{when: {status: 200}, then: fail}]", "10:", "every page has this status"),
        ("[{when: {status: [500, 203]}, then: fail}]", "10:", "every page has this status"),
        (
            "[{when: {status: 200, body: {/end: true}}, then: end}]",
            "10:",
            "the status 200 can't mean an empty list",
        ),
        (
            "[{when: {status: 203, body: {/end: true}}, then: end}]",
            "10:",
            "the status 200 can't mean an empty list",
        ),
        ("[{when: {status: 503}, then: end}]", "10:", "the server failed"),
        ("[{when: {status: 401}, then: end}]", "10:", "the credentials were refused"),
        ("[{when: {body: {/end: true}}, then: end}]", "10:", "`end` needs a `status`"),
        ("[{when: {status: 202, body: {/a: 1}}, then: retry}]", "10:", "the body of a 202 is not looked at"),
        ("[{when: {status: 304, body: {/a: 1}}, then: retry}]", "10:", "the body of a 304 is not looked at"),
        ("[{when: {header: {'X Y': 1}}, then: retry}]", "10:", "`X Y` is not the name of a header"),
        ("[{when: {header: {X: null}}, then: retry}]", "10:", "never null"),
        ("[{when: {body: {'': 1}}, then: retry}]", "10:", "the pointer is empty"),
        ("[{when: {body: {ok: 1}}, then: retry}]", "10:", "`ok` is not a JSON Pointer"),
        ("[{when: {body: {/a: {is: 1}}}, then: retry}]", "10:", "expected a value, a list of values"),
        ("[{when: {body: {/a: []}}, then: retry}]", "10:", "expected a value, a list of values"),
        ("[{when: {body: {/a: [[1]]}}, then: retry}]", "10:", "expected a value, a list of values"),
        ("[{when: {body: {/a: {empty: 1}}}, then: retry}]", "10:", "expected a value, a list of values"),
        ("[{when: {status: 500}, then: smaller_page}]", "10:", "`smaller_page` needs `page_size`"),
        ("[{when: {status: 500}, then: again}]", "10:", "unknown value `again`"),
        ("[{when: {stats: 500}, then: retry}]", "10:", "unknown key `stats` (did you mean `status`?)"),
        ("[{when: {status: 500}}]", "10:", "the key `then` is missing"),
        (
            "\n  - {when: {status: [500, 502]}, then: retry}\n  - {when: {status: 502}, then: fail}",
            "12:",
            "this rule can never count: rule 1 before it is about all that this one is about, and says `retry`",
        ),
        (
            "\n  - {when: {header: {X-Error: [a, b]}}, then: retry}\n  - {when: {status: 429, header: {x-error: b}}, then: retry}",
            "12:",
            "this rule can never count",
        ),
        (
            "\n  - {when: {body: {/a: {not: 1}}}, then: retry}\n  - {when: {body: {/a: [2, 3], /b: 1}}, then: gap}",
            "12:",
            "this rule can never count",
        ),
    ] {
        let text = format!(
            "endpoint: items\nabout: Items.\nlist:\n  path: /items\n  primary_key: [/id]\n  # six\n  # seven\n  # eight\n  \
             paginator: none\n  errors: {rules}\n"
        );
        let error = endpoint_from_yaml(&text, Path::new("items.yaml")).unwrap_err().to_string();
        assert!(error.contains(part), "{rules}: {error}");
        assert!(error.starts_with(&format!("items.yaml:{at}")), "{rules}: {error}");
    }
}

#[test]
fn rules_of_which_each_can_count_are_taken() {
    for text in [
        "[{when: {status: 403, body: {/a: 1}}, then: retry}, {when: {status: 403}, then: gap}]",
        "[{when: {status: 500}, then: retry}, {when: {body: {/a: 1}}, then: fail}]",
        "[{when: {header: {X: a}}, then: retry}, {when: {header: {X: [a, b]}}, then: fail}]",
        "[{when: {body: {/a: {not: 1}}}, then: retry}, {when: {body: {/a: [1, 2]}}, then: fail}]",
        "[{when: {body: {/a: {empty: false}}}, then: retry}, {when: {body: {/a: {empty: true}}}, then: fail}]",
    ] {
        assert_eq!(wrong(&rules(text), None), None, "{text}");
    }
}

fn expectation() -> impl Strategy<Value = Expected> {
    let value = prop_oneof![Just(json!(1)), Just(json!("a")), Just(Value::Null), Just(json!(true))];
    let values = proptest::collection::vec(value, 1..4);
    prop_oneof![
        values.clone().prop_map(Expected::AnyOf),
        values.prop_map(Expected::NoneOf),
        any::<bool>().prop_map(Expected::Empty),
    ]
}

proptest! {
    #[test]
    fn a_rule_that_is_said_to_cover_another_fits_all_that_it_fits(
        (one, other) in (expectation(), expectation()),
        found in proptest::option::of(prop_oneof![
            Just(json!(1)), Just(json!("a")), Just(json!("")), Just(Value::Null), Just(json!(true)), Just(json!([])),
        ]),
    ) {
        if one.covers(&other) && other.fits(found.as_ref()) {
            prop_assert!(one.fits(found.as_ref()), "{one:?} {other:?} {found:?}");
        }
    }
}
