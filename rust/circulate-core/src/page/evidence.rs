//! Evidence on the one page of a list that the list goes on: a list whose end it contradicts is never complete.
//!
//! It is looked for where nothing has shown yet that the paginator works: a definition may name no paginator, or one that
//! the API does not use. Outside of such a page nobody looks, so a name that merely looks like a next page costs nothing
//! once a next page has been seen.

use http::{HeaderMap, HeaderName};
use url::Url;

use super::envelope::{EnvelopeMember, Scalar, members_of};
use super::link_header::linked;
use crate::api::http::remove_parameter;
use crate::catalog::{PaginatorSpec, Pointer, StreamSpec};

/// The last page of a list, as far as evidence goes.
#[derive(Debug)]
pub(crate) struct LastPage<'p> {
    /// The list.
    pub(crate) stream: &'p StreamSpec,
    /// The URL the page was requested at.
    pub(crate) url: &'p Url,
    /// The query parameters by which requests are signed in, which that URL does not have.
    pub(crate) key_parameters: &'p [String],
    /// The response's headers.
    pub(crate) headers: &'p HeaderMap,
    /// What stands around its records.
    pub(crate) envelope: &'p [EnvelopeMember],
    /// Its records.
    pub(crate) records: usize,
    /// How many were requested.
    pub(crate) requested: Option<usize>,
    /// The request had a filter, such as a lower bound: a total may count what it leaves out.
    pub(crate) filtered: bool,
}

impl LastPage<'_> {
    /// Where an address on the page leads.
    fn linked(&self, address: &str) -> Option<Url> {
        let mut url = self.url.join(address).ok()?;
        for name in self.key_parameters {
            remove_parameter(&mut url, name);
        }
        Some(url)
    }
}

/// Something on a page that says that its list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Where it is: a member's JSON Pointer, or a header.
    pub(crate) location: String,
    /// What it is, as received.
    pub(crate) value: String,
    /// The paginator that would follow it, as a definition has it, if there is one.
    pub(crate) paginator: Option<String>,
}

impl Evidence {
    fn new(location: impl Into<String>, value: impl Into<String>) -> Self {
        Self { location: location.into(), value: value.into(), paginator: None }
    }

    fn followed_by(self, paginator: String) -> Self {
        Self { paginator: Some(paginator), ..self }
    }
}

/// The strongest evidence that the list of a page goes on after it, if there is any.
pub(crate) fn goes_on(page: &LastPage<'_>) -> Option<Evidence> {
    let in_headers = members_of(page.headers);
    let members: Vec<_> =
        page.envelope.iter().chain(&in_headers).filter(|member| !page.ignores(&member.path)).collect();
    let says_no_more = members.iter().any(|member| flag(member) == Some(false));
    let says_more = members.iter().find(|member| flag(member) == Some(true));
    let hints = || {
        next_in_headers(page)
            .or_else(|| members.iter().find_map(|member| next_address(page, member, &members)))
            .or_else(|| members.iter().find_map(|member| next_value(member)))
    };
    // A link of the relation `next` is not a look-alike: what a flag says does not undo it.
    next_by_link(page)
        .or_else(|| says_more.map(|member| member.evidence()))
        .or_else(|| if says_no_more { None } else { hints() })
        .or_else(|| more_than_read(page, &members))
}

/// How many records a page says its list has, if that is more than the page holds. Of a request with a filter nobody knows
/// what the number counts.
pub(crate) fn declared_total(page: &LastPage<'_>) -> Option<u64> {
    let in_headers = members_of(page.headers);
    let members: Vec<_> =
        page.envelope.iter().chain(&in_headers).filter(|member| !page.ignores(&member.path)).collect();
    let mut counts = counts_above(page, &members).filter(|count| count.kind == Counted::Records);
    counts.next().filter(|_| !page.filtered).map(|count| count.number)
}

impl LastPage<'_> {
    /// Whether the definition says that what stands at `path` is not a sign of a next page; a header's path is its name.
    fn ignores(&self, path: &[String]) -> bool {
        let within = |pointer: &Pointer| path.starts_with(pointer.segments());
        self.stream.end.iter().flat_map(|end| &end.ignore).any(within)
    }
}

impl EnvelopeMember {
    fn evidence(&self) -> Evidence {
        let value = match &self.value {
            Scalar::Text(text) | Scalar::Number(text) => text.clone(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Null | Scalar::Empty => "nothing".to_owned(),
        };
        let location = match &self.path[..] {
            [header, keys @ ..] if self.in_header => {
                let inside = Self { path: keys.to_vec(), ..self.clone() };
                format!("`{}` in the header `{header}`", inside.pointer())
            }
            _ => format!("`{}`", self.pointer()),
        };
        Evidence::new(location, value)
    }
}

/// The words of a name: `nextPageToken`, `next-page-token` and `NEXT_PAGE_TOKEN` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut open, mut upper) = (false, false);
    for character in name.chars() {
        if !character.is_alphanumeric() {
            open = false;
            continue;
        }
        let starts = !open || (character.is_uppercase() && !upper);
        if starts {
            words.push(String::new());
        }
        (open, upper) = (true, character.is_uppercase());
        if let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
    }
    words
}

fn has(words: &[String], test: impl Fn(&str) -> bool) -> bool {
    words.iter().any(|word| test(word))
}

/// Names that lead elsewhere: back, to the page itself, or to what comes later in time.
fn leads_elsewhere(words: &[String]) -> bool {
    has(words, |word| {
        word.starts_with("prev")
            || matches!(word, "self" | "first" | "before" | "sync" | "delta" | "stream" | "nextjs")
    })
}

fn means_next(words: &[String]) -> bool {
    let about_pages = has(words, |word| matches!(word, "next" | "page"));
    has(words, |word| {
        word.starts_with("next") || word.contains("cursor") || word.starts_with("continu") || word == "scroll"
    }) || (about_pages && has(words, |word| word == "token"))
}

/// What a flag says about more to come.
fn flag(member: &EnvelopeMember) -> Option<bool> {
    if member.in_list {
        return None;
    }
    let words = words(member.key());
    let counts = has(&words, |word| matches!(word, "has" | "more" | "truncated"));
    let value = match &member.value {
        Scalar::Number(text) if counts => text.parse::<f64>().ok().map(|number| number != 0.0)?,
        Scalar::Text(text) if counts && text.eq_ignore_ascii_case("yes") => true,
        Scalar::Text(text) if counts && text.eq_ignore_ascii_case("no") => false,
        value => value.as_flag()?,
    };
    let named: Vec<_> = words.iter().map(String::as_str).filter(|word| *word != "is").collect();
    match named[..] {
        ["last" | "final" | "end"] | ["last", "page"] | ["end", "of", ..] => Some(!value),
        ["more" | "truncated" | "next"]
        | ["has", "more" | "next", ..]
        | ["more", "available" | "results" | "items" | "records" | "data" | "pages", ..]
        | ["next", "page"] => Some(value),
        _ => None,
    }
}

/// A `Link` header that names a next page, or may do so, where the paginator is another one.
fn next_by_link(page: &LastPage<'_>) -> Option<Evidence> {
    if matches!(page.stream.paginator, PaginatorSpec::LinkHeader(_)) {
        return None;
    }
    match linked(page.headers, page.url, "next") {
        Ok(next) => {
            let link = Evidence::new("the header `Link` with `rel=\"next\"`", next?);
            Some(link.followed_by("link_header".to_owned()))
        }
        Err(error) => Some(Evidence::new("the header `Link`", error.to_string())),
    }
}

/// A header that says where the list goes on.
fn next_in_headers(page: &LastPage<'_>) -> Option<Evidence> {
    page.headers.iter().find_map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
        let nothing = Scalar::Text(value.clone()).is_nothing();
        let means_next = names_next(name) && !nothing && !page.ignores(&[name.to_string()]);
        means_next.then(|| Evidence::new(format!("the header `{name}`"), value))
    })
}

fn names_next(name: &HeaderName) -> bool {
    let words = words(name.as_str());
    let more = matches!(words.last().map(String::as_str), Some("more" | "truncated"));
    let custom = words.first().is_some_and(|word| word == "x");
    !leads_elsewhere(&words)
        && (has(&words, |word| matches!(word, "cursor" | "next")) || (custom && (more || means_next(&words))))
}

/// A member with the address of another page of the same list, under any name.
fn next_address(page: &LastPage<'_>, member: &EnvelopeMember, all: &[&EnvelopeMember]) -> Option<Evidence> {
    let Scalar::Text(text) = &member.value else { return None };
    let relation = relation_of(member, all).map(words).unwrap_or_default();
    let named: Vec<_> = member.path.iter().flat_map(|key| words(key)).chain(relation.clone()).collect();
    let looks_like_address = ["http://", "https://", "/", "?"].iter().any(|start| text.starts_with(start));
    if leads_elsewhere(&named) || !looks_like_address {
        return None;
    }
    let target = page.linked(text)?;
    let other_page = target.origin() == page.url.origin()
        && target.path() == page.url.path()
        && sorted_query(&target) != sorted_query(page.url);
    let says_next = relation.iter().any(|word| word == "next");
    // The address of the first page, or of this one, under another name.
    let is_first = all.iter().any(|other| match &other.value {
        Scalar::Text(text) => {
            let names_first =
                other.path.iter().flat_map(|key| words(key)).any(|word| matches!(&*word, "first" | "self"));
            names_first && page.linked(text).is_some_and(|first| first == target)
        }
        _ => false,
    });
    if !says_next && (is_first || !other_page || has_empty_next_beside(member, all)) {
        return None;
    }
    let evidence = member.evidence();
    let pointer = member.pointer();
    Some(if member.in_list || member.in_header {
        evidence
    } else {
        evidence.followed_by(format!("{{body_link: {pointer}}}"))
    })
}

/// What kind of link an object says it is, such as `{"rel": "next", "href": ...}`.
fn relation_of<'m>(member: &EnvelopeMember, all: &[&'m EnvelopeMember]) -> Option<&'m str> {
    let around = &member.path[..member.path.len().checked_sub(1)?];
    all.iter().find_map(|other| match &other.value {
        Scalar::Text(text)
            if other.path.len() == member.path.len()
                && other.path.starts_with(around)
                && matches!(other.key(), "rel" | "relation") =>
        {
            Some(text.as_str())
        }
        _ => None,
    })
}

/// The same object says by a `next` of its own that there is no next page.
fn has_empty_next_beside(member: &EnvelopeMember, all: &[&EnvelopeMember]) -> bool {
    let around = &member.path[..member.path.len().saturating_sub(1)];
    all.iter().any(|other| {
        other.path.len() == member.path.len()
            && other.path.starts_with(around)
            && other.value.is_nothing()
            && means_next(&words(other.key()))
    })
}

fn sorted_query(url: &Url) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
    pairs.sort();
    pairs
}

/// A token, number or address under a name that means the next page.
fn next_value(member: &EnvelopeMember) -> Option<Evidence> {
    let named: Vec<_> = member.path.iter().flat_map(|key| words(key)).collect();
    let describes =
        matches!(member.key(), "rel" | "relation" | "method" | "type" | "title" | "name" | "templated");
    let is_flag = matches!(member.value, Scalar::Bool(_));
    if member.in_list || describes || is_flag || member.value.is_nothing() || leads_elsewhere(&named) {
        return None;
    }
    means_next(&named).then(|| {
        let evidence = member.evidence();
        match &member.value {
            Scalar::Text(text) if !member.in_header && (text.contains('/') || text.starts_with('?')) => {
                evidence.followed_by(format!("{{body_link: {}}}", member.pointer()))
            }
            _ => evidence,
        }
    })
}

/// A total or a number of pages, beside the records or in a header, above what was read.
fn more_than_read(page: &LastPage<'_>, members: &[&EnvelopeMember]) -> Option<Evidence> {
    if page.filtered || page.stream.total.as_ref().is_some_and(|total| !total.exact) {
        return None;
    }
    counts_above(page, members).next().map(|count| count.evidence)
}

/// A number of records or pages that a page says its list has.
struct CountAbove {
    kind: Counted,
    number: u64,
    evidence: Evidence,
}

/// The numbers, beside the records or in a header, above what was read.
fn counts_above<'p>(
    page: &'p LastPage<'p>,
    members: &'p [&'p EnvelopeMember],
) -> impl Iterator<Item = CountAbove> + 'p {
    let read = page.records as u64;
    let above = move |name: &str, count: u64| {
        let words = words(name);
        // A plain `count` may repeat how many were requested.
        let repeats = words == ["count"] && page.requested.is_some_and(|size| count == size as u64);
        counted(&words).filter(|kind| match kind {
            Counted::Records => count > read && !repeats,
            Counted::Pages => count > 1 && read > 0,
        })
    };
    let of_members = members.iter().filter_map(move |member| {
        let number = member.value.as_count().filter(|_| page.is_beside_records(member))?;
        let kind = above(member.name_of_count(), number)?;
        Some(CountAbove { kind, number, evidence: member.evidence() })
    });
    let of_headers = page.headers.iter().filter_map(move |(name, value)| {
        let text = value.to_str().ok()?.trim();
        let (named, number) = match name.as_str() {
            "content-range" => ("total", total_of_range(text)?),
            name => (name.trim_start_matches("x-"), text.parse().ok()?),
        };
        let kind = above(named, number).filter(|_| !page.ignores(&[name.to_string()]))?;
        Some(CountAbove { kind, number, evidence: Evidence::new(format!("the header `{name}`"), text) })
    });
    of_members.chain(of_headers)
}

impl EnvelopeMember {
    /// The key that says what a number counts: of `{"total": {"value": 537}}` it is the outer one.
    fn name_of_count(&self) -> &str {
        match &self.path[..] {
            [.., outer, inner] if inner == "value" => outer,
            _ => self.key(),
        }
    }
}

impl LastPage<'_> {
    /// Whether a member stands in an object around the records, or in one that describes the page.
    fn is_beside_records(&self, member: &EnvelopeMember) -> bool {
        const DESCRIBE: [&str; 14] = [
            "meta",
            "metadata",
            "paging",
            "pagination",
            "page",
            "response",
            "result",
            "resultset",
            "summary",
            "search",
            "hits",
            "total",
            "info",
            "d",
        ];
        let outermost = usize::from(member.in_header);
        let around = &member.path[outermost..member.path.len().saturating_sub(1).max(outermost)];
        let describes = |key: &String| words(key).iter().any(|word| DESCRIBE.contains(&word.as_str()));
        let on_the_way =
            |key: &String| self.stream.records.pointer().segments().contains(key) || describes(key);
        !member.in_list && around.iter().all(on_the_way)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Records,
    Pages,
}

/// What a total may be of.
const RECORDS: [&str; 14] = [
    "count",
    "results",
    "items",
    "records",
    "elements",
    "size",
    "hits",
    "rows",
    "entries",
    "objects",
    "documents",
    "found",
    "matches",
    "resources",
];

/// What a name counts, if it names a total.
fn counted(words: &[String]) -> Option<Counted> {
    let named: Vec<_> = words.iter().map(String::as_str).collect();
    match named[..] {
        // Of OData, of WordPress and of others that put their own name before it.
        ["odata" | "wp" | "pagination" | "paging", ..] => counted(&words[1..]),
        ["total" | "count" | "totalresults" | "totalcount"]
        | ["total", "record" | "item" | "result", "count"]
        | ["records" | "items" | "results", "filtered"]
        | ["num" | "number", "found"]
        | ["result" | "record" | "item" | "element" | "row" | "object", "count"] => Some(Counted::Records),
        ["total" | "count", what] | [what, "total" | "count"] if RECORDS.contains(&what) => {
            Some(Counted::Records)
        }
        ["pages"]
        | ["page" | "pages", "count" | "total"]
        | ["total", "page" | "pages"]
        | ["num", "pages"]
        | ["last", "page"] => Some(Counted::Pages),
        _ => None,
    }
}

/// The total of `items 0-19/537`; a part of bytes is none of a list.
fn total_of_range(text: &str) -> Option<u64> {
    let (range, total) = text.rsplit_once('/')?;
    (!range.trim_start().starts_with("bytes")).then(|| total.trim().parse().ok())?
}
