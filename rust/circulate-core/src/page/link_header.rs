//! The `Link` response header (RFC 8288) as a paginator: the target of `rel="next"` is the next page.

use http::HeaderMap;
use http::header::LINK;
use url::Url;

use super::{PageFacts, Paginator};
use crate::error::{Error, ErrorKind, Result};

/// Follows `rel="next"`; a page without it is the last.
#[derive(Debug, Clone, Copy)]
pub struct LinkHeader;

impl Paginator for LinkHeader {
    fn next(&self, facts: &PageFacts<'_>) -> Result<Option<Url>> {
        let Some(target) = next_target(facts.headers) else { return Ok(None) };
        facts.url.join(&target).map(Some).map_err(|error| {
            Error::new(ErrorKind::Data, "read next link", "the `Link` header's next target is not a URL")
                .caused_by(error)
        })
    }
}

/// The first target whose relation is `next`, over all header lines: Okta sends one line per relation, others
/// one line for all.
fn next_target(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|line| std::str::from_utf8(line.as_bytes()).ok())
        .flat_map(links)
        .find(|link| link.relations.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next")))
        .map(|link| link.target.to_owned())
}

#[derive(Debug, PartialEq, Eq)]
struct Link<'h> {
    target: &'h str,
    relations: String,
}

/// The links of one header line. What does not look like a link ends the line.
fn links(line: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((target, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
            return links;
        };
        let (relations, after) = parameters(after);
        links.push(Link { target, relations });
        rest = after;
    }
}

/// Reads `; name=value` pairs; returns the value of the first `rel` and what follows the link.
fn parameters(mut rest: &str) -> (String, &str) {
    let mut relations: Option<String> = None;
    loop {
        rest = rest.trim_start();
        let Some(after) = rest.strip_prefix(';') else { return (relations.unwrap_or_default(), rest) };
        let after = after.trim_start();
        let name_end = after.find(['=', ';', ',']).unwrap_or(after.len());
        let name = after[..name_end].trim_end();
        rest = &after[name_end..];
        if let Some(after) = rest.strip_prefix('=') {
            let (value, after) = parameter_value(after.trim_start());
            if name.eq_ignore_ascii_case("rel") {
                relations.get_or_insert(value);
            }
            rest = after;
        }
    }
}

/// A token, or a quoted string with `\` before escaped characters.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim_end().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, line.parse().unwrap());
        }
        let url = Url::parse("https://acme.okta.com/api/v1/users?limit=2").unwrap();
        LinkHeader
            .next(&PageFacts { url: &url, headers: &headers, fields: &[], records: 0 })
            .unwrap()
            .map(|url| url.to_string())
    }

    #[test]
    fn next_is_found_on_the_second_of_two_lines() {
        let next = next(&[
            r#"<https://acme.okta.com/api/v1/users?limit=2>; rel="self""#,
            r#"<https://acme.okta.com/api/v1/users?after=00u%2B1%3D&limit=2>; rel="next""#,
        ]);
        assert_eq!(next.as_deref(), Some("https://acme.okta.com/api/v1/users?after=00u%2B1%3D&limit=2"));
    }

    #[test]
    fn one_line_may_hold_all_relations_and_targets_may_hold_commas() {
        let line =
            r#"<https://a/x?q=1,2;3>; rel=self; title="a, b; rel=\"next\"", </y?a,b>; REL="prev Next""#;
        assert_eq!(next(&[line]).as_deref(), Some("https://acme.okta.com/y?a,b"));
    }

    #[test]
    fn the_first_rel_of_a_link_counts() {
        assert_eq!(
            next(&["</a>; rel=self; rel=next, </b>; rel=next"]).as_deref(),
            Some("https://acme.okta.com/b")
        );
    }

    #[test]
    fn no_next_is_the_end() {
        assert_eq!(next(&[]), None);
        assert_eq!(next(&[r#"</a>; rel="self""#, "nonsense", r#"</b>; rel="nextish""#]), None);
    }

    #[test]
    fn the_target_is_kept_as_sent() {
        let target = "https://acme.okta.com/u?after=a%2Fb%252B+c|~*%5b%5D&limit=2";
        assert_eq!(next(&[&format!("<{target}>; rel=next")]).as_deref(), Some(target));
    }
}
