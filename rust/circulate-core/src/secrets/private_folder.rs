//! Folders of secrets: ours alone, each file whole or not at all, and still there after a crash of the machine.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::error::{Error, ErrorKind, Result};

/// The most that a file may take.
const MAX_FILE: u64 = 256 * 1024;

/// A folder for secrets.
#[derive(Debug, Clone)]
pub(crate) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// This folder, made for us alone if need be. One that others can change is refused.
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let failed = |error: io::Error| {
            wrong(&path, "cannot be made or looked at")
                .caused_by(error)
                .hint("secrets are kept there: make room for it, or name another folder in XDG_STATE_HOME")
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        let found = std::fs::symlink_metadata(&path).map_err(failed)?;
        if !found.is_dir() || found.uid() != geteuid().as_raw() {
            return Err(
                wrong(&path, "is somebody else's, or is not a folder").hint("remove it, and what is in it")
            );
        }
        if found.mode() & 0o077 != 0 {
            std::fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Ok(Self(path))
    }

    /// The path of a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The lock on a name, unless another process has it. The system ends it when the file is closed, also of a process that
    /// is killed.
    pub(crate) fn lock(&self, name: &str) -> Result<Option<File>> {
        let path = self.path(&format!("{name}.lock"));
        let failed = |error: io::Error| wrong(&path, "cannot be locked").caused_by(error);
        let file =
            options().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// What a file holds; `None` if there is none. One that others can read, or that is not a file of ours, is refused.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        let failed = |error: io::Error| wrong(&path, "cannot be read, or is a link").caused_by(error);
        let file = match options().read(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() || found.uid() != geteuid().as_raw() || found.mode() & 0o077 != 0 {
            return Err(wrong(&path, "belongs to somebody else, or can be read by others")
                .hint("whoever can read it has the secret: remove it, and get another one"));
        }
        let mut text = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
        Ok(Some(text))
    }

    /// Puts a file in the place of the one before it. Whoever reads sees either, whole, also after a crash of the machine.
    pub(crate) fn write(&self, name: &str, text: &[u8]) -> Result<()> {
        let path = self.path(name);
        let written = tempfile::Builder::new()
            .prefix(".written-")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(&self.0)
            .and_then(|mut file| {
                file.write_all(text)?;
                file.as_file().sync_all()?;
                file.persist(&path).map_err(|error| error.error)?;
                File::open(&self.0)?.sync_all()
            });
        written.map_err(|error| wrong(&path, "cannot be written").caused_by(error).hint("make room for it"))
    }
}

/// Follows no link, and waits for nothing.
fn options() -> OpenOptions {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.custom_flags(flags);
    options
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Settings, "keep secret", format!("`{}` {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_kept_is_ours_alone() {
        let above = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::open(above.path().join("a/b")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&above.path().join("a")), mode(&folder.path("."))), (0o700, 0o700));
        folder.write("one", b"first").unwrap();
        folder.write("one", b"second").unwrap();
        assert_eq!(
            (folder.read("one").unwrap().unwrap(), mode(&folder.path("one"))),
            (b"second".to_vec(), 0o600)
        );
        assert_eq!(folder.read("other").unwrap(), None);
        assert_eq!(std::fs::read_dir(folder.path(".")).unwrap().count(), 1, "nothing half-written is left");
    }

    #[test]
    fn what_others_could_have_read_or_planted_is_refused() {
        let above = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::open(above.path().join("tokens")).unwrap();
        folder.write("open", b"x").unwrap();
        std::fs::set_permissions(folder.path("open"), Permissions::from_mode(0o644)).unwrap();
        symlink(folder.path("open"), folder.path("link")).unwrap();
        std::fs::create_dir(folder.path("folder")).unwrap();
        for name in ["open", "link", "folder"] {
            assert!(folder.read(name).is_err(), "{name}");
        }
        symlink(folder.path("."), above.path().join("linked")).unwrap();
        assert!(PrivateFolder::open(above.path().join("linked")).is_err());
        std::fs::write(above.path().join("file"), "").unwrap();
        assert!(PrivateFolder::open(above.path().join("file/tokens")).is_err());
    }

    #[test]
    fn a_lock_is_anothers_until_it_is_let_go() {
        let above = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::open(above.path().join("tokens")).unwrap();
        let held = folder.lock("one").unwrap();
        assert!(held.is_some() && folder.lock("one").unwrap().is_none());
        assert!(folder.lock("other").unwrap().is_some());
        drop(held);
        assert!(folder.lock("one").unwrap().is_some());
    }
}
