//! What a definition makes of values: each stays in its place.

use std::sync::{Arc, Mutex};

use http::Method;

use crate::api::http::Request;
use crate::catalog::Definition;
use crate::testing::{Lake, ScriptedResponse, Server, okta};

fn definition(list: &str) -> Definition {
    let yaml = format!("endpoint: users\nabout: x\nlist:\n  primary_key: [/id]\n  paginator: none\n{list}");
    let endpoint = crate::catalog::endpoint_from_yaml(&yaml, std::path::Path::new("users.yaml")).unwrap();
    Definition { endpoint, ..okta("users") }
}

/// Pulls the list; returns what was requested, and what went wrong.
async fn requested(list: &str) -> (Vec<Request>, Option<String>) {
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let server = Server::of_requests(move |request| {
        kept.lock().unwrap().push(request.clone());
        let begins = request.url.path().ends_with("/start");
        ScriptedResponse::new(if begins { 400 } else { 200 }, if begins { "{}" } else { "[{\"id\": 1}]" })
    });
    let outcome = Lake::default().pull_of(definition(list), server as _).run().await;
    let requests = seen.lock().unwrap().clone();
    (requests, outcome.error.map(|error| error.to_string()))
}

fn addresses(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.url[url::Position::BeforePath..].to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_value_stays_in_its_segment_parameter_and_quotes() {
    let (requests, error) = requested(
        r#"
  partitions: {name: kind, values: ['a/b "c"&d']}
  path: /api/v1/{kind}/items
  query:
    kinds: ["{kind}", x]
    filter: {text: 'kind eq "{kind}"', quote: backslash}
  headers: {X-Kind: "kind {kind}"}
  encode: percent
"#,
    )
    .await;
    assert_eq!(error, None);
    assert_eq!(
        addresses(&requests)[0],
        "/api/v1/a%2Fb%20%22c%22%26d/items?filter=kind%20eq%20%22a%2Fb%20%5C%22c%5C%22%26d%22&kinds=a%2Fb%20%22c%22%26d&kinds=x"
    );
    assert_eq!(requests[0].headers["x-kind"], r#"kind a/b "c"&d"#);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_would_leave_its_place_is_refused_before_any_request() {
    for (list, part) in [
        ("  partitions: {name: kind, values: [..]}\n  path: /api/{kind}\n", "can't be a part of the path"),
        ("  partitions: {name: kind, values: ['']}\n  path: /api/{kind}\n", "can't be a part of the path"),
        (
            "  partitions: {name: kind, values: [\"a\\r\\nX-Other: b\"]}\n  path: /api\n  headers: {X-Kind: \"{kind}\"}\n",
            "invalid header `X-Kind",
        ),
    ] {
        let (requests, error) = requested(list).await;
        assert!(error.as_ref().is_some_and(|error| error.contains(part)), "{list}: {error:?}");
        assert_eq!(requests.len(), 0, "{list}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_posted_with_its_values_and_types() {
    let (requests, error) = requested(
        r#"
  partitions: {name: number, values: ['7']}
  path: /api/v1/search
  body: {json: {limit: 5, on: true, text: "n-{number}", number: "{number:number}"}}
"#,
    )
    .await;
    assert_eq!(error, None);
    assert_eq!(requests[0].method, Method::POST);
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert_eq!(requests[0].body, r#"{"limit":5,"number":7,"on":true,"text":"n-7"}"#);
}

#[tokio::test(start_paused = true)]
async fn the_request_before_a_list_is_made_once_and_may_have_been_made_before() {
    let list = "  path: /api/v1/items\n  before: {method: POST, path: /subscriptions/start, query: {type: audit}, accept: [400]}\n";
    let (requests, error) = requested(list).await;
    assert_eq!(error, None);
    assert_eq!(addresses(&requests)[..2], ["/subscriptions/start?type=audit", "/api/v1/items"]);
    assert_eq!((&requests[0].method, &requests[1].method), (&Method::POST, &Method::GET));
    let (_, error) = requested(&list.replace(", accept: [400]", "")).await;
    assert!(error.is_some_and(|error| error.contains("refused the request (400)")));
}
