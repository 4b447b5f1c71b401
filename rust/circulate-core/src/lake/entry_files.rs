//! Files of sorted entries beside a manifest: keys of records, and the parents whose lists were read.
//!
//! A file holds entries of one size in ascending order, each once, and nothing else. They are created once, and the index names
//! them with their digests. Keys of records, which begin with the parents, are stored by parents: groups of what the keys of a
//! group begin with (16 bytes), of how many there are (8 bytes, big-endian), and of the rest of each (16 bytes). Other entries
//! are one group, which begins with nothing.

use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{EntryFile, read_existing, sha256_hex};
use crate::lake::record_key::{KEY_BYTES, KEY_ENTRY};
use crate::lake::sink::{Object, Sink, StoredObject, create_same};

/// The most bytes of the entries of a file.
pub const MAX_FILE: usize = 4_000_000;
/// Bytes in which the number of entries of a group is stored.
const COUNT_BYTES: usize = 8;
const CONTENT_TYPE: &str = "application/octet-stream";

/// A file as an object that can be copied.
pub fn known_file(file: &EntryFile) -> StoredObject {
    StoredObject {
        key: file.key.clone(),
        bytes: file.bytes,
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
    entries: Vec<[u8; N]>,
    files: Vec<EntryFile>,
}

impl<'s, const N: usize> EntryWriter<'s, N> {
    /// Files of one kind, such as `keys`, beside the manifest of a run.
    pub fn new(sink: &'s dyn Sink, keys: &'s StreamKeys, kind: &'static str) -> Self {
        Self { sink, keys, kind, entries: Vec::new(), files: Vec::new() }
    }

    /// Adds an entry.
    pub async fn push(&mut self, entry: &[u8; N]) -> Result<()> {
        self.entries.push(*entry);
        if self.entries.len() == MAX_FILE / N { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<()> {
        // An attempt that another one follows may have been asked for something else: what it wrote is not in the way.
        let key = |sha256: &str| self.keys.entries(self.kind, self.files.len(), &sha256[..8]);
        let file = write_entries(self.sink, key, &self.entries).await?;
        self.files.push(file);
        self.entries.clear();
        Ok(())
    }

    /// The files, in order: each begins behind the end of the one before.
    pub async fn finish(mut self) -> Result<Vec<EntryFile>> {
        if !self.entries.is_empty() {
            self.write().await?;
        }
        Ok(self.files)
    }
}

/// Writes sorted entries, of which there is at least one, as one file; `key` names it by its digest.
pub async fn write_entries<const N: usize>(
    sink: &dyn Sink,
    key: impl Fn(&str) -> String,
    entries: &[[u8; N]],
) -> Result<EntryFile> {
    let hex_of = |entry: Option<&[u8; N]>| entry.map_or_else(String::new, |entry| crate::hex(entry));
    let bytes = pack(entries);
    let sha256 = sha256_hex(&bytes);
    let file = EntryFile {
        key: key(&sha256),
        bytes: bytes.len() as u64,
        entries: entries.len() as u64,
        first: hex_of(entries.first()),
        last: hex_of(entries.last()),
        sha256,
    };
    let (key, content_type) = (file.key.clone(), CONTENT_TYPE);
    create_same(sink, Object { key, bytes: bytes.into(), content_type, content_encoding: None }).await?;
    Ok(file)
}

/// Reads entries out of files, a file at a time.
#[derive(Debug)]
pub struct EntryReader<'s, const N: usize> {
    sink: &'s dyn Sink,
    files: std::vec::IntoIter<EntryFile>,
    entries: std::vec::IntoIter<[u8; N]>,
    last: Option<[u8; N]>,
}

impl<'s, const N: usize> EntryReader<'s, N> {
    /// The entries of `files`, which are in order: each begins behind the end of the one before.
    pub fn new(sink: &'s dyn Sink, files: Vec<EntryFile>) -> Self {
        Self { sink, files: files.into_iter(), entries: Vec::new().into_iter(), last: None }
    }

    /// The next entry. A file that is missing, was changed or is out of order is an error that names it.
    pub async fn next(&mut self) -> Result<Option<[u8; N]>> {
        loop {
            if let Some(entry) = self.entries.next() {
                self.last = Some(entry);
                return Ok(Some(entry));
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            self.entries = Vec::new().into_iter();
            self.entries = read_entries(self.sink, &file).await?.into_iter();
            let first = self.entries.as_slice().first();
            if self.last.is_some_and(|last| first <= Some(&last)) {
                return Err(changed(&file.key, "the file of keys is not in order"));
            }
        }
    }
}

/// The entries of a file, which must be as it was written.
pub async fn read_entries<const N: usize>(sink: &dyn Sink, file: &EntryFile) -> Result<Vec<[u8; N]>> {
    let bytes = read_existing(sink, &file.key).await?;
    let as_written = (sha256_hex(&bytes) == file.sha256).then(|| unpack(&bytes)).flatten();
    match as_written.filter(|entries| entries.len() as u64 == file.entries) {
        None => Err(changed(&file.key, "the file of keys was changed after it was written")),
        Some(entries) if entries.windows(2).any(|pair| pair[0] >= pair[1]) => {
            Err(changed(&file.key, "the file of keys is not in order"))
        }
        Some(entries) => Ok(entries),
    }
}

fn changed(key: &str, how: &str) -> Error {
    Error::new(ErrorKind::Mismatch, "read keys", how).with("key", key)
}

/// Bytes that the entries of a group have in common.
const fn common(size: usize) -> usize {
    if size == KEY_ENTRY { KEY_BYTES } else { 0 }
}

/// Sorted entries as they are stored.
fn pack<const N: usize>(entries: &[[u8; N]]) -> Vec<u8> {
    let common = common(N);
    let mut bytes = Vec::with_capacity(entries.len() * (N - common) + common + COUNT_BYTES);
    for group in entries.chunk_by(|one, other| one[..common] == other[..common]) {
        bytes.extend_from_slice(&group[0][..common]);
        bytes.extend_from_slice(&(group.len() as u64).to_be_bytes());
        for entry in group {
            bytes.extend_from_slice(&entry[common..]);
        }
    }
    bytes
}

/// The entries that are stored so; `None` if none are.
fn unpack<const N: usize>(mut bytes: &[u8]) -> Option<Vec<[u8; N]>> {
    let common = common(N);
    let rest = N - common;
    let mut entries = Vec::with_capacity(bytes.len() / rest);
    while !bytes.is_empty() {
        let (begin, counted) = bytes.split_at_checked(common)?;
        let (count, others) = counted.split_first_chunk::<COUNT_BYTES>()?;
        let length = usize::try_from(u64::from_be_bytes(*count)).ok()?.checked_mul(rest)?;
        let (group, after) = others.split_at_checked(length)?;
        entries.extend(group.chunks_exact(rest).map(|end| {
            let mut entry = [0; N];
            entry[..common].copy_from_slice(begin);
            entry[common..].copy_from_slice(end);
            entry
        }));
        bytes = after;
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::lake::record_key::SCOPE_ENTRY;

    fn key_of((scope, key): (u8, u16)) -> [u8; KEY_ENTRY] {
        let mut entry = [0; KEY_ENTRY];
        entry[0] = scope;
        entry[KEY_ENTRY - 2..].copy_from_slice(&key.to_be_bytes());
        entry
    }

    proptest! {
        #[test]
        fn entries_are_read_as_they_were_stored(
            keys in proptest::collection::btree_set((0_u8..4, any::<u16>()), 0..200),
            scopes in proptest::collection::btree_set(any::<[u8; SCOPE_ENTRY]>(), 0..50),
        ) {
            let keys: Vec<_> = keys.into_iter().map(key_of).collect();
            prop_assert_eq!(unpack(&pack(&keys)), Some(keys.clone()));
            let parents: BTreeSet<_> = keys.iter().map(|key| key[0]).collect();
            prop_assert_eq!(pack(&keys).len(), 16 * keys.len() + 24 * parents.len());
            let scopes: Vec<_> = scopes.into_iter().collect();
            prop_assert_eq!(unpack(&pack(&scopes)), Some(scopes));
        }

        #[test]
        fn any_bytes_are_entries_or_none(
            bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..200),
        ) {
            if let Some(entries) = unpack::<KEY_ENTRY>(&bytes) {
                prop_assert!(entries.len() * KEY_BYTES <= bytes.len());
            }
            if let Some(entries) = unpack::<SCOPE_ENTRY>(&bytes) {
                prop_assert!(entries.len() * SCOPE_ENTRY <= bytes.len());
            }
        }
    }
}
