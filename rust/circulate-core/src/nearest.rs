//! "Did you mean ...?"

/// The known name closest to `name`, if it is close enough to be a typo.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let candidates = known.into_iter().map(|candidate| (edit_distance(name, candidate), candidate));
    candidates.min().filter(|(distance, _)| *distance <= 3).map(|(_, candidate)| candidate)
}

/// Names that a hint lists.
const MAX_LISTED: usize = 40;

/// What a hint says of a name that is not known: which one is likely to be meant, and, introduced by `there`, which there are.
pub(crate) fn meant(likely: Option<&str>, there: &str, known: &[&str]) -> String {
    let likely = likely.map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
    let more = known.len().saturating_sub(MAX_LISTED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let listed: Vec<_> = known.iter().take(MAX_LISTED).copied().collect();
    format!("{likely}{there}: {}{more}", listed.join(", "))
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
