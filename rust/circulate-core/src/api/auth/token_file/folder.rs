//! The folder of token files: ours alone, each file whole or not at all, and nothing in it is trusted that others could have put
//! there.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::{SCHEMA, TokenFile};
use crate::error::{Error, ErrorKind, Result};

/// The most that a file may take.
const MAX_FILE: u64 = 256 * 1024;
const SUFFIX: &str = ".token.json";
/// Where a new token can be requested.
const SOCKET: &str = "tokens.sock";

/// A folder of token files.
#[derive(Debug, Clone)]
pub struct TokenFolder(PathBuf);

impl TokenFolder {
    /// `circulate` below the folder for temporary files: `/tmp/circulate` in a Lambda function.
    pub fn standard() -> Self {
        Self(std::env::temp_dir().join("circulate"))
    }

    /// This folder.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The Unix socket at which a new token can be requested.
    pub fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }

    /// Makes the folder, for us alone. One of another owner, or something that is not a folder, is refused.
    pub fn secure(&self) -> Result<()> {
        let failed = |what: &str, error: io::Error| {
            self.error(&format!("cannot {what} the folder of token files")).caused_by(error)
        };
        match DirBuilder::new().mode(0o700).create(&self.0) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("make", error)),
        }
        let found = std::fs::symlink_metadata(&self.0).map_err(|error| failed("look at", error))?;
        if !found.is_dir() || found.uid() != geteuid().as_raw() {
            return Err(self
                .error("the folder of token files is somebody else's, or no folder")
                .hint("remove it: whoever made it could read tokens or plant others"));
        }
        if found.mode() & 0o077 != 0 {
            let own = Permissions::from_mode(0o700);
            std::fs::set_permissions(&self.0, own).map_err(|error| failed("close", error))?;
        }
        Ok(())
    }

    /// Whether nobody else could have put something there.
    pub(super) fn is_ours(&self) -> bool {
        std::fs::symlink_metadata(&self.0).is_ok_and(|found| {
            found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0
        })
    }

    /// Removes what is left of a life before: token files, half-written ones, the socket; what they lead to is left alone.
    pub fn clear(&self) -> Result<()> {
        self.secure()?;
        let failed = |error: io::Error| self.error("cannot clear the folder of token files").caused_by(error);
        for entry in std::fs::read_dir(&self.0).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(SUFFIX) || name.starts_with(".token") || name == SOCKET {
                let removed = match std::fs::symlink_metadata(&path) {
                    Ok(found) if found.is_dir() => std::fs::remove_dir_all(&path),
                    _ => std::fs::remove_file(&path),
                };
                // A writer may have given it its name meanwhile, and another pass finds it under that.
                removed
                    .or_else(|error| (error.kind() == io::ErrorKind::NotFound).then_some(()).ok_or(error))
                    .map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Puts a file in the place of the one before it. Readers see either, whole.
    pub fn write(&self, token: &TokenFile) -> Result<()> {
        self.secure()?;
        let path = self.path(&token.profile)?;
        let text = serde_json::to_vec(token)
            .map_err(|error| self.error("cannot write a token as JSON").caused_by(error))?;
        // Made for us alone from the first, and removed if it does not come to its end.
        let written = tempfile::Builder::new()
            .prefix(".token")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(&self.0)
            .and_then(|mut file| {
                file.write_all(&text).and_then(|()| file.persist(&path).map_err(|error| error.error))
            });
        written.map(drop).map_err(|error| {
            self.error("cannot write the token file")
                .caused_by(error)
                .hint("make room: a token takes a few KB of /tmp")
        })
    }

    /// The file of a profile; `None` if there is none. One that others can write or read, or that is not what it should be,
    /// is refused.
    pub fn read(&self, profile: &str) -> Result<Option<TokenFile>> {
        let path = self.path(profile)?;
        if self.0.symlink_metadata().is_err() {
            return Ok(None);
        }
        if !self.is_ours() {
            return Err(refused(&self.0, "lies in a folder that others may change"));
        }
        // Neither a link nor something that keeps us waiting.
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(&path, "can't be opened, or is a link").caused_by(error)),
        };
        let text = read_own(&file, &path)?;
        // What serde says of a syntax error could hold a piece of the token.
        let token: TokenFile = serde_json::from_slice(&text)
            .map_err(|_| refused(&path, "is not a token file of a known form"))?;
        if token.schema != SCHEMA || token.profile != profile {
            return Err(refused(&path, "is of another version or profile"));
        }
        if token.is_bound() && token.dpop_jwk.is_none() {
            return Err(refused(&path, "holds a token that is bound to a key, and no key"));
        }
        token.hide();
        Ok(Some(token))
    }

    fn path(&self, profile: &str) -> Result<PathBuf> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if profile.is_empty() || profile.len() > 64 || !profile.bytes().all(plain) {
            return Err(Error::new(
                ErrorKind::Settings,
                "read settings",
                format!("`{profile}` can't name a token"),
            )
            .hint("use letters, digits, `-` and `_`, at most 64"));
        }
        Ok(self.0.join(format!("{profile}{SUFFIX}")))
    }

    fn error(&self, what: &str) -> Error {
        Error::new(ErrorKind::Auth, "keep token", what).with("folder", self.0.display())
    }
}

fn read_own(file: &File, path: &Path) -> Result<Vec<u8>> {
    let failed = |error: io::Error| refused(path, "can't be read").caused_by(error);
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() || found.uid() != geteuid().as_raw() || found.mode() & 0o077 != 0 {
        return Err(refused(path, "belongs to somebody else, or can be read by others"));
    }
    if found.len() > MAX_FILE {
        return Err(refused(path, "is larger than a token file can be"));
    }
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

fn refused(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::Auth, "read token", format!("the token file {why}"))
        .with("file", path.display())
        .hint("only the extension writes token files; remove this one")
}
