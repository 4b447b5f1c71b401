//! Token files: whole, ours alone, and waited for.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;

use super::*;
use crate::api::account::Account;
use crate::api::auth::{Authorize, Connection};
use crate::api::http::{Jitter, Request, Retry, RetryPolicy};
use crate::catalog::Source;
use crate::clock::Clock;
use crate::error::Status;
use crate::testing::{CANARY, ManualClock, Script, ScriptedResponse, connection, okta};

const NOW: &str = "2026-11-22T05:30:00Z";

fn token(profile: &str, text: &str) -> TokenFile {
    let now = NOW.parse::<jiff::Timestamp>().unwrap().as_second();
    TokenFile {
        schema: SCHEMA,
        profile: profile.to_owned(),
        instance: "i1".to_owned(),
        access_token: text.to_owned(),
        token_type: "Bearer".to_owned(),
        scope: "okta.users.read".to_owned(),
        obtained_at: now,
        expires_at: now + 3600,
        dpop_jwk: None,
    }
}

fn folder() -> (tempfile::TempDir, TokenFolder) {
    let parent = tempfile::tempdir().unwrap();
    let folder = TokenFolder::new(parent.path().join("circulate"));
    (parent, folder)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_file_is_written_whole_for_us_alone_and_replaced() {
    let (parent, folder) = folder();
    folder.write(&token("okta-read", "t1")).unwrap();
    folder.write(&token("okta-read", "t2")).unwrap();
    folder.write(&token("okta-write", "t3")).unwrap();
    let path = parent.path().join("circulate");
    assert_eq!((mode(&path), mode(&path.join("okta-read.token.json"))), (0o700, 0o600));
    assert_eq!(folder.read("okta-read").unwrap().unwrap(), token("okta-read", "t2"));
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 2, "nothing half-written is left");
    assert_eq!(folder.read("other").unwrap(), None);
    let written: Value =
        serde_json::from_slice(&std::fs::read(path.join("okta-read.token.json")).unwrap()).unwrap();
    assert_eq!(
        (&written["schema"], &written["expires_at"], written.get("dpop_jwk")),
        (&json!(1), &json!(1_795_329_000), None)
    );
}

#[test]
fn what_others_could_have_put_there_is_refused() {
    let (parent, folder) = folder();
    folder.write(&token("okta-read", CANARY)).unwrap();
    let path = parent.path().join("circulate/okta-read.token.json");
    let whole = std::fs::read(&path).unwrap();
    let shown = || {
        let error = folder.read("okta-read").unwrap_err();
        assert!(!format!("{error:?}").contains(CANARY));
        error.to_string()
    };
    for (change, part) in [
        (json!({"schema": 2}), "of another version or profile"),
        (json!({"profile": "okta-write"}), "of another version or profile"),
        (json!({"token_type": "DPoP"}), "bound to a key, and no key"),
        (json!({"expires_at": "soon"}), "not a token file of a known form"),
    ] {
        let mut changed: Value = serde_json::from_slice(&whole).unwrap();
        changed.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        std::fs::write(&path, changed.to_string()).unwrap();
        assert!(shown().contains(part), "{change}: {}", shown());
    }
    std::fs::write(&path, vec![b' '; 300_000]).unwrap();
    assert!(shown().contains("larger than a token file can be"));
    std::fs::write(&path, &whole).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(shown().contains("can be read by others"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    if rustix::process::geteuid().is_root() {
        rustix::fs::chown(&path, Some(rustix::fs::Uid::from_raw(1)), None).unwrap();
        assert!(shown().contains("belongs to somebody else"));
        rustix::fs::chown(&path, Some(rustix::fs::Uid::ROOT), None).unwrap();
    }
    let elsewhere = parent.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(shown().contains("is a link"));
    folder.write(&token("okta-read", "t2")).unwrap();
    assert!(!std::fs::symlink_metadata(&path).unwrap().is_symlink(), "a link is replaced, not followed");
    assert_eq!(std::fs::read(&elsewhere).unwrap(), whole);
    for profile in ["", "../x", "a/b", &"x".repeat(65), "a b"] {
        assert!(folder.read(profile).unwrap_err().to_string().contains("can't name a token"), "{profile}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_could_have_made_is_neither_read_nor_requested() {
    let ((parent, folder), clock) = (folder(), ManualClock::new(NOW));
    folder.write(&token("okta-read", "t1")).unwrap();
    let path = parent.path().join("circulate");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(folder.read("okta-read").unwrap_err().to_string().contains("in a folder that others may change"));
    let _listening = UnixListener::bind(folder.socket()).unwrap();
    let error = signed(&reader(&folder, &clock)).await.unwrap_err();
    assert!(error.to_string().contains("others may change"), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::remove_file(path.join("okta-read.token.json")).unwrap();
    let pipe =
        std::process::Command::new("mkfifo").arg("-m600").arg(path.join("okta-read.token.json")).status();
    assert!(pipe.unwrap().success());
    assert!(
        folder.read("okta-read").unwrap_err().to_string().contains("belongs to somebody else"),
        "and it keeps nobody waiting"
    );
}

#[test]
fn a_folder_that_is_not_ours_alone_is_closed_or_refused() {
    let (parent, folder) = folder();
    let path = parent.path().join("circulate");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    folder.secure().unwrap();
    assert_eq!(mode(&path), 0o700);
    std::fs::remove_dir(&path).unwrap();
    symlink(parent.path(), &path).unwrap();
    assert!(
        folder.write(&token("a", "t")).unwrap_err().to_string().contains("somebody else's, or no folder")
    );
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(folder.secure().is_err());
}

#[test]
fn what_is_left_of_a_life_before_is_removed_and_nothing_else() {
    let (parent, folder) = folder();
    folder.write(&token("okta-read", "t1")).unwrap();
    let path = parent.path().join("circulate");
    let kept = parent.path().join("kept");
    std::fs::write(&kept, "x").unwrap();
    symlink(&kept, path.join("planted.token.json")).unwrap();
    symlink(parent.path(), path.join("tokens.sock")).unwrap();
    std::fs::create_dir(path.join("dir.token.json")).unwrap();
    std::fs::write(path.join(".tokenAbc"), "half").unwrap();
    std::fs::write(path.join("other"), "").unwrap();
    folder.clear().unwrap();
    let left: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((left, kept.exists()), (vec!["other".into()], true));
}

#[test]
fn no_room_is_reported_and_leaves_the_file_before() {
    let (parent, folder) = folder();
    folder.write(&token("okta-read", "t1")).unwrap();
    // As if nothing could be written any more; root may write anywhere, so the folder becomes a file.
    let path = parent.path().join("circulate");
    std::fs::rename(&path, parent.path().join("aside")).unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(folder.write(&token("okta-read", "t2")).is_err());
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(parent.path().join("aside"), &path).unwrap();
    assert_eq!(folder.read("okta-read").unwrap().unwrap().access_token, "t1");
}

fn reader(folder: &TokenFolder, clock: &ManualClock) -> FileToken {
    FileToken::new("okta-read", folder.clone(), clock.clock(), None)
}

async fn signed(reader: &FileToken) -> Result<HeaderMap> {
    let mut request = Request::get("https://acme.okta.com/api/v1/users?limit=1".parse().unwrap());
    reader.apply(&mut request).await.map_err(|failure| failure.error)?;
    Ok(request.headers)
}

/// Responds to one request at the socket of `folder`, after doing `first`.
async fn responding(folder: &TokenFolder, response: Value, first: impl FnOnce()) -> Value {
    let listener = UnixListener::bind(folder.socket()).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    first();
    stream.write_all(response.to_string().as_bytes()).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

#[tokio::test]
async fn a_token_that_has_ended_is_requested() {
    let ((_parent, folder), clock) = (folder(), ManualClock::new(NOW));
    folder.write(&token("okta-read", "t1")).unwrap();
    let reader = reader(&folder, &clock);
    assert_eq!(signed(&reader).await.unwrap()["authorization"], "Bearer t1");
    clock.advance(Duration::from_hours(1));
    let renewed = TokenFile { expires_at: token("", "").expires_at + 3600, ..token("okta-read", "t2") };
    let write = || folder.write(&renewed).unwrap();
    let (question, headers) = tokio::join!(responding(&folder, json!({}), write), signed(&reader));
    assert_eq!(question, json!({"profile": "okta-read", "refused": null}));
    assert_eq!(headers.unwrap()["authorization"], "Bearer t2");
}

/// A request that was sent with these headers.
fn sent(headers: HeaderMap) -> Request {
    Request { headers, ..Request::get("https://acme.example".parse().unwrap()) }
}

#[tokio::test]
async fn a_token_that_the_api_refused_is_renewed_and_named_by_its_digest() {
    let ((_parent, folder), clock) = (folder(), ManualClock::new(NOW));
    folder.write(&token("okta-read", CANARY)).unwrap();
    let reader = reader(&folder, &clock);
    let refused = sent(signed(&reader).await.unwrap());
    let write = || folder.write(&token("okta-read", "t2")).unwrap();
    let (question, renewed) = tokio::join!(responding(&folder, json!({}), write), reader.renew(&refused));
    assert!(renewed.unwrap());
    assert_eq!(question["refused"], token("", CANARY).digest());
    assert!(!question.to_string().contains(CANARY));
    assert!(reader.renew(&refused).await.unwrap(), "somebody renewed it already");
    std::fs::remove_file(folder.socket()).unwrap();
    let refused = sent(signed(&reader).await.unwrap());
    let no = json!({"error": "Okta gave no access token (401)"});
    let (_, renewed) = tokio::join!(responding(&folder, no, || ()), reader.renew(&refused));
    let error = renewed.unwrap_err();
    assert!(
        error.to_string().contains("of the profile `okta-read`: Okta gave no access token (401)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_extension_waits_a_little_for_the_file_and_then_says_so() {
    let ((_parent, folder), clock) = (folder(), ManualClock::new(NOW));
    let reader = reader(&folder, &clock);
    let began = tokio::time::Instant::now();
    let error = signed(&reader).await.unwrap_err();
    assert!(error.to_string().contains("nobody is there to be asked"), "{error}");
    assert!(error.hint_text().unwrap().contains("is the token extension attached"));
    assert_eq!((error.kind(), error.status()), (ErrorKind::Auth, Status::Permanent));
    assert_eq!(began.elapsed().as_secs(), 3);
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        folder.write(&token("okta-read", "t1")).unwrap();
    };
    let (headers, ()) = tokio::join!(signed(&reader), late);
    assert_eq!(headers.unwrap()["authorization"], "Bearer t1");
}

fn client() -> (Account, Arc<Script>, Connection) {
    let given = [("org_url", "https://acme.okta.com"), ("client_id", "0oa1"), ("client_secret", CANARY)];
    let given: BTreeMap<_, _> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let account = Account::resolve(&okta("users").source, &given, None, None).unwrap();
    let script = Script::new([
        ScriptedResponse::new(503, ""),
        ScriptedResponse::new(400, r#"{"error":"invalid_dpop_proof"}"#),
        ScriptedResponse::new(200, r#"{"access_token":"t1","token_type":"DPoP","expires_in":3600}"#),
        ScriptedResponse::new(200, r#"{"access_token":"t2","token_type":"DPoP","expires_in":3600}"#),
    ]);
    let connection = connection(&okta("users").source, Arc::clone(&script) as _);
    (account, script, connection)
}

#[tokio::test(start_paused = true)]
async fn what_is_minted_is_what_a_reader_signs_with() {
    let (_parent, folder) = folder();
    let (account, script, connection) = client();
    let source = okta("users").source;
    let retry = || Retry::new(RetryPolicy::default(), Jitter::seeded(1));
    let scopes = ["okta.users.read".to_owned()].into();
    let minter =
        Minter::new((&source, &account, &connection), &scopes, ("okta-read", "i1"), folder.clone(), retry())
            .unwrap();
    let span = Duration::from_secs(8);
    let first = minter.mint(None, span).await.unwrap();
    assert_eq!((first.renewed, first.token_type.as_str(), script.urls().len()), (true, "DPoP", 3));
    assert!(!minter.mint(None, span).await.unwrap().renewed, "it is not due");
    let reader = FileToken::new("okta-read", folder.clone(), Clock::system(), None);
    let headers = signed(&reader).await.unwrap();
    assert_eq!(headers["authorization"], "DPoP t1");
    assert!(headers.contains_key("dpop"));
    let file = folder.read("okta-read").unwrap().unwrap();
    let key = file.dpop_jwk.as_ref().unwrap()["d"].as_str().unwrap();
    assert_eq!(Redactor::shared().shown(&format!("the key {key} is bad"), 100), "the key *** is bad");
    assert!(minter.mint(Some(&file.digest()), span).await.unwrap().renewed);
    assert_eq!(signed(&reader).await.unwrap()["authorization"], "DPoP t2");
    folder.clear().unwrap();
    assert!(minter.mint(None, span).await.unwrap().renewed, "a file that is gone is written again");
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_stalls_costs_a_valid_token_nothing_and_is_left_alone_for_a_while() {
    let (_parent, folder) = folder();
    let (account, _, _) = client();
    let grant = |token: &str| {
        ScriptedResponse::new(
            200,
            format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":600}}"#),
        )
    };
    let script = Script::new([grant("t1"), grant("t2").after(Duration::from_mins(10)), grant("t3")]);
    let clock = ManualClock::new(NOW);
    let mut connection = connection(&okta("users").source, Arc::clone(&script) as _);
    connection.tokens = Arc::new(crate::api::auth::Tokens::new(clock.clock()));
    let retry = Retry::new(RetryPolicy::default(), Jitter::seeded(1));
    let (source, scopes) = (okta("users").source, ["okta.users.read".to_owned()].into());
    let minter =
        Minter::new((&source, &account, &connection), &scopes, ("okta-read", "i1"), folder.clone(), retry)
            .unwrap();
    let span = Duration::from_secs(5);
    assert!(minter.mint(None, span).await.unwrap().renewed);
    clock.advance(Duration::from_secs(560));
    folder.clear().unwrap();
    assert!(minter.mint(None, span).await.unwrap().renewed, "the file is written again");
    assert!(!minter.mint(None, span).await.unwrap().renewed);
    assert_eq!(
        (folder.read("okta-read").unwrap().unwrap().access_token.as_str(), script.urls().len()),
        ("t1", 2)
    );
    clock.advance(Duration::from_secs(10));
    assert!(minter.mint(None, span).await.unwrap().renewed);
    assert_eq!(folder.read("okta-read").unwrap().unwrap().access_token, "t3");
}

#[tokio::test]
async fn a_reader_tries_again_later_if_there_may_be_a_token_then() {
    for retryable in [false, true] {
        let ((_parent, folder), clock) = (folder(), ManualClock::new(NOW));
        folder.secure().unwrap();
        let response = json!({"error": "no answer", "retryable": retryable});
        let reader = reader(&folder, &clock);
        let (_, headers) = tokio::join!(responding(&folder, response, || ()), signed(&reader));
        assert_eq!(headers.unwrap_err().status() == Status::Temporary, retryable);
    }
}

/// A source behind a login whose tokens requests carry so.
fn behind_a_login(send: &Value) -> (Source, Account) {
    let source = json!({
        "source": "acme",
        "title": "Acme",
        "settings": {
            "url": {"env": "ACME_URL", "about": "its address"},
            "password": {"env": "ACME_PASSWORD", "about": "the password", "secret": true},
            "profile": {"env": "ACME_PROFILE", "about": "the profile of the token extension"},
        },
        "base_url": "{url}",
        "auth": [
            {"session": {
                "login": {"path": "/login", "body": {"json": {"password": "{password}"}}},
                "token": {"body": "/token"},
                "expires": {"after": "/seconds"},
                "logout": {"path": "/logout"},
                "send": send,
            }},
            {"token_file": {"profile": "profile"}},
        ],
    });
    let source: Source = serde_json::from_value(source).unwrap();
    let given = [("url", "https://acme.example"), ("password", CANARY)];
    let given: BTreeMap<_, _> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let account = Account::resolve(&source, &given, None, None).unwrap();
    (source, account)
}

#[tokio::test]
async fn the_token_of_a_login_is_renewed_before_it_ends_and_sent_as_its_definition_says() {
    let send = json!({"header": {"name": "X-Session", "prefix": "Token "}});
    let ((source, account), (_parent, folder)) = (behind_a_login(&send), folder());
    let login = |token: &str| ScriptedResponse::new(200, json!({"token": token, "seconds": 600}).to_string());
    let script = Script::new([login("t1"), login("t2"), login("t3")]);
    let clock = ManualClock::new(NOW);
    let mut connection = connection(&source, Arc::clone(&script) as _);
    connection.tokens = Arc::new(crate::api::auth::Tokens::new(clock.clock()));
    let retry = Retry::new(RetryPolicy::default(), Jitter::seeded(1));
    let what = (&source, &account, &connection);
    let minter = Minter::new(what, &[].into(), ("acme", "i1"), folder.clone(), retry).unwrap();
    let span = Duration::from_secs(8);
    let reader = FileToken::new("acme", folder.clone(), clock.clock(), account.session_send().cloned());
    let first = minter.mint(None, span).await.unwrap();
    let ends = NOW.parse::<jiff::Timestamp>().unwrap().as_second() + 600;
    assert_eq!((first.token_type.as_str(), first.scope.as_str(), first.expires_at), ("Session", "", ends));
    let headers = signed(&reader).await.unwrap();
    assert_eq!(
        (&headers["x-session"], headers.get("authorization")),
        (&"Token t1".parse::<HeaderValue>().unwrap(), None)
    );
    assert!(headers["x-session"].is_sensitive());
    for (seconds, renewed) in [(539, false), (1, true)] {
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(minter.mint(None, span).await.unwrap().renewed, renewed, "a tenth is left");
    }
    let refused = sent(signed(&reader).await.unwrap());
    assert_eq!(refused.headers["x-session"], "Token t2");
    let listener = UnixListener::bind(folder.socket()).unwrap();
    let mint = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let question: Value = serde_json::from_str(&line).unwrap();
        assert!(minter.mint(question["refused"].as_str(), span).await.unwrap().renewed);
        stream.write_all(b"{}").await.unwrap();
    };
    let (renewed, ()) = tokio::join!(reader.renew(&refused), mint);
    assert!(renewed.unwrap());
    assert_eq!(signed(&reader).await.unwrap()["x-session"], "Token t3");
    connection.tokens.sessions().log_out(span).await;
    let paths: Vec<_> =
        script.urls().iter().map(|url| url.rsplit_once(".example").unwrap().1.to_owned()).collect();
    assert_eq!(paths, ["/login", "/login", "/login", "/logout"], "of the last one; the others are over");
}

#[tokio::test]
async fn the_token_of_a_login_is_sent_by_nobody_who_does_not_know_how() {
    let ((_parent, folder), clock) = (folder(), ManualClock::new(NOW));
    folder.write(&TokenFile { token_type: "Session".to_owned(), ..token("okta-read", CANARY) }).unwrap();
    let error = signed(&reader(&folder, &clock)).await.unwrap_err();
    assert!(error.to_string().contains("does not say how it is sent"), "{error}");
    assert!(
        error.hint_text().unwrap().contains("the way `session`") && !format!("{error:?}").contains(CANARY)
    );
}

#[tokio::test]
async fn a_token_that_ended_on_its_way_is_requested_once_more() {
    let ((_parent, folder), clock) = (folder(), ManualClock::new(NOW));
    folder.secure().unwrap();
    let reader = reader(&folder, &clock);
    let ended = TokenFile { expires_at: token("", "").obtained_at, ..token("okta-read", "t1") };
    let listener = UnixListener::bind(folder.socket()).unwrap();
    let extension = async {
        for file in [ended, token("okta-read", "t2")] {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            stream.read_line(&mut String::new()).await.unwrap();
            folder.write(&file).unwrap();
            stream.write_all(b"{}").await.unwrap();
        }
    };
    let (headers, ()) = tokio::join!(signed(&reader), extension);
    assert_eq!(headers.unwrap()["authorization"], "Bearer t2");
}

#[test]
fn a_key_of_a_login_in_the_query_is_taken_out_of_addresses_also_if_it_comes_from_a_file() {
    let (source, by_login) = behind_a_login(&json!({"query": "session"}));
    let given = [("url", "https://acme.example"), ("profile", "acme")];
    let given: BTreeMap<_, _> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let by_file = Account::resolve(&source, &given, None, None).unwrap();
    assert_eq!(
        (by_login.query_parameters(), by_file.query_parameters()),
        (&["session".to_owned()][..], &["session".to_owned()][..])
    );
}
