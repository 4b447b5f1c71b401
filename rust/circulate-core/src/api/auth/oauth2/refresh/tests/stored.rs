//! Claims on a stored secret.
//!
//! Of the stand-ins moto refuses another content under the id of a version, as AWS documents it, but leaves `AWSCURRENT` on two
//! versions when somebody writes the secret after one was promoted. ministack has one current version at a time, but overwrites
//! a version whose id is given again. So each is asked what it does as AWS does.

use super::*;
use crate::api::auth::oauth2::random::unique;
use crate::aws::Aws;
use crate::secrets::put_secret;
use crate::testing::stand_in;

/// The secret as a process has it, for which the claims of others lapse as soon as they are seen twice.
async fn opened(aws: &Aws, name: &str) -> TokenInSecret {
    let secret = StoredSecret::open(aws, name).await.unwrap();
    let opened = TokenInSecret::new(secret, "refresh_token".to_owned(), unique().unwrap(), Clock::system());
    TokenInSecret { lapses: Duration::ZERO, ..opened }
}

fn name() -> String {
    format!("acme-{:08x}", fastrand::u32(..))
}

fn record(token: &str) -> RefreshRecord {
    RefreshRecord { refresh_token: Secret::new(token), kept: KeptTokens::default() }
}

async fn fields(store: &TokenInSecret) -> [Option<String>; 2] {
    let version = store.secret.current().await.unwrap();
    ["refresh_token", "note"].map(|name| version.field(name).map(str::to_owned))
}

#[tokio::test]
#[ignore = "needs stand-ins for AWS: make test-rust"]
async fn a_claim_is_one_processs_until_it_lapses() {
    let (aws, name) = (stand_in("MOTO").await, name());
    put_secret(&aws, &name, r#"{"refresh_token": "r-first", "note": "n"}"#).await;
    let (one, other) = (opened(&aws, &name).await, opened(&aws, &name).await);
    let mut first = one.claim().await.unwrap().unwrap();
    assert!(!first.was_abandoned());
    first.begin().unwrap();
    assert!(other.claim().await.unwrap().is_none());
    assert!(
        one.claim().await.unwrap().unwrap().was_abandoned(),
        "it serves on, and a response may have been lost"
    );
    let mut second = other.claim().await.unwrap().expect("it is seen a second time");
    assert!(second.was_abandoned());
    second.store(record("r-second")).await.unwrap();
    assert_eq!(fields(&one).await, [Some("r-second".to_owned()), Some("n".to_owned())]);
    first.store(record("r-late")).await.unwrap();
    assert_eq!(fields(&one).await[0].as_deref(), Some("r-second"), "who is late puts nothing in its place");
    assert!(!one.claim().await.unwrap().unwrap().was_abandoned(), "nobody has used this one");
}

#[tokio::test]
#[ignore = "needs stand-ins for AWS: make test-rust"]
async fn of_many_at_once_one_gets_the_claim() {
    let (aws, name) = (stand_in("MOTO").await, name());
    put_secret(&aws, &name, r#"{"refresh_token": "r-first"}"#).await;
    let stores = futures_util::future::join_all((0..12).map(|_| opened(&aws, &name))).await;
    let claims = futures_util::future::join_all(stores.iter().map(RefreshStore::claim)).await;
    assert_eq!(claims.into_iter().filter(|claim| claim.as_ref().unwrap().is_some()).count(), 1);
}

#[tokio::test]
#[ignore = "needs stand-ins for AWS: make test-rust"]
async fn what_a_person_changes_meanwhile_stays() {
    for (changed, token) in [
        (r#"{"refresh_token": "r-again", "note": "new"}"#, "r-again"),
        (r#"{"refresh_token": "r-first", "note": "new"}"#, "r-second"),
    ] {
        let (aws, name) = (stand_in("MINISTACK").await, name());
        put_secret(&aws, &name, r#"{"refresh_token": "r-first", "note": "n"}"#).await;
        let store = opened(&aws, &name).await;
        let mut claim = store.claim().await.unwrap().unwrap();
        put_secret(&aws, &name, changed).await;
        claim.store(record("r-second")).await.unwrap();
        assert_eq!(fields(&store).await, [Some(token.to_owned()), Some("new".to_owned())]);
    }
}

#[test]
fn a_claim_is_good_for_a_while_by_both_clocks() {
    let clock = crate::testing::ManualClock::new("2026-11-22T05:30:00Z");
    let life = |until: &str, ends| ClaimLife { until: until.parse().unwrap(), ends: Instant::now() + ends };
    let good = |life: ClaimLife| life.is_good(&clock.clock());
    assert!(good(life("2026-11-22T05:30:30Z", USABLE)));
    assert!(!good(life("2026-11-22T05:29:59Z", USABLE)), "a Lambda function was frozen meanwhile");
    assert!(!good(life("2026-11-22T06:30:00Z", USABLE)), "a clock was set back");
    assert!(!good(life("2026-11-22T05:30:30Z", Duration::ZERO)));
}
