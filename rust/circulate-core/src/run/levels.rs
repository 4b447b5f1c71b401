//! The lists that lead to a stream's own, from the topmost parents down, and what each is requested for.

use std::collections::{BTreeMap, BTreeSet};

use super::pull::Pull;
use crate::api::account::Account;
use crate::catalog::{Endpoint, Parent, Partitions, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::plan::{KnownParents, Partition};
use crate::lake::manifest::sha256_hex;

/// What distinguishes the partitions that one of the lists is requested for.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// The names that they have from the lists above.
    pub(super) names: BTreeSet<String>,
    /// The values that each of these is requested for, by the name of them.
    pub(super) values: Vec<(String, Vec<String>)>,
}

/// A list of parents, whose records lead to the next list.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListOfParents<'p> {
    /// How many lists come before it.
    pub(super) number: usize,
    pub(super) endpoint: &'p Endpoint,
    pub(super) rule: &'p Parent,
}

impl ListOfParents<'_> {
    /// Whether it is one list, for which nothing else is read before.
    pub(super) fn is_one(self) -> bool {
        self.number == 0 && self.endpoint.list.values().is_empty()
    }
}

impl Pull {
    /// What the lists are requested for, from the topmost on. Settings that list values have to have some.
    pub(super) fn levels(&self) -> Result<Vec<Level>> {
        let lists = self.definition.lists();
        let level = |(number, endpoint): (usize, &&Endpoint)| {
            let names = self.definition.names_below(number).into_iter().map(str::to_owned).collect();
            let values = endpoint.list.values().iter();
            let values = values.map(|values| Ok((values.name.to_string(), self.values_of(values)?)));
            Ok(Level { names, values: values.collect::<Result<_>>()? })
        };
        lists.iter().enumerate().map(level).collect()
    }

    /// The values of partitions; those of a setting are separated by commas.
    pub(super) fn values_of(&self, partitions: &Partitions) -> Result<Vec<String>> {
        values_of(partitions, &self.definition.source, &self.account)
    }

    /// The list of parents of this number.
    pub(super) fn list_of_parents(&self, number: usize) -> Option<ListOfParents<'_>> {
        let lists = self.definition.lists();
        let rule = lists.get(number + 1)?.list.parent()?;
        Some(ListOfParents { number, endpoint: lists[number], rule })
    }
}

/// See [`Pull::values_of`].
pub(super) fn values_of(partitions: &Partitions, source: &Source, account: &Account) -> Result<Vec<String>> {
    let Some(name) = &partitions.setting else { return Ok(partitions.values.clone().unwrap_or_default()) };
    let text = account.value(name).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let values = text.split(',').map(str::trim).filter(|value| !value.is_empty() && seen.insert(*value));
    let values: Vec<_> = values.map(str::to_owned).collect();
    if values.is_empty() {
        let what =
            format!("the setting `{name}` lists no values, and the stream is requested for each of them");
        let variable = source.settings.get(name).map_or("its variable", |setting| &setting.env);
        return Err(Error::new(ErrorKind::Settings, "open run", what)
            .hint(format!("give `{name}` (or {variable}) the values, separated by commas")));
    }
    Ok(values)
}

/// What earlier runs have read up to the cursor. Partitions of two lists may be the same by their names and values.
#[derive(Debug, Default)]
pub(super) struct ReadBefore {
    /// Partitions of the stream's own list.
    pub(super) own: ReadPartitions,
    /// Those of the list of its parents.
    pub(super) of_parents: ReadPartitions,
}

/// The partitions of a list that earlier runs have read up to the cursor.
#[derive(Debug, Default)]
pub(super) struct ReadPartitions {
    pub(super) complete: KnownParents,
    /// Those of which something is missing: of several windows one may be.
    pub(super) missing: KnownParents,
}

impl ReadPartitions {
    /// Whether all of a partition was read.
    pub(super) fn has(&self, partition: &Partition) -> Result<bool> {
        let digest = partition.digest();
        Ok(self.complete.contains(&digest)? && !self.missing.contains(&digest)?)
    }
}

/// Digest of the values of all lists; `None` if there are none. Those of a setting may be others by the next start.
pub(super) fn digest_of_values(levels: &[Level]) -> Option<String> {
    let values: Vec<_> = levels.iter().map(|level| &level.values).collect();
    let has_some = values.iter().any(|values| !values.is_empty());
    has_some.then(|| sha256_hex(serde_json::json!(values).to_string().as_bytes()))
}

/// Each choice of one value of each list.
pub(super) fn product(values: &[(String, Vec<String>)]) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    let count: usize = values.iter().map(|(_, values)| values.len()).product();
    (0..count).map(move |mut number| {
        let mut chosen = BTreeMap::new();
        for (name, values) in values.iter().rev() {
            chosen.insert(name.as_str(), values[number % values.len()].as_str());
            number /= values.len();
        }
        chosen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_has_each_value_with_each_of_the_others_once() {
        let values = [("a", vec!["1", "2"]), ("b", vec!["x", "y", "z"])];
        let values = values.map(|(name, values)| {
            (name.to_owned(), values.into_iter().map(str::to_owned).collect::<Vec<_>>())
        });
        let all: Vec<_> = product(&values).map(|chosen| format!("{}{}", chosen["a"], chosen["b"])).collect();
        assert_eq!(all, ["1x", "1y", "1z", "2x", "2y", "2z"]);
        assert_eq!(product(&[]).count(), 1, "nothing to choose is one choice");
    }
}
