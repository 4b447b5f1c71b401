//! A folder as a sink.
//!
//! An object is written to a temporary file beside its place and then linked there, which fails if the place is
//! taken: create-only, whole or not at all. Folders are 0700 and files 0600, since they hold what the API holds.
//!
//! Before `create` returns, what it did is on the disk, also if the power fails: the file's content before it gets its name,
//! then the folder with the name, and each folder above it that was made. So whatever is written after an object, such as the
//! part of the manifest that lists it, the checkpoint in state, the index, is there only if the object is.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::{Created, Listed, Object, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::check_key;

/// Objects as files below a folder, which is made when the first one is written.
#[derive(Debug, Clone)]
pub struct LocalFolder {
    root: PathBuf,
}

impl LocalFolder {
    /// A sink in `root`, given as an absolute path.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }
}

impl Sink for LocalFolder {
    fn create(&self, object: Object) -> BoxFuture<'_, Result<Created>> {
        let path = self.path(&object.key);
        Box::pin(blocking(move || {
            let path = path?;
            create(&path, &object.bytes, &sync_folder)
                .map_err(|error| storage_error("create object", "cannot write the object", error, &path))
        }))
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>>> {
        let path = self.path(key);
        Box::pin(blocking(move || {
            let path = path?;
            match std::fs::read(&path) {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(storage_error("read object", "cannot read the object", error, &path)),
            }
        }))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Listed>> {
        // Folders yet to be looked into, the next one last.
        let pending = vec![self.root.clone()];
        let folders = stream::try_unfold(pending, move |mut pending| async move {
            let Some(folder) = pending.pop() else { return Ok(None) };
            let (mut below, files) = self.look_into(folder, prefix).await?;
            below.reverse();
            pending.append(&mut below);
            Ok(Some((stream::iter(files.into_iter().map(Ok)), pending)))
        });
        folders.try_flatten().boxed()
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        let path = self.root.join(key);
        let root = self.root.clone();
        Box::pin(blocking(move || match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(storage_error("remove object", "cannot remove the object", error, &path))
            }
            _ => {
                // A folder that still holds something refuses to go.
                let mut folders = path.ancestors().skip(1).take_while(|folder| *folder != root);
                while folders.next().is_some_and(|folder| std::fs::remove_dir(folder).is_ok()) {}
                Ok(())
            }
        }))
    }

    fn probe(&self) -> BoxFuture<'_, Result<()>> {
        let root = self.root.clone();
        Box::pin(blocking(move || {
            make_folders(&root)
                .and_then(|()| tempfile::Builder::new().prefix(".probe-").tempfile_in(&root).map(drop))
                .map_err(|error| {
                    storage_error("prepare folder", "cannot write into the folder", error, &root)
                })
        }))
    }

    fn uri(&self) -> String {
        self.root.display().to_string()
    }
}

impl LocalFolder {
    /// Where the object of a key lies: nowhere but in this folder.
    fn path(&self, key: &str) -> Result<PathBuf> {
        check_key(key).map(|()| self.root.join(key))
    }

    /// The folders and files in `folder` that may lie below `prefix`, sorted.
    async fn look_into(&self, folder: PathBuf, prefix: &str) -> Result<(Vec<PathBuf>, Vec<Listed>)> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(move || {
            look_into(&root, &folder, &prefix).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound if folder == root => no_folder("there is no such folder", &root),
                io::ErrorKind::NotADirectory if folder == root => {
                    no_folder("it is a file, not a folder", &root)
                }
                _ => storage_error("list objects", "cannot list the folder", error, &folder),
            })
        })
        .await
    }
}

fn look_into(root: &Path, folder: &Path, prefix: &str) -> io::Result<(Vec<PathBuf>, Vec<Listed>)> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let key = path.strip_prefix(root).ok().and_then(Path::to_str).unwrap_or_default().to_owned();
        // A folder may be on the way to the prefix as well as below it.
        if key.starts_with(prefix) && entry.file_type()?.is_file() {
            let data = entry.metadata()?;
            let written = Timestamp::try_from(data.modified()?).unwrap_or(Timestamp::MAX);
            files.push(Listed { key, bytes: data.len(), written });
        } else if entry.file_type()?.is_dir() && (key.starts_with(prefix) || prefix.starts_with(&key)) {
            folders.push(path);
        }
    }
    folders.sort();
    files.sort_by(|a, b| a.key.cmp(&b.key));
    Ok((folders, files))
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Storage, "write files", "the file worker ended early").caused_by(error))
    })
}

fn create(path: &Path, bytes: &[u8], sync_folder: &dyn Fn(&Path) -> io::Result<()>) -> io::Result<Created> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    make_folders(folder)?;
    missing.iter().filter_map(|made| made.parent()).try_for_each(sync_folder)?;
    // Dropping the temporary name removes it, whether or not the link was made.
    let temporary = tempfile::Builder::new()
        .prefix(".writing-")
        .make_in(folder, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))?;
    let mut file = temporary.as_file();
    file.write_all(bytes)?;
    file.sync_data()?;
    let created = match std::fs::hard_link(temporary.path(), path) {
        Ok(()) => Created::New,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Created::Exists,
        Err(error) => return Err(error),
    };
    // Also of what was there: who wrote it may have died, or failed, before this.
    sync_folder(folder).map(|()| created)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Creates a folder and those above it, for the owner only.
pub(crate) fn make_folders(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn no_folder(what: &str, root: &Path) -> Error {
    Error::new(ErrorKind::Storage, "list objects", what.to_owned())
        .with("folder", root.display())
        .hint("name the folder that was pulled or promoted to")
}

fn storage_error(operation: &'static str, message: &str, error: io::Error, path: &Path) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free some space and try again: it goes on where it stopped")
        }
        io::ErrorKind::PermissionDenied => Some("choose a folder you may write to"),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Some("a part of this path is a file"),
        io::ErrorKind::ReadOnlyFilesystem => Some("the file system is read-only"),
        _ => None,
    };
    let error =
        Error::new(ErrorKind::Storage, operation, message).caused_by(error).with("file", path.display());
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn the_folder_passes_the_sink_suite() {
        let folder = tempfile::tempdir().unwrap();
        testing::sink_suite(&LocalFolder::new(folder.path().join("lake"))).await;
    }

    #[tokio::test]
    async fn folders_pass_the_copying_suite() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("lake"), folder.path().join("data"));
        testing::copying_suite(&LocalFolder::new(from), &LocalFolder::new(to)).await;
    }

    #[tokio::test]
    async fn who_lists_a_folder_that_is_not_there_or_is_a_file_reads_which_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        for (name, what) in [("nowhere", "there is no such folder"), ("file", "it is a file, not a folder")] {
            let root = folder.path().join(name);
            let sink = LocalFolder::new(root.clone());
            let error = sink.list("_circulate/").try_collect::<Vec<_>>().await.unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
            assert!(error.to_string().contains(root.to_str().unwrap()), "{error}");
            assert!(error.hint_text().is_some_and(|hint| hint.contains("pulled or promoted to")), "{error}");
        }
    }

    #[tokio::test]
    async fn files_are_private_and_no_temporary_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let sink = LocalFolder::new(folder.path().join("lake"));
        sink.create(testing::object("a/b.json", "x")).await.unwrap();
        sink.create(testing::object("a/b.json", "y")).await.unwrap();
        let mode = |path: &str| folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("lake/a/b.json"), mode("lake/a")), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(folder.path().join("lake/a")).unwrap().count(), 1);
    }

    #[test]
    fn an_object_and_every_folder_made_for_it_are_on_the_disk_before_it_counts() {
        let lake = tempfile::tempdir().unwrap();
        let path = lake.path().join("lake/a/b/c.json");
        let synced = std::cell::RefCell::new(Vec::new());
        let sync = |folder: &Path| {
            synced.borrow_mut().push(folder.strip_prefix(lake.path()).unwrap().to_owned());
            // The name is given last.
            assert_eq!(path.exists(), folder.ends_with("b"));
            Ok(())
        };
        assert_eq!(create(&path, b"x", &sync).unwrap(), Created::New);
        assert_eq!(synced.take(), ["lake/a", "lake", "", "lake/a/b"].map(PathBuf::from));
        assert_eq!(create(&path, b"y", &sync).unwrap(), Created::Exists);
        assert_eq!(synced.take(), [PathBuf::from("lake/a/b")]);
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn an_object_that_may_not_be_on_the_disk_is_no_success_and_the_next_try_makes_sure_of_it() {
        let lake = tempfile::tempdir().unwrap();
        let path = lake.path().join("a/b.json");
        let failing = |folder: &Path| {
            if folder.ends_with("a") { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
        };
        assert!(create(&path, b"x", &failing).is_err());
        assert_eq!(create(&path, b"x", &sync_folder).unwrap(), Created::Exists);
    }

    #[tokio::test]
    async fn a_file_in_the_way_is_explained() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = LocalFolder::new(file.path().join("lake")).probe().await.unwrap_err();
        assert_eq!(error.hint_text(), Some("a part of this path is a file"));
    }
}
