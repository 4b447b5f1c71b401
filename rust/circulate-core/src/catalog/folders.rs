//! Folders of definitions, and looking a stream up in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::hooks::{HookFile, HookFiles, read_hook_file};
use super::operation::Operation;
use super::paginator::PaginatorSpec;
use super::source::Source;
use super::stream::Endpoint;
use super::types::Name;
use super::written::written;
use super::yaml::{
    PAGINATORS, earlier_keys, endpoint_from_yaml, endpoint_of_source, inline_source, source_from_yaml,
    with_others,
};
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest;

/// One stream with the source it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The source.
    pub source: Source,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The endpoints whose records lead to it, if it is a child: that of the topmost list first, its own parent last.
    pub parents: Vec<Endpoint>,
    /// The files with its hooks, those of its parents and of its source included.
    pub hooks: Arc<HookFiles>,
}

impl Definition {
    /// `source.endpoint`, as people name it.
    pub fn name(&self) -> String {
        format!("{}.{}", self.source.source, self.endpoint.endpoint)
    }

    /// The endpoint whose records it is requested for, if it is a child.
    pub fn parent(&self) -> Option<&Endpoint> {
        self.parents.last()
    }

    /// An operation of the endpoint.
    pub fn operation(&self, name: &str) -> Result<&Operation> {
        let operations = &self.endpoint.operations;
        let known = || operations.keys().map(Name::as_str);
        operations.iter().find(|(key, _)| key.as_str() == name).map(|(_, operation)| operation).ok_or_else(
            || {
                let what = format!("{} has no operation `{name}`", self.name());
                let error = Error::new(ErrorKind::Definition, "find operation", what);
                match nearest(name, known()) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None if operations.is_empty() => error.hint("its list is all that it has: pull it"),
                    None => error.hint(format!("its operations: {}", known().collect::<Vec<_>>().join(", "))),
                }
            },
        )
    }

    /// The definition of the list of parents of this number, counted from the topmost.
    pub fn of_parents(&self, number: usize) -> Option<Self> {
        let (above, below) = self.parents.split_at_checked(number)?;
        let endpoint = below.first()?;
        let lists = above.iter().chain([endpoint]).flat_map(|endpoint| endpoint.list.all_hooks());
        let hooks = self.hooks.only(self.source.hooks().chain(lists));
        Some(Self {
            source: self.source.clone(),
            endpoint: endpoint.clone(),
            parents: above.to_vec(),
            hooks: Arc::new(hooks),
        })
    }

    /// The OAuth scopes that pulling it needs, its parents' included, sorted; `None` if its definition does not say that, although
    /// the API has scopes, of which `check` of its source needs some. Many APIs have none.
    pub fn scopes(&self) -> Option<BTreeSet<String>> {
        let has_scopes = self.source.check.as_ref().is_some_and(|check| !check.scopes.is_empty());
        let unnamed = || (!has_scopes).then(Vec::new);
        let scopes_of = |endpoint: &Endpoint| endpoint.scopes.clone().or_else(unnamed);
        let of_each: Option<Vec<_>> = self.lists().into_iter().map(scopes_of).collect();
        Some(of_each?.into_iter().flatten().collect())
    }

    /// SHA-256 of what the stream requests and how, in hex. Comments and layout of the file do not count, nor
    /// do settings such as timeouts that change nothing in what is collected, or rules for judging how a list ended.
    pub fn spec_hash(&self) -> Result<String> {
        let list = self.endpoint.list.without_judgement();
        let parents: Vec<_> =
            self.parents.iter().rev().map(|parent| parent.list.without_judgement()).collect();
        let text = match parents.as_slice() {
            [] => serde_json::to_string(&(&self.source.base_url, &list)),
            [parent] => serde_json::to_string(&(&self.source.base_url, &list, parent)),
            [parent, above @ ..] => serde_json::to_string(&(&self.source.base_url, &list, parent, above)),
        };
        let text = text.map_err(|error| {
            Error::new(ErrorKind::Definition, "hash definition", "cannot write the definition as JSON")
                .caused_by(error)
        })?;
        // Cursors and runs of 0.1 have hashes made with the earlier name of this key.
        let mut text = text.replace(r#""polling":{"history":"#, r#""endless":{"history":"#);
        if !self.hooks.is_empty() {
            // Another function may request or make something else, and so may another text of it.
            let names = self.hooks.hooks.iter().map(ToString::to_string);
            let digests = self.hooks.digests().into_iter().map(|(name, sha256)| format!("{name} {sha256}"));
            text.push_str(&names.chain(digests).collect::<Vec<_>>().join("\n"));
        }
        Ok(crate::hex(&Sha256::digest(text)))
    }
}

/// Definitions of one source that are given in code: what its files would hold, as JSON.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inline {
    /// Name of the source.
    pub source: String,
    /// The source, unless it is one of the catalog.
    pub definition: Option<String>,
    /// Endpoints by name, which come before those of the catalog.
    pub endpoints: BTreeMap<String, String>,
    /// Files with hooks by name, which come before those of the source's folder.
    #[serde(default)]
    pub hooks: BTreeMap<String, String>,
}

/// A file of a folder of definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionFile {
    /// Its name in the source's folder.
    pub name: String,
    /// What it holds.
    pub text: String,
}

const SOURCE_FILE: &str = "source.yaml";

/// Folders of sources, searched in order: a source found in an earlier folder hides one of the same name. What is defined in
/// code hides both.
#[derive(Debug, Clone)]
pub struct Catalog {
    folders: Vec<PathBuf>,
    inline: Option<Inline>,
    /// Folders of which no hook may run, each with the reason.
    without_hooks: Vec<(PathBuf, String)>,
}

impl Catalog {
    /// A catalog of `folders`, each holding one folder per source.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, inline: None, without_hooks: Vec::new() }
    }

    /// With what is defined in code.
    pub fn with(self, inline: Option<Inline>) -> Self {
        Self { inline, ..self }
    }

    /// Where hooks of these folders may not run, each with the reason.
    pub fn without_hooks(self, folders: Vec<(PathBuf, String)>) -> Self {
        Self { without_hooks: folders, ..self }
    }

    /// Finds `source.endpoint` and reads its two files, and those with its hooks. No hook runs.
    pub fn stream(&self, name: &str) -> Result<Definition> {
        let Some((source_name, endpoint_name)) = name.split_once('.') else {
            return Err(self.unknown(name, "a stream is named `source.endpoint`, such as `okta.users`"));
        };
        if !self.has_stream(source_name, endpoint_name)? {
            let streams = self.streams()?;
            let why = match nearest(name, streams.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`? `circulate list` shows them all"),
                None => "`circulate list` shows them all".to_owned(),
            };
            return Err(self.unknown(name, &why));
        }
        let source = self.source(source_name)?;
        let endpoint = self.endpoint(&source, endpoint_name)?;
        let (text, file) = self.endpoint_text(source_name, endpoint_name)?;
        let endpoint = with_others(endpoint, &text, &file, &|other| {
            if !self.has_stream(source_name, other)? {
                return Ok(None);
            }
            let (text, file) = self.endpoint_text(source_name, other)?;
            endpoint_from_yaml(&text, &file).map(Some)
        })?;
        let mut parents = Vec::new();
        let mut child = &endpoint;
        while let Some(rule) = child.list.parent() {
            if rule.endpoint.as_str() == endpoint_name
                || parents.iter().any(|above: &Endpoint| above.endpoint == rule.endpoint)
            {
                return Err(self.wrong_parent(&source, child, "leads back to it: no list comes first"));
            }
            parents.push(self.parent(&source, child)?);
            child = &parents[parents.len() - 1];
        }
        parents.reverse();
        let hooks = self.hooks(&source, parents.iter().chain([&endpoint]))?;
        Ok(Definition { source, endpoint, parents, hooks: Arc::new(hooks) })
    }

    /// As [`stream`](Self::stream), for one that is to be read: how its lists are read is known.
    pub fn readable_stream(&self, name: &str) -> Result<Definition> {
        let definition = self.stream(name)?;
        let is_unknown = |endpoint: &&Endpoint| endpoint.list.paginator == PaginatorSpec::Unknown;
        let unknown = definition.parents.iter().find(is_unknown);
        let unknown = unknown.or_else(|| Some(&definition.endpoint).filter(is_unknown));
        let Some(name) = unknown.map(|endpoint| endpoint.endpoint.clone()) else { return Ok(definition) };
        let source = definition.source.source.as_str();
        let (_, file) = self.endpoint_text(source, name.as_str())?;
        let file = file.display();
        let what = format!(
            "{file}: `paginator: unknown`: nobody has said how one page of this list leads to the next; {PAGINATORS}"
        );
        Err(Error::new(ErrorKind::Definition, "read definition", what).hint(format!(
            "write its paginator; of an imported source, in {source}.overlay.yaml. The file says what it might be"
        )))
    }

    /// The files with the hooks of a source.
    pub fn hooks_of_source(&self, source: &Source) -> Result<HookFiles> {
        self.hooks(source, std::iter::empty())
    }

    /// The files with the hooks of a source and of these endpoints of it.
    fn hooks<'e>(&self, source: &Source, endpoints: impl Iterator<Item = &'e Endpoint>) -> Result<HookFiles> {
        let mut hooks: Vec<_> = source.hooks().cloned().collect();
        hooks.extend(endpoints.flat_map(|endpoint| endpoint.list.all_hooks().cloned()));
        hooks.sort();
        hooks.dedup();
        if hooks.is_empty() {
            return Ok(HookFiles::default());
        }
        let name = source.source.as_str();
        let folder = self.folder_of(name)?;
        let mut files = BTreeMap::new();
        for hook in &hooks {
            if !files.contains_key(hook.file()) {
                files.insert(hook.file().to_owned(), self.hook_file(name, folder.as_deref(), hook.file())?);
            }
        }
        let in_code = self
            .inline_of(name)
            .is_some_and(|inline| files.keys().all(|file| inline.hooks.contains_key(file)));
        let above = folder.as_deref().and_then(Path::parent).filter(|_| !in_code);
        let refused = self.without_hooks.iter().find(|(folder, _)| Some(folder.as_path()) == above);
        Ok(HookFiles { files, hooks, refused: refused.map(|(_, why)| why.clone()) })
    }

    /// The folder of a source, unless it is defined in code.
    fn folder_of(&self, source: &str) -> Result<Option<PathBuf>> {
        let in_code = self.inline_of(source).is_some_and(|inline| inline.definition.is_some());
        Ok(self.source_folders()?.remove(source).filter(|_| !in_code))
    }

    fn hook_file(&self, source: &str, folder: Option<&Path>, name: &str) -> Result<HookFile> {
        if let Some(code) = self.inline_of(source).and_then(|inline| inline.hooks.get(name)) {
            let path = PathBuf::from(format!("definition of {source}/{name}"));
            return Ok(HookFile { path, code: code.as_bytes().into() });
        }
        if let Some(folder) = folder {
            return read_hook_file(folder, name);
        }
        let what =
            format!("the hook file `{name}` lies nowhere: {source} is defined in code and has no folder");
        Err(Error::new(ErrorKind::Definition, "read hook", what)
            .hint("give the function itself instead of its name, or name a catalog with the file"))
    }

    /// Finds a source.
    pub fn source(&self, name: &str) -> Result<Source> {
        if let Some(text) = self.inline_of(name).and_then(|inline| inline.definition.as_ref()) {
            let file = PathBuf::from(format!("definition of {name}"));
            let source = inline_source(text, &file)?;
            require_same(source.source.as_str(), name, "source", &file)?;
            return Ok(source);
        }
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
        let file = folder.join(SOURCE_FILE);
        let source = source_from_yaml(&read(&file)?, &file)?;
        require_same(source.source.as_str(), name, "source", &file)?;
        Ok(source)
    }

    /// Whether there is such a stream. The other streams are not looked at: of a source with thousands that would take long for each.
    fn has_stream(&self, source: &str, endpoint: &str) -> Result<bool> {
        if self.inline_of(source).is_some_and(|inline| inline.endpoints.contains_key(endpoint)) {
            return Ok(true);
        }
        let is_name = endpoint.chars().all(|each| each == '_' || each.is_ascii_alphanumeric());
        let file = format!("{endpoint}.yaml");
        let folder = self.folder_of(source)?.filter(|_| is_name && file != SOURCE_FILE);
        Ok(folder.is_some_and(|folder| folder.join(file).is_file()))
    }

    /// Names of all streams, sorted. The files are not read.
    pub fn streams(&self) -> Result<Vec<String>> {
        let mut names = BTreeSet::new();
        for (source, folder) in self.source_folders()? {
            if self.inline_of(&source).is_some_and(|inline| inline.definition.is_some()) {
                continue;
            }
            for file in entries(&folder)? {
                let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                if file.extension().is_some_and(|extension| extension == "yaml") && stem != "source" {
                    names.insert(format!("{source}.{stem}"));
                }
            }
        }
        if let Some(inline) = &self.inline {
            names.extend(inline.endpoints.keys().map(|endpoint| format!("{}.{endpoint}", inline.source)));
        }
        Ok(names.into_iter().collect())
    }

    /// The files that define what is defined in code, as they would be in a folder of definitions: those of its endpoints, and
    /// what they need beside them.
    pub fn files(&self, source_name: &str) -> Result<Vec<DefinitionFile>> {
        let source = self.source(source_name)?;
        let inline = self.inline_of(source_name);
        let mut names: BTreeSet<String> =
            inline.into_iter().flat_map(|i| i.endpoints.keys().cloned()).collect();
        if names.is_empty() && inline.is_none_or(|inline| inline.definition.is_none()) {
            let what = format!("nothing of {source_name} is defined in code");
            return Err(Error::new(ErrorKind::Definition, "write definition", what)
                .hint("`stream` defines an endpoint: give it a `path` and a `paginator`"));
        }
        // What is needed beside them: parents, and endpoints that operations name, with what these need.
        let mut open: Vec<String> = names.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let definition = self.stream(&format!("{source_name}.{name}"))?;
            let parents = definition.parents.iter().map(|parent| parent.endpoint.as_str());
            let by_operations = definition.endpoint.operations.values().flat_map(Operation::endpoints);
            for needed in parents.chain(by_operations) {
                if names.insert(needed.to_owned()) {
                    open.push(needed.to_owned());
                }
            }
        }
        let mut files = vec![DefinitionFile { name: SOURCE_FILE.to_owned(), text: written(&source)? }];
        let mut endpoints = Vec::new();
        for name in names {
            let endpoint = self.endpoint(&source, &name)?;
            let text = written(&endpoint)?;
            files.push(DefinitionFile { name: format!("{name}.yaml"), text });
            endpoints.push(endpoint);
        }
        for (name, file) in self.hooks(&source, endpoints.iter())?.files {
            let text = String::from_utf8(file.code.to_vec()).map_err(|_| {
                Error::new(ErrorKind::Definition, "write definition", "the file with the hook is not UTF-8")
                    .with("file", file.path.display())
            })?;
            files.push(DefinitionFile { name, text });
        }
        Ok(files)
    }

    /// Whether `text` says what the file of a source of that name has to say, in whatever words.
    pub fn says_the_same(&self, source_name: &str, file: &str, text: &str) -> Result<bool> {
        let source = self.source(source_name)?;
        let path = Path::new(file);
        if path.extension().is_some_and(|extension| extension == "py") {
            // Of code the very text counts.
            let folder = self.folder_of(source_name)?;
            let known = self.hook_file(source_name, folder.as_deref(), file)?;
            return Ok(&*known.code == text.as_bytes());
        }
        if file == SOURCE_FILE {
            return Ok(source_from_yaml(text, path).is_ok_and(|read| read == source));
        }
        let endpoint = self.endpoint(&source, file.trim_end_matches(".yaml"))?;
        Ok(endpoint_of_source(text, path, &source, None).is_ok_and(|read| read == endpoint))
    }

    /// Where the definition of a stream has keys by their earlier names, and what these are called now.
    pub fn earlier_keys(&self, name: &str) -> Result<Vec<String>> {
        let Some((source, endpoint)) = name.split_once('.') else { return Ok(Vec::new()) };
        self.endpoint_text(source, endpoint).map(|(text, file)| earlier_keys(&text, &file))
    }

    fn endpoint(&self, source: &Source, name: &str) -> Result<Endpoint> {
        let (text, file) = self.endpoint_text(source.source.as_str(), name)?;
        let inherited = self.names_from_parent(source, name);
        let endpoint = endpoint_of_source(&text, &file, source, inherited.as_ref())?;
        require_same(endpoint.endpoint.as_str(), name, "endpoint", &file)?;
        Ok(endpoint)
    }

    /// The names that an endpoint has from its parent's requests. `None` if a file on the way cannot be read: it is reported
    /// where it is read for itself.
    fn names_from_parent(&self, source: &Source, name: &str) -> Option<BTreeSet<String>> {
        let (mut names, mut seen, mut of_several) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut next = name.to_owned();
        while seen.insert(next.clone()) {
            let (text, file) = self.endpoint_text(source.source.as_str(), &next).ok()?;
            let endpoint = endpoint_from_yaml(&text, &file).ok()?;
            if next != name {
                // What stands for several parents there stands for none of them further down.
                let (several, single): (Vec<_>, Vec<_>) =
                    endpoint.list.names().partition(|name| endpoint.list.is_batched(name));
                of_several.extend(several.into_iter().map(str::to_owned));
                names.extend(single.into_iter().map(str::to_owned).filter(|name| !of_several.contains(name)));
            }
            match endpoint.list.parent() {
                Some(parent) => parent.endpoint.as_str().clone_into(&mut next),
                None => return Some(names),
            }
        }
        None
    }

    /// What defines an endpoint, and where that is.
    fn endpoint_text(&self, source: &str, name: &str) -> Result<(String, PathBuf)> {
        if let Some(text) = self.inline_of(source).and_then(|inline| inline.endpoints.get(name)) {
            return Ok((text.clone(), PathBuf::from(format!("definition of {source}.{name}"))));
        }
        let folder = self.source_folders()?.remove(source).unwrap_or_default();
        let file = folder.join(format!("{name}.yaml"));
        read(&file).map(|text| (text, file))
    }

    /// The endpoint of the parent of `child`.
    fn parent(&self, source: &Source, child: &Endpoint) -> Result<Endpoint> {
        let name = child.list.parent().map_or("", |parent| parent.endpoint.as_str());
        let wrong = |why: &str| Err(self.wrong_parent(source, child, why));
        if !self.has_stream(source.source.as_str(), name)? {
            return wrong("is not an endpoint of this source");
        }
        let parent = self.endpoint(source, name)?;
        if parent.list.window().is_some() {
            return wrong("is requested in windows of time, and parents are listed at once");
        }
        if parent.list.job.is_some() {
            return wrong("is made by a job, and parents are listed at once");
        }
        if parent.list.polling().is_some() {
            return wrong("is polled, and a list of parents has an end");
        }
        Ok(parent)
    }

    fn wrong_parent(&self, source: &Source, child: &Endpoint, why: &str) -> Error {
        let name = child.list.parent().map_or("", |parent| parent.endpoint.as_str());
        let what = format!("the parent `{name}` of `{}` {why}", child.endpoint);
        let error = Error::new(ErrorKind::Definition, "read definition", what);
        match self.endpoint_text(source.source.as_str(), child.endpoint.as_str()) {
            Ok((_, file)) => error.with("file", file.display()),
            Err(_) => error,
        }
    }

    fn inline_of(&self, source: &str) -> Option<&Inline> {
        self.inline.as_ref().filter(|inline| inline.source == source)
    }

    fn source_folders(&self) -> Result<BTreeMap<String, PathBuf>> {
        let mut sources = BTreeMap::new();
        for folder in &self.folders {
            for entry in entries(folder)? {
                if let Some(name) = entry.file_name().and_then(|name| name.to_str())
                    && entry.join(SOURCE_FILE).is_file()
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

pub(crate) fn require_same(inside: &str, outside: &str, what: &str, file: &Path) -> Result<()> {
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

pub(crate) fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Error::new(ErrorKind::Definition, "read definition", "cannot read the definition")
            .caused_by(error)
            .with("file", file.display())
    })
}

pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing =
        std::fs::read_dir(folder).and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect());
    listing.map_err(|error| {
        Error::new(ErrorKind::Definition, "read catalog", "cannot read the folder")
            .caused_by(error)
            .with("folder", folder.display())
    })
}
