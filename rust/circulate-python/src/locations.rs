//! Lakes as Python names them: where objects are, where state is, and how buckets are used.

use std::sync::Arc;

use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::lake::sink::{Encryption, S3Options, Sink};
use circulate_core::location::Locations;
use circulate_core::state::StateStore;
use pyo3::prelude::*;

use crate::options::{Arguments, Sse, options};
use crate::results::py_result;

/// A lake; an object with these attributes, such as `circulate_core.Lake`.
#[derive(FromPyObject)]
pub(crate) struct LakeArguments {
    /// Absolute path of a folder, or `s3://bucket/prefix`.
    pub(crate) location: String,
    /// Absolute path of a state file, or `dynamodb://table`; none if a bucket's is not known.
    pub(crate) state: Option<String>,
    pub(crate) s3: Arguments<S3Arguments>,
}

/// A lake whose state is of no interest.
pub(crate) struct LocatedLake {
    pub(crate) location: String,
    pub(crate) s3: S3Arguments,
}

/// A lake whose state is known.
pub(crate) struct KnownLake {
    pub(crate) location: String,
    pub(crate) state: String,
    pub(crate) s3: S3Arguments,
}

/// A lake to read; it is opened when something is read.
#[derive(Debug, Clone)]
pub(crate) struct LakeToRead {
    pub(crate) location: String,
    state: Option<String>,
    locations: Arc<Locations>,
}

/// A lake that is open.
pub(crate) struct OpenLake {
    pub(crate) sink: Arc<dyn Sink>,
    /// The state that knows its runs, if there is one.
    pub(crate) store: Option<Arc<dyn StateStore>>,
}

impl LakeToRead {
    pub(crate) async fn open(&self) -> Result<OpenLake> {
        let sink = self.locations.sink(&self.location).await?;
        let store = match &self.state {
            Some(state) => self.locations.existing_state(state).await?,
            None => None,
        };
        Ok(OpenLake { sink, store })
    }
}

impl LakeArguments {
    /// The same for who reads it, with or without its state.
    pub(crate) fn into_readable(self, py: Python<'_>) -> PyResult<LakeToRead> {
        let Self { location, state, s3 } = self;
        let s3 = s3.get()?;
        py_result(py, s3.check_locations(&[&location]))?;
        let locations = Arc::new(py_result(py, s3.locations())?);
        Ok(LakeToRead { location, state, locations })
    }

    /// The same, if its state is known. Both can be such places.
    pub(crate) fn with_state(self, py: Python<'_>) -> PyResult<KnownLake> {
        self.beside(py, &[])
    }

    /// Where it is, and how its buckets and those of other places are used.
    pub(crate) fn without_state(self, py: Python<'_>, others: &[&str]) -> PyResult<LocatedLake> {
        let Self { location, s3, .. } = self;
        let s3 = s3.get()?;
        let checked = Locations::check_lake(&location);
        py_result(py, checked.and_then(|()| s3.check_locations(&[&[location.as_str()], others].concat())))?;
        Ok(LocatedLake { location, s3 })
    }

    /// It with its state, and other places that the same options of buckets are for.
    pub(crate) fn beside(self, py: Python<'_>, others: &[&str]) -> PyResult<KnownLake> {
        let Self { location, state, s3 } = self;
        let (state, s3) = (py_result(py, known_state(&location, state))?, s3.get()?);
        py_result(py, s3.check_locations(&[&[location.as_str()], others].concat()))?;
        Ok(KnownLake { location, state, s3 })
    }
}

fn known_state(location: &str, state: Option<String>) -> Result<String> {
    Locations::check_lake(location)?;
    let missing = || {
        let what = format!("the state of {location} must be named");
        Error::new(ErrorKind::Settings, "read settings", what).hint(
            "name it with `state`: dynamodb://TABLE (`circulate state init` makes it), or a file if only this machine \
             pulls there",
        )
    };
    let state = state.ok_or_else(missing)?;
    Locations::check_state(&state)?;
    Ok(state)
}

options! {
    /// How a bucket is used; named as in the AWS command line.
    pub(crate) struct S3Arguments {
        /// Encryption in S3.
        sse: Option<Sse> => "as the bucket says",
        /// Id or ARN of the KMS key.
        sse_kms_key_id: Option<String> => "the account's own key for S3",
        /// AWS account that must own the bucket: requests fail if it is another one.
        expected_bucket_owner: Option<String>,
    }
}

impl S3Arguments {
    /// Refuses options if no location is a bucket: a folder could not follow them.
    pub(crate) fn check_locations(&self, locations: &[&str]) -> Result<()> {
        let given = [
            ("sse", self.sse.is_some()),
            ("sse_kms_key_id", self.sse_kms_key_id.is_some()),
            ("expected_bucket_owner", self.expected_bucket_owner.is_some()),
        ];
        match (given.iter().find(|(_, is_given)| *is_given), locations.last()) {
            (Some((name, _)), Some(location))
                if !locations.iter().any(|location| location.starts_with("s3://")) =>
            {
                let what = format!("`{name}` is an option of buckets, and {location} is a folder");
                Err(Error::new(ErrorKind::Settings, "read options", what)
                    .hint("leave it out, or give s3://bucket/prefix"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn locations(self) -> Result<Locations> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Settings, "read options", message));
        let encryption = match (self.sse, self.sse_kms_key_id) {
            (None, None) => None,
            (Some(Sse::Aes256), None) => Some(Encryption::Aes256),
            (None | Some(Sse::Kms), key) => Some(Encryption::Kms(key)),
            (Some(Sse::Aes256), Some(_)) => {
                return wrong(
                    "`sse_kms_key_id` beside `sse` AES256, which takes no key: give aws:kms".to_owned(),
                );
            }
        };
        let bucket_owner = self.expected_bucket_owner;
        if let Some(owner) =
            bucket_owner.as_ref().filter(|o| o.len() != 12 || !o.bytes().all(|b| b.is_ascii_digit()))
        {
            return wrong(format!(
                "invalid `expected_bucket_owner`: an AWS account has 12 digits, given {owner}"
            ));
        }
        Ok(Locations::new(S3Options { encryption, bucket_owner }))
    }
}

/// Opens a state that must be there.
pub(crate) async fn existing(state: &str) -> Result<Arc<dyn StateStore>> {
    Locations::default().existing_state(state).await?.ok_or_else(|| {
        Error::new(ErrorKind::State, "read state", "there is no state file")
            .with("file", state)
            .hint("nothing was pulled to this place yet, or its state is elsewhere (`state`)")
    })
}
