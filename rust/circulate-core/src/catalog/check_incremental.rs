//! What is wrong with how a list's changes are requested, that types alone do not show.

use std::time::Duration;

use jiff::Unit;

use super::durable::{Durable, EtagOf};
use super::errors::Then;
use super::incremental::{Incremental, Order};
use super::paginator::PaginatorSpec;
use super::stream::{Lists, StreamSpec};
use super::template::{NUMBER, Template};
use super::time_format::{BothSides, TimeFormat, Zone};
use super::wrong::Wrong;

/// What is selected by time must be known by a member of records, and the other way round.
pub(super) fn check_incremental(stream: &StreamSpec) -> Vec<Wrong> {
    let of_parent = stream.parent_incremental();
    let mut wrongs = check_rule("list.parent.incremental", of_parent);
    wrongs.extend(of_parent.into_iter().flat_map(check_parent));
    wrongs.extend(check_rule("list.incremental", stream.incremental.as_ref()));
    if let Some(rule) = &stream.incremental {
        wrongs.extend(check_order(stream, rule));
        wrongs.extend(check_window(stream, rule));
        wrongs.extend(rule.durable.iter().flat_map(|durable| check_durable(stream, rule, durable)));
        if stream.polling.is_some() && (rule.cursor.is_none() || rule.since.is_none() || rule.until.is_none())
        {
            let why = "a polled list is begun by time, and a period of it has an end: name `cursor`, `param`, `since` and `until`";
            wrongs.push(Wrong::at("list.incremental", why.to_owned()));
        }
    }
    let windows = stream.incremental.as_ref().is_some_and(|rule| rule.window.is_some());
    if stream.errors.iter().any(|rule| rule.then == Then::SmallerWindow) && !windows {
        let why = "`smaller_window` needs `incremental.window`, by which a shorter period can be requested";
        wrongs.push(Wrong::at("list.errors", why.to_owned()));
    }
    wrongs
}

/// What is about the records that are delivered is not about parents.
fn check_parent(rule: &Incremental) -> Vec<Wrong> {
    let given = [
        ("window", rule.window.is_some()),
        ("durable", rule.durable.is_some()),
        ("order", rule.order != Order::None),
    ];
    let given = given.into_iter().filter(|(_, given)| *given);
    given
        .map(|(key, _)| {
            let why = format!("`{key}` is about the records of a list, and not about those of its parent");
            Wrong::at(&format!("list.parent.incremental.{key}"), why)
        })
        .collect()
}

/// An order by time is of use only where pages keep their places while the list changes.
fn check_order(stream: &StreamSpec, rule: &Incremental) -> Option<Wrong> {
    let by = match &stream.paginator {
        PaginatorSpec::Offset(_) => "offset",
        PaginatorSpec::Page(_) => "page",
        _ => "",
    };
    let why = match rule.order {
        Order::None => return None,
        _ if rule.cursor.is_none() => "an order by time needs `cursor`, the member that it goes by".to_owned(),
        _ if stream.polling.is_some() || rule.window.is_some() => {
            "an order is of use for a list that is read from its beginning to its end: leave it out where there are windows \
             or `polling`"
                .to_owned()
        }
        Order::Ascending if stream.lists() == Lists::Several => {
            "oldest first is of use for a stream that is one list, which may be begun in the middle: leave `order` out where \
             there are a `parent` or `partitions`"
                .to_owned()
        }
        _ if by.is_empty() => return None,
        Order::Ascending => format!(
            "`paginator: {by}` cannot keep it: a record that changes goes to the end, and all behind it move up by one, over \
             the edge of a page: leave `order` out"
        ),
        Order::Descending => format!(
            "`paginator: {by}` cannot keep it: a record that changes comes to the front, and all that it passes move down by \
             one: leave `order` out"
        ),
    };
    Some(Wrong::at("list.incremental.order", why))
}

fn check_window(stream: &StreamSpec, rule: &Incremental) -> Vec<Wrong> {
    let Some(window) = &rule.window else { return Vec::new() };
    let mut wrongs = Vec::new();
    let mut wrong =
        |at: &str, why: &str| wrongs.push(Wrong::at(&format!("list.incremental.{at}"), why.to_owned()));
    if stream.polling.is_some() {
        wrong("window", "a polled list has its windows in `polling`");
    }
    if rule.since.is_none() || rule.until.is_none() {
        wrong("window", "a window has two ends: name `param`, `since` and `until`");
    }
    if rule.full_since.is_none() && window.history.is_none() {
        wrong(
            "window",
            "the first window has to begin somewhere: say how far back the API goes by `history`, or by `full_since`",
        );
    }
    let unit = finest(rule.format_of_filter().unit());
    let least = if rule.inclusive { unit } else { unit * 2 };
    if window.span.get() < least {
        wrong("window.span", "it is shorter than the finest that the filter can say (`format`)");
    }
    if window.min.is_some_and(|min| min > window.span) {
        wrong("window.min", "the shortest window is longer than the longest one (`span`)");
    }
    wrongs
}

fn finest(unit: Unit) -> Duration {
    match unit {
        Unit::Day => Duration::from_hours(24),
        Unit::Hour => Duration::from_hours(1),
        Unit::Minute => Duration::from_mins(1),
        Unit::Second => Duration::from_secs(1),
        _ => Duration::from_millis(1),
    }
}

fn check_durable(stream: &StreamSpec, rule: &Incremental, durable: &Durable) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let mut wrong =
        |at: &str, why: &str| wrongs.push(Wrong::at(&format!("list.incremental.{at}"), why.to_owned()));
    if stream.polling.is_some() || rule.window.is_some() {
        wrong(
            "durable",
            "a list that is polled, or requested in windows, goes on by that: leave `durable` out",
        );
    }
    if rule.client_side && durable.condition().is_none() {
        wrong("durable", "what it gives is what has changed: leave `client_side` out");
    }
    match durable {
        Durable::Etag(EtagOf::Page) | Durable::LastModified => {
            if stream.paginator != PaginatorSpec::None {
                let why = "it stands for one response, and the list has several pages: one behind the first may change without it. \
                           Where the vendor says that the ETag is that of the whole list, write `{etag: list}`";
                wrong("durable", why);
            }
            if rule.since.is_some() {
                let why = "it stands for one address, and with each bound the list has another one: leave the filter or \
                           `durable` out";
                wrong("durable", why);
            }
        }
        Durable::Paginator => match &stream.paginator {
            PaginatorSpec::Token(token) if token.more.is_some() => {}
            _ => wrong(
                "durable",
                "only a `token` whose last page is known by `more` has a token there too: use `next_url`, `link_header` or `token`",
            ),
        },
        Durable::Token(token) if token.from.as_slice().len() != token.to.as_slice().len() => {
            wrong("durable.token.to", "`from` and `to` name as many values as each other, in the same order");
        }
        _ => {}
    }
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
    if rule.client_side && filter {
        wrong(
            "client_side",
            "then requests take no filter: leave `param`, `since` and `until` out".to_owned(),
        );
    }
    if rule.client_side && (rule.format.is_of_filter() || rule.zone.is_of_filter()) {
        wrong("format", "there is no filter that it could be of: leave `filter` out".to_owned());
    }
    if rule.cursor.is_none() && (rule.durable.is_none() || filter) {
        let what = if filter { "the requests select by a time" } else { "nothing says what changed" };
        wrong(
            "",
            format!("{what}, and `cursor` is missing: name the member of a record that holds its time"),
        );
    }
    match (&rule.param, &rule.since) {
        (Some(_), None) => {
            wrong("param", "`since` is missing: the text that it takes for the lower bound".to_owned());
        }
        (None, Some(_)) => wrong("since", "`param` is missing: where the request takes this text".to_owned()),
        (None, None) if rule.cursor.is_some() && !rule.client_side && rule.durable.is_none() => {
            let why = "nothing is sent for it: say by `param` and `since` how a request selects what changed; or by \
                       `client_side: true` that it selects nothing, and all is read";
            wrong("cursor", why.to_owned());
        }
        _ => {}
    }
    if rule.until.is_some() && rule.since.is_none() && !rule.client_side {
        wrong("until", "`since` is missing: a period begins somewhere".to_owned());
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
