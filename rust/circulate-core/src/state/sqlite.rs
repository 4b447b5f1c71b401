//! The embedded default: one SQLite file.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{Expect, Item, ItemKey, StateStore};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

/// How long a write waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Version of the tables, kept in the file's `user_version`.
const SCHEMA_VERSION: i64 = 1;

/// Items in a table. Several processes may use one file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    path: PathBuf,
    clock: Clock,
    connection: Arc<Mutex<Connection>>,
}

impl SqliteStore {
    /// Opens `path`, and makes the file (0600) and its folder (0700) if need be. The time is that of the file's own
    /// machine, by `clock`.
    pub fn open(path: &Path, clock: Clock) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        crate::lake::sink::make_folders(folder).map_err(|error| failed(path, error))?;
        // Of two that make the same file at once, SQLite would refuse one without waiting. Where folders can't be locked,
        // that is reported as an error.
        let folder = std::fs::File::open(folder);
        let _making = folder.and_then(|folder| folder.lock().map(|()| folder));
        // SQLite gives its own files the mode of the database.
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(path, error))?;
        let connection = Connection::open(path).and_then(|c| prepare(&c).map(|()| c));
        let connection = connection.map_err(|error| failed(path, error))?;
        let version: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| failed(path, error))?;
        if version != SCHEMA_VERSION {
            return Err(Error::new(
                ErrorKind::State,
                "open state",
                format!("state has version {version}, not {SCHEMA_VERSION}"),
            )
            .with("file", path.display())
            .hint(
                "it was written by another version of circulate: update, or name another one with `state`",
            ));
        }
        Ok(Self { path: path.to_owned(), clock, connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs SQL where it may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            work(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match done.await {
            Ok(done) => done.map_err(|error| failed(&self.path, error)),
            Err(error) => Err(failed(&self.path, error)),
        }
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS item (
             pk TEXT NOT NULL, sk TEXT NOT NULL, version INTEGER NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (pk, sk)
         ) WITHOUT ROWID;
         {};
         COMMIT;",
        // A file that was just made has version 0.
        if connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? == 0 {
            format!("PRAGMA user_version = {SCHEMA_VERSION}")
        } else {
            String::new()
        }
    ))
}

fn failed(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::State, "use state", "cannot use the state file")
        .caused_by(error)
        .with("file", path.display())
        .hint("is the folder writable, and the file a state of ours? name another one with `state`")
}

fn item(version: u64, doc: &str) -> rusqlite::Result<Item> {
    let doc = serde_json::from_str(doc).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(Item { doc, version })
}

impl StateStore for SqliteStore {
    fn now(&self) -> BoxFuture<'_, Result<Timestamp>> {
        Box::pin(async { Ok(self.clock.now()) })
    }

    fn get<'a>(&'a self, key: &'a ItemKey) -> BoxFuture<'a, Result<Option<Item>>> {
        let key = key.clone();
        Box::pin(self.with(move |connection| {
            connection
                .prepare_cached("SELECT version, doc FROM item WHERE pk = ?1 AND sk = ?2")?
                .query_row(params![key.pk, key.sk], |row| item(row.get(0)?, &row.get::<_, String>(1)?))
                .optional()
        }))
    }

    fn put<'a>(&'a self, key: &'a ItemKey, doc: Value, expect: Expect) -> BoxFuture<'a, Result<Option<u64>>> {
        let key = key.clone();
        let doc = doc.to_string();
        Box::pin(self.with(move |connection| match expect {
            Expect::Absent => {
                let sql =
                    "INSERT INTO item (pk, sk, version, doc) VALUES (?1, ?2, 1, ?3) ON CONFLICT DO NOTHING";
                let changed = connection.prepare_cached(sql)?.execute(params![key.pk, key.sk, doc])?;
                Ok((changed == 1).then_some(1))
            }
            Expect::Version(version) => {
                let sql =
                    "UPDATE item SET version = ?3 + 1, doc = ?4 WHERE pk = ?1 AND sk = ?2 AND version = ?3";
                let changed =
                    connection.prepare_cached(sql)?.execute(params![key.pk, key.sk, version, doc])?;
                Ok((changed == 1).then_some(version + 1))
            }
        }))
    }

    fn list<'a>(
        &'a self,
        pk: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(ItemKey, Item)>>> {
        let (pk, prefix) = (pk.to_owned(), prefix.to_owned());
        Box::pin(self.with(move |connection| {
            let sql = "SELECT pk, sk, version, doc FROM item
                       WHERE pk = ?1 AND substr(sk, 1, length(?2)) = ?2 ORDER BY sk DESC LIMIT ?3";
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            connection
                .prepare_cached(sql)?
                .query_map(params![pk, prefix, limit], |row| {
                    let key = ItemKey { pk: row.get(0)?, sk: row.get(1)? };
                    Ok((key, item(row.get(2)?, &row.get::<_, String>(3)?)?))
                })?
                .collect()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn sqlite_passes_the_state_suite() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/state.db");
        testing::time_suite(|clock| SqliteStore::open(&path, clock).unwrap()).await;
        testing::state_suite(|| SqliteStore::open(&path, Clock::system()).unwrap()).await;
    }

    #[test]
    fn many_may_make_the_same_file_at_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("new/state.db");
            std::thread::scope(|scope| {
                let opening: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| SqliteStore::open(&path, Clock::system()))).collect();
                for opened in opening {
                    opened.join().unwrap().unwrap();
                }
            });
        }
    }

    #[test]
    fn a_file_that_is_no_state_is_explained() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not a database, but long enough to be looked at").unwrap();
        let error = SqliteStore::open(file.path(), Clock::system()).unwrap_err();
        assert!(error.to_string().contains("not a database"), "{error}");
    }
}
