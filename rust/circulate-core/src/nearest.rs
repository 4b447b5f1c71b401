//! "Did you mean ...?"

/// The known name closest to `name`, if it is close enough to be a typo.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let candidates = known.into_iter().map(|candidate| (edit_distance(name, candidate), candidate));
    candidates.min().filter(|(distance, _)| *distance <= 3).map(|(_, candidate)| candidate)
}

/// Levenshtein distance, a row at a time.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
