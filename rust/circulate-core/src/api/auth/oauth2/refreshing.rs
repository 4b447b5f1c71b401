//! Getting an access token by a refresh token.

use std::sync::Arc;
use std::time::Duration;

use super::key::SigningKey;
use super::refresh::{KeptAccess, RefreshClaim, RefreshRecord, RefreshTokens, RefreshTurn, sending};
use super::tokens::Token;
use super::{AccessToken, Refusal};
use crate::error::{Error, ErrorKind};
use crate::secrets::Secret;

impl AccessToken {
    /// A token that another process got and that is not due, or one that the refresh token gives.
    pub(super) async fn refreshed(&self, refresh: &Arc<RefreshTokens>) -> Result<Token, Refusal> {
        let mut refused = None;
        loop {
            let turn = refresh.turn(|record, others| self.kept(record, others)).await?;
            let claim = match turn {
                RefreshTurn::Ready(token) => return Ok(token),
                RefreshTurn::Ours(claim) => claim,
            };
            let sent = claim.record().refresh_token.clone();
            let outcome = self.uninterrupted(refresh, claim).await;
            match outcome {
                // Somebody signed in again meanwhile.
                Err(refusal) if refusal.is_of_grant() && refused.is_none() => {
                    if refresh.current().await? == sent {
                        return Err(refusal);
                    }
                    refused = Some(sent);
                }
                outcome => return outcome,
            }
        }
    }

    /// Uses a refresh token, and keeps what comes of it, whatever becomes of the one who waits for that: a response that is not
    /// read to its end may have been the only one with the next token.
    async fn uninterrupted(
        &self,
        refresh: &Arc<RefreshTokens>,
        mut claim: Box<dyn RefreshClaim>,
    ) -> Result<Token, Refusal> {
        let (this, refresh) = (self.clone(), Arc::clone(refresh));
        let sending = sending().await;
        let task = tokio::spawn(async move {
            let _sending = sending;
            this.used(&refresh, &mut *claim).await
        });
        task.await.unwrap_or_else(|error| {
            let what = "the request of an access token was cut off";
            Err(Error::new(ErrorKind::Auth, "get access token", what).caused_by(error).into())
        })
    }

    async fn used(&self, refresh: &RefreshTokens, claim: &mut dyn RefreshClaim) -> Result<Token, Refusal> {
        let mut record = claim.record().clone();
        if let Some(key) = key_of(&record) {
            self.client.bind(key);
        }
        let (granted, basis, requested) = match self.granted(Some(&mut *claim)).await {
            Ok(granted) => granted,
            Err(refusal) => return Err(refused(refresh, claim, refusal)?),
        };
        #[cfg(feature = "testing")]
        crate::testing::crash::reach("refresh-token-granted").await;
        if let Some(next) = granted.refresh_token.clone() {
            record.refresh_token = next;
        }
        record.kept.dpop_jwk = basis.key.as_ref().and_then(|key| key.private_jwk());
        let token = self.token_of(granted, basis, requested);
        if let Ok(token) = &token {
            let access = KeptAccess::new(&token.secret, token.key.is_some(), token.obtained, token.expires);
            record.kept.keep(&self.terms.scope, access, self.clock.now());
        }
        refresh.keep(claim, record).await?;
        #[cfg(feature = "testing")]
        crate::testing::crash::reach("refresh-token-kept").await;
        Ok(token?)
    }

    /// The access token that another process got, if the API has not refused it, and it is not due; while `others` get the next
    /// one, if it is valid.
    fn kept(&self, record: &RefreshRecord, others: bool) -> Option<Token> {
        let access = record.kept.access(&self.terms.scope)?;
        let (obtained, expires) = access.life()?;
        let lifetime = Duration::try_from(expires.duration_since(obtained)).ok()?;
        let key = if access.bound { Some(Arc::new(key_of(record)?)) } else { None };
        let token = Token::new(access.token(), key, obtained, lifetime);
        let now = self.clock.now();
        let good = if others { now < token.expires } else { !token.is_due(now) };
        (good && !self.client.is_refused(&self.terms.scope, &token.secret)).then_some(token)
    }
}

/// Notes that the server refused, and says what to do.
fn refused(
    refresh: &RefreshTokens,
    claim: &mut dyn RefreshClaim,
    mut refusal: Refusal,
) -> Result<Refusal, Refusal> {
    if refusal.status.is_some_and(|status| status.is_client_error()) {
        claim.refused()?;
    }
    if refusal.is_of_grant() {
        // Each use of a refresh token that is used up is what thieves do: servers revoke all that came of it.
        refusal.of_client = true;
        let error = std::mem::replace(&mut refusal.failure.error, Error::new(ErrorKind::Auth, "", ""));
        refusal.failure.error = error.hint(refresh.how_to_renew(claim.was_abandoned()));
    }
    Ok(refusal)
}

fn key_of(record: &RefreshRecord) -> Option<SigningKey> {
    let jwk = record.kept.dpop_jwk.as_ref().map(|jwk| Secret::not_secret(jwk.to_string()))?;
    SigningKey::read(jwk.expose(), None).ok()
}
