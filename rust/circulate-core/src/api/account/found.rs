//! Whether the settings that were found will do, and which way to sign in they are for.

use std::collections::BTreeSet;

use crate::catalog::{Auth, Name, Setting, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::secrets::StoredSecret;

/// The settings of a source that have a value.
pub(super) struct FoundSettings<'s> {
    pub(super) source: &'s Source,
    pub(super) names: BTreeSet<&'s Name>,
    pub(super) stored: Option<&'s StoredSecret>,
}

impl<'s> FoundSettings<'s> {
    /// Refuses to go on without these.
    pub(super) fn need<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<()> {
        let setting = |name: &str| self.source.settings.keys().find(|key| key.as_str() == name);
        let mut needed = names.filter_map(setting).filter(|key| self.source.settings[*key].default.is_none());
        match needed.find(|key| !self.names.contains(key)) {
            None => Ok(()),
            Some(key) => Err(self.missing(&[key])),
        }
    }

    /// The one way to sign in whose settings are there.
    pub(super) fn way_to_sign_in(&self) -> Result<&'s Auth> {
        let ways = &self.source.auth;
        let begun: Vec<_> = ways
            .iter()
            .filter(|way| self.source.settings_of(way).any(|key| self.names.contains(key)))
            .collect();
        match begun[..] {
            [] if let Some(open) = ways.iter().find(|way| matches!(way, Auth::None)) => Ok(open),
            [] => Err(self.missing(
                &ways.iter().filter_map(|way| self.source.settings_of(way).next()).collect::<Vec<_>>(),
            )),
            [way] => self.complete(way).map(|()| way),
            _ => {
                let set = begun
                    .iter()
                    .filter_map(|way| self.source.settings_of(way).find(|key| self.names.contains(key)));
                Err(self.ambiguous(&set.collect::<Vec<_>>(), "an account signs in in one way"))
            }
        }
    }

    fn complete(&self, way: &Auth) -> Result<()> {
        let missing = way.required().find(|key| !self.names.contains(key));
        if let Some(missing) = missing {
            return Err(self.missing(&[missing]));
        }
        self.need(way.placeholders().into_iter())?;
        let ways = way.alternatives();
        match ways.iter().filter(|key| self.names.contains(*key)).count() {
            0 if way.needs_alternative() => Err(self.missing(&ways)),
            0 | 1 => Ok(()),
            // RFC 6749, section 2.3: no more than one method in a request.
            _ => Err(self.ambiguous(&ways, "a client proves who it is in one way")),
        }
    }

    /// None of these is set, and one of them must be.
    fn missing(&self, keys: &[&Name]) -> Error {
        let title = &self.source.title;
        let what = match keys {
            [key] => format!("{title} needs `{key}`: {}", self.source.settings[*key].about),
            _ => format!("{title} needs {}", quoted(keys, "or")),
        };
        let error = Error::new(ErrorKind::Settings, "read settings", what);
        match self.stored {
            None => error.hint(self.how_to_set(keys)),
            Some(stored) => error.with("secret", stored.id()).hint(format!(
                "the secret has no field {}; its fields: {}",
                quoted(keys, "or"),
                stored.names().join(", ")
            )),
        }
    }

    fn ambiguous(&self, keys: &[&Name], why: &str) -> Error {
        let what = format!("{} of {} are both set", quoted(keys, "and"), self.source.title);
        Error::new(ErrorKind::Settings, "read settings", what).hint(format!("{why}: leave one of them out"))
    }

    fn how_to_set(&self, keys: &[&Name]) -> String {
        let section = &self.source.source;
        let setting = |key: &Name| -> &Setting { &self.source.settings[key] };
        if let [key] = keys {
            let flag = if setting(key).secret { String::new() } else { format!(", or `--set {key}=...`") };
            let env = &setting(key).env;
            return format!(
                "set the environment variable {env}, or `{key}` below [{section}] in circulate.toml{flag}"
            );
        }
        let each: Vec<_> =
            keys.iter().map(|key| format!("{} ({})", setting(key).env, setting(key).about)).collect();
        format!(
            "set the environment variable {}; or its setting below [{section}] in circulate.toml",
            each.join(" or ")
        )
    }
}

/// `` `a` or `b` ``.
fn quoted(names: &[&Name], and: &str) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(&format!(" {and} "))
}
