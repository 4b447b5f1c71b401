//! Refresh tokens in a folder of the user's, for those whose first one is not in a stored secret.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::{KeptTokens, RefreshRecord};
use super::store::{RefreshClaim, RefreshStore};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::{PrivateFolder, Secret};

const SCHEMA: u32 = 1;

/// A file with a refresh token. Its name follows from the first one, so that a new first one is used as it is.
#[derive(Debug, Clone)]
pub(super) struct TokenInFile {
    folder: PrivateFolder,
    name: String,
    first: Secret,
    goes_to: String,
    clock: Clock,
}

/// What a file holds.
#[derive(Serialize, Deserialize)]
struct RefreshFile {
    schema: u32,
    refresh_token: String,
    /// When it was sent, in epoch milliseconds, as long as it is not known what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_ms: Option<i64>,
    #[serde(flatten)]
    kept: KeptTokens,
}

impl TokenInFile {
    /// The file for a first token of this client at this token URL.
    pub(super) fn new(
        folder: PrivateFolder,
        known_by: [&str; 3],
        first: Secret,
        goes_to: String,
        clock: Clock,
    ) -> Self {
        let all = [known_by.as_slice(), &[first.expose()]].concat().join("\0");
        let mut name = crate::hex(&Sha256::digest(all));
        name.truncate(40);
        Self { folder, name, first, goes_to, clock }
    }

    fn file(&self) -> String {
        format!("{}.json", self.name)
    }

    /// What is kept, and when its token was sent if it is not known what came of that.
    fn load(&self) -> Result<(RefreshRecord, Option<Timestamp>)> {
        let Some(text) = self.folder.read(&self.file())? else {
            let record = RefreshRecord { refresh_token: self.first.clone(), kept: KeptTokens::default() };
            return Ok((record, None));
        };
        // What serde says of a syntax error could hold a piece of the token.
        let file = serde_json::from_slice::<RefreshFile>(&text).ok().filter(|file| file.schema == SCHEMA);
        let file = file.ok_or_else(|| {
            let path = self.folder.path(&self.file());
            let what = format!("`{}` does not hold a refresh token of a known form", path.display());
            Error::new(ErrorKind::Settings, "read refresh token", what)
                .hint(format!("remove it, sign in again and put the new refresh token into {}", self.goes_to))
        })?;
        file.kept.hide();
        let sent = file.sent_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok((RefreshRecord { refresh_token: Secret::new(file.refresh_token), kept: file.kept }, sent))
    }

    fn save(&self, record: &RefreshRecord, sent: Option<Timestamp>) -> Result<()> {
        let file = RefreshFile {
            schema: SCHEMA,
            refresh_token: record.refresh_token.expose().to_owned(),
            sent_ms: sent.map(Timestamp::as_millisecond),
            kept: record.kept.clone(),
        };
        let text = serde_json::to_vec(&file).map_err(|error| {
            Error::new(ErrorKind::Settings, "keep refresh token", "cannot write it as JSON").caused_by(error)
        })?;
        self.folder.write(&self.file(), &text)
    }
}

impl RefreshStore for TokenInFile {
    fn read(&self) -> BoxFuture<'_, Result<RefreshRecord>> {
        Box::pin(std::future::ready(self.load().map(|(record, _)| record)))
    }

    fn claim(&self) -> BoxFuture<'_, Result<Option<Box<dyn RefreshClaim>>>> {
        let claim = || {
            let Some(lock) = self.folder.lock(&self.name)? else { return Ok(None) };
            let (record, sent) = self.load()?;
            let claim = ClaimedFile { store: self.clone(), _lock: lock, record, abandoned: sent.is_some() };
            Ok(Some(Box::new(claim) as Box<dyn RefreshClaim>))
        };
        Box::pin(std::future::ready(claim()))
    }

    fn poll(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn first_token_goes_to(&self) -> &str {
        &self.goes_to
    }
}

/// A file that is locked.
struct ClaimedFile {
    store: TokenInFile,
    _lock: File,
    record: RefreshRecord,
    abandoned: bool,
}

impl RefreshClaim for ClaimedFile {
    fn record(&self) -> &RefreshRecord {
        &self.record
    }

    fn was_abandoned(&self) -> bool {
        self.abandoned
    }

    fn begin(&mut self) -> Result<()> {
        // It shows too that there is room for what comes of it.
        self.store.save(&self.record, Some(self.store.clock.now()))
    }

    fn refused(&mut self) -> Result<()> {
        self.store.save(&self.record, None)
    }

    fn store(&mut self, record: RefreshRecord) -> BoxFuture<'_, Result<()>> {
        let stored = self.store.save(&record, None);
        if stored.is_ok() {
            self.record = record;
        }
        Box::pin(std::future::ready(stored))
    }
}

/// `circulate/refresh-tokens` in the user's folder for state: `$XDG_STATE_HOME`, or `~/.local/state`.
pub(super) fn users_folder(goes_to: &str) -> Result<PathBuf> {
    let named = |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    // A function has a folder of its own each time, which no other one sees, and which goes with it.
    let state = if std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some() {
        None
    } else {
        named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")))
    };
    state.map(|state| state.join("circulate/refresh-tokens")).ok_or_else(|| {
        let what = "there is no folder that outlives this process, to keep refresh tokens in";
        Error::new(ErrorKind::Settings, "keep refresh token", what).hint(format!(
            "keep the settings in a secret of AWS Secrets Manager, and not in {goes_to}; or set HOME or \
             XDG_STATE_HOME, but for a Lambda function"
        ))
    })
}
