//! Refresh tokens (RFC 6749, section 6) that the server may replace with each use (RFC 9700, section 4.14.2): one process uses
//! one at a time, and what comes in its place is kept before anything is done with it.

mod file;
mod record;
mod store;
mod stored;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use tokio::time::Instant;
use url::Url;

use self::file::{TokenInFile, users_folder};
use self::store::RefreshStore;
use self::stored::{LAPSES, TokenInSecret};
use super::random::unique;
use crate::api::account::Account;
use crate::catalog::{Name, Source};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::{PrivateFolder, Secret};

pub(super) use self::record::{KeptAccess, RefreshRecord};
pub(super) use self::store::RefreshClaim;

/// A little longer than a token endpoint may take.
const SETTLED_WITHIN: Duration = Duration::from_secs(40);
/// How long those who need a token wait for others: longer than a claim and the one after it keep them.
const PATIENCE: Duration = Duration::from_secs(2 * LAPSES.as_secs() + 30);

/// The refresh token of an account.
#[derive(Debug)]
pub(super) struct RefreshTokens {
    store: Box<dyn RefreshStore>,
    /// What could not be kept, and the token that it came for: there is no other copy.
    unkept: Mutex<Option<(Secret, RefreshRecord)>>,
}

/// Shared by all who have sent a refresh token and not yet kept what comes of it.
static SENDING: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);

/// Held while a refresh token is sent and what comes of it is kept.
pub(super) async fn sending() -> OwnedRwLockReadGuard<()> {
    Arc::clone(&SENDING).read_owned().await
}

/// Waits until no response is under way that may hold the only copy of a refresh token: before the process ends. It does not
/// wait for ever, since what was under way in a process that this one was forked from has no end here.
pub async fn settled() {
    drop(tokio::time::timeout(SETTLED_WITHIN, SENDING.write()).await);
}

/// What [`RefreshTokens::turn`] comes to.
pub(super) enum RefreshTurn<T> {
    /// Somebody else got what is needed.
    Ready(T),
    /// The token is ours to use.
    Ours(Box<dyn RefreshClaim>),
}

impl RefreshTokens {
    /// The one whose first token is in the setting `name`: kept where that comes from.
    pub(super) fn new(
        source: &Source,
        account: &Account,
        name: &Name,
        client_id: &str,
        token_url: &Url,
        clock: Clock,
    ) -> Result<Self> {
        let store: Box<dyn RefreshStore> = if let Some((secret, field)) = account.stored_field(name) {
            Box::new(TokenInSecret::new(secret.clone(), field.to_owned(), unique()?, clock))
        } else {
            let env = source.settings.get(name).map_or("", |setting| &setting.env);
            let goes_to = format!("{env}, or `{name}` below [{}] in circulate.toml", source.source);
            let folder = PrivateFolder::open(users_folder(&goes_to)?)?;
            let known_by = [source.source.as_str(), client_id, token_url.as_str()];
            Box::new(TokenInFile::new(folder, known_by, account.secret(name)?, goes_to, clock))
        };
        Ok(Self { store, unkept: Mutex::default() })
    }

    /// Waits until the token is ours to use, or something that came of it is `ready`: not due for now, or just valid while
    /// another process is about it.
    pub(super) async fn turn<T: Send>(
        &self,
        ready: impl Fn(&RefreshRecord, bool) -> Option<T> + Send + Sync,
    ) -> Result<RefreshTurn<T>> {
        let began = Instant::now();
        let mut others = false;
        loop {
            if let Some(found) = ready(&self.store.read().await?, others) {
                return Ok(RefreshTurn::Ready(found));
            }
            if let Some(mut claim) = self.store.claim().await? {
                self.keep_unkept(&mut *claim).await?;
                let found = ready(claim.record(), false);
                return Ok(found.map_or(RefreshTurn::Ours(claim), RefreshTurn::Ready));
            }
            others = true;
            if began.elapsed() > PATIENCE {
                let what = "another process has the refresh token, and got no access token in all that time";
                return Err(Error::new(ErrorKind::Auth, "get access token", what)
                    .with("waited", format!("{} s", PATIENCE.as_secs()))
                    .temporary());
            }
            tokio::time::sleep(self.store.poll()).await;
        }
    }

    /// What the token to use is now, whoever has it.
    pub(super) async fn current(&self) -> Result<Secret> {
        Ok(self.store.read().await?.refresh_token)
    }

    /// Keeps what came of the token of `claim`. If that fails, it is tried again in the next turn.
    pub(super) async fn keep(&self, claim: &mut dyn RefreshClaim, record: RefreshRecord) -> Result<()> {
        let used = claim.record().refresh_token.clone();
        let kept = claim.store(record.clone()).await;
        let unkept = kept.is_err().then_some((used, record));
        *self.unkept.lock().unwrap_or_else(PoisonError::into_inner) = unkept;
        kept
    }

    async fn keep_unkept(&self, claim: &mut dyn RefreshClaim) -> Result<()> {
        let unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match unkept {
            Some((used, record)) if used == claim.record().refresh_token => self.keep(claim, record).await,
            _ => Ok(()),
        }
    }

    /// What to do about a refresh token that was refused.
    pub(super) fn how_to_renew(&self, was_abandoned: bool) -> String {
        let why = if was_abandoned {
            ": an earlier request may have used it, whose response was lost, or whose process was stopped"
        } else {
            ", or revoked"
        };
        let goes_to = self.store.first_token_goes_to();
        format!(
            "the refresh token is used up{why}; sign in again, and put the new refresh token into {goes_to}"
        )
    }
}
