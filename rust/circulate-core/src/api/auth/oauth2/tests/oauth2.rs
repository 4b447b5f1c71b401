//! Getting tokens: when, how often, and what is done about refusals. That the signatures are right is shown against another
//! implementation, in the tests of the package.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::credential::client_header;
use super::*;
use crate::catalog::{Auth, SendSecret};
use crate::error::Status;
use crate::redact::Redactor;
use crate::secrets::Secret;
use crate::testing::{CANARY, ManualClock, Script, ScriptedResponse, okta};

pub(super) const NOW: &str = "2026-11-22T05:30:00Z";
const SCOPE: &str = "okta.users.read";
const TOKEN_URL: &str = "https://acme.okta.com/oauth2/v1/token";

fn account(more: &[(&str, &str)]) -> Result<Account> {
    let given = [("org_url", "https://acme.okta.com/"), ("client_id", "0oa1")].iter().chain(more);
    let given: BTreeMap<_, _> =
        given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Account::resolve(&okta("users").source, &given, None, None)
}

pub(super) struct Bench {
    pub(super) script: Arc<Script>,
    pub(super) clock: ManualClock,
    pub(super) token: AccessToken,
}

/// A client with a secret whose token endpoint gives these responses.
fn bench(responses: impl IntoIterator<Item = ScriptedResponse>) -> Bench {
    let (script, clock) = (Script::new(responses), ManualClock::new(NOW));
    let tokens = Arc::new(Tokens::new(clock.clock()));
    let token = access_token(&script, &tokens, &account(&[("client_secret", CANARY)]).unwrap()).unwrap();
    Bench { script, clock, token }
}

fn access_token(script: &Arc<Script>, tokens: &Arc<Tokens>, account: &Account) -> Result<AccessToken> {
    let source = okta("users").source;
    let Auth::Oauth2(spec) = account.auth() else { panic!("{account:?}") };
    let connection = Connection {
        transport: Arc::clone(script) as _,
        pacing: Arc::new(Pacing::new(&source, Clock::system())),
        tokens: Arc::clone(tokens),
        hooks: crate::api::hooks::Hooks::default(),
    };
    AccessToken::new(&source, account, spec, &[SCOPE.to_owned()].into(), &connection)
}

pub(super) fn grant(token: &str, expires_in: &Value) -> ScriptedResponse {
    let body =
        json!({"access_token": token, "token_type": "Bearer", "expires_in": expires_in, "scope": SCOPE});
    ScriptedResponse::new(200, body.to_string())
}

pub(super) fn refusal(status: u16, error: &str) -> ScriptedResponse {
    ScriptedResponse::new(status, json!({"error": error, "error_description": "No."}).to_string())
}

impl Bench {
    pub(super) async fn sign(&self) -> Result<HeaderMap, Failure> {
        let mut request = Request::get("https://acme.okta.com/api/v1/users?limit=1".parse().unwrap());
        self.token.apply(&mut request).await.map(|()| request.headers)
    }

    pub(super) async fn signed(&self) -> String {
        self.sign().await.unwrap()[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    pub(super) async fn refused(&self) -> Error {
        self.sign().await.unwrap_err().error
    }

    pub(super) fn requests(&self) -> usize {
        self.script.requests.lock().unwrap().len()
    }

    /// A field of the form that was sent last.
    pub(super) fn sent(&self, field: &str) -> Option<String> {
        let requests = self.script.requests.lock().unwrap();
        let form = url::form_urlencoded::parse(&requests.last().unwrap().body);
        form.into_iter().find(|(name, _)| name == field).map(|(_, value)| value.into_owned())
    }
}

#[tokio::test]
async fn one_requests_a_token_and_all_the_others_wait_for_it() {
    let bench = bench([grant("t1", &json!(3600)).after(Duration::from_millis(1))]);
    let signed = join_all((0..20).map(|_| bench.signed())).await;
    assert!(signed.iter().all(|header| header == "Bearer t1"));
    assert_eq!((bench.requests(), bench.script.urls()), (1, vec![TOKEN_URL.to_owned()]));
    assert_eq!(bench.sent("scope").as_deref(), Some(SCOPE));
    assert_eq!(bench.sent("client_secret"), None, "one method in a request");
}

#[tokio::test]
async fn a_new_token_is_got_before_the_end_of_the_old_one_by_the_wall_clock() {
    for (expires_in, kept_s, renewed_s) in [
        (json!(3600), 3299, 3300),
        (json!("3600"), 3299, 3300),
        (json!(60), 53, 54),
        (json!(null), 269, 270),
        (json!(0), 269, 270),
        (json!(-1), 269, 270),
        (json!("soon"), 269, 270),
    ] {
        let bench = bench([grant("t1", &expires_in), grant("t2", &expires_in)]);
        assert_eq!(bench.signed().await, "Bearer t1");
        bench.clock.advance(Duration::from_secs(kept_s));
        assert_eq!(bench.signed().await, "Bearer t1", "{expires_in}");
        bench.clock.advance(Duration::from_secs(renewed_s - kept_s));
        assert_eq!(bench.signed().await, "Bearer t2", "{expires_in}");
    }
}

#[tokio::test]
async fn while_a_new_token_is_on_its_way_the_old_one_is_used_as_long_as_it_is_valid() {
    let late = grant("t2", &json!(3600)).after(Duration::from_millis(1));
    let bench = bench([grant("t1", &json!(3600)), late]);
    bench.signed().await;
    bench.clock.advance(Duration::from_secs(3400));
    let signed = join_all((0..3).map(|_| bench.signed())).await;
    assert_eq!(signed, ["Bearer t2", "Bearer t1", "Bearer t1"]);
}

#[tokio::test]
async fn a_valid_token_outlives_a_token_endpoint_that_is_down_and_is_not_requested_every_time() {
    let bench = bench([
        grant("t1", &json!(3600)),
        refusal(503, "temporarily_unavailable"),
        refusal(503, "temporarily_unavailable"),
        refusal(503, "temporarily_unavailable"),
    ]);
    bench.signed().await;
    bench.clock.advance(Duration::from_secs(3400));
    assert_eq!(bench.signed().await, "Bearer t1");
    assert_eq!(bench.signed().await, "Bearer t1");
    assert_eq!(bench.requests(), 2, "put off for 10 s");
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(bench.signed().await, "Bearer t1");
    assert_eq!(bench.requests(), 3);
    bench.clock.advance(Duration::from_secs(190));
    let error = bench.refused().await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Api, Status::Temporary), "{error:?}");
}

#[tokio::test]
async fn a_client_that_was_refused_makes_no_request_for_a_minute() {
    let bench = bench([refusal(401, "invalid_client"), grant("t1", &json!(3600))]);
    let first = bench.refused().await;
    bench.clock.advance(Duration::from_secs(59));
    let again = bench.refused().await;
    assert_eq!(bench.requests(), 1);
    assert!(again.to_string().ends_with("not requested again for 1s"), "{again}");
    assert_eq!((first.kind(), first.status()), (ErrorKind::Auth, Status::Permanent));
    assert!(again.to_string().starts_with(&first.to_string()) && again.hint_text() == first.hint_text());
    assert!(first.hint_text().unwrap().contains("private key"), "{first:?}");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.signed().await, "Bearer t1");
}

#[tokio::test]
async fn who_waited_for_a_request_that_failed_gets_its_error_instead_of_making_another() {
    let slow = |status, error| refusal(status, error).after(Duration::from_millis(1));
    for (response, again_after_s) in [
        (slow(503, "x").header("retry-after", "30"), 30),
        (slow(429, "x").quota(100, 0, 29), 30),
        (slow(500, "x"), 0),
        (slow(400, "invalid_scope"), 0),
    ] {
        let bench = bench([response, grant("t1", &json!(3600))]);
        let failed = join_all((0..8).map(|_| bench.sign())).await;
        assert!(failed.iter().all(Result::is_err));
        assert_eq!(bench.requests(), 1, "a wait that was named is kept to by all");
        if again_after_s > 0 {
            bench.clock.advance(Duration::from_secs(again_after_s - 1));
            assert!(bench.refused().await.to_string().contains("not requested again for 1s"));
            bench.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(bench.signed().await, "Bearer t1");
    }
}

#[tokio::test]
async fn whatever_goes_wrong_at_the_token_endpoint_a_valid_token_is_used_on() {
    for response in [refusal(401, "invalid_client"), ScriptedResponse::new(200, "<html>"), refusal(404, "x")]
    {
        let bench = bench([grant("t1", &json!(3600)), response]);
        bench.signed().await;
        bench.clock.advance(Duration::from_secs(3400));
        assert_eq!(bench.signed().await, "Bearer t1");
        assert_eq!(bench.signed().await, "Bearer t1");
        assert_eq!(bench.requests(), 2);
    }
}

#[tokio::test]
async fn a_token_for_less_than_was_requested_is_reported() {
    let body = json!({"access_token": "t1", "token_type": "Bearer", "scope": "okta.apps.manage openid"});
    let error = bench([ScriptedResponse::new(200, body.to_string())]).refused().await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Auth, Status::Permanent));
    assert!(error.to_string().contains("without the scope okta.users.read"), "{error}");
    let unnamed = ScriptedResponse::new(200, r#"{"access_token":"t1","token_type":"bearer","scope":""}"#);
    assert_eq!(bench([unnamed]).signed().await, "Bearer t1");
}

#[tokio::test]
async fn what_may_go_away_is_left_to_the_one_retry_loop() {
    for (response, kind, verdict) in [
        (refusal(500, "server_error"), ErrorKind::Api, RetryDecision::Backoff),
        (
            refusal(503, "x").header("retry-after", "7"),
            ErrorKind::Api,
            RetryDecision::After(Duration::from_secs(7)),
        ),
        (refusal(429, "x"), ErrorKind::RateLimited, RetryDecision::Throttled(None)),
        (
            refusal(429, "x").quota(100, 0, 9),
            ErrorKind::RateLimited,
            RetryDecision::Throttled(Some(Duration::from_secs(10))),
        ),
        (ScriptedResponse::new(200, "{").broken(), ErrorKind::Network, RetryDecision::Backoff),
        (refusal(400, "invalid_scope"), ErrorKind::Auth, RetryDecision::Fail),
        (refusal(400, "unauthorized_client"), ErrorKind::Auth, RetryDecision::Fail),
        (
            ScriptedResponse::new(302, "").header("location", "https://evil.example/"),
            ErrorKind::Auth,
            RetryDecision::Fail,
        ),
        (ScriptedResponse::new(200, "<html>"), ErrorKind::Data, RetryDecision::Fail),
        (ScriptedResponse::new(200, vec![b' '; 300_000]), ErrorKind::Data, RetryDecision::Fail),
        (
            ScriptedResponse::new(200, r#"{"access_token":"a b","token_type":"Bearer"}"#),
            ErrorKind::Data,
            RetryDecision::Fail,
        ),
        (
            ScriptedResponse::new(200, r#"{"access_token":"a","token_type":"mac"}"#),
            ErrorKind::Data,
            RetryDecision::Fail,
        ),
        (
            ScriptedResponse::new(200, r#"{"access_token":"a","token_type":"DPoP"}"#),
            ErrorKind::Data,
            RetryDecision::Fail,
        ),
    ] {
        let bench = bench([response.clone()]);
        let failure = bench.sign().await.unwrap_err();
        assert_eq!(
            (failure.error.kind(), failure.verdict),
            (kind, verdict),
            "{response:?}: {:?}",
            failure.error
        );
        assert_eq!(bench.requests(), 1, "{response:?}");
        assert!(!format!("{:?}", failure.error).contains("evil"));
    }
}

#[tokio::test]
async fn a_refused_token_is_forgotten_once_by_all_who_used_it() {
    let bench = bench([grant("t1", &json!(3600)), grant("t2", &json!(3600))]);
    let (one, other) = (bench.sign().await.unwrap(), bench.sign().await.unwrap());
    let sent =
        |headers: HeaderMap| Request { headers, ..Request::get("https://acme.example".parse().unwrap()) };
    assert!(bench.token.renew(&sent(one)).await.unwrap());
    assert_eq!(bench.signed().await, "Bearer t2");
    assert!(bench.token.renew(&sent(other)).await.unwrap());
    assert_eq!((bench.signed().await.as_str(), bench.requests()), ("Bearer t2", 2));
}

#[tokio::test]
async fn pulls_of_an_account_share_tokens_and_other_credentials_do_not() {
    let script = Script::new([grant("t1", &json!(3600)), grant("t2", &json!(3600))]);
    let clock = ManualClock::new(NOW);
    let tokens = Arc::new(Tokens::new(clock.clock()));
    let signed = async |secret| {
        let token = access_token(&script, &tokens, &account(&[("client_secret", secret)]).unwrap()).unwrap();
        Bench { script: Arc::clone(&script), clock: clock.clone(), token }.signed().await
    };
    assert_eq!([signed("one").await, signed("one").await], ["Bearer t1", "Bearer t1"]);
    assert_eq!(signed("other").await, "Bearer t2");
}

#[tokio::test]
async fn a_server_that_wants_proof_gets_it_with_its_nonce() {
    let nonce = refusal(400, "use_dpop_nonce").header("dpop-nonce", "n1");
    let bound = ScriptedResponse::new(200, r#"{"access_token":"t1","token_type":"DPoP","expires_in":3600}"#);
    let bench = bench([refusal(400, "invalid_dpop_proof"), nonce, bound]);
    let headers = bench.sign().await.unwrap();
    assert_eq!(headers[AUTHORIZATION], "DPoP t1");
    let sent = bench.script.requests.lock().unwrap();
    let proofs: Vec<_> = sent.iter().map(|request| request.headers.get(DPOP).map(claims)).collect();
    assert_eq!(proofs[0], None);
    assert_eq!(proofs[1].as_ref().unwrap().get("nonce"), None);
    let proof = proofs[2].as_ref().unwrap();
    assert_eq!(
        (&proof["nonce"], &proof["htm"], &proof["htu"]),
        (&json!("n1"), &json!("POST"), &json!(TOKEN_URL))
    );
    assert_ne!(proof["jti"], proofs[1].as_ref().unwrap()["jti"], "each proof is used once");
    let proof = claims(&headers[DPOP]);
    // SHA-256 of `t1`, by another tool.
    assert_eq!(proof["ath"], "YotJ2W3N6XpDDdT1l3BYmeCalo95NJHktwTK4zpA3AI");
    assert_eq!((&proof["htm"], &proof["htu"]), (&json!("GET"), &json!("https://acme.okta.com/api/v1/users")));
    assert_eq!(proof.get("nonce"), None);
}

pub(super) fn bound(token: &str) -> ScriptedResponse {
    ScriptedResponse::new(
        200,
        json!({"access_token": token, "token_type": "DPoP", "expires_in": 3600}).to_string(),
    )
}

#[tokio::test]
async fn proof_is_sent_however_the_server_says_that_it_wants_it() {
    let says = |status, error, sentence| {
        ScriptedResponse::new(status, json!({"error": error, "error_description": sentence}).to_string())
    };
    for demand in [
        says(400, "invalid_grant", "The DPoP proof JWT header is missing."),
        says(400, "invalid_request", "dpop proof required"),
        says(400, "use_dpop_nonce", "No."),
        says(200, "invalid_dpop_proof", "No."),
        ScriptedResponse::new(401, "").header("www-authenticate", r#"DPoP algs="ES256""#),
    ] {
        let bench = bench([demand, bound("t1")]);
        assert_eq!(bench.signed().await, "DPoP t1");
        assert!(bench.script.requests.lock().unwrap()[1].headers.contains_key(DPOP));
    }
    let other = || says(400, "invalid_grant", "No such user.");
    let bench = bench([other(), other(), grant("t1", &json!(3600))]);
    bench.refused().await;
    assert_eq!(bench.requests(), 2, "some say no more than that where a proof is missing");
    assert_eq!(bench.signed().await, "Bearer t1");
    let sent = bench.script.requests.lock().unwrap();
    let proved: Vec<_> = sent.iter().map(|request| request.headers.contains_key(DPOP)).collect();
    assert_eq!(proved, [false, true, false], "it was about something else");
}

#[tokio::test]
async fn the_apis_nonce_is_kept_apart_from_the_token_endpoints_and_used() {
    let bench = bench([refusal(400, "use_dpop_nonce").header("dpop-nonce", "as"), bound("t1")]);
    let api = "https://acme.okta.com/api/v1/users".parse().unwrap();
    let nonce = |headers: &HeaderMap| claims(&headers[DPOP]).get("nonce").cloned();
    assert_eq!(nonce(&bench.sign().await.unwrap()), None);
    for said in ["n1", "n2"] {
        bench
            .token
            .learn(&api, &HeaderMap::from_iter([("dpop-nonce".parse().unwrap(), said.parse().unwrap())]));
        assert_eq!(nonce(&bench.sign().await.unwrap()), Some(json!(said)));
    }
    let elsewhere = "https://other.example/".parse().unwrap();
    for (url, said) in [(&elsewhere, "n3".to_owned()), (&api, String::new()), (&api, "n".repeat(5000))] {
        bench
            .token
            .learn(url, &HeaderMap::from_iter([("dpop-nonce".parse().unwrap(), said.parse().unwrap())]));
        assert_eq!(nonce(&bench.sign().await.unwrap()), Some(json!("n2")), "of another origin, or no nonce");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_that_wants_proof_gets_a_bound_token_and_its_own_nonce_once() {
    let wants = |nonce| {
        let challenge = r#"DPoP error="use_dpop_nonce", error_description="nonce, please""#;
        ScriptedResponse::new(401, "").header("www-authenticate", challenge).header("dpop-nonce", nonce)
    };
    let page = || ScriptedResponse::new(200, "[]").header("dpop-nonce", "later");
    // The token endpoint and the API are one script: requests come in this order.
    for (responses, done, requests) in [
        (vec![grant("t1", &json!(3600)), wants("n1"), bound("t2"), page(), page()], true, 5),
        (vec![grant("t1", &json!(3600)), wants("n1"), bound("t2"), wants("n2"), page(), page()], true, 6),
        // Others may have used up the nonce that one was told.
        (
            [grant("t1", &json!(3600)), wants("n1"), bound("t2")]
                .into_iter()
                .chain(["n2", "n3", "n4", "n5", "n6"].map(wants))
                .chain([page(), page()])
                .collect(),
            true,
            10,
        ),
        (
            [grant("t1", &json!(3600)), wants("n1"), bound("t2")]
                .into_iter()
                .chain(["n2", "n3", "n4", "n5", "n6", "n7"].map(wants))
                .chain([page()])
                .collect(),
            false,
            10,
        ),
    ] {
        let bench = bench(responses);
        let (source, account) = (okta("users").source, account(&[("client_secret", CANARY)]).unwrap());
        let connection = crate::testing::connection(&source, Arc::clone(&bench.script) as _);
        let retry = crate::api::http::Retry::new(
            crate::api::http::RetryPolicy::default(),
            crate::api::http::Jitter::seeded(1),
        );
        let (script, token) = (Arc::clone(&bench.script), Arc::new(bench.token));
        let stop = crate::stop::Stop::new(None);
        let client = crate::api::client::Client::new(
            &source,
            &account,
            &connection,
            token,
            retry,
            Arc::default(),
            stop,
        )
        .unwrap();
        let url: Url = "https://acme.okta.com/api/v1/users".parse().unwrap();
        let mut outcome = Ok(());
        for _ in 0..2 {
            let mut request = crate::api::page_request::PageRequest::new(url.clone());
            outcome = outcome.and(client.fetch(&mut request, |_| async { Ok::<_, Error>(()) }).await);
        }
        assert_eq!(outcome.is_ok(), done, "{outcome:?}");
        assert_eq!(script.urls().len(), requests);
        let sent = script.requests.lock().unwrap();
        if done {
            let last = claims(&sent[requests - 1].headers[DPOP]);
            assert_eq!(last["nonce"], "later", "a success may bring the next one");
        } else {
            assert!(outcome.unwrap_err().to_string().contains("use_dpop_nonce"));
        }
    }
}

#[tokio::test]
async fn what_goes_away_by_itself_says_nothing_of_the_client() {
    for status in [429, 500, 503, 520] {
        let bench = bench([refusal(status, "invalid_client"), grant("t1", &json!(3600))]);
        assert_eq!(bench.refused().await.status(), Status::Temporary, "{status}");
        assert_eq!(bench.requests(), 1, "{status}");
        assert_eq!(bench.signed().await, "Bearer t1", "{status}: it is asked again at once");
    }
}

#[tokio::test]
async fn an_error_with_a_good_status_is_reported_as_the_refusal_that_it_is() {
    let error = bench([refusal(200, "invalid_scope")]).refused().await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Auth, Status::Permanent));
    assert!(error.to_string().contains("Okta gave no access token (200): invalid_scope No."), "{error}");
    assert!(error.hint_text().unwrap().contains("grant the app these scopes"), "{error:?}");
    let failure = bench([refusal(200, "temporarily_unavailable")]).sign().await.unwrap_err();
    assert_eq!(failure.verdict, RetryDecision::Backoff);
}

#[tokio::test]
async fn refusals_that_go_on_end() {
    let nonce = |nonce| refusal(400, "use_dpop_nonce").header("dpop-nonce", nonce);
    let bench = bench([nonce("n1"), nonce("n2"), nonce("n3"), nonce("n4")]);
    let error = bench.refused().await;
    assert!(error.to_string().contains("use_dpop_nonce"), "{error}");
    assert_eq!(error.response(), None, "it is not a response of the API");
    assert!(bench.requests() <= 3);
}

#[tokio::test]
async fn a_clock_that_is_off_is_set_by_the_servers() {
    let es256 = json!({
        "kty": "EC", "crv": "P-256", "kid": "k1",
        // The key of RFC 7515, appendix A.3.
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    });
    let account = account(&[("private_key", &es256.to_string())]).unwrap();
    for minutes in [-10, 10] {
        let clock = ManualClock::new(NOW);
        let shifted = clock.clock();
        let off = Clock::from_fn(move || shifted.now() + SignedDuration::from_mins(minutes));
        let script = Script::new([refusal(401, "invalid_client"), grant("t1", &json!(3600))]);
        let token = access_token(&script, &Arc::new(Tokens::new(off)), &account).unwrap();
        let bench = Bench { script, clock, token };
        assert_eq!(bench.signed().await, "Bearer t1", "{minutes}");
        let said = claims(&bench.sent("client_assertion").unwrap().parse().unwrap());
        let now = NOW.parse::<Timestamp>().unwrap().as_second();
        assert_eq!((said["iat"].as_i64(), said["exp"].as_i64()), (Some(now - 5), Some(now + 300)));
        assert_eq!(
            (&said["iss"], &said["sub"], &said["aud"]),
            (&json!("0oa1"), &json!("0oa1"), &json!(TOKEN_URL))
        );
    }
}

/// What a signed note claims; the signature is not looked at.
pub(super) fn claims(signed: &HeaderValue) -> Value {
    use base64::Engine;
    let text = signed.to_str().unwrap();
    let payload = text.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap())
        .unwrap()
}

#[test]
fn basic_credentials_are_form_encoded_or_raw() {
    // openid/AppAuth-Android, issue 337.
    let (id, secret) = ("1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=");
    let header = |how| {
        let value = client_header(id, &Secret::new(secret), how).unwrap();
        value.to_str().unwrap().to_owned()
    };
    assert_eq!(
        header(SendSecret::Basic),
        "Basic MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMiUyRjhiTCUyQndmRlR0MXJGdyUzRA=="
    );
    assert_eq!(
        header(SendSecret::BasicRaw),
        "Basic MVBwRy9RIDE6ei90WjlWd0ZacUFwbUlRK1pIMUk1cExrL3VCNHVkOlgyLzhiTCt3ZkZUdDFyRnc9"
    );
}

#[test]
fn a_token_url_of_a_setting_must_be_on_the_apis_own_host() {
    let with = |token_url| account(&[("client_secret", "s"), ("token_url", token_url)]).unwrap();
    let access =
        |account: &Account| access_token(&Script::new([]), &Arc::new(Tokens::new(Clock::system())), account);
    assert_eq!(
        access(&with("https://acme.okta.com/oauth2/x/v1/token")).unwrap().token_url.path(),
        "/oauth2/x/v1/token"
    );
    for elsewhere in
        ["https://evil.example/oauth2/v1/token", "https://acme.okta.com:8443/", "http://127.0.0.1/"]
    {
        let error = access(&with(elsewhere)).unwrap_err();
        assert!(error.to_string().contains("on another host than the API"), "{error}");
    }
    let Auth::Oauth2(mut spec) = account(&[("client_secret", "s")]).unwrap().auth().clone() else {
        unreachable!()
    };
    let account = account(&[("client_secret", "s"), ("token_url", "https://evil.example/x")]).unwrap();
    for (template, allowed) in [
        ("https://login.example.com/token", true),
        ("https://login.example.com/{client_id}/token", true),
        ("https://{client_id}.example.com/token", false),
        ("https://acme.okta.com", true),
    ] {
        spec.token_url = template.to_owned().try_into().unwrap();
        assert_eq!(account.token_url(&spec.token_url).is_ok(), allowed, "{template}");
    }
    let plain = access(&with("http://acme.okta.com/")).unwrap_err();
    assert!(plain.to_string().contains("plain http"), "{plain}");
}

#[tokio::test]
async fn a_secret_is_hidden_in_every_form_in_which_a_response_might_hold_it() {
    let secret = "z/tZ9 canary:X2+8%=";
    let forms = ["z%2FtZ9+canary%3AX2%2B8%25%3D", "z%2FtZ9%20canary%3AX2%2B8%25%3D", secret];
    for form in forms {
        let echo = json!({"error": "invalid_request", "error_description": format!("<{form}>")});
        let script = Script::new([ScriptedResponse::new(400, echo.to_string())]);
        let tokens = Arc::new(Tokens::new(Clock::system()));
        let token = access_token(&script, &tokens, &account(&[("client_secret", secret)]).unwrap()).unwrap();
        let error = Bench { script, clock: ManualClock::new(NOW), token }.refused().await;
        assert!(error.to_string().contains("invalid_request <***>"), "{error}");
    }
}

#[tokio::test]
async fn what_is_secret_is_in_no_text() {
    let echo = json!({"error": "invalid_client", "error_description": format!("{CANARY} is wrong")});
    let bench = bench([ScriptedResponse::new(401, echo.to_string()), grant(CANARY, &json!(60))]);
    let error = bench.refused().await;
    assert!(error.to_string().contains("*** is wrong"), "{error}");
    bench.clock.advance(Duration::from_mins(1));
    let headers = bench.sign().await.unwrap();
    let requests = bench.script.requests.lock().unwrap();
    let shown = format!("{error:?} {headers:?} {:?} {requests:?}", bench.token);
    assert!(!shown.contains(CANARY) && !shown.contains("Basic M"), "{shown}");
    assert_eq!(Redactor::shared().shown(CANARY, 100), "***");
}

/// A token response: one that grants, with octets of it replaced, or anything.
fn token_responses() -> impl Strategy<Value = ScriptedResponse> {
    let granted =
        format!(r#"{{"access_token":"{CANARY}","token_type":"Bearer","expires_in":3600,"scope":"{SCOPE}"}}"#);
    let edits = prop::collection::vec((any::<usize>(), any::<u8>()), 0..4);
    let edited = (Just(granted.into_bytes()), edits).prop_map(|(mut body, edits)| {
        for (at, octet) in edits {
            let at = at % body.len();
            body[at] = octet;
        }
        body
    });
    let body = prop_oneof![
        4 => edited,
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "[\\[\\]{}\":, a-z_0-9]{0,80}".prop_map(|text| format!("{CANARY}{text}").into_bytes()),
    ];
    let status = prop_oneof![4 => Just(200_u16), 1 => 200_u16..600];
    let header = prop::sample::select(vec!["retry-after", "content-type", "location", "dpop-nonce", "date"]);
    let line = prop_oneof![prop::collection::vec(any::<u8>(), 0..40), Just(CANARY.as_bytes().to_vec())];
    (status, body, header, line).prop_map(|(status, body, header, line)| {
        ScriptedResponse::new(status, body).without(header).octets(header, &line)
    })
}

proptest! {
    /// Either it is used as a token, or it is an error that shows nothing of it, and the next response counts.
    #[test]
    fn no_token_response_shows_a_secret_or_stands_in_the_way_of_the_next(response in token_responses()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let bench = bench([response, grant("t2", &json!(3600))]);
        let shown = runtime.block_on(async {
            let signed = bench.sign().await;
            bench.clock.advance(Duration::from_hours(25));
            let next = bench.sign().await;
            if signed.is_err() {
                assert_eq!(next.as_ref().unwrap()[AUTHORIZATION], "Bearer t2", "{signed:?}");
            }
            format!("{signed:?} {next:?} {:?}", bench.token)
        });
        prop_assert!(!shown.contains(CANARY), "{shown}");
    }

    #[test]
    fn no_key_makes_us_panic_or_shows_itself(text in r#"(\{"kty":"(RSA|EC)"(,"(n|e|d|p|q|dp|dq|qi|x|y|crv)":"[A-Za-z0-9_-]{0,40}"){0,9}\}|-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{0,80}-----END PRIVATE KEY-----|.{0,60})"#) {
        if let Err(why) = SigningKey::read(&text, None) {
            prop_assert!(text.len() < 12 || !why.contains(&text));
        }
    }
}
