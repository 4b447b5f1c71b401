//! What is wrong with how a list's changes are requested, that types alone do not show.

use super::incremental::Incremental;
use super::stream::StreamSpec;
use super::template::{NUMBER, Template};
use super::time_format::{BothSides, TimeFormat, Zone};
use super::wrong::Wrong;

/// What is selected by time must be known by a member of records, and the other way round.
pub(super) fn check_incremental(stream: &StreamSpec) -> Vec<Wrong> {
    let of_parent = stream.parent.as_ref().and_then(|parent| parent.incremental.as_ref());
    let mut wrongs = check_rule("list.parent.incremental", of_parent);
    wrongs.extend(check_rule("list.incremental", stream.incremental.as_ref()));
    wrongs
}

fn check_rule(at: &str, rule: Option<&Incremental>) -> Vec<Wrong> {
    let Some(rule) = rule else { return Vec::new() };
    let mut wrongs = Vec::new();
    let mut wrong = |key: &str, why: String| {
        let path = if key.is_empty() { at.to_owned() } else { format!("{at}.{key}") };
        wrongs.push(Wrong::at(&path, why));
    };
    let filter = rule.param.is_some() || rule.since.is_some();
    if rule.cursor.is_none() {
        let what = if filter { "the requests select by a time" } else { "nothing says what changed" };
        wrong(
            "",
            format!("{what}, and `cursor` is missing: name the member of a record that holds its time"),
        );
    }
    match (&rule.param, &rule.since) {
        (Some(_), None) => {
            wrong("param", "`since` is missing: the text that it takes for the lower bound".to_owned())
        }
        (None, Some(_)) => wrong("since", "`param` is missing: where the request takes this text".to_owned()),
        (None, None) if rule.cursor.is_some() => {
            let why = "nothing is sent for it: say by `param` and `since` how a request selects what changed";
            wrong("cursor", why.to_owned());
        }
        _ => {}
    }
    if rule.until_param.is_some() && rule.until.is_none() {
        wrong("until_param", "`until` is missing: the text that it takes for the upper bound".to_owned());
    }
    for (key, template) in [("since", &rule.since), ("until", &rule.until)] {
        if let Some(why) = template.as_ref().and_then(|template| wrong_bound(rule, key, template)) {
            wrong(key, why);
        }
    }
    if rule.is_joined_number() {
        wrong(
            "until",
            "a number cannot be joined with another one: give `until` a place by `until_param`".to_owned(),
        );
    }
    for (sides, why) in wrong_zones(&rule.format, &rule.zone) {
        wrong(sides, why);
    }
    wrongs
}

impl Incremental {
    /// Whether two bounds go into one place, of which one is a number.
    fn is_joined_number(&self) -> bool {
        let bounds = [&self.since, &self.until];
        self.until_param.is_none()
            && bounds.iter().all(|bound| bound.is_some())
            && bounds.into_iter().flatten().any(Template::is_number)
    }
}

fn wrong_bound(rule: &Incremental, name: &str, template: &Template) -> Option<String> {
    let number = format!("{name}{NUMBER}");
    let mut names = template.placeholders().peekable();
    let is_used = names.peek().is_some();
    if !is_used || !names.all(|used| used == name || used == number) {
        return Some(format!("{name} must use `{{{name}}}`, and no other placeholder"));
    }
    if template.placeholders().any(|used| used == number) {
        if !template.is_number() {
            return Some(format!("a number is nothing but `{{{number}}}`; in a text write `{{{name}}}`"));
        }
        if !rule.format_of_filter().is_number() {
            return Some(format!("`{{{number}}}` needs a `format` that is a number, such as `epoch_s`"));
        }
    }
    None
}

/// Only times that name no zone have one to be declared.
fn wrong_zones(format: &BothSides<TimeFormat>, zone: &BothSides<Zone>) -> Vec<(&'static str, String)> {
    let number = |format: &Option<TimeFormat>| format.as_ref().filter(|format| format.is_number()).cloned();
    let records = number(&format.records).filter(|_| zone.records.is_some());
    let filter = number(&format.filter).filter(|_| zone.filter.is_some());
    let why = |what: &str, format: TimeFormat| {
        ("zone", format!("`{format}` counts from 1970 in any zone: leave `zone` of {what} out"))
    };
    match (records, filter) {
        (Some(format), Some(_)) => vec![why("these times", format)],
        // Written as one, it is of use for the other side.
        _ if !zone.is_unsaid() && !zone.is_of_filter() && zone.records == zone.filter => Vec::new(),
        (records, filter) => records
            .map(|format| why("`records`", format))
            .into_iter()
            .chain(filter.map(|format| why("`filter`", format)))
            .collect(),
    }
}
