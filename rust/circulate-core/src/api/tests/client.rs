//! One request and everything that happens around it, on a paused clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::*;
use crate::api::auth::sign_in;
use crate::api::http::Request;
use crate::api::http::{Jitter, RetryPolicy};
use crate::error::Status;
use crate::secrets::StoredSecret;
use crate::testing::{CANARY, Script, ScriptedResponse, connection, okta_account, okta_users, put_secret};

const USERS: &str = "https://acme.okta.com/api/v1/users?limit=200";

fn client_of(account: &Account, policy: RetryPolicy, script: &Arc<Script>, stop: &Stop) -> Client {
    let (source, retry) = (okta_users().source, Retry::new(policy, Jitter::seeded(1)));
    let connection = connection(&source, Arc::clone(script) as _);
    let authorize = sign_in(&source, account, &connection, None).unwrap();
    Client::new(&source, account, &connection, authorize, retry, Arc::default(), stop.clone()).unwrap()
}

fn client_with(policy: RetryPolicy, script: &Arc<Script>, stop: &Stop) -> Client {
    client_of(&okta_account(), policy, script, stop)
}

fn client(script: &Arc<Script>) -> Client {
    client_with(RetryPolicy::default(), script, &Stop::new(None))
}

fn request(url: &str) -> PageRequest {
    let page_size = okta_users().endpoint.list.page_size;
    PageRequest { page_size, ..PageRequest::new(url.parse().unwrap()) }
}

async fn body(mut response: Response) -> Result<String> {
    let mut text = Vec::new();
    while let Some(piece) = response.body.next().await {
        text.extend_from_slice(&piece?);
    }
    Ok(String::from_utf8(text).unwrap())
}

async fn get(client: &Client) -> Result<String> {
    client.fetch(&mut request(USERS), body).await
}

fn ok() -> ScriptedResponse {
    ScriptedResponse::new(200, "[]")
}

fn times(count: usize, response: &ScriptedResponse) -> Vec<ScriptedResponse> {
    vec![response.clone(); count]
}

/// Seconds of the paused clock that `work` takes, and what came of it.
async fn timed<T>(work: impl Future<Output = T>) -> (f64, T) {
    let began = Instant::now();
    let done = work.await;
    (began.elapsed().as_secs_f64(), done)
}

/// Signs in with a number, and the second of the paused clock at which it did so.
#[derive(Debug)]
struct Numbered {
    began: Instant,
    count: AtomicU32,
}

impl Authorize for Numbered {
    fn apply<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), Failure>> {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let signed = format!("token {number} at {}", self.began.elapsed().as_secs());
        request.headers.insert("authorization", signed.parse().unwrap());
        Box::pin(std::future::ready(Ok(())))
    }

    fn renew<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<bool>> {
        Box::pin(std::future::ready(Ok(true)))
    }
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_renewed_once_and_the_page_is_retried() {
    for (refusals, with_response) in [(1, true), (2, false)] {
        let script = Script::new([times(refusals, &ScriptedResponse::new(401, "")), vec![ok()]].concat());
        let mut client = client(&script);
        client.authorize = Arc::new(Numbered { began: Instant::now(), count: AtomicU32::new(0) });
        let (seconds, done) = timed(get(&client)).await;
        assert_eq!(done.is_ok(), with_response);
        assert!(seconds.abs() < f64::EPSILON, "there is nothing to wait for");
        let sent: Vec<_> = script
            .requests
            .lock()
            .unwrap()
            .iter()
            .map(|sent| sent.headers["authorization"].clone())
            .collect();
        assert_eq!(sent, ["token 1 at 0", "token 2 at 0"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_ends_retries_says_how_many_there_were_and_how_long_they_took() {
    let script = Script::new(times(6, &ScriptedResponse::new(503, "")));
    let (seconds, error) = timed(get(&client(&script))).await;
    let error = error.unwrap_err();
    assert!(seconds > 1.0, "{seconds}");
    assert!(error.to_string().ends_with(&format!("?limit=200 (6 attempts in {seconds:.1} s)")), "{error}");
    let script = Script::new([ScriptedResponse::new(400, "")]);
    let error = get(&client(&script)).await.unwrap_err();
    assert!(error.to_string().ends_with("?limit=200"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_do_not_change_are_not_requested_twice() {
    let script = Script::new([ScriptedResponse::new(401, ""), ok()]);
    let error = get(&client(&script)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Auth, Status::Permanent));
    assert_eq!(script.urls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_attempt_waits_for_the_quota_then_signs_in_again() {
    let script = Script::new([ScriptedResponse::new(503, "").quota(10, 5, 30), ok()]);
    let mut client = client(&script);
    client.authorize = Arc::new(Numbered { began: Instant::now(), count: AtomicU32::new(0) });
    get(&client).await.unwrap();
    let sent = script.requests.lock().unwrap();
    let signed: Vec<_> =
        sent.iter().map(|request| request.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(signed, ["token 1 at 0", "token 2 at 31"]);
}

#[tokio::test]
#[ignore = "needs stand-ins for AWS: make test-rust"]
async fn a_secret_that_was_rotated_while_we_worked_is_read_again() {
    let id = format!("okta-{:08x}", fastrand::u32(..));
    let aws = put_secret(&id, r#"{"okta_domain": "acme.okta.com", "okta_api_key": "old"}"#).await;
    let stored = StoredSecret::open(&aws, &id).await.unwrap();
    let source = okta_users().source;
    let account = Account::resolve(&source, &BTreeMap::new(), Some(stored), None).unwrap();
    let script = Script::new([
        ScriptedResponse::new(401, ""),
        ScriptedResponse::new(400, r#"{"errorSummary": "not new-token"}"#),
    ]);
    let client = client_of(&account, RetryPolicy::default(), &script, &Stop::new(None));
    put_secret(&id, r#"{"okta_domain": "acme.okta.com", "okta_api_key": "new-token"}"#).await;
    let error = get(&client).await.unwrap_err();
    assert!(error.to_string().contains("not ***"), "the new one is hidden too: {error}");
    let sent = script.requests.lock().unwrap();
    let signed: Vec<_> = sent.iter().map(|request| request.headers["authorization"].clone()).collect();
    assert_eq!(signed, ["SSWS old", "SSWS new-token"]);
}

#[tokio::test(start_paused = true)]
async fn the_quota_of_a_response_is_shown() {
    let script = Script::new([ok().quota(600, 599, 30)]);
    let client = client(&script);
    get(&client).await.unwrap();
    let quota = client.progress.snapshot().quota.unwrap();
    assert_eq!((quota.limit, quota.remaining), (600, 599));
}

#[tokio::test(start_paused = true)]
async fn headers_of_the_stream_replace_those_of_the_source() {
    let script = Script::new([ok()]);
    let mut sent = request(USERS);
    sent.headers.insert("accept", "application/json; okta-response=omitCredentials".parse().unwrap());
    client(&script).fetch(&mut sent, body).await.unwrap();
    let sent = &script.requests.lock().unwrap()[0].headers;
    assert_eq!(sent.get_all("accept").iter().count(), 1);
    assert_eq!(sent["accept"], "application/json; okta-response=omitCredentials");
    assert_eq!(sent["authorization"], format!("SSWS {CANARY}"));
}

#[tokio::test(start_paused = true)]
async fn a_503_is_retried_after_a_backoff_within_its_bounds() {
    let mut responses = times(4, &ScriptedResponse::new(503, ""));
    responses.push(ok());
    let script = Script::new(responses);
    let (seconds, done) = timed(get(&client(&script))).await;
    assert_eq!(done.unwrap(), "[]");
    assert!(seconds > 0.0 && seconds <= 0.5 + 1.0 + 2.0 + 4.0, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_used_up_quota_is_waited_for_by_the_servers_clock() {
    let script = Script::new([ScriptedResponse::new(429, "").quota(600, 0, 17), ok()]);
    let (seconds, done) = timed(get(&client(&script))).await;
    done.unwrap();
    assert!((17.0..=19.0).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_is_not_waited_for_until_the_reset() {
    let script = Script::new([ScriptedResponse::new(429, "").quota(0, 0, 60), ok()]);
    let (seconds, done) = timed(get(&client(&script))).await;
    done.unwrap();
    assert!(seconds <= 3.0, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    for status in [429, 503] {
        let script = Script::new([ScriptedResponse::new(status, "").header("retry-after", "7"), ok()]);
        let (seconds, done) = timed(get(&client(&script))).await;
        done.unwrap();
        assert!((7.0..=8.0).contains(&seconds), "{status}: {seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_would_fail_again_is_not_retried() {
    for (status, kind) in [
        (401, ErrorKind::Auth),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (302, ErrorKind::Api),
    ] {
        let script =
            Script::new([ScriptedResponse::new(status, "").header("location", "https://elsewhere.example/")]);
        let error = get(&client(&script)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Status::Permanent), "{status}");
        assert_eq!(script.urls(), [USERS], "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_then_nobody_else_retries() {
    let script = Script::new(times(10, &ScriptedResponse::new(503, "")));
    let error = get(&client(&script)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Api, Status::Persistent));
    assert_eq!(script.urls().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_429_without_end_ends_as_rate_limited() {
    let script = Script::new(times(40, &ScriptedResponse::new(429, "").header("retry-after", "1")));
    let client = client(&script);
    let error = get(&client).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::RateLimited, Status::Persistent));
    let traffic = client.progress.traffic();
    assert_eq!((traffic.requests, traffic.retries, traffic.throttled), (31, 30, 31));
    assert!((30.0..=60.0).contains(&traffic.seconds_waited), "{traffic:?}");
}

#[test]
fn a_page_size_is_found_however_its_name_is_written() {
    for (query, name) in
        [("a=1&page%5Bsize%5D=100", "page[size]"), ("page[size]=100", "page[size]"), ("%24top=100", "$top")]
    {
        let mut request = PageRequest::new(format!("https://acme.okta.com/x?{query}").parse().unwrap());
        request.page_size = Some(crate::catalog::PageSize::in_query(name, 100));
        assert_eq!(request.requested_size(), Some(100), "{query}");
        assert!(request.set_size(99));
        assert_eq!(request.address.url.query().unwrap(), query.replace("100", "99"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_retried() {
    let script = Script::new([ScriptedResponse::new(200, "[1").broken(), ok()]);
    assert_eq!(get(&client(&script)).await.unwrap(), "[]");
    assert_eq!(script.urls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_begun_again() {
    let script = Script::new([ok().after(Duration::from_hours(1)), ok()]);
    let (seconds, done) = timed(get(&client(&script))).await;
    done.unwrap();
    assert!((300.0..=301.0).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_second_500_halves_the_page_and_leaves_the_rest_of_the_url_as_it_is() {
    let url = |limit| {
        format!(
            "https://acme.okta.com/api/v1/users?after=a%2Fb%252B+c|~*%5b%5D&limit={limit}&x=%27&limits=200&y"
        )
    };
    let mut responses = times(4, &ScriptedResponse::new(500, ""));
    responses.push(ok());
    let script = Script::new(responses);
    let mut sent = request(&url(200));
    client(&script).fetch(&mut sent, body).await.unwrap();
    assert_eq!(script.urls(), [200, 200, 100, 50, 25].map(url));
    assert_eq!(sent.address.url.as_str(), url(25), "the caller sees what was asked for");
}

#[tokio::test(start_paused = true)]
async fn a_page_is_never_made_smaller_than_its_minimum() {
    let script = Script::new(times(10, &ScriptedResponse::new(500, "")));
    let policy = RetryPolicy { attempts: 10, ..RetryPolicy::default() };
    let client = client_with(policy, &script, &Stop::new(None));
    client.fetch(&mut request(USERS), body).await.unwrap_err();
    let last = script.urls().pop().unwrap();
    assert_eq!(last, "https://acme.okta.com/api/v1/users?limit=10");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_declared_too_large_is_made_smaller_at_once_and_is_no_outage() {
    let errors = serde_saphyr::from_str::<Vec<_>>("[{when: {status: 413}, then: smaller_page}]").unwrap();
    let rules = ResponseRules { errors: errors.into(), ..ResponseRules::default() };
    let too_large = || (0..9).map(|_| ScriptedResponse::new(413, "too large"));
    let url = |size: u32| format!("https://acme.okta.com/api/v1/users?limit={size}");
    let once = RetryPolicy { attempts: 1, budget: 0, ..RetryPolicy::default() };
    let script = Script::new(too_large().take(3).chain([ok()]));
    let (client, began) = (client_with(once, &script, &Stop::new(None)), Instant::now());
    client.fetch(&mut PageRequest { rules: rules.clone(), ..request(&url(200)) }, body).await.unwrap();
    assert_eq!(script.urls(), [200, 100, 50, 25].map(url));
    assert_eq!(began.elapsed(), Duration::ZERO);
    let script = Script::new(too_large());
    let client = client_with(once, &script, &Stop::new(None));
    let mut sent = PageRequest { rules, ..request(&url(200)) };
    let error = client.fetch(&mut sent, body).await.unwrap_err();
    assert_eq!(script.urls(), [200, 100, 50, 25, 12, 10].map(url));
    assert_eq!(error.status(), Status::Permanent);
    assert!(error.hint_text().unwrap().contains("(min: 10)"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_leaves_the_share_to_others_that_its_user_sets() {
    for (headroom, sent) in [(None, 5), (Some(0.2), 8), (Some(0.0), 10)] {
        let script = Script::new((0..10).map(|left| ok().quota(10, 9 - left, 60)));
        let client = client(&script);
        let client = client.with_headroom(headroom.map(|share| Share::try_from(share).unwrap()));
        let began = Instant::now();
        let mut in_time = 0;
        while script.urls().len() < 10 {
            get(&client).await.unwrap();
            in_time += usize::from(began.elapsed() < Duration::from_secs(30));
        }
        assert_eq!(in_time, sent, "{headroom:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_of_the_quota_is_left_to_others() {
    let script = Script::new([ok().quota(10, 7, 30), ok(), ok(), ok()]);
    let client = client(&script);
    let three = async {
        for _ in 0..3 {
            get(&client).await.unwrap();
        }
    };
    assert!(timed(three).await.0 < 1.0, "5 of 10 are ours");
    let (seconds, _) = timed(get(&client)).await;
    assert!((30.0..=32.0).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn an_interruption_ends_a_wait_at_once() {
    let script = Script::new([ScriptedResponse::new(429, "").header("retry-after", "60")]);
    let stop = Stop::new(None);
    let client = client_with(RetryPolicy::default(), &script, &stop);
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stop.request(StopReason::Interrupted);
    };
    let (seconds, (done, ())) = timed(async { tokio::join!(get(&client), interrupt) }).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Stopped);
    assert!((3.0..3.1).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn an_interruption_ends_a_response_that_is_on_its_way() {
    let stop = Stop::new(None);
    let script = Script::new([ok().after(Duration::from_mins(1)).interrupting(&stop)]);
    let client = client_with(RetryPolicy::default(), &script, &stop);
    let (seconds, done) = timed(get(&client)).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Stopped);
    assert!(seconds < 1.0, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_end_in_time_is_not_begun() {
    let script = Script::new([ScriptedResponse::new(429, "").header("retry-after", "60")]);
    let stop = Stop::new(Some(Instant::now() + Duration::from_secs(20)));
    let client = client_with(RetryPolicy::default(), &script, &stop);
    let (seconds, done) = timed(get(&client)).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Stopped);
    assert!(seconds < 1.0, "{seconds}");
    assert!(matches!(stop.reason(), Some(StopReason::Wait(wait)) if wait >= Duration::from_mins(1)));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_can_not_be_retried_in_time_is_reported_with_the_deadline() {
    for (seconds, count) in [(20, 40), (1, 5)] {
        let script = Script::new(times(count, &ScriptedResponse::new(500, "")));
        let stop = Stop::new(Some(Instant::now() + Duration::from_secs(seconds)));
        let policy = RetryPolicy { attempts: 100, budget: 100, ..RetryPolicy::default() };
        let client = client_with(policy, &script, &stop);
        assert_eq!(get(&client).await.unwrap_err().kind(), ErrorKind::Stopped);
        assert_eq!(stop.reason(), Some(StopReason::Deadline));
        let shown = stop.in_words(StopReason::Deadline);
        assert!(
            shown.starts_with("deadline, while retrying: Okta returned 500 — url https://acme.okta.com"),
            "{shown}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_while_a_retry_is_on_its_way_is_reported_with_the_error() {
    let script = Script::new([ScriptedResponse::new(503, ""), ok().after(Duration::from_hours(1))]);
    let stop = Stop::new(Some(Instant::now() + Duration::from_secs(20)));
    let client = client_with(RetryPolicy::default(), &script, &stop);
    assert_eq!(get(&client).await.unwrap_err().kind(), ErrorKind::Stopped);
    let shown = stop.in_words(StopReason::Deadline);
    assert!(shown.contains("deadline, while retrying: Okta returned 503"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_our_own_headroom_is_not_said_to_be_the_apis() {
    let script = Script::new([ok().quota(10, 5, 60), ok()]);
    let stop = Stop::new(Some(Instant::now() + Duration::from_secs(20)));
    let client = client_with(RetryPolicy::default(), &script, &stop);
    get(&client).await.unwrap();
    assert_eq!(get(&client).await.unwrap_err().kind(), ErrorKind::Stopped);
    let reason = stop.reason().unwrap();
    assert_eq!(stop.in_words(reason), "wait: waiting to leave 50 % of the quota to others (headroom)");
    let script = Script::new([ScriptedResponse::new(403, "").header("retry-after", "60")]);
    let stop = Stop::new(Some(Instant::now() + Duration::from_secs(20)));
    get(&client_with(RetryPolicy::default(), &script, &stop)).await.unwrap_err();
    let shown = stop.in_words(stop.reason().unwrap());
    assert!(shown.starts_with("wait: Okta asked us to slow down (403)"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn an_invalid_session_amid_pages_is_retried_once_and_then_reported() {
    let invalid = ScriptedResponse::new(403, r#"{"errorCode":"E0000005","errorSummary":"Invalid session"}"#);
    let script = Script::new([invalid.clone(), ok()]);
    assert_eq!(get(&client(&script)).await.unwrap(), "[]");
    let script = Script::new(times(5, &invalid));
    let error = get(&client(&script)).await.unwrap_err();
    assert_eq!((error.kind(), script.urls().len()), (ErrorKind::Auth, 2));
    assert!(error.to_string().contains("the session is not valid (403)"), "{error}");
    // Where there are other credentials, those are used.
    let script = Script::new([invalid, ok()]);
    let mut client = client(&script);
    client.authorize = Arc::new(Numbered { began: Instant::now(), count: AtomicU32::new(0) });
    get(&client).await.unwrap();
    assert_eq!(script.requests.lock().unwrap()[1].headers["authorization"], "token 2 at 0");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_means_an_empty_list_is_no_error() {
    let script = Script::new([ScriptedResponse::new(404, "gone")]);
    let mut sent =
        PageRequest { rules: ResponseRules { empty: [404].into(), ..Default::default() }, ..request(USERS) };
    assert_eq!(client(&script).fetch(&mut sent, body).await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn a_quota_whose_reset_is_not_a_time_is_shown_to_people_once() {
    let response = ok().header("x-rate-limit-limit", "600").header("x-rate-limit-remaining", "599");
    let response = response.header("x-rate-limit-reset", "soon");
    let script = Script::new(times(2, &response));
    let client = client(&script);
    get(&client).await.unwrap();
    get(&client).await.unwrap();
    let notes = client.progress.snapshot().notes;
    assert_eq!(
        notes,
        [
            "the header `X-Rate-Limit-Reset` says no time that can be read: the quota is taken to be reset every minute"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn no_request_leaves_for_another_origin() {
    for url in [
        "https://evil.example/api/v1/users",
        "https://acme.okta.com.evil.example/",
        "https://acme.okta.com:8443/api/v1/users",
        "http://acme.okta.com/api/v1/users",
        "https://me:pw@acme.okta.com/api/v1/users",
        "https://acme.okta.com@evil.example/",
        "file:///etc/passwd",
    ] {
        let script = Script::new([ok()]);
        let error = client(&script).fetch(&mut request(url), body).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{url}");
        assert!(script.urls().is_empty() && !error.to_string().contains("pw"), "{url}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_is_in_no_text() {
    let shown = format!(r#"{{"errorCode":"E1","errorSummary":"Invalid token {CANARY}"}}"#);
    let script = Script::new([ScriptedResponse::new(503, shown.clone()), ScriptedResponse::new(401, shown)]);
    let client = client(&script);
    let mut sent = request(&format!("{USERS}&after=00uprivate"));
    let error = client.fetch(&mut sent, body).await.unwrap_err();
    let notes = client.progress.snapshot().notes;
    let sent = &script.requests.lock().unwrap()[0].headers;
    let shown = format!("{error} {error:?} {client:?} {client:#?} {sent:?} {notes:?}");
    assert!(shown.contains("Invalid token ***") && shown.contains("limit=200&after=***"), "{error}");
    assert!(!shown.contains(CANARY) && !shown.contains("00uprivate"), "{shown}");
}
