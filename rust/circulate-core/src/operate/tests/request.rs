use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::{Endpoint, Source, yaml};

const SOURCE: &str =
    "source: acme\ntitle: Acme\nsettings: {}\nbase_url: https://api.acme.example/base\nauth: [none]\n";
const THINGS: &str = r#"
endpoint: things
about: Things.
list: {path: /things, primary_key: [/id], paginator: none}
operations:
  move:
    about: Moves one.
    kind: investigate
    method: POST
    path: /things/{id}/parts/{part/name}
    query: {filter: {text: 'name eq "{name}"', quote: backslash}, all: "{all}"}
    body: {json: {to: "{to}", note: "from {name}"}}
    parameters:
      id: {about: Id.}
      part: {about: Part., schema: {type: object}}
      name: {about: Name., optional: true}
      to: {about: Where to., schema: {}, optional: true}
      all: {about: All., schema: {type: boolean}, default: false}
"#;

fn built(given: Value) -> Result<PageRequest> {
    let source: Source = yaml::source_from_yaml(SOURCE, Path::new("source.yaml")).unwrap();
    let endpoint: Endpoint = yaml::endpoint_from_yaml(THINGS, Path::new("things.yaml")).unwrap();
    let account = Account::resolve(&source, &BTreeMap::new(), None, None).unwrap();
    let operation = endpoint.operations.values().next().unwrap();
    let Value::Object(given) = given else { unreachable!() };
    let values = ParameterValues::new("acme.things.move", operation, given)?;
    request_of(&account, operation, &values)
}

#[test]
fn what_is_not_given_is_left_out_with_what_holds_it() {
    let request = built(json!({"id": "a", "part": {"name": 7}})).unwrap();
    assert_eq!(request.address.url.as_str(), "https://api.acme.example/base/things/a/parts/7?all=false");
    assert_eq!(request.body, Some(RequestBody::Json(json!({}))));
}

#[test]
fn a_value_that_a_path_cannot_hold_is_refused() {
    for (id, part) in [("a", json!({})), ("a", json!({"name": []})), ("..", json!({"name": "x"}))] {
        assert!(built(json!({"id": id, "part": part})).is_err(), "{id} {part}");
    }
}

proptest! {
    #[test]
    fn whatever_a_value_is_it_leads_nowhere_else(id in "\\PC{1,12}", name in "\\PC{0,12}", to in "\\PC{0,12}") {
        prop_assume!(!matches!(id.as_str(), "." | ".."));
        let given = json!({"id": id.clone(), "part": {"name": "p"}, "name": name.clone(), "to": to.clone()});
        // A name that is not given is one that is empty.
        prop_assume!(!name.is_empty());
        let request = built(given).unwrap();
        let url = &request.address.url;
        prop_assert_eq!(url.origin().ascii_serialization(), "https://api.acme.example");
        prop_assert_eq!(url.path_segments().unwrap().count(), 5);
        prop_assert_eq!(url.fragment(), None);
        let pairs: Vec<_> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
        prop_assert_eq!(pairs, ["all", "filter"]);
        let body = json!({"to": to, "note": format!("from {name}")});
        prop_assert_eq!(request.body, Some(RequestBody::Json(body)));
    }
}
