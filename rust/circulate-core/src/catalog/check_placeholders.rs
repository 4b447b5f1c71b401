//! What is wrong with the settings that templates of a source use.

use super::source::Source;
use super::wrong::Wrong;

/// These settings must be there, and must not be secret: `why` says why not.
pub(super) fn check_open<'n>(
    source: &Source,
    at: &str,
    names: impl IntoIterator<Item = &'n str>,
    why: &str,
) -> Result<(), Wrong> {
    let wrong = |why: String| Err(Wrong::at(at, why));
    for name in names {
        match source.settings.iter().find(|(key, _)| key.as_str() == name) {
            None => return wrong(format!("`{{{name}}}` is not among the settings")),
            Some((_, setting)) if setting.secret => {
                return wrong(format!("{at} uses `{{{name}}}`, a secret: {why}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
