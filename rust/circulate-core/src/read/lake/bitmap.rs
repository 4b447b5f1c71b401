//! Which rows of an object count.

/// A set of rows, a bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
    count: usize,
}

impl Bitmap {
    pub(super) fn set(&mut self, row: u32) {
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.count += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    pub(super) fn has(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether it has one of these rows.
    pub(super) fn any(&self, from: usize, to: usize) -> bool {
        (from..to).any(|row| self.has(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_what_was_set() {
        let mut rows = Bitmap::default();
        for row in [0, 63, 64, 64, 200] {
            rows.set(row);
        }
        assert_eq!(rows.count(), 4);
        assert_eq!((0..300).filter(|row| rows.has(*row)).collect::<Vec<_>>(), [0, 63, 64, 200]);
        assert!(rows.any(100, 201) && !rows.any(100, 200) && !rows.any(201, 900));
    }
}
