//! Refresh tokens in the stored secret that the first one came from: what follows is a new version of it.
//!
//! A process claims what follows the current version, then sends the refresh token, then stores the new version, then makes it
//! the current one. A claim that led to nothing lapses: whoever waited for [`LAPSES`] claims next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::record::{KeptTokens, RefreshRecord};
use super::store::{RefreshClaim, RefreshStore};
use crate::clock::{Clock, later};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::{LastClaim, Secret, SecretVersion, StoredSecret};

/// How long a claim that leads to nothing keeps others waiting.
pub(super) const LAPSES: Duration = Duration::from_mins(2);
/// How long requests are begun by a claim: their responses, and what is stored, come before it lapses.
const USABLE: Duration = Duration::from_mins(1);
/// How far off our clock may be from the service's: a claim that is older than this and its life needs no waiting.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(10);
/// The field of the secret that holds the access tokens.
const KEPT: &str = "circulate_tokens";
/// Whoever changes the secret while we store something is given way to this often.
const MAX_CHANGES: u32 = 5;

/// A stored secret with a refresh token.
#[derive(Debug, Clone)]
pub(super) struct TokenInSecret {
    secret: StoredSecret,
    field: String,
    goes_to: String,
    /// What distinguishes us from all other processes.
    us: String,
    clock: Clock,
    /// [`LAPSES`], but for tests.
    lapses: Duration,
    known: Arc<Mutex<KnownClaims>>,
}

/// What is known of claims.
#[derive(Debug, Default)]
struct KnownClaims {
    /// The claim of another, and since when we wait for it to lead to something.
    waited_for: Option<(String, u32, Instant)>,
    ours: Option<OurClaim>,
    /// The version that was looked at last.
    read: Option<String>,
}

/// A claim of ours, which serves until it lapses.
#[derive(Debug, Clone)]
struct OurClaim {
    /// The version that it is on.
    version: String,
    life: ClaimLife,
    /// Whether the token was sent, and it is not known what came of that.
    sent: bool,
}

/// How long a claim is good, by both clocks: one of them stands still while a Lambda function is frozen.
#[derive(Debug, Clone, Copy)]
struct ClaimLife {
    until: Timestamp,
    ends: Instant,
}

impl TokenInSecret {
    /// The refresh token in a field of a secret.
    pub(super) fn new(secret: StoredSecret, field: String, us: String, clock: Clock) -> Self {
        let goes_to = format!("the field `{field}` of the secret `{}`", secret.id());
        Self { secret, field, goes_to, us, clock, lapses: LAPSES, known: Arc::default() }
    }

    fn record(&self, version: &SecretVersion) -> Result<RefreshRecord> {
        let wrong = |what: String| {
            Error::new(ErrorKind::Settings, "read refresh token", what).with("secret", self.secret.id())
        };
        let token = version.field(&self.field).map(str::trim).filter(|token| !token.is_empty());
        let token =
            token.ok_or_else(|| wrong(format!("the secret has no field `{}` any more", self.field)))?;
        let kept: KeptTokens = match version.field(KEPT) {
            None => KeptTokens::default(),
            Some(text) => serde_json::from_str(text).map_err(|_| {
                wrong(format!("the field `{KEPT}` of the secret does not hold access tokens of a known form"))
                    .hint("remove that field: it saves requests of tokens, and no more")
            })?,
        };
        kept.hide();
        Ok(RefreshRecord { refresh_token: Secret::new(token), kept })
    }

    /// Whether the claim of another led to nothing.
    fn has_lapsed(&self, claim: &LastClaim) -> bool {
        if claim.made.is_some_and(|made| later(made, self.lapses + CLOCK_TOLERANCE) < self.clock.now()) {
            return true;
        }
        let mut known = self.known();
        match &known.waited_for {
            Some((version, number, since)) if (version, number) == (&claim.version, &claim.number) => {
                since.elapsed() >= self.lapses
            }
            _ => {
                known.waited_for = Some((claim.version.clone(), claim.number, Instant::now()));
                false
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, KnownClaims> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_sent(&self, sent: bool) {
        if let Some(ours) = &mut self.known().ours {
            ours.sent = sent;
        }
    }

    async fn try_claim(&self) -> Result<Option<ClaimedSecret>> {
        let version = self.secret.current().await?;
        // What is new since it was looked at may be all that is needed, and a claim on it would keep others waiting for nothing.
        if self.known().read.as_ref().is_some_and(|read| *read != version.id) {
            return Ok(None);
        }
        let claimed = |life, abandoned| -> Result<Option<ClaimedSecret>> {
            let record = self.record(&version)?;
            Ok(Some(ClaimedSecret { store: self.clone(), version: version.clone(), record, life, abandoned }))
        };
        let ours = self.known().ours.clone();
        if let Some(ours) = ours.filter(|ours| ours.version == version.id && ours.life.is_good(&self.clock)) {
            return claimed(ours.life, ours.sent);
        }
        let last = self.secret.last_claim().await?.filter(|last| last.version == version.id);
        // Whoever has it may have been stopped between storing and the last step, which anybody may do.
        if last.is_some()
            && let Some(next) = self.secret.successor(&version).await?
        {
            self.secret.promote(&version.id, &next.id).await?;
            return Ok(None);
        }
        let number = match &last {
            None => 1,
            Some(last) if self.has_lapsed(last) => last.number + 1,
            Some(_) => return Ok(None),
        };
        let life = ClaimLife { until: later(self.clock.now(), USABLE), ends: Instant::now() + USABLE };
        let claim = LastClaim { version: version.id.clone(), number, by: self.us.clone(), made: None };
        if !self.secret.put_claim(&claim).await? {
            return Ok(None);
        }
        self.known().ours = Some(OurClaim { version: version.id.clone(), life, sent: number > 1 });
        claimed(life, number > 1)
    }
}

impl ClaimLife {
    fn is_good(&self, clock: &Clock) -> bool {
        // A clock that was set back says nothing.
        let left = self.until.duration_since(clock.now());
        let plausible = SignedDuration::try_from(USABLE).is_ok_and(|limit| left <= limit);
        left.is_positive() && plausible && Instant::now() < self.ends
    }
}

impl RefreshStore for TokenInSecret {
    fn read(&self) -> BoxFuture<'_, Result<RefreshRecord>> {
        Box::pin(async {
            let version = self.secret.current().await?;
            self.known().read = Some(version.id.clone());
            self.record(&version)
        })
    }

    fn claim(&self) -> BoxFuture<'_, Result<Option<Box<dyn RefreshClaim>>>> {
        Box::pin(async {
            let claim = self.try_claim().await?;
            Ok(claim.map(|claim| Box::new(claim) as Box<dyn RefreshClaim>))
        })
    }

    fn poll(&self) -> Duration {
        // Each look is up to three requests.
        Duration::from_secs(1)
    }

    fn first_token_goes_to(&self) -> &str {
        &self.goes_to
    }
}

/// A version whose successor is ours to make.
struct ClaimedSecret {
    store: TokenInSecret,
    version: SecretVersion,
    record: RefreshRecord,
    life: ClaimLife,
    abandoned: bool,
}

impl ClaimedSecret {
    async fn put(&mut self, record: RefreshRecord) -> Result<()> {
        let kept = serde_json::to_string(&record.kept).map_err(|error| {
            Error::new(ErrorKind::Settings, "keep refresh token", "cannot write it as JSON").caused_by(error)
        })?;
        let (secret, field) = (&self.store.secret, &self.store.field);
        let used = self.version.field(field).map(str::to_owned);
        for _ in 0..MAX_CHANGES {
            let token = record.refresh_token.expose().to_owned();
            let text = self.version.with([(field, token), (KEPT, kept.clone())]);
            let stored = secret.put_successor(&self.version, &text).await?;
            #[cfg(feature = "testing")]
            crate::testing::crash::reach("refresh-token-put").await;
            let promoted = match &stored {
                Some(id) => secret.promote(&self.version.id, id).await?,
                None => false,
            };
            let current = secret.current().await?;
            // It may be done though the response got lost. Or somebody signed in again, whose token goes before ours.
            let is_done = promoted || stored.as_ref() == Some(&current.id);
            if is_done || current.field(field).map(str::to_owned) != used {
                return Ok(());
            }
            self.version = current;
        }
        let what = "the secret changes all the time, and the new refresh token could not be put into it";
        Err(Error::new(ErrorKind::Settings, "keep refresh token", what).with("secret", secret.id()))
    }
}

impl RefreshClaim for ClaimedSecret {
    fn record(&self) -> &RefreshRecord {
        &self.record
    }

    fn was_abandoned(&self) -> bool {
        self.abandoned
    }

    fn begin(&mut self) -> Result<()> {
        if self.life.is_good(&self.store.clock) {
            self.store.note_sent(true);
            return Ok(());
        }
        let what = "getting an access token took so long that another process may be about it by now";
        Err(Error::new(ErrorKind::Auth, "get access token", what).temporary())
    }

    fn refused(&mut self) -> Result<()> {
        self.store.note_sent(false);
        Ok(())
    }

    fn store(&mut self, record: RefreshRecord) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.put(record))
    }
}

#[cfg(test)]
#[path = "tests/stored.rs"]
mod tests;
