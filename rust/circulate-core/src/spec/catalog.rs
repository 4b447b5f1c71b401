//! Folders of definitions, and looking a stream up in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::nearest::nearest;
use super::source::Source;
use super::stream::Endpoint;
use super::yaml::{endpoint_from_yaml, source_from_yaml};
use crate::error::{Error, ErrorKind, Result};

/// One stream with the source it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The source.
    pub source: Source,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The endpoint whose records it is asked for, if it is a child.
    pub parent: Option<Endpoint>,
}

impl Definition {
    /// `source.endpoint`, as people name it.
    pub fn name(&self) -> String {
        format!("{}.{}", self.source.source, self.endpoint.endpoint)
    }

    /// The OAuth scopes that pulling it needs, its parent's included, sorted; `None` if its definition does not tell.
    pub fn scopes(&self) -> Option<BTreeSet<String>> {
        let of = |endpoint: &Endpoint| endpoint.scopes.clone();
        let own = of(&self.endpoint)?;
        let parents = self.parent.as_ref().map_or(Some(Vec::new()), of)?;
        Some(own.into_iter().chain(parents).collect())
    }

    /// SHA-256 of what the stream asks for and how, in hex. Comments and layout of the file do not count, nor
    /// do settings such as timeouts that change nothing in what is collected.
    pub fn spec_hash(&self) -> Result<String> {
        let text = match &self.parent {
            None => serde_json::to_vec(&(&self.source.base_url, &self.endpoint.list)),
            Some(parent) => serde_json::to_vec(&(&self.source.base_url, &self.endpoint.list, &parent.list)),
        };
        let text = text.map_err(|error| {
            Error::new(ErrorKind::Definition, "hash definition", "cannot write the definition as JSON")
                .caused_by(error)
        })?;
        Ok(crate::hex(&Sha256::digest(text)))
    }
}

/// Folders of sources, searched in order: a source found in an earlier folder hides one of the same name.
#[derive(Debug, Clone)]
pub struct Catalog {
    folders: Vec<PathBuf>,
}

impl Catalog {
    /// A catalog of `folders`, each holding one folder per source.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// Finds `source.endpoint` and reads its two files.
    pub fn stream(&self, name: &str) -> Result<Definition> {
        let Some((source_name, endpoint_name)) = name.split_once('.') else {
            return Err(self.unknown(name, "a stream is named `source.endpoint`, such as `okta.users`"));
        };
        let streams = self.streams()?;
        if !streams.iter().any(|known| known == name) {
            let why = match nearest(name, streams.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`? `circulate list` shows them all"),
                None => "`circulate list` shows them all".to_owned(),
            };
            return Err(self.unknown(name, &why));
        }
        let (source, folder) = self.source(source_name)?;
        let endpoint = endpoint(&folder, endpoint_name)?;
        let parent = match &endpoint.list.parent {
            None => None,
            Some(parent) => Some(parent_endpoint(&folder, endpoint_name, parent.endpoint.as_str())?),
        };
        Ok(Definition { source, endpoint, parent })
    }

    /// Finds a source, and the folder it was read from.
    pub fn source(&self, name: &str) -> Result<(Source, PathBuf)> {
        let sources = self.source_folders()?;
        let Some(folder) = sources.get(name) else {
            let known: Vec<_> = sources.into_keys().collect();
            return Err(Error::new(
                ErrorKind::Definition,
                "find source",
                format!("no source is named `{name}`"),
            )
            .hint(format!("known sources: {}", known.join(", "))));
        };
        let file = folder.join("source.yaml");
        let source = source_from_yaml(&read(&file)?, &file)?;
        require_same(source.source.as_str(), name, "source", &file)?;
        Ok((source, folder.clone()))
    }

    /// Names of all streams, sorted. The files are not read.
    pub fn streams(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (source, folder) in self.source_folders()? {
            for file in entries(&folder)? {
                let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                if file.extension().is_some_and(|extension| extension == "yaml") && stem != "source" {
                    names.push(format!("{source}.{stem}"));
                }
            }
        }
        names.sort();
        Ok(names)
    }

    fn source_folders(&self) -> Result<BTreeMap<String, PathBuf>> {
        let mut sources = BTreeMap::new();
        for folder in &self.folders {
            for entry in entries(folder)? {
                if let Some(name) = entry.file_name().and_then(|name| name.to_str())
                    && entry.join("source.yaml").is_file()
                {
                    sources.entry(name.to_owned()).or_insert_with(|| entry.clone());
                }
            }
        }
        Ok(sources)
    }

    fn unknown(&self, name: &str, hint: &str) -> Error {
        let folders: Vec<_> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        Error::new(ErrorKind::Definition, "find stream", format!("no stream is named `{name}`"))
            .with("catalog", folders.join(", "))
            .hint(hint)
    }
}

fn endpoint(folder: &Path, name: &str) -> Result<Endpoint> {
    let file = folder.join(format!("{name}.yaml"));
    let endpoint = endpoint_from_yaml(&read(&file)?, &file)?;
    require_same(endpoint.endpoint.as_str(), name, "endpoint", &file)?;
    Ok(endpoint)
}

fn parent_endpoint(folder: &Path, child: &str, name: &str) -> Result<Endpoint> {
    let wrong = |why: &str| {
        Error::new(
            ErrorKind::Definition,
            "read definition",
            format!("the parent `{name}` of `{child}` {why}"),
        )
        .with("file", folder.join(format!("{child}.yaml")).display())
    };
    if !folder.join(format!("{name}.yaml")).is_file() {
        return Err(wrong("is no endpoint of this source"));
    }
    let parent = endpoint(folder, name)?;
    if parent.list.parent.is_some() {
        return Err(wrong("is a child itself"));
    }
    Ok(parent)
}

pub(super) fn require_same(inside: &str, outside: &str, what: &str, file: &Path) -> Result<()> {
    if inside == outside {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Definition,
        "read definition",
        format!("`{what}: {inside}` differs from its {what} name on disk, `{outside}`"),
    )
    .with("file", file.display()))
}

pub(super) fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Error::new(ErrorKind::Definition, "read definition", "cannot read the definition")
            .caused_by(error)
            .with("file", file.display())
    })
}

pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing =
        std::fs::read_dir(folder).and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect());
    listing.map_err(|error| {
        Error::new(ErrorKind::Definition, "read catalog", "cannot read the folder")
            .caused_by(error)
            .with("folder", folder.display())
    })
}
