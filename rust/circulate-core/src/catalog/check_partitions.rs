//! What is wrong with what a list is requested for one by one, that types alone do not show.

use std::collections::BTreeSet;

use super::source::Source;
use super::stream::StreamSpec;
use super::types::Name;
use super::wrong::Wrong;

/// Names of the bounds of windows, which no other partition may have beside them.
const BOUNDS: [&str; 2] = ["since", "until"];

/// What is there to be used must be, and what is requested one by one must be distinct.
pub(super) fn check_partitions(stream: &StreamSpec) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let mut wrong = |at: &str, why: String| wrongs.push(Wrong::at(at, why));
    if let Some(parent) = stream.parent()
        && parent.url.is_none()
        && !parent.fields.keys().any(|field| stream.uses(field.as_str()))
    {
        wrong(
            "list.parent.fields",
            "the requests of a child must use a field of its parent, such as `{id}`".to_owned(),
        );
    }
    let mut names: BTreeSet<&str> =
        stream.parent().into_iter().flat_map(|parent| parent.fields.keys()).map(Name::as_str).collect();
    if stream.window().is_some() {
        names.extend(BOUNDS);
    }
    let is_list = stream.values().len() > 1;
    for (number, partitions) in stream.values().iter().enumerate() {
        let at = if is_list { format!("list.partitions.{number}") } else { "list.partitions".to_owned() };
        let name = partitions.name.as_str();
        if !stream.uses(name) {
            wrong(&at, format!("nothing in the requests uses `{{{name}}}`, the name of the partitions"));
        }
        if !names.insert(name) {
            wrong(
                &at,
                format!("`{{{name}}}` stands for something else already: give the partitions another name"),
            );
        }
        match (&partitions.values, &partitions.setting) {
            (Some(values), None) if values.is_empty() => {
                wrong(
                    &format!("{at}.values"),
                    "without a value nothing is requested: name at least one".to_owned(),
                );
            }
            (Some(values), None) => {
                let mut seen = BTreeSet::new();
                for value in values.iter().filter(|value| !seen.insert(*value)) {
                    wrong(
                        &format!("{at}.values"),
                        format!("`{value}` is named twice: its records would come twice"),
                    );
                }
            }
            (None, Some(_)) => {}
            _ => wrong(&at, "say what the values are: either by `values` or by `setting`".to_owned()),
        }
    }
    let in_fields = stream.parent().into_iter().flat_map(|parent| parent.fields.keys());
    if stream.window().is_some()
        && let Some(name) = in_fields.map(Name::as_str).find(|name| BOUNDS.contains(name))
    {
        wrong(
            "list.parent.fields",
            format!("`{name}` is a bound of the windows: give the field another name"),
        );
    }
    wrongs.extend(check_batch(stream));
    let mut wrong = |at: &str, why: String| wrongs.push(Wrong::at(at, why));
    let is_partitioned = stream.parent().is_some() || is_list || !stream.values().is_empty();
    if stream.polling.is_some() && stream.incremental.is_none() {
        let why = "a polling stream needs `incremental` beside `polling`, to be asked for by time";
        wrong("list.polling", why.to_owned());
    }
    if stream.polling.is_some() && is_partitioned {
        wrong(
            "list.polling",
            "a polling stream is one list: it has neither `parent` nor `partitions`".to_owned(),
        );
    }
    if stream.durable().is_some() && is_partitioned {
        let why =
            "it is kept for one list, and this stream has a list for each partition: leave `durable` out";
        wrong("list.incremental.durable", why.to_owned());
    }
    wrongs
}

/// Several parents are requested at once by one field, which the requests take as a list or joined.
fn check_batch(stream: &StreamSpec) -> Vec<Wrong> {
    let Some(parent) = stream.parent() else { return Vec::new() };
    let mut wrongs = Vec::new();
    let mut wrong = |at: &str, why: &str| wrongs.push(Wrong::at(at, why.to_owned()));
    if parent.url.is_some() && parent.fields.is_empty() {
        wrong(
            "list.parent.fields",
            "an address does not identify a parent: name a member that does, such as `{id: /id}`",
        );
    }
    let Some(batch) = &parent.batch else { return wrongs };
    if parent.fields.len() != 1 {
        wrong("list.parent.batch", "what stands for several parents is one field: name one in `fields`");
    }
    if batch.size == 0 {
        wrong("list.parent.batch.size", "a batch has at least one parent");
    }
    if parent.url.is_some() {
        wrong("list.parent.batch", "each parent has an address of its own (`url`): leave `batch` out");
    }
    if stream.incremental().is_some() {
        let why = "a batch has no cursor of its own, since other parents may be in the next one: move `incremental` into `parent`";
        wrong("list.incremental", why);
    }
    if batch.join.as_ref().is_some_and(String::is_empty) {
        wrong("list.parent.batch.join", "what joins them is empty: nothing would show where one ends");
    }
    if batch.join.is_none()
        && let Some(name) = parent.fields.keys().next()
        && stream.joins(name.as_str())
    {
        wrong(
            "list.parent.batch",
            "the field stands for several parents within a longer text: say what joins them by `join`, such as a comma",
        );
    }
    wrongs
}

/// The settings that list values are there, and are not secret.
pub(super) fn check_settings_of_values(source: &Source, stream: &StreamSpec) -> Vec<Wrong> {
    let is_list = stream.values().len() > 1;
    let mut wrongs = Vec::new();
    for (number, partitions) in stream.values().iter().enumerate() {
        let Some(name) = &partitions.setting else { continue };
        let at = if is_list {
            format!("list.partitions.{number}.setting")
        } else {
            "list.partitions.setting".to_owned()
        };
        match source.settings.get(name) {
            None => wrongs.push(Wrong::at(&at, format!("`{name}` is not a setting of the source"))),
            Some(setting) if setting.secret => {
                let why =
                    format!("`{name}` is a secret: only `auth` of the source puts secrets into requests");
                wrongs.push(Wrong::at(&at, why));
            }
            Some(_) => {}
        }
    }
    wrongs
}
