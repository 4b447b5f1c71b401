//! Where requests of a replay go, and what its server may say.

use super::*;
use crate::error::Status;
use crate::testing::{ScriptedResponse, Server};

fn replayed(says: Option<&'static str>) -> ReplayedTransport {
    let server = Server::of_requests(move |request| {
        let origin = request.headers[HEADER].to_str().unwrap().to_owned();
        let response = ScriptedResponse::new(200, format!("{} for {origin}", request.url));
        says.map_or(response.clone(), |says| response.header(HEADER, says))
    });
    ReplayedTransport::new(server, "http://127.0.0.1:9").unwrap()
}

async fn get(transport: &ReplayedTransport) -> Result<Response> {
    Transport::send(transport, Request::get("https://api.example/v1?a=b%20c".parse().unwrap())).await
}

#[tokio::test]
async fn a_request_of_any_origin_goes_to_the_server_of_the_replay() {
    let transport = replayed(None);
    let body = get(&transport).await.unwrap().read_body(1000).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), "http://127.0.0.1:9/v1?a=b%20c for https://api.example");
}

#[tokio::test]
async fn a_request_that_is_not_recorded_is_an_error_that_no_rule_of_the_api_explains_away() {
    let transport = replayed(Some("missing"));
    let error = get(&transport).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Data && error.status() == Status::Permanent);
    assert!(error.to_string().contains("/v1?a=b%20c"), "{error}");
}

#[tokio::test]
async fn a_recording_that_ends_is_what_stops_the_run() {
    let transport = replayed(Some("end"));
    assert_eq!(get(&transport).await.unwrap_err().kind(), ErrorKind::Stopped);
}

#[tokio::test]
async fn a_stalled_body_is_a_timeout_that_has_passed() {
    let transport = replayed(Some("stalled"));
    let error = get(&transport).await.unwrap().read_body(1000).await.unwrap_err();
    assert!(
        error.status() == Status::Temporary && error.to_string().contains("stopped responding"),
        "{error}"
    );
}

#[test]
fn nothing_is_sent_to_another_machine() {
    for address in ["http://api.example/", "https://127.0.0.1/", "127.0.0.1"] {
        let transport = Server::new(|_| ScriptedResponse::new(200, ""));
        assert!(ReplayedTransport::new(transport, address).is_err(), "{address}");
    }
}
