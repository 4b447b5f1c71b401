//! Where data, state and secrets lie, as a person writes it: a folder or `s3://bucket/prefix`, a file or `dynamodb://table`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::aws::Aws;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::sink::{LocalFolder, S3Bucket, S3Options, Sink};
use crate::secrets::StoredSecret;
use crate::state::{DynamoTable, SqliteStore, StateStore};

/// Opens sinks, states and secrets. AWS is prepared once, and only if something of it is named.
#[derive(Debug, Default)]
pub struct Locations {
    s3: S3Options,
    aws: OnceCell<Aws>,
}

/// A place for data.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StorageLocation {
    Folder(PathBuf),
    S3 { bucket: String, prefix: String },
}

/// A place for state.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StateAt {
    File(PathBuf),
    DynamoDb { table: String },
}

impl Locations {
    /// Places whose buckets are used as `s3` says.
    pub fn new(s3: S3Options) -> Self {
        Self { s3, aws: OnceCell::new() }
    }

    /// The sink at `text`: an absolute folder, or `s3://bucket/prefix`.
    pub async fn sink(&self, text: &str) -> Result<Arc<dyn Sink>> {
        Ok(match lake(text)? {
            StorageLocation::Folder(folder) => Arc::new(LocalFolder::new(folder)),
            StorageLocation::S3 { bucket, prefix } => {
                Arc::new(S3Bucket::new(self.aws().await?, &bucket, &prefix, self.s3.clone()))
            }
        })
    }

    /// The state at `text`: a file, which is made if need be, or `dynamodb://table`.
    pub async fn state(&self, text: &str) -> Result<Arc<dyn StateStore>> {
        Ok(match state_at(text)? {
            StateAt::File(file) => Arc::new(SqliteStore::open(&file, Clock::system())?),
            StateAt::DynamoDb { table } => Arc::new(DynamoTable::new(self.aws().await?, &table)),
        })
    }

    /// The state at `text`; `None` if it is a file that is not there.
    pub async fn existing_state(&self, text: &str) -> Result<Option<Arc<dyn StateStore>>> {
        match state_at(text)? {
            StateAt::File(file) if !is_there(&file)? => Ok(None),
            _ => self.state(text).await.map(Some),
        }
    }

    /// Makes a state at `text`; returns whether there was none.
    pub async fn make_state(&self, text: &str) -> Result<bool> {
        match state_at(text)? {
            StateAt::File(file) => {
                let new = !file.exists();
                SqliteStore::open(&file, Clock::system()).map(|_| new)
            }
            StateAt::DynamoDb { table } => DynamoTable::new(self.aws().await?, &table).create().await,
        }
    }

    /// The secret of this name or ARN in Secrets Manager.
    pub async fn secret(&self, id: &str) -> Result<StoredSecret> {
        StoredSecret::open(self.aws().await?, id).await
    }

    /// Who uses AWS here; see [`Aws::user_id`].
    pub async fn aws_user_id(&self) -> Result<String> {
        self.aws().await?.user_id().await
    }

    /// Whether this can name a lake, without a request.
    pub fn check_lake(text: &str) -> Result<()> {
        lake(text).map(drop)
    }

    /// Whether this can name a state, without a request.
    pub fn check_state(text: &str) -> Result<()> {
        state_at(text).map(drop)
    }

    /// Region, credentials and endpoints of AWS.
    pub async fn aws(&self) -> Result<&Aws> {
        self.aws.get_or_try_init(Aws::load).await
    }
}

/// Whether there is a file. A folder that this user cannot look into is not taken for an empty one.
fn is_there(file: &Path) -> Result<bool> {
    match file.try_exists() {
        // In what is itself a file there is no other.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        found => found.map_err(|error| {
            Error::new(ErrorKind::State, "read state", "cannot look for the state file")
                .with("file", file.display())
                .caused_by(error)
        }),
    }
}

fn lake(text: &str) -> Result<StorageLocation> {
    match text.split_once("://") {
        None => Ok(StorageLocation::Folder(Path::new(text).to_owned())),
        Some(("s3", rest)) => {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let hint = "give s3://bucket/prefix: a bucket's name has 3 to 63 lower-case letters, digits, `-` and `.`";
            checked(text, "bucket", bucket, 63, hint, |b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.'
            })?;
            let prefix = prefix.trim_matches('/');
            if prefix.split('/').any(|part| matches!(part, "." | "..")) || prefix.contains("//") {
                return Err(wrong(text, "its prefix has a part that is empty, `.` or `..`")
                    .hint("give s3://bucket/prefix with one slash between parts"));
            }
            Ok(StorageLocation::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        }
        Some((scheme, _)) => Err(wrong(text, &format!("data cannot be stored in `{scheme}`"))
            .hint("give a folder, or s3://bucket/prefix")),
    }
}

fn state_at(text: &str) -> Result<StateAt> {
    match text.split_once("://") {
        None => Ok(StateAt::File(Path::new(text).to_owned())),
        Some(("dynamodb", table)) => {
            let hint = "give dynamodb://table: a table's name has 3 to 255 letters, digits, `-`, `_` and `.`";
            checked(text, "table", table, 255, hint, |b| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')
            })?;
            Ok(StateAt::DynamoDb { table: table.to_owned() })
        }
        Some((scheme, _)) => Err(wrong(text, &format!("state cannot be stored in `{scheme}`"))
            .hint("give a file, or dynamodb://table")),
    }
}

/// The rules of names that buckets and tables share:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>,
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>.
fn checked(
    text: &str,
    what: &str,
    name: &str,
    max_length: usize,
    hint: &str,
    allowed: impl Fn(u8) -> bool,
) -> Result<()> {
    if (3..=max_length).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(wrong(text, &format!("`{name}` can't name a {what}")).hint(hint))
}

fn wrong(text: &str, why: &str) -> Error {
    Error::new(ErrorKind::Settings, "read settings", format!("`{text}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_as_people_write_them() {
        let s3 = |bucket: &str, prefix: &str| StorageLocation::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        assert_eq!(lake("/lake").unwrap(), StorageLocation::Folder("/lake".into()));
        assert_eq!(lake("s3://my-lake").unwrap(), s3("my-lake", ""));
        assert_eq!(lake("s3://my-lake/").unwrap(), s3("my-lake", ""));
        assert_eq!(lake("s3://my-lake/a b/é/").unwrap(), s3("my-lake", "a b/é"));
        assert_eq!(state_at("dynamodb://t_1").unwrap(), StateAt::DynamoDb { table: "t_1".to_owned() });
        assert_eq!(state_at("/s.db").unwrap(), StateAt::File("/s.db".into()));
    }

    #[test]
    fn what_cannot_name_a_location_is_refused_before_any_request() {
        for (text, part) in [
            ("s3://", "can't name a bucket"),
            ("s3://My_Lake/x", "can't name a bucket"),
            ("s3://lake/a//b", "prefix"),
            ("s3://lake/../b", "prefix"),
            ("gs://lake", "data cannot be stored in `gs`"),
            ("dynamodb://table", "data cannot be stored in `dynamodb`"),
        ] {
            let error = lake(text).unwrap_err();
            assert!(error.to_string().contains(part), "{text}: {error}");
            assert!(error.hint_text().is_some_and(|hint| hint.contains("s3://bucket/prefix")), "{text}");
        }
        for (text, part) in [
            ("dynamodb://", "can't name a table"),
            ("dynamodb://a/b", "can't name"),
            ("s3://lake", "state cannot be stored in `s3`"),
        ] {
            let error = state_at(text).unwrap_err();
            assert!(error.to_string().contains(part), "{text}: {error}");
            assert!(error.hint_text().is_some_and(|hint| hint.contains("dynamodb://table")), "{text}");
        }
    }
}
