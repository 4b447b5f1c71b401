use std::sync::Arc;
use std::time::Duration;

use crate::catalog::source_from_yaml;
use crate::testing::{FakeHooks, ManualClock, ScriptedResponse, Server, connection};

use super::*;

const SOURCE: &str = "
source: acme
title: Acme
settings:
  user: {env: ACME_USER, about: who}
  key: {env: ACME_KEY, about: a key, secret: true}
base_url: https://acme.example
auth: [{sign: {hook: signing.py:sign, settings: [key, user], query: [sig]}}]
";

fn signed(function: &str, fake: &FakeHooks) -> SignedByHook {
    let text = SOURCE.replace(":sign,", &format!(":{function},"));
    let source = source_from_yaml(&text, std::path::Path::new("source.yaml")).unwrap();
    let given = [("user", "me"), ("key", "s3cret-canary-0123")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let account = Account::resolve(&source, &given.into(), None, None).unwrap();
    let crate::catalog::Auth::Sign(spec) = account.auth() else { panic!("{account:?}") };
    let transport = Server::new(|_| ScriptedResponse::new(500, ""));
    let connection = connection(&source, transport as _).with_hooks(Hooks::new(Arc::new(fake.clone())));
    let clock = ManualClock::new("2026-11-22T05:30:00Z").clock();
    SignedByHook { clock, ..SignedByHook::new(spec, &account, &connection).unwrap() }
}

fn signature(headers: &[(&str, &str)], query: &[(&str, &str)]) -> Signature {
    let owned =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    Signature { headers: owned(headers), query: owned(query) }
}

fn request() -> Request {
    Request::get("https://acme.example/items?a=1".parse().unwrap())
}

#[tokio::test]
async fn a_hook_gets_the_settings_and_what_it_returns_is_put_on_the_request() {
    let fake = FakeHooks::default();
    *fake.signature.lock().unwrap() =
        signature(&[("X-Signature", "made-canary-0123456789")], &[("sig", "a b")]);
    let signer = signed("sign", &fake);
    let mut sent = request();
    signer.apply(&mut sent).await.unwrap();
    assert_eq!(sent.url.as_str(), "https://acme.example/items?a=1&sig=a%20b");
    assert_eq!(sent.headers["x-signature"], "made-canary-0123456789");
    assert!(sent.headers["x-signature"].is_sensitive());
    let (url, settings, at) = fake.signed.lock().unwrap()[0].clone();
    assert_eq!(
        (url.as_str(), settings.as_str()),
        ("https://acme.example/items?a=1", "s3cret-canary-0123 me")
    );
    assert_eq!(at.to_string(), "2026-11-22T05:30:00Z");
    let shown = Redactor::shared().shown("the API echoes made-canary-0123456789", 100);
    assert_eq!(shown, "the API echoes ***");
    assert!(!signer.renew(&sent).await.unwrap(), "there are no other settings");
}

#[tokio::test]
async fn what_a_hook_may_not_sign_with_is_refused() {
    for (made, why) in [
        (signature(&[("Host", "x")], &[]), "says where or how a request is sent"),
        (signature(&[("Transfer-Encoding", "x")], &[]), "says where or how a request is sent"),
        (signature(&[("bad name", "x")], &[]), "is not the name of a header"),
        (signature(&[("X", "a\r\nb")], &[]), "no header can hold"),
        (signature(&[], &[("a", "2")]), "which the definition does not say"),
    ] {
        let fake = FakeHooks::default();
        *fake.signature.lock().unwrap() = made;
        let failure = signed("sign", &fake).apply(&mut request()).await.unwrap_err();
        assert_eq!(failure.error.kind(), ErrorKind::Hook);
        assert!(failure.error.to_string().contains(why), "{}", failure.error);
    }
    let failure = signed("raise", &FakeHooks::default()).apply(&mut request()).await.unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Hook);
}

#[tokio::test]
async fn requests_are_signed_by_the_clock_of_the_server_once_it_is_known() {
    let fake = FakeHooks::default();
    let signer = signed("sign", &fake);
    let mut sent = request();
    signer.apply(&mut sent).await.unwrap();
    assert!(!signer.is_misdated(&sent));
    let date = HeaderValue::from_static("Sun, 22 Nov 2026 05:40:00 GMT");
    signer.learn(&sent.url, &HeaderMap::from_iter([(http::header::DATE, date)]));
    assert!(signer.is_misdated(&sent), "it was signed ten minutes ago, by the server's clock");
    let mut again = request();
    again.headers.insert("x", HeaderValue::from_static("another"));
    signer.apply(&mut again).await.unwrap();
    assert!(!signer.is_misdated(&again));
    assert_eq!(fake.signed.lock().unwrap()[1].2.to_string(), "2026-11-22T05:40:00Z");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_blocks_in_signing_is_left_behind() {
    let fake = FakeHooks::default();
    fake.takes(None);
    let signer = signed("sign", &fake);
    let waited = tokio::time::timeout(Duration::from_secs(9), signer.apply(&mut request())).await;
    assert!(waited.is_err());
    assert!(signer.hooks.take_left().unwrap().seems_blocked());
}
