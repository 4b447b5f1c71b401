//! What is wrong with the requests of a list that types alone do not show: names, locations and paginators that do not fit.

use std::collections::{BTreeMap, BTreeSet};

use super::check_job;
use super::location::RequestLocation;
use super::paginator::{OffsetBy, PaginatorSpec};
use super::request::{BodySpec, Method, QueryValue};
use super::source::Source;
use super::stream::StreamSpec;
use super::template::Template;
use super::types::Name;
use super::wrong::Wrong;
use crate::nearest::nearest;

/// Where the request before a list stands.
const BEFORE: &str = "list.before";

/// Every placeholder is a field of a parent, the name of partitions, one of those that its parent's requests have, or a setting
/// that may be shown. Nobody may know what its parent's requests have: then `inherited` is `None`.
pub(super) fn check_names(
    source: &Source,
    stream: &StreamSpec,
    inherited: Option<&BTreeSet<String>>,
) -> Vec<Wrong> {
    let fields = stream.parent().into_iter().flat_map(|parent| parent.fields.keys());
    let fields = fields.chain(stream.values().iter().map(|values| &values.name)).map(Name::as_str);
    let fields: Vec<&str> = fields.chain(stream.job.iter().flat_map(check_job::names)).collect();
    let is_inherited = |name: &str| inherited.is_none_or(|names| names.contains(name));
    let setting = |name: &str| source.settings.iter().find(|(key, _)| key.as_str() == name).map(|(_, it)| it);
    let both = fields.iter().filter(|name| setting(name).is_some()).map(|name| {
        let of_parent =
            stream.parent().is_some_and(|parent| parent.fields.keys().any(|key| key.as_str() == *name));
        let at = if of_parent { "list.parent.fields" } else { "list.partitions" };
        Wrong::at(
            at,
            format!("`{name}` is a setting of the source, too: nothing shows which one `{{{name}}}` means"),
        )
    });
    let unknown = stream.placeholders().into_iter().filter_map(|(at, name)| match setting(name) {
        // What comes before all lists is of none of them.
        _ if fields.contains(&name) && !at.starts_with(BEFORE) => None,
        Some(setting) if setting.secret => {
            let why = format!("`{{{name}}}` is a secret: only `auth` of the source puts secrets into requests");
            Some(Wrong::at(at, why))
        }
        Some(_) => None,
        None if is_inherited(name) && stream.parent().is_some() && !at.starts_with(BEFORE) => None,
        None => {
            let open = source.settings.iter().filter(|(_, setting)| !setting.secret).map(|(key, _)| key.as_str());
            let above = inherited.into_iter().flatten().map(String::as_str);
            let meant = nearest(name, fields.iter().copied().chain(above).chain(open));
            let meant = meant.map(|meant| format!(" (did you mean `{{{meant}}}`?)")).unwrap_or_default();
            let why = format!(
                "`{{{name}}}` is neither a field of a parent, nor the name of partitions, nor a setting of the source{meant}"
            );
            Some(Wrong::at(at, why))
        }
    });
    both.chain(unknown).collect()
}

impl StreamSpec {
    /// The placeholders of its requests, and where they stand.
    fn placeholders(&self) -> Vec<(&'static str, &str)> {
        let before = self.before.as_ref();
        let found = [
            ("list.path", self.path.placeholders().collect()),
            ("list.query", in_query(&self.query)),
            ("list.headers", self.headers.values().flat_map(Template::placeholders).collect()),
            ("list.body", in_body(self.body.as_ref())),
            ("list.before.path", before.map_or_else(Vec::new, |before| before.path.placeholders().collect())),
            ("list.before.query", before.map_or_else(Vec::new, |before| in_query(&before.query))),
            ("list.before.body", in_body(before.and_then(|before| before.body.as_ref()))),
        ];
        found.into_iter().flat_map(|(at, names)| names.into_iter().map(move |name| (at, name))).collect()
    }

    /// Whether a name stands in a text of its requests where no list of values can.
    pub(super) fn joins(&self, name: &str) -> bool {
        let is_list = |template: &Template| template.only_placeholder().is_some();
        let in_query = self.query.values().flat_map(QueryValue::as_slice).map(|text| &text.text);
        let in_form = match &self.body {
            Some(BodySpec::Form(fields)) => fields.values().collect(),
            _ => Vec::new(),
        };
        let in_headers = self.headers.values().chain([&self.path]);
        in_headers
            .chain(in_query.chain(in_form).filter(|text| !is_list(text)))
            .any(|text| text.placeholders().any(|used| used == name))
            || self.body.as_ref().is_some_and(|body| body.joins(name))
    }

    /// Whether its requests use a name.
    pub(super) fn uses(&self, name: &str) -> bool {
        self.placeholders().iter().any(|(at, used)| *used == name && !at.starts_with(BEFORE))
    }

    /// Where its requests take values, and where the definition says so.
    pub(super) fn locations(&self) -> Vec<(&'static str, &RequestLocation)> {
        let mut locations = Vec::new();
        locations.extend(self.page_size.iter().map(|size| ("list.page_size", &size.param)));
        match &self.paginator {
            PaginatorSpec::Token(token) => {
                locations
                    .extend(token.to.as_slice().iter().map(|location| ("list.paginator.token.to", location)));
            }
            PaginatorSpec::Offset(offset) => {
                locations.push(("list.paginator.offset.to", &offset.to));
                locations.extend(
                    offset.restart.iter().map(|restart| ("list.paginator.offset.restart.to", &restart.to)),
                );
            }
            PaginatorSpec::Page(page) => locations.push(("list.paginator.page.to", &page.to)),
            PaginatorSpec::LastRecord(last) => locations.push(("list.paginator.last_record.to", &last.to)),
            PaginatorSpec::None
            | PaginatorSpec::Unknown
            | PaginatorSpec::LinkHeader(_)
            | PaginatorSpec::NextUrl(_)
            | PaginatorSpec::Hook(_) => {}
        }
        // Those of a job are in the request that submits it.
        if let Some(rule) = self.incremental.as_ref().filter(|_| self.job.is_none()) {
            locations.extend(rule.param.iter().map(|location| ("list.incremental.param", location)));
            locations
                .extend(rule.until_param.iter().map(|location| ("list.incremental.until_param", location)));
        }
        locations
    }
}

fn in_query(query: &BTreeMap<String, QueryValue>) -> Vec<&str> {
    let strings = query.values().flat_map(QueryValue::as_slice);
    strings.flat_map(|text| text.text.placeholders()).collect()
}

fn in_body(body: Option<&BodySpec>) -> Vec<&str> {
    body.map_or_else(Vec::new, BodySpec::placeholders)
}

/// Method, body and locations agree with each other.
pub(super) fn check_requests(stream: &StreamSpec) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    if stream.method == Some(Method::Get) && stream.body.is_some() {
        wrongs.push(Wrong::at(
            "list.method",
            "a GET has no body: leave `method` out, or the `body`".to_owned(),
        ));
    }
    let of_job = stream.job.iter().flat_map(|job| {
        let rule = stream.incremental.iter();
        let bounds = rule.flat_map(|rule| [("param", &rule.param), ("until_param", &rule.until_param)]);
        bounds.filter_map(|(key, location)| {
            let why = wrong_in_request(job.submit.body.as_ref(), location.as_ref()?)?;
            Some(Wrong::at(&format!("list.incremental.{key}"), why))
        })
    });
    wrongs.extend(of_job);
    let locations = stream.locations();
    for (number, (at, location)) in locations.iter().enumerate() {
        wrongs.extend(wrong_location(stream, location).map(|why| Wrong::at(at, why)));
        if locations[..number].iter().any(|(_, other)| other == location) {
            wrongs.push(Wrong::at(at, format!("{location} takes another value already")));
        }
    }
    for (name, value) in &stream.query {
        for text in value.as_slice().iter().filter(|text| text.quote.is_none()) {
            let quotes = text.text.to_string().contains(['"', '\'']);
            if quotes && text.text.placeholders().next().is_some() {
                let why = "a value inside of quotes may hold quotes itself: say how they are written, such as \
                           `{text: ..., quote: backslash}` or `quote: doubled`";
                wrongs.push(Wrong::at(&format!("list.query.{name}"), why.to_owned()));
            }
        }
    }
    wrongs.extend(check_paginator(stream));
    wrongs
}

fn wrong_location(stream: &StreamSpec, location: &RequestLocation) -> Option<String> {
    if matches!(location, RequestLocation::Path(_)) && matches!(stream.paginator, PaginatorSpec::Token(_)) {
        return None;
    }
    wrong_in_request(stream.body.as_ref(), location)
}

/// What is wrong with a location in a request that has this body.
fn wrong_in_request(body: Option<&BodySpec>, location: &RequestLocation) -> Option<String> {
    match (location, body) {
        (RequestLocation::Path(_), _) => Some("only a token goes into a path".to_owned()),
        (RequestLocation::Body(pointer), None) => {
            Some(format!("`{pointer}` needs a body: add `body: {{json: {{}}}}`, or name a query parameter"))
        }
        (RequestLocation::Body(pointer), Some(BodySpec::Form(_))) if pointer.segments().len() > 1 => {
            Some(format!("`{pointer}` leads into an object, and a form has fields only"))
        }
        (RequestLocation::Body(pointer), Some(BodySpec::Graphql(_)))
            if pointer.segments()[0] != "variables" =>
        {
            Some(format!(
                "`{pointer}` is outside of the variables of a GraphQL request: use `/variables/...`"
            ))
        }
        _ => None,
    }
}

fn check_paginator(stream: &StreamSpec) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let mut wrong = |at: &str, why: &str| wrongs.push(Wrong::at(at, why.to_owned()));
    let counts = matches!(stream.paginator, PaginatorSpec::Offset(_) | PaginatorSpec::Page(_));
    let goes_by_records = counts || matches!(stream.paginator, PaginatorSpec::LastRecord(_));
    if let PaginatorSpec::Token(token) = &stream.paginator
        && token.from.as_slice().len() != token.to.as_slice().len()
    {
        wrong(
            "list.paginator.token.to",
            "`from` and `to` name as many values as each other, in the same order",
        );
    }
    if let PaginatorSpec::Offset(offset) = &stream.paginator {
        if offset.by == OffsetBy::PageSize && stream.page_size.is_none() {
            wrong("list.paginator.offset.by", "`by: page_size` needs a `page_size`");
        }
        if offset.restart.is_some() && offset.cap.is_none() {
            wrong(
                "list.paginator.offset.restart",
                "`restart` says what comes behind a `cap`, and there is none",
            );
        }
        if let Some(restart) = &offset.restart {
            if !restart.text.placeholders().eq(["last"]) {
                wrong(
                    "list.paginator.offset.restart.text",
                    "the text has to use `{last}` once, and nothing else",
                );
            } else if restart.quote.is_none() && restart.text.to_string().contains(['"', '\'']) {
                wrong(
                    "list.paginator.offset.restart.text",
                    "a value inside of quotes may hold quotes itself: say how they are written by `quote: backslash` or \
                     `quote: doubled`",
                );
            }
            if restart.from.segments().is_empty() {
                wrong(
                    "list.paginator.offset.restart.from",
                    "name a member of the record, such as `/created`",
                );
            }
        }
        if offset.cap.is_some_and(|cap| cap <= offset.start) {
            wrong("list.paginator.offset.cap", "a list with this cap would have no record");
        }
    }
    if let PaginatorSpec::LastRecord(last) = &stream.paginator
        && last.from.segments().is_empty()
    {
        wrong("list.paginator.last_record.from", "name a member of the record, such as `/id`");
    }
    if stream.polling.is_some() && goes_by_records
        || stream.polling.is_some() && stream.paginator == PaginatorSpec::None
    {
        wrong(
            "list.polling",
            "a polling stream goes on where it stopped, so its API has to name the next page: by `link_header`, `next_url` or `token`",
        );
    }
    if stream.single.is_some() && goes_by_records {
        wrong("list.single", "a list that is one page has no pages to count: use `paginator: none`");
    }
    if stream.end.as_ref().is_some_and(|end| end.short_page) {
        if !goes_by_records {
            wrong(
                "list.end.short_page",
                "only of `offset`, `page` and `last_record` a short page may be the last",
            );
        } else if stream.page_size.is_none() {
            wrong("list.end.short_page", "without `page_size` nothing shows which page is short");
        }
    }
    wrongs
}
