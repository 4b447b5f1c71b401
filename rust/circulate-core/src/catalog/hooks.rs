//! Files with hooks: read once, so that what runs is what the digest of the definition was made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use super::auth::Auth;
use super::hook_ref::HookRef;
use super::paginator::PaginatorSpec;
use super::source::Source;
use super::stream::StreamSpec;
use crate::error::{Error, ErrorKind, Result};

impl StreamSpec {
    /// All hooks of the list.
    pub(super) fn all_hooks(&self) -> impl Iterator<Item = &HookRef> {
        let by_paginator = match &self.paginator {
            PaginatorSpec::Hook(hook) => Some(hook),
            _ => None,
        };
        [self.hooks.page.as_ref(), self.hooks.split.as_ref(), by_paginator].into_iter().flatten()
    }
}

impl Source {
    /// The hooks by which requests may be signed in.
    pub(super) fn hooks(&self) -> impl Iterator<Item = &HookRef> {
        self.auth.iter().filter_map(|way| match way {
            Auth::Sign(sign) => Some(&sign.hook),
            _ => None,
        })
    }
}

/// A file with hooks, as it was read. Its code is made of these very bytes, and so is the digest of the definition.
#[derive(Clone, PartialEq, Eq)]
pub struct HookFile {
    /// Where it is, for people.
    pub path: PathBuf,
    /// What it holds.
    pub code: Arc<[u8]>,
}

impl fmt::Debug for HookFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HookFile").field(&self.path).finish()
    }
}

impl HookFile {
    /// SHA-256 of it, in hex.
    pub fn sha256(&self) -> String {
        crate::hex(&Sha256::digest(&self.code))
    }
}

/// The files with the hooks of a definition, and which hooks these are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookFiles {
    /// By name.
    pub files: BTreeMap<String, HookFile>,
    /// The functions that are called.
    pub hooks: Vec<HookRef>,
    /// Why none of it may run, if so.
    pub refused: Option<String>,
}

impl HookFiles {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    /// Adds those of another definition of the same source.
    pub fn add(&mut self, other: &Self) {
        for (name, file) in &other.files {
            self.files.entry(name.clone()).or_insert_with(|| file.clone());
        }
        self.hooks.extend(
            other.hooks.iter().filter(|hook| !self.hooks.contains(hook)).cloned().collect::<Vec<_>>(),
        );
        self.refused = self.refused.take().or_else(|| other.refused.clone());
    }

    /// Those of `hooks`, as they are read of a definition that has no others.
    pub(super) fn only<'h>(&self, hooks: impl Iterator<Item = &'h HookRef>) -> Self {
        let hooks: Vec<_> = hooks.cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let is_of_one = |name: &String| hooks.iter().any(|hook| hook.file() == name);
        let files = self.files.iter().filter(|(name, _)| is_of_one(name));
        let files = files.map(|(name, file)| (name.clone(), file.clone())).collect();
        Self { files, hooks, refused: self.refused.clone() }
    }

    /// The digests of the files, by name.
    pub fn digests(&self) -> BTreeMap<&str, String> {
        self.files.iter().map(|(name, file)| (name.as_str(), file.sha256())).collect()
    }
}

/// The largest file with hooks.
const MAX_CODE: u64 = 1_000_000;

/// Reads a file of hooks in the `folder` of a source. A link is refused: it could lead anywhere, and elsewhere tomorrow.
pub(super) fn read_hook_file(folder: &Path, name: &str) -> Result<HookFile> {
    let path = folder.join(name);
    let wrong = |why: &str| {
        Error::new(ErrorKind::Definition, "read hook", format!("cannot read the file with the hook: {why}"))
            .with("file", path.display())
    };
    // One that is not a regular file could make whoever opens it wait.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::LOOP => {
            wrong("it is a link").hint("put the file itself into the folder of the source")
        }
        rustix::io::Errno::NOENT => wrong("there is none")
            .hint("a hook is in a Python file beside the definition, in the folder of its source"),
        other => wrong("it can't be opened").caused_by(std::io::Error::from(other)),
    })?;
    let file = std::fs::File::from(opened);
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    if !is_file {
        return Err(wrong("it is not a file"));
    }
    let mut code = Vec::new();
    file.take(MAX_CODE + 1)
        .read_to_end(&mut code)
        .map_err(|error| wrong("it can't be read").caused_by(error))?;
    if code.len() as u64 > MAX_CODE {
        return Err(wrong("it is larger than 1 MB"));
    }
    Ok(HookFile { path, code: code.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_hooks_is_read_from_its_folder_and_from_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("evil.py"), "x = 1").unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("evil.py"), folder.path().join("link.py")).unwrap();
        std::fs::create_dir(folder.path().join("folder.py")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe.py"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        std::fs::write(folder.path().join("large.py"), vec![b'#'; 1_000_001]).unwrap();
        std::fs::write(folder.path().join("hooks.py"), "def f(): pass").unwrap();
        for (name, why) in [
            ("link.py", "it is a link"),
            ("folder.py", "it is not a file"),
            ("pipe.py", "it is not a file"),
            ("large.py", "larger than 1 MB"),
            ("missing.py", "there is none"),
        ] {
            let error = read_hook_file(folder.path(), name).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(name), "{error}");
        }
        assert_eq!(&*read_hook_file(folder.path(), "hooks.py").unwrap().code, b"def f(): pass");
    }
}
