//! Files of sorted entries beside a manifest: keys of records, and the parents whose lists were read.
//!
//! A file holds entries of one size in ascending order, each once, and nothing else. Of several files each begins behind the
//! end of the one before. They are created once, and the index names them with their digests.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{EntryFile, read_existing, sha256_hex};
use crate::lake::sink::{Object, Sink, StoredObject, create_same};

/// The most bytes of a file.
pub const MAX_FILE: usize = 4_000_000;
const CONTENT_TYPE: &str = "application/octet-stream";

/// A file, whose entries have so many bytes, as an object that can be copied.
pub fn known_file(file: &EntryFile, size: usize) -> StoredObject {
    StoredObject {
        key: file.key.clone(),
        bytes: file.entries * size as u64,
        sha256: file.sha256.clone(),
        content_type: CONTENT_TYPE,
        content_encoding: None,
    }
}

/// Writes entries, which come in order, into files.
#[derive(Debug)]
pub struct EntryWriter<'s, const N: usize> {
    sink: &'s dyn Sink,
    keys: &'s StreamKeys,
    kind: &'static str,
    entries: Vec<u8>,
    files: Vec<EntryFile>,
}

impl<'s, const N: usize> EntryWriter<'s, N> {
    /// Files of one kind, such as `keys`, beside the manifest of a run.
    pub fn new(sink: &'s dyn Sink, keys: &'s StreamKeys, kind: &'static str) -> Self {
        Self { sink, keys, kind, entries: Vec::new(), files: Vec::new() }
    }

    /// Adds an entry.
    pub async fn push(&mut self, entry: &[u8; N]) -> Result<()> {
        self.entries.extend_from_slice(entry);
        if self.entries.len() + N > MAX_FILE { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<()> {
        let entries = std::mem::take(&mut self.entries);
        // An attempt that another one follows may have been asked for something else: what it wrote is not in the way.
        let key = self.keys.entries(self.kind, self.files.len(), &sha256_hex(&entries)[..8]);
        let file = write_entries::<N>(self.sink, key, entries).await?;
        self.files.push(file);
        Ok(())
    }

    /// The files, in order.
    pub async fn finish(mut self) -> Result<Vec<EntryFile>> {
        if !self.entries.is_empty() {
            self.write().await?;
        }
        Ok(self.files)
    }
}

/// Writes sorted entries, of which there is at least one, as one file.
pub async fn write_entries<const N: usize>(
    sink: &dyn Sink,
    key: String,
    entries: Vec<u8>,
) -> Result<EntryFile> {
    let file = EntryFile {
        key: key.clone(),
        sha256: sha256_hex(&entries),
        entries: (entries.len() / N) as u64,
        first: crate::hex(&entries[..N]),
        last: crate::hex(&entries[entries.len() - N..]),
    };
    let content_type = CONTENT_TYPE;
    create_same(sink, Object { key, bytes: entries.into(), content_type, content_encoding: None }).await?;
    Ok(file)
}

/// Reads entries out of files, a file at a time.
#[derive(Debug)]
pub struct EntryReader<'s, const N: usize> {
    sink: &'s dyn Sink,
    files: std::vec::IntoIter<EntryFile>,
    bytes: Bytes,
    at: usize,
    last: Option<[u8; N]>,
}

impl<'s, const N: usize> EntryReader<'s, N> {
    /// The entries of `files`, which are in order.
    pub fn new(sink: &'s dyn Sink, files: Vec<EntryFile>) -> Self {
        Self { sink, files: files.into_iter(), bytes: Bytes::new(), at: 0, last: None }
    }

    /// The next entry. A file that is missing, was changed or is out of order is an error that names it.
    pub async fn next(&mut self) -> Result<Option<[u8; N]>> {
        while self.at == self.bytes.len() {
            let Some(file) = self.files.next() else { return Ok(None) };
            self.bytes = Bytes::new();
            self.bytes = read_entries::<N>(self.sink, &file).await?;
            self.at = 0;
            if self.last.is_some_and(|last| self.bytes.get(..N) <= Some(&last[..])) {
                return Err(out_of_order(&file.key));
            }
        }
        let mut entry = [0; N];
        entry.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        self.last = Some(entry);
        Ok(Some(entry))
    }
}

/// The bytes of a file, which must be as it was written.
pub async fn read_entries<const N: usize>(sink: &dyn Sink, file: &EntryFile) -> Result<Bytes> {
    let bytes = read_existing(sink, &file.key).await?;
    let is_whole = bytes.len() % N == 0 && (bytes.len() / N) as u64 == file.entries && !bytes.is_empty();
    if sha256_hex(&bytes) != file.sha256 || !is_whole {
        let changed = "the file of keys was changed after it was written";
        return Err(Error::new(ErrorKind::Mismatch, "read keys", changed).with("key", &file.key));
    }
    let (entries, _) = bytes.as_chunks::<N>();
    if entries.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(out_of_order(&file.key));
    }
    Ok(bytes)
}

fn out_of_order(key: &str) -> Error {
    Error::new(ErrorKind::Mismatch, "read keys", "the file of keys is not in order").with("key", key)
}
