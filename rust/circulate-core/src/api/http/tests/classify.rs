//! What each response means, and what people are shown of it.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{StreamExt, iter};
use proptest::prelude::*;

use super::*;
use crate::clock::Clock;
use crate::testing::{CANARY, okta_account, okta_users};

fn respond(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
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
    Classifier::new(&source, &okta_account())
        .check(response, &limiter, &ResponseRules::default())
        .await
        .unwrap_err()
}

fn vendor_error(summary: &str) -> String {
    serde_json::json!({"errorCode": "E0000047", "errorSummary": summary}).to_string()
}

#[tokio::test]
async fn a_success_is_passed_on() {
    let source = okta_users().source;
    let limiter = RateLimiter::new(source.rate_limit.clone(), Clock::system());
    let passed = Classifier::new(&source, &okta_account())
        .check(respond(200, &[], "[]"), &limiter, &ResponseRules::default())
        .await;
    assert_eq!(passed.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_status_decides_whether_to_try_again() {
    for (status, verdict) in [
        (400, RetryDecision::Fail),
        (401, RetryDecision::Renew),
        (403, RetryDecision::Fail),
        (404, RetryDecision::Fail),
        (410, RetryDecision::Fail),
        (403, RetryDecision::Fail),
        (418, RetryDecision::Fail),
        (501, RetryDecision::Fail),
        (505, RetryDecision::Fail),
        (511, RetryDecision::Fail),
        (302, RetryDecision::Fail),
        (304, RetryDecision::Fail),
        (101, RetryDecision::Fail),
        (408, RetryDecision::Backoff),
        (425, RetryDecision::Backoff),
        (500, RetryDecision::Backoff),
        (502, RetryDecision::Backoff),
        (503, RetryDecision::Backoff),
        (504, RetryDecision::Backoff),
        // What no standard names is treated as the first of its class (RFC 9110, section 15), what has no class as a 5xx.
        (507, RetryDecision::Backoff),
        (509, RetryDecision::Backoff),
        (520, RetryDecision::Backoff),
        (529, RetryDecision::Backoff),
        (530, RetryDecision::Backoff),
        (599, RetryDecision::Backoff),
        (600, RetryDecision::Backoff),
        (999, RetryDecision::Backoff),
        (420, RetryDecision::Throttled(None)),
        (429, RetryDecision::Throttled(None)),
    ] {
        let failure = failure(respond(status, &[], "")).await;
        assert_eq!(failure.verdict, verdict, "{status}");
        let temporary = failure.error.status() == Status::Temporary;
        assert_eq!(temporary, !matches!(verdict, RetryDecision::Fail | RetryDecision::Renew), "{status}");
    }
}

#[tokio::test]
async fn a_time_that_is_named_is_kept_to() {
    let named = [("retry-after", "7")];
    let seven = Duration::from_secs(7);
    assert_eq!(failure(respond(503, &named, "")).await.verdict, RetryDecision::After(seven));
    assert_eq!(failure(respond(429, &named, "")).await.verdict, RetryDecision::Throttled(Some(seven)));
    assert_eq!(failure(respond(520, &named, "")).await.verdict, RetryDecision::After(seven));
    assert_eq!(
        failure(respond(401, &named, "")).await.verdict,
        RetryDecision::Renew,
        "it is about the credentials"
    );
    assert_eq!(failure(respond(302, &named, "")).await.verdict, RetryDecision::Fail);
}

#[tokio::test]
async fn an_invalid_request_is_not_retried_for_a_time_that_is_named() {
    for status in [400, 404, 405, 410, 414, 415, 422] {
        assert_eq!(
            failure(respond(status, &[("retry-after", "1")], "")).await.verdict,
            RetryDecision::Fail,
            "{status}"
        );
    }
}

#[tokio::test]
async fn any_refusal_that_says_when_to_come_back_is_throttling() {
    for status in [403, 406, 409, 413, 420, 423, 429, 430] {
        for (text, wait) in [("0.503", Some(0.503)), ("13s", Some(13.0)), ("soon", None)] {
            let failure = failure(respond(status, &[("retry-after", text)], "")).await;
            let RetryDecision::Throttled(wait_named) = failure.verdict else {
                panic!("{status}: {:?}", failure.verdict)
            };
            assert_eq!(wait_named.map(|wait_named| wait_named.as_secs_f64()), wait, "{status} {text}");
            assert_eq!(
                (failure.error.kind(), failure.error.status()),
                (ErrorKind::RateLimited, Status::Temporary)
            );
            assert!(failure.error.to_string().contains(&format!("asked us to slow down ({status})")));
        }
    }
}

#[tokio::test]
async fn a_403_with_no_quota_left_is_throttling() {
    let used_up = [
        ("date", "Sun, 22 Nov 2026 05:30:00 GMT"),
        ("x-rate-limit-limit", "60"),
        ("x-rate-limit-remaining", "0"),
        ("x-rate-limit-reset", "1795325417"),
    ];
    let verdict = failure(respond(403, &used_up, "")).await.verdict;
    assert_eq!(verdict, RetryDecision::Throttled(Some(Duration::from_secs(18))));
    assert_eq!(failure(respond(404, &used_up, "")).await.verdict, RetryDecision::Fail);
}

#[tokio::test]
async fn an_invalid_session_is_reported_as_one_whatever_the_status_says() {
    let body = r#"{"errorCode":"E0000005","errorSummary":"Invalid session"}"#;
    let failure = failure(respond(403, &[], body)).await;
    assert_eq!((failure.verdict, failure.error.kind()), (RetryDecision::Session, ErrorKind::Auth));
    assert!(failure.error.to_string().contains("the session is not valid (403): E0000005 Invalid session"));
    assert!(failure.error.hint_text().unwrap().contains("API token"), "{:?}", failure.error);
}

#[tokio::test]
async fn a_304_is_not_called_a_redirect() {
    let error = failure(respond(304, &[], "")).await.error;
    assert!(error.to_string().contains("304 (not modified)") && !error.to_string().contains("redirect"));
}

#[tokio::test]
async fn a_status_that_means_an_empty_list_is_passed_on_unless_it_says_something_else() {
    let source = okta_users().source;
    let classifier = Classifier::new(&source, &okta_account());
    let limiter = RateLimiter::new(source.rate_limit.clone(), Clock::system());
    let scope = [("www-authenticate", r#"Bearer error="insufficient_scope""#)];
    for (response, passed) in [
        (respond(404, &[], &vendor_error("no such")), true),
        (respond(404, &[("retry-after", "1")], ""), true),
        (respond(409, &[("retry-after", "1")], ""), false),
        (respond(404, &scope, ""), false),
        (respond(403, &[], ""), false),
    ] {
        let rules = ResponseRules { empty: [404, 409].into(), ..ResponseRules::default() };
        let checked = classifier.check(response, &limiter, &rules).await;
        assert_eq!(checked.is_ok(), passed, "{checked:?}");
    }
}

proptest! {
    #[test]
    fn no_response_is_called_a_success_that_is_none_or_waited_for_too_long(
        status in 100u16..1000,
        headers in proptest::collection::vec(
            (0..7usize, proptest::collection::vec(prop_oneof![32..127u8, 128..=255u8], 0..40)), 0..6,
        ),
        body in proptest::collection::vec(any::<u8>(), 0..80),
        known in proptest::sample::select(vec![
            "", "{\"error\":7}", "{\"errorCode\":\"E0000005\"}", "{\"error\":\"use_dpop_nonce\"}",
        ]),
    ) {
        let names = ["date", "retry-after", "www-authenticate", "location", "x-rate-limit-reset", "dpop-nonce", "link"];
        for body in [body, known.as_bytes().to_vec()] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.append(names[*name], http::HeaderValue::from_bytes(value).unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            let response = Response { status, headers: map, body: iter([Ok(Bytes::from(body))]).boxed() };
            let source = okta_users().source;
            let limiter = RateLimiter::new(source.rate_limit.clone(), Clock::system());
            let classifier = Classifier::new(&source, &okta_account());
            Redactor::shared().hide(CANARY);
            let rules = ResponseRules::default();
            let checked = classifier.check(response, &limiter, &rules).now_or_never().unwrap();
            prop_assert_eq!(checked.is_ok(), status.is_success());
            if let Err(failure) = checked {
                if let RetryDecision::After(wait) | RetryDecision::Throttled(Some(wait)) = failure.verdict {
                    prop_assert!(wait <= Duration::from_hours(24));
                }
                let shown = failure.error.to_string();
                prop_assert!(!shown.chars().any(char::is_control) && shown.chars().count() < 1000, "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn only_a_500_may_be_the_fault_of_the_page_size() {
    for (status, too_big) in [(500, true), (502, false), (503, false), (429, false)] {
        assert_eq!(failure(respond(status, &[], "")).await.page_too_big, too_big, "{status}");
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
        let error = failure(respond(status, &location, "")).await.error;
        assert_eq!(error.kind(), kind, "{status}");
        assert!(hint.is_none_or(|hint| error.hint_text().unwrap().contains(hint)), "{error:?}");
        assert!(error.to_string().contains(&status.to_string()) && !format!("{error:?}").contains("private"));
    }
}

#[tokio::test]
async fn the_vendors_words_and_request_id_are_shown_on_one_line() {
    let body = vendor_error("Too\nmany\u{1b}[31m requests");
    let error = failure(respond(400, &[("x-okta-request-id", "reqAb1")], &body)).await.error;
    assert_eq!(
        error.to_string(),
        r"Okta refused the request (400): E0000047 Too\nmany\u{1b}[31m requests — request reqAb1"
    );
}

#[tokio::test]
async fn what_a_server_echoes_of_the_token_is_shown_nowhere() {
    let half = CANARY.len() / 2;
    let split = serde_json::json!({"errorCode": CANARY[..half], "errorSummary": CANARY[half..]});
    let broken = format!("{{\"errorSummary\":\"\\ud800{}\\u{:04x}\"}}", &CANARY[..37], u32::from('n'));
    let challenge = format!(r#"Bearer error="{CANARY}", error_description="a\{CANARY}", scope="{CANARY}""#);
    let no_scope = format!(r#"Bearer error="insufficient_scope", scope="{CANARY}""#);
    let host = format!("https://{CANARY}.evil.example/{CANARY}").replace('_', "-");
    for response in [
        respond(400, &[("x-okta-request-id", CANARY)], ""),
        respond(400, &[("x-okta-request-id", &CANARY[half..])], &vendor_error(&CANARY[..half])),
        respond(400, &[], &split.to_string()),
        respond(400, &[], &broken),
        respond(401, &[("www-authenticate", &challenge)], ""),
        respond(403, &[("www-authenticate", &no_scope)], ""),
        respond(302, &[("location", &host)], ""),
    ] {
        let error = failure(response).await.error;
        let shown =
            format!("{error} {error:?} {:?}", error.context().collect::<Vec<_>>()).to_ascii_lowercase();
        assert!(!shown.contains(&CANARY[2..10].to_ascii_lowercase()), "{shown}");
        assert!(!shown.contains("never-be-shown"), "{shown}");
    }
}

#[tokio::test]
async fn a_request_id_is_cut_and_may_be_any_bytes() {
    let long = "r".repeat(60_000);
    let error = failure(respond(400, &[("x-okta-request-id", &long)], "")).await.error.to_string();
    assert!(error.ends_with(&format!("{}… (60000 characters)", "r".repeat(MAX_ERROR_TEXT))), "{error}");
    let mut response = respond(400, &[], "");
    response.headers.insert("x-okta-request-id", http::HeaderValue::from_bytes(b"caf\xe9").unwrap());
    assert!(failure(response).await.error.to_string().ends_with(r"request caf\xe9"));
}

#[tokio::test]
async fn a_body_that_is_no_vendor_error_is_not_shown() {
    for body in ["", "<html>private</html>", "{\"errorSummary\":7}", "[1"] {
        assert_eq!(
            failure(respond(400, &[], body)).await.error.to_string(),
            "Okta refused the request (400)",
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_secret_is_hidden_even_where_the_text_is_cut() {
    for before in 0..=MAX_ERROR_TEXT {
        let body = vendor_error(&format!("{}{CANARY}{}", "x".repeat(before), "y".repeat(400)));
        let shown = failure(respond(401, &[], &body)).await.error.to_string();
        assert!(!shown.contains(&CANARY[..8]), "{before}: {shown}");
        assert!(shown.chars().count() < MAX_ERROR_TEXT + 100);
    }
}

#[tokio::test]
async fn an_error_body_without_end_is_not_read_to_its_end() {
    let body = iter((0..).map(|_| Ok(Bytes::from_static(&[b' '; 1000])))).boxed();
    let response = Response { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body };
    assert_eq!(failure(response).await.error.to_string(), "Okta refused the request (400)");
}

#[tokio::test]
async fn a_missing_scope_is_seen_whatever_the_status_and_the_body_say() {
    let challenge =
        [("www-authenticate", r#"Bearer realm="x", error="insufficient_scope", scope="okta.apps.read""#)];
    for (status, body) in [(403, String::new()), (401, String::new()), (403, vendor_error("No permission"))] {
        let failure = failure(respond(status, &challenge, &body)).await;
        assert_eq!(
            (failure.verdict, failure.error.kind()),
            (RetryDecision::Fail, ErrorKind::Auth),
            "{status} {body}"
        );
        assert!(failure.error.to_string().contains("needs the scope okta.apps.read"), "{}", failure.error);
        assert_eq!(failure.error.response(), Some((status, Some("insufficient_scope"))));
    }
}

#[tokio::test]
async fn errors_of_all_shapes_are_shown_with_what_to_do() {
    let bearer =
        [("www-authenticate", r#"Bearer error="invalid_token", error_description="The token expired.""#)];
    let oauth = r#"{"error":"access_denied","error_description":"Policy evaluation failed."}"#;
    let causes = r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: filter","errorCauses":[{"errorSummary":"bad"}]}"#;
    for (response, message, hint) in [
        (respond(401, &bearer, ""), "(401): invalid_token The token expired.", "OKTA_API_TOKEN"),
        (
            respond(403, &[], oauth),
            "(403): access_denied Policy evaluation failed.",
            "a policy of the authorization server",
        ),
        (
            respond(403, &[], r#"{"errorCode":"E0000006","errorSummary":"No."}"#),
            "(403): E0000006 No.",
            "an admin role",
        ),
        (respond(403, &[], ""), "refused access (403)", "OKTA_API_TOKEN"),
        (respond(400, &[], causes), "(400): E0000001 Api validation failed: filter (bad)", ""),
        (respond(400, &[], r#"{"error":{"message":"x"}}"#), "refused the request (400)", ""),
    ] {
        let error = failure(response).await.error;
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.hint_text().unwrap_or_default().contains(hint), "{error:?}");
    }
}

fn rules(text: &str) -> ResponseRules {
    ResponseRules {
        errors: serde_saphyr::from_str::<Vec<ErrorRule>>(text).unwrap().into(),
        empty: [404].into(),
    }
}

#[tokio::test]
async fn what_a_definition_declares_comes_before_what_the_status_says() {
    let rules = rules(
        "[{when: {status: 500}, then: smaller_page}, {when: {status: 404, body: {/errorCode: E7}}, then: gone}, \
          {when: {status: 429}, then: gap}, {when: {status: 402}, then: renew}, {when: {status: 400}, then: retry}, \
          {when: {status: 403}, then: throttled}, {when: {status: 409}, then: unavailable}, {when: {status: 503}, then: fail}]",
    );
    let vendor = r#"{"errorCode": "E7", "errorSummary": "no"}"#;
    let after = [("retry-after", "7")];
    for (response, verdict, meaning, temporary) in [
        (respond(500, &[], ""), RetryDecision::SmallerPage, None, false),
        (respond(404, &[], vendor), RetryDecision::Fail, Some(Meaning::Gone), false),
        (respond(429, &after, vendor), RetryDecision::Fail, Some(Meaning::Gap), false),
        (respond(402, &[], ""), RetryDecision::Renew, None, false),
        (respond(400, &[], ""), RetryDecision::Backoff, None, true),
        (respond(400, &after, ""), RetryDecision::After(Duration::from_secs(7)), None, true),
        (respond(403, &[], ""), RetryDecision::Throttled(None), None, true),
        (respond(403, &after, ""), RetryDecision::Throttled(Some(Duration::from_secs(7))), None, true),
        (respond(409, &[], vendor), RetryDecision::Fail, Some(Meaning::Unavailable), false),
        (respond(503, &after, ""), RetryDecision::Fail, None, false),
        (respond(502, &[], ""), RetryDecision::Backoff, None, true),
        (respond(401, &[], ""), RetryDecision::Renew, None, false),
    ] {
        let (source, status) = (okta_users().source, response.status.as_u16());
        let limiter = RateLimiter::new(None, Clock::system());
        let failure =
            Classifier::new(&source, &okta_account()).check(response, &limiter, &rules).await.unwrap_err();
        assert_eq!((failure.verdict, failure.error.meaning()), (verdict, meaning), "{status}");
        assert_eq!(failure.error.status() == Status::Temporary, temporary, "{status}");
        assert!(!failure.page_too_big, "a rule says itself what a 500 is");
        let is_declared = failure.error.to_string().contains("rule then: ");
        assert_eq!(is_declared, !matches!(status, 502 | 401), "{}", failure.error);
    }
}

#[tokio::test]
async fn a_rule_may_end_a_list_by_a_status_and_its_body() {
    let rules = rules("[{when: {status: 400, body: {/errorCode: E7}}, then: end}]");
    let limiter = RateLimiter::new(None, Clock::system());
    let classifier = Classifier::new(&okta_users().source, &okta_account());
    let passed =
        classifier.check(respond(400, &[], r#"{"errorCode": "E7"}"#), &limiter, &rules).await.unwrap();
    assert_eq!(passed.status, StatusCode::BAD_REQUEST);
    assert!(classifier.check(respond(400, &[], r#"{"errorCode": "E8"}"#), &limiter, &rules).await.is_err());
}

#[test]
fn a_success_is_an_error_by_a_rule_alone() {
    let classifier = Classifier::new(&okta_users().source, &okta_account());
    let limiter = RateLimiter::new(None, Clock::system());
    let said = |rules: &ResponseRules, status: StatusCode, found: &[(&str, &str)]| {
        let watched = classifier.watched(rules);
        let text = |pointer: &Pointer| {
            found.iter().find(|(at, _)| *at == pointer.to_string()).map(|(_, text)| text.as_bytes().to_vec())
        };
        let found: Vec<_> = watched.iter().map(text).collect();
        classifier.check_success(status, &HeaderMap::new(), &found, &limiter, rules)
    };
    let nothing = ResponseRules { errors: Arc::default(), empty: BTreeSet::new() };
    assert!(classifier.watched(&nothing).is_empty());
    assert_eq!(said(&nothing, StatusCode::OK, &[]).unwrap(), Success::Page);
    let of_errors = rules("[{when: {status: 403, body: {/a: 1}}, then: retry}]");
    assert!(classifier.watched(&of_errors).is_empty(), "an error response is read by itself");
    let by_body = rules("[{when: {body: {/ok: false}}, then: retry}, {when: {status: 202}, then: end}]");
    assert_eq!(said(&by_body, StatusCode::OK, &[("/ok", "true")]).unwrap(), Success::Page);
    assert_eq!(said(&by_body, StatusCode::ACCEPTED, &[]).unwrap(), Success::End);
    let found = [("/ok", "false"), ("/errorCode", "\"E0000011\""), ("/errorSummary", "\"Invalid token\"")];
    let failure = said(&by_body, StatusCode::OK, &found).unwrap_err();
    assert_eq!(failure.verdict, RetryDecision::Backoff);
    let shown = failure.error.to_string();
    assert!(shown.contains("inside of a success (200): E0000011 Invalid token"), "{shown}");
    assert_eq!(failure.error.response(), Some((200, Some("E0000011"))));
}
