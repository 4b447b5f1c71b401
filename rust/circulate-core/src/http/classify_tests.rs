//! What each answer means, and what people are told about it.

use std::time::Duration;

use futures_util::stream::{StreamExt, iter};

use super::*;
use crate::clock::Clock;
use crate::secrets::Secret;
use crate::testing::{CANARY, okta_account, okta_users};

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let body = Bytes::copy_from_slice(body.as_bytes());
    Response { status: StatusCode::from_u16(status).unwrap(), headers: map, body: iter([Ok(body)]).boxed() }
}

async fn failure(response: Response) -> Failure {
    let source = okta_users().source;
    let limiter = RateLimiter::new(source.rate_limit.clone(), Clock::system());
    let redactor = Redactor::new([Secret::new(CANARY)]);
    Classifier::new(&source, &okta_account()).check(response, &limiter, &redactor).await.unwrap_err()
}

fn vendor_error(summary: &str) -> String {
    serde_json::json!({"errorCode": "E0000047", "errorSummary": summary}).to_string()
}

#[tokio::test]
async fn a_success_is_passed_on() {
    let source = okta_users().source;
    let limiter = RateLimiter::new(source.rate_limit.clone(), Clock::system());
    let passed = Classifier::new(&source, &okta_account())
        .check(answer(200, &[], "[]"), &limiter, &Redactor::default())
        .await;
    assert_eq!(passed.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_status_decides_whether_to_try_again() {
    for (status, verdict) in [
        (400, Verdict::Fail),
        (401, Verdict::Renew),
        (403, Verdict::Fail),
        (404, Verdict::Fail),
        (410, Verdict::Fail),
        (501, Verdict::Fail),
        (302, Verdict::Fail),
        (408, Verdict::Backoff),
        (500, Verdict::Backoff),
        (502, Verdict::Backoff),
        (503, Verdict::Backoff),
        (504, Verdict::Backoff),
        (429, Verdict::Throttled(None)),
    ] {
        let failure = failure(answer(status, &[], "")).await;
        assert_eq!(failure.verdict, verdict, "{status}");
        let temporary = failure.error.status() == Status::Temporary;
        assert_eq!(temporary, !matches!(verdict, Verdict::Fail | Verdict::Renew), "{status}");
    }
}

#[tokio::test]
async fn a_time_that_is_told_is_kept_to() {
    let told = [("retry-after", "7")];
    let seven = Duration::from_secs(7);
    assert_eq!(failure(answer(503, &told, "")).await.verdict, Verdict::After(seven));
    assert_eq!(failure(answer(429, &told, "")).await.verdict, Verdict::Throttled(Some(seven)));
    assert_eq!(failure(answer(404, &told, "")).await.verdict, Verdict::Fail);
}

#[tokio::test]
async fn only_a_500_may_be_the_fault_of_the_page_size() {
    for (status, too_big) in [(500, true), (502, false), (503, false), (429, false)] {
        assert_eq!(failure(answer(status, &[], "")).await.page_too_big, too_big, "{status}");
    }
}

#[tokio::test]
async fn each_status_has_its_kind_and_a_hint_that_helps() {
    for (status, kind, hint) in [
        (401, ErrorKind::Auth, Some("OKTA_API_TOKEN")),
        (403, ErrorKind::Forbidden, Some("OKTA_API_TOKEN")),
        (404, ErrorKind::NotFound, Some("check the base URL")),
        (302, ErrorKind::Api, Some("https://acme.oktapreview.com")),
        (429, ErrorKind::RateLimited, None),
        (503, ErrorKind::Api, None),
    ] {
        let location = [("location", "https://acme.oktapreview.com/login?state=private")];
        let error = failure(answer(status, &location, "")).await.error;
        assert_eq!(error.kind(), kind, "{status}");
        assert!(hint.is_none_or(|hint| error.hint_text().unwrap().contains(hint)), "{error:?}");
        assert!(error.to_string().contains(&status.to_string()) && !format!("{error:?}").contains("private"));
    }
}

#[tokio::test]
async fn the_vendors_words_and_request_id_are_told_on_one_line() {
    let body = vendor_error("Too\nmany\u{1b}[31m requests");
    let error = failure(answer(400, &[("x-okta-request-id", "reqAb1")], &body)).await.error;
    assert_eq!(
        error.to_string(),
        "Okta refused the request (400): E0000047 Toomany[31m requests — request reqAb1"
    );
}

#[tokio::test]
async fn a_body_that_is_no_vendor_error_is_not_shown() {
    for body in ["", "<html>private</html>", "{\"errorSummary\":7}", "[1"] {
        assert_eq!(
            failure(answer(400, &[], body)).await.error.to_string(),
            "Okta refused the request (400)",
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_secret_is_hidden_even_where_the_text_is_cut() {
    for before in 0..=MAX_ERROR_TEXT {
        let body = vendor_error(&format!("{}{CANARY}{}", "x".repeat(before), "y".repeat(400)));
        let told = failure(answer(401, &[], &body)).await.error.to_string();
        assert!(!told.contains(&CANARY[..8]), "{before}: {told}");
        assert!(told.chars().count() < MAX_ERROR_TEXT + 100);
    }
}

#[tokio::test]
async fn an_endless_error_body_is_not_read_to_its_end() {
    let endless = iter((0..).map(|_| Ok(Bytes::from_static(&[b' '; 1000])))).boxed();
    let response = Response { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body: endless };
    assert_eq!(failure(response).await.error.to_string(), "Okta refused the request (400)");
}

#[tokio::test]
async fn a_missing_scope_is_seen_whatever_the_status_and_the_body_say() {
    let challenge =
        [("www-authenticate", r#"Bearer realm="x", error="insufficient_scope", scope="okta.apps.read""#)];
    for (status, body) in [(403, String::new()), (401, String::new()), (403, vendor_error("No permission"))] {
        let failure = failure(answer(status, &challenge, &body)).await;
        assert_eq!(
            (failure.verdict, failure.error.kind()),
            (Verdict::Fail, ErrorKind::Auth),
            "{status} {body}"
        );
        assert!(failure.error.to_string().contains("needs the scope okta.apps.read"), "{}", failure.error);
        assert_eq!(failure.error.answer(), Some((status, Some("insufficient_scope"))));
    }
}

#[tokio::test]
async fn errors_of_all_shapes_are_told_with_what_to_do() {
    let bearer =
        [("www-authenticate", r#"Bearer error="invalid_token", error_description="The token expired.""#)];
    let oauth = r#"{"error":"access_denied","error_description":"Policy evaluation failed."}"#;
    let causes = r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: filter","errorCauses":[{"errorSummary":"bad"}]}"#;
    for (response, message, hint) in [
        (answer(401, &bearer, ""), "(401): invalid_token The token expired.", "OKTA_API_TOKEN"),
        (
            answer(403, &[], oauth),
            "(403): access_denied Policy evaluation failed.",
            "a policy of the authorization server",
        ),
        (
            answer(403, &[], r#"{"errorCode":"E0000006","errorSummary":"No."}"#),
            "(403): E0000006 No.",
            "an admin role",
        ),
        (answer(403, &[], ""), "refused access (403)", "OKTA_API_TOKEN"),
        (answer(400, &[], causes), "(400): E0000001 Api validation failed: filter (bad)", ""),
        (answer(400, &[], r#"{"error":{"message":"x"}}"#), "refused the request (400)", ""),
    ] {
        let error = failure(response).await.error;
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.hint_text().unwrap_or_default().contains(hint), "{error:?}");
    }
}
