//! The parents that are in a plan already, by their digests: however many they are, only some are in memory.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::error::{Error, ErrorKind, Result};

type ShortDigest = [u8; 16];
const SIZE: usize = size_of::<ShortDigest>();

/// Digests in memory: some 18 MB of them. The others are in a temporary file, in sorted runs of as many.
const IN_MEMORY: usize = 500_000;
/// Digests that are read at a time.
const WINDOW: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct KnownParents {
    newest: HashSet<ShortDigest>,
    in_memory: usize,
    file: Option<File>,
    runs: usize,
}

impl Default for KnownParents {
    fn default() -> Self {
        Self::holding(IN_MEMORY)
    }
}

impl KnownParents {
    fn holding(in_memory: usize) -> Self {
        Self { newest: HashSet::new(), in_memory, file: None, runs: 0 }
    }

    /// Adds a parent; returns whether it was not known.
    pub fn insert(&mut self, digest: ShortDigest) -> Result<bool> {
        if self.contains(&digest)? {
            return Ok(false);
        }
        if self.newest.len() == self.in_memory {
            self.spill().map_err(failed)?;
        }
        Ok(self.newest.insert(digest))
    }

    /// Whether a parent is known.
    pub fn contains(&self, digest: &ShortDigest) -> Result<bool> {
        Ok(self.newest.contains(digest) || self.is_in_file(digest).map_err(failed)?)
    }

    fn spill(&mut self) -> std::io::Result<()> {
        let mut run: Vec<_> = self.newest.drain().collect();
        run.sort_unstable();
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        file.write_all_at(run.as_flattened(), offset(self.runs * self.in_memory))?;
        self.file = Some(file);
        self.runs += 1;
        Ok(())
    }

    fn is_in_file(&self, digest: &ShortDigest) -> std::io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        for run in 0..self.runs {
            if is_in_run(file, run * self.in_memory, self.in_memory, digest)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Looks for a digest in a sorted run of `length`. They are spread evenly, so that its own value shows about where it
/// stands; two or three windows are read.
fn is_in_run(file: &File, run: usize, length: usize, digest: &ShortDigest) -> std::io::Result<bool> {
    let scaled = scale(digest);
    // It can only stand from `low` up to `high`, whose values lie around its own.
    let (mut low, mut high) = ((0, 0), (length, u64::MAX));
    let mut window = [[0; SIZE]; WINDOW];
    while low.0 < high.0 {
        let (span, room) = (u128::from((high.1 - low.1).max(1)), (high.0 - low.0) as u128);
        let about = u128::from(scaled.saturating_sub(low.1)) * room / span;
        let middle = low.0 + usize::try_from(about).unwrap_or(0);
        let start = middle.saturating_sub(WINDOW / 2).clamp(low.0, high.0 - 1);
        let window = &mut window[..WINDOW.min(high.0 - start)];
        file.read_exact_at(window.as_flattened_mut(), offset(run + start))?;
        let (first, last) = (window[0], window[window.len() - 1]);
        if *digest < first {
            high = (start, scale(&first));
        } else if *digest > last {
            low = (start + window.len(), scale(&last));
        } else {
            return Ok(window.binary_search(digest).is_ok());
        }
    }
    Ok(false)
}

/// Where a digest stands among all there could be.
fn scale(digest: &ShortDigest) -> u64 {
    digest.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn offset(digests: usize) -> u64 {
    digests as u64 * SIZE as u64
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Storage, "plan", "cannot keep the list of parents in a temporary file")
        .caused_by(error)
        .hint("more than 500,000 parents take the temporary folder (TMPDIR): is it full or not writable?")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn digest(number: u64) -> ShortDigest {
        let whole: [u8; 32] = Sha256::digest(number.to_be_bytes()).into();
        whole[..SIZE].try_into().unwrap()
    }

    #[test]
    fn parents_are_known_again_however_many_came_between() {
        let mut known = KnownParents::holding(2_000);
        for number in 0..9_000 {
            assert!(known.insert(digest(number)).unwrap(), "{number}");
        }
        assert_eq!((known.runs, known.newest.len()), (4, 1_000));
        for number in 0..9_000 {
            assert!(!known.insert(digest(number)).unwrap(), "{number}");
        }
        assert!(known.insert(digest(9_000)).unwrap());
    }

    proptest! {
        #[test]
        fn digests_that_are_not_spread_evenly_are_found_too(
            numbers in proptest::collection::vec(0u128..1_000, 1..400),
            shift in 0u32..118,
        ) {
            let (mut known, mut all) = (KnownParents::holding(7), HashSet::new());
            for number in numbers {
                let digest = (number << shift).to_be_bytes();
                prop_assert_eq!(known.insert(digest).unwrap(), all.insert(digest));
            }
        }

        #[test]
        fn large_runs_that_are_not_spread_evenly_are_found_too(step in 1u128..5_000, shift in 0u32..100) {
            let mut known = KnownParents::holding(3_000);
            for number in 0..6_001 {
                prop_assert!(known.insert(((number * step) << shift).to_be_bytes()).unwrap());
            }
            for number in (0..6_000).step_by(97) {
                prop_assert!(!known.insert(((number * step) << shift).to_be_bytes()).unwrap());
            }
        }
    }
}
