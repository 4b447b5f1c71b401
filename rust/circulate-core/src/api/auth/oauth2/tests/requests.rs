//! What requests of tokens say, by what a definition says of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::tests::{Bench, NOW, bound, claims, grant, refusal};
use super::*;
use crate::catalog::{Auth, source_from_yaml};
use crate::redact::Redactor;
use crate::testing::{ManualClock, Script, ScriptedResponse};

const TOKEN_URL: &str = "https://login.example/token";
/// The key of RFC 7515, appendix A.3.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","kid":"16","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn source(oauth2: &str) -> Source {
    let text = format!(
        "source: acme\ntitle: Acme\nbase_url: 'https://api.example/{{tenant}}'\ncheck: {{path: /me}}\n\
         settings:\n  tenant: {{env: T, about: t}}\n  id: {{env: I, about: i}}\n  user: {{env: U, about: u}}\n  \
         secret: {{env: S, about: s, secret: true}}\n  key: {{env: K, about: k, secret: true}}\n\
         auth: [{{oauth2: {{token_url: '{TOKEN_URL}', {oauth2}}}}}, {{header: {{name: A, secret: secret}}}}]\n"
    );
    // What these definitions do not use of the settings is used by the other way.
    let text = if oauth2.contains("secret: secret") {
        text.replace(", {header: {name: A, secret: secret}}", "")
    } else {
        text
    };
    let text = if oauth2.contains("key: key") {
        text
    } else {
        text.replace("  key: {env: K, about: k, secret: true}\n", "")
    };
    source_from_yaml(&text, Path::new("source.yaml")).unwrap()
}

/// A client of a source with these keys of `oauth2`, whose token endpoint gives these responses.
fn try_bench(
    oauth2: &str,
    given: &[(&str, &str)],
    scopes: &[&str],
    responses: impl IntoIterator<Item = ScriptedResponse>,
) -> Result<Bench> {
    let source = source(oauth2);
    let given = [("tenant", "t1")].iter().chain(given);
    let given: BTreeMap<_, _> =
        given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let account = Account::resolve(&source, &given, None, None)?;
    let Auth::Oauth2(spec) = account.auth() else { panic!("{account:?}") };
    let (script, clock) = (Script::new(responses), ManualClock::new(NOW));
    let connection = Connection {
        transport: Arc::clone(&script) as _,
        pacing: Arc::new(Pacing::new(&source, Clock::system())),
        tokens: Arc::new(Tokens::new(clock.clock())),
        hooks: crate::api::hooks::Hooks::default(),
    };
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let token = AccessToken::new(&source, &account, spec, &scopes, &connection)?;
    Ok(Bench { script, clock, token })
}

fn bench(
    oauth2: &str,
    given: &[(&str, &str)],
    scopes: &[&str],
    responses: impl IntoIterator<Item = ScriptedResponse>,
) -> Bench {
    try_bench(oauth2, given, scopes, responses).unwrap()
}

fn token() -> ScriptedResponse {
    ScriptedResponse::new(200, r#"{"access_token":"t1","token_type":"Bearer","expires_in":3600}"#)
}

fn assertion_of(bench: &Bench, field: &str) -> Value {
    claims(&bench.sent(field).unwrap().parse().unwrap())
}

/// The header of a signed note.
fn header(signed: &str) -> Value {
    let turned: Vec<_> = signed.split('.').collect();
    claims(&[turned[1], turned[0], ""].join(".").parse().unwrap())
}

#[tokio::test]
async fn all_parameters_may_be_sent_as_json() {
    let oauth2 =
        "client_id: id, client_secret: secret, send_secret: json, params: {audience: 'https://api/{tenant}'}";
    let bench = bench(oauth2, &[("id", "a b"), ("secret", "s+/%\"")], &["x", "y"], [token()]);
    assert_eq!(bench.signed().await, "Bearer t1");
    let requests = bench.script.requests.lock().unwrap();
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert_eq!(requests[0].headers.get(AUTHORIZATION), None, "one method in a request");
    let sent: Value = serde_json::from_slice(&requests[0].body).unwrap();
    let expected = json!({
        "grant_type": "client_credentials", "scope": "x y", "client_id": "a b", "client_secret": "s+/%\"",
        "audience": "https://api/t1",
    });
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn parameters_are_added_and_one_may_take_the_place_of_the_grant_type() {
    let oauth2 = "client_id: id, client_secret: secret, params: {grant_type: account_credentials, account_id: '{user}'}";
    let bench = bench(oauth2, &[("id", "i"), ("secret", "s"), ("user", "a&b=c")], &[], [token()]);
    bench.signed().await;
    let sent = |field| bench.sent(field);
    assert_eq!(sent("grant_type").as_deref(), Some("account_credentials"));
    assert_eq!((sent("account_id").as_deref(), sent("scope")), (Some("a&b=c"), None));
    let body = bench.script.requests.lock().unwrap()[0].body.clone();
    assert_eq!(body.windows(10).filter(|piece| *piece == b"grant_type").count(), 1);
}

#[tokio::test]
async fn the_id_is_sent_once_and_a_scope_of_the_parameters_only_where_the_endpoint_names_none() {
    let oauth2 =
        "client_id: id, client_secret: secret, send_secret: body, params: {client_id: '{id}', scope: all}";
    for (scopes, scope) in [(&[][..], "all"), (&["x"], "x")] {
        let bench = bench(oauth2, &[("id", "i"), ("secret", "s")], scopes, [token()]);
        bench.signed().await;
        assert_eq!(bench.sent("scope").as_deref(), Some(scope));
        let body = String::from_utf8(bench.script.requests.lock().unwrap()[0].body.to_vec()).unwrap();
        assert_eq!((body.matches("client_id").count(), body.matches("scope").count()), (1, 1), "{body}");
    }
}

#[tokio::test]
async fn a_token_is_not_used_for_another_audience_or_user() {
    let source_of =
        |audience: &str| format!("client_id: id, client_secret: secret, params: {{audience: {audience}}}");
    let tokens = |oauth2: &str| {
        let bench = bench(oauth2, &[("id", "i"), ("secret", "s")], &[], []);
        bench.token.terms.digest()
    };
    assert_eq!(tokens(&source_of("a")), tokens(&source_of("a")));
    assert_ne!(tokens(&source_of("a")), tokens(&source_of("b")));
    let by_assertion = |user| {
        let oauth2 = "grant: jwt_bearer, client_id: id, private_key: key, subject: user";
        bench(oauth2, &[("id", "i"), ("key", KEY), ("user", user)], &[], []).token.terms.digest()
    };
    assert_ne!(by_assertion("mike"), by_assertion("ann"));
}

/// RFC 7523, sections 2.1 and 4.
#[tokio::test]
async fn an_assertion_is_as_the_example_of_the_rfc() {
    let oauth2 = "grant: jwt_bearer, client_id: id, private_key: key, subject: user, \
        audience: 'https://jwt-rp.example.net', claims: {'http://claims.example.com/member': true}";
    let given = [("id", "https://jwt-idp.example.com"), ("key", KEY), ("user", "mailto:mike@example.com")];
    let bench = bench(oauth2, &given, &[], [token()]);
    assert_eq!(bench.signed().await, "Bearer t1");
    assert_eq!(bench.sent("grant_type").as_deref(), Some(JWT_BEARER));
    let requests = bench.script.requests.lock().unwrap().len();
    assert_eq!((requests, bench.sent("client_id"), bench.sent("client_assertion")), (1, None, None));
    let signed = bench.sent("assertion").unwrap();
    assert_eq!(header(&signed), json!({"typ": "JWT", "alg": "ES256", "kid": "16"}));
    let mut said = assertion_of(&bench, "assertion");
    let (jti, iat, exp) = (said["jti"].take(), said["iat"].take(), said["exp"].take());
    assert!(jti.as_str().is_some_and(|jti| jti.len() >= 20), "{jti}");
    let now = NOW.parse::<Timestamp>().unwrap().as_second();
    assert_eq!((iat, exp), (json!(now - 5), json!(now + 45)), "Box takes at most a minute");
    let expected = json!({
        "iss": "https://jwt-idp.example.com", "sub": "mailto:mike@example.com", "aud": "https://jwt-rp.example.net",
        "http://claims.example.com/member": true, "jti": null, "iat": null, "exp": null,
    });
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_scope_is_claimed_and_sent_and_a_client_may_prove_itself_besides() {
    let oauth2 = "grant: jwt_bearer, client_id: id, private_key: key, client_secret: secret, send_secret: body, \
        claims: {box_sub_type: enterprise, n: 1, of: '{tenant}'}";
    let bench =
        bench(oauth2, &[("id", "i"), ("key", KEY), ("secret", "s")], &["a", "b"], [grant("t1", &json!(60))]);
    assert!(bench.sign().await.is_err(), "it was granted for something else");
    let said = assertion_of(&bench, "assertion");
    assert_eq!((&said["iss"], &said["sub"], &said["aud"]), (&json!("i"), &json!("i"), &json!(TOKEN_URL)));
    assert_eq!((&said["scope"], bench.sent("scope").as_deref()), (&json!("a b"), Some("a b")));
    assert_eq!(
        (&said["box_sub_type"], &said["n"], &said["of"]),
        (&json!("enterprise"), &json!(1), &json!("t1"))
    );
    assert_eq!((bench.sent("client_id"), bench.sent("client_secret")), (Some("i".into()), Some("s".into())));
}

/// A new key in PEM.
fn pem() -> String {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use base64::Engine;

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = pair.to_pkcs8v1().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

fn service_account(members: &Value) -> String {
    let pem = pem();
    let mut account = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "k-7", "private_key": pem,
        "client_email": "puller@p.iam.example", "client_id": "117", "token_uri": "https://oauth2.example/token",
    });
    account.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    account.to_string()
}

#[tokio::test]
async fn the_key_file_of_a_service_account_says_whose_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json");
    std::fs::write(&file, service_account(&json!({}))).unwrap();
    for key in [service_account(&json!({})), file.to_str().unwrap().to_owned()] {
        let oauth2 = "grant: jwt_bearer, private_key: key, subject: user";
        let bench = bench(oauth2, &[("key", &key), ("user", "admin@example.com")], &["a"], [token()]);
        bench.signed().await;
        let said = assertion_of(&bench, "assertion");
        assert_eq!(header(&bench.sent("assertion").unwrap())["kid"], "k-7");
        assert_eq!(
            (&said["iss"], &said["sub"]),
            (&json!("puller@p.iam.example"), &json!("admin@example.com"))
        );
        assert_eq!((&said["aud"], &said["scope"]), (&json!("https://oauth2.example/token"), &json!("a")));
        assert_eq!(bench.script.urls(), [TOKEN_URL], "the definition says where it is sent");
    }
    let oauth2 = "grant: jwt_bearer, private_key: key, client_id: id, audience: '{tenant}'";
    let bench = bench(
        oauth2,
        &[("key", &service_account(&json!({"token_uri": null}))), ("id", "own")],
        &[],
        [token()],
    );
    bench.signed().await;
    let said = assertion_of(&bench, "assertion");
    assert_eq!((&said["iss"], &said["aud"], said.get("sub")), (&json!("own"), &json!("t1"), None));
    let read = service_account(&json!({}));
    let of_read: Value = serde_json::from_str(&read).unwrap();
    crate::secrets::Secret::new(&read);
    let shown = Redactor::shared().shown(of_read["private_key"].as_str().unwrap(), 10_000);
    assert!(!shown.contains("MIG"), "{shown}");
    let address = "https://oauth2.example/token of puller@p.iam.example";
    assert_eq!(Redactor::shared().shown(address, 100), address, "only the key is secret");
}

#[test]
fn a_key_that_can_not_be_used_is_reported_before_any_request() {
    let oauth2 = "grant: jwt_bearer, private_key: key, client_id: id";
    for (given, part) in [
        (vec![("key", KEY.to_owned())], "nothing says who the client is"),
        (vec![("id", "i".to_owned())], "needs `key`"),
        (
            vec![("key", service_account(&json!({"client_email": null})))],
            "service account without `client_email`",
        ),
        (
            vec![("key", service_account(&json!({"private_key": "canary"})))],
            "neither a JWK nor a private key in PEM",
        ),
        (
            vec![("key", r#"{"type":"authorized_user","refresh_token":"canary"}"#.to_owned())],
            "not a JSON Web Key",
        ),
    ] {
        let given: Vec<_> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let error = try_bench(oauth2, &given, &[], []).map(|_| ()).unwrap_err();
        let shown = format!("{error:?}");
        assert!(shown.contains(part) && !shown.contains("canary"), "{part}: {shown}");
    }
}

#[tokio::test]
async fn each_attempt_has_an_assertion_of_its_own_by_the_servers_clock() {
    let oauth2 = "grant: jwt_bearer, client_id: id, private_key: key";
    for (minutes, date) in [(-10, "Sun, 22 Nov 2026 05:20:00 GMT"), (10, "Sun, 22 Nov 2026 05:40:00 GMT")] {
        let refused = refusal(400, "invalid_grant").undated().header("date", date);
        let bench = bench(oauth2, &[("id", "i"), ("key", KEY)], &[], [refused, token()]);
        assert_eq!(bench.signed().await, "Bearer t1", "{minutes}");
        let sent = bench.script.requests.lock().unwrap();
        let said: Vec<_> = sent
            .iter()
            .map(|request| {
                let form: BTreeMap<_, _> = url::form_urlencoded::parse(&request.body).into_owned().collect();
                claims(&form["assertion"].parse().unwrap())
            })
            .collect();
        assert_ne!(said[0]["jti"], said[1]["jti"]);
        let ahead = |claim: &str| said[1][claim].as_i64().unwrap() - said[0][claim].as_i64().unwrap();
        assert_eq!([ahead("iat"), ahead("exp")], [minutes * 60; 2]);
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_tried_again_for_a_minute() {
    let oauth2 = "grant: jwt_bearer, client_id: id, private_key: key";
    let refusals = [refusal(400, "invalid_grant"), refusal(400, "invalid_grant")];
    let bench = bench(oauth2, &[("id", "i"), ("key", KEY)], &[], refusals.into_iter().chain([token()]));
    let error = bench.refused().await;
    assert!(error.to_string().contains("Acme gave no access token (400): invalid_grant"), "{error}");
    bench.refused().await;
    assert_eq!(bench.requests(), 2, "once more with a proof");
    bench.clock.advance(Duration::from_mins(1));
    assert_eq!(bench.signed().await, "Bearer t1");
}

/// The ways to ask for a token, each with what it needs.
const GRANTS: [(&str, &str); 4] = [
    ("client_id: id, client_secret: secret", "secret"),
    ("client_id: id, client_secret: secret, send_secret: json", "secret"),
    ("client_id: id, private_key: key", "key"),
    ("grant: jwt_bearer, client_id: id, private_key: key", "key"),
];

#[tokio::test]
async fn every_grant_proves_possession_however_that_is_demanded() {
    let says = |error, sentence| {
        ScriptedResponse::new(400, json!({"error": error, "error_description": sentence}).to_string())
    };
    let wants = || says("invalid_request", "DPoP proof is required");
    let challenge =
        || ScriptedResponse::new(401, "").header("www-authenticate", r#"DPoP error="use_dpop_nonce""#);
    for (oauth2, name) in GRANTS {
        for (responses, nonce) in [
            (vec![says("invalid_grant", "The DPoP proof JWT header is missing.")], None),
            (vec![wants(), says("use_dpop_nonce", "no").header("dpop-nonce", "n1")], Some("n1")),
            // By the sentence alone, by a challenge without a body, and with a nonce of which nothing is said before.
            (
                vec![wants(), says("invalid_grant", "A nonce is required").header("dpop-nonce", "n1")],
                Some("n1"),
            ),
            (vec![wants(), says("invalid_dpop_proof", "stale").header("dpop-nonce", "n1")], Some("n1")),
            (vec![challenge(), challenge().header("dpop-nonce", "n1")], Some("n1")),
            (vec![challenge().header("dpop-nonce", "n1")], Some("n1")),
            (
                vec![
                    wants().header("dpop-nonce", "n1"),
                    says("use_dpop_nonce", "old").header("dpop-nonce", "n2"),
                ],
                Some("n2"),
            ),
        ] {
            let count = responses.len() + 1;
            let given = [("id", "i"), (name, if name == "key" { KEY } else { "s3cr3t" })];
            let bench = bench(oauth2, &given, &[], responses.into_iter().chain([bound("t1")]));
            assert_eq!(bench.signed().await, "DPoP t1", "{oauth2}");
            let sent = bench.script.requests.lock().unwrap();
            assert_eq!(sent.len(), count, "{oauth2}");
            let said = claims(&sent[count - 1].headers[DPOP]);
            assert_eq!(said.get("nonce"), nonce.map(Value::from).as_ref(), "{oauth2}");
        }
    }
}

#[tokio::test]
async fn a_nonce_that_changes_with_each_response_is_the_one_of_the_last() {
    let given = |nonce| bound("t").header("dpop-nonce", nonce);
    let bench = bench(
        "client_id: id, client_secret: secret",
        &[("id", "i"), ("secret", "s")],
        &[],
        [
            refusal(400, "invalid_dpop_proof").header("dpop-nonce", "n1"),
            given("n2"),
            given("n3"),
            given("n4"),
        ],
    );
    for nonce in ["n1", "n2", "n3"] {
        bench.signed().await;
        let sent = bench.script.requests.lock().unwrap().last().unwrap().clone();
        assert_eq!(claims(&sent.headers[DPOP])["nonce"], nonce);
        bench.clock.advance(Duration::from_hours(1));
    }
}

#[tokio::test]
async fn an_api_with_scopes_that_the_definition_does_not_name_is_reported_so() {
    let bench = bench(
        "client_id: id, client_secret: secret",
        &[("id", "i"), ("secret", "s")],
        &[],
        [refusal(400, "invalid_scope")],
    );
    let error = bench.refused().await;
    assert!(error.hint_text().unwrap().contains("add `scopes: [...]` to the endpoint"), "{error:?}");
}
