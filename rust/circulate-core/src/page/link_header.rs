//! The `Link` response header (RFC 8288) as a paginator: the target of `rel="next"`, or of another relation, is the next page.

use http::HeaderMap;
use http::header::LINK;
use percent_encoding::percent_encode_byte;
use url::Url;

use super::paginator::{Next, PageFacts, Paginator};
use crate::catalog::LinkRel;
use crate::error::{Error, ErrorKind, Result};

/// Follows a relation; a page without it is the last.
#[derive(Debug, Clone)]
pub struct LinkHeader(pub LinkRel);

impl Paginator for LinkHeader {
    fn next(&self, facts: &PageFacts<'_>) -> Result<Next> {
        let url = &facts.request.address.url;
        Ok(Next::named(linked(facts.headers, url, &self.0.rel)?.map(|target| facts.at(target))))
    }
}

/// The target of the relation `rel` over all header lines, resolved against the page's URL: Okta sends one line per
/// relation, others one line for all. `None` only if no line can mean one.
///
/// A line that cannot be parsed (RFC 8288, section 3) and mentions it is an error, never the end of the list, and so are two
/// different targets.
pub(crate) fn linked(headers: &HeaderMap, page: &Url, rel: &str) -> Result<Option<Url>> {
    let rel = rel.as_bytes();
    let mut next: Option<Url> = None;
    for line in headers.get_all(LINK) {
        let line = line.as_bytes();
        let Some(links) = links(line, rel) else {
            if mentions(line, rel) {
                return Err(unreadable("is not a list of links", line));
            }
            continue;
        };
        for link in links.iter().filter(|link| link.is(rel)) {
            let target = page
                .join(&text(link.target))
                .map_err(|error| unreadable("has a next target that is not a URL", line).caused_by(error))?;
            if link.is_about_another(page) {
                return Err(unreadable("has a next target for another resource (`anchor`)", line));
            }
            if next.as_ref().is_some_and(|other| *other != target) {
                return Err(unreadable("has two next targets", line));
            }
            next = Some(target);
        }
    }
    Ok(next)
}

fn unreadable(what: &str, line: &[u8]) -> Error {
    Error::new(ErrorKind::Data, "read next link", format!("the `Link` header {what}"))
        .with("header", without_queries(&text(line)))
        .hint("the page is not taken in, since nothing says whether the list goes on after it; the next pull requests it again")
}

/// A header line without the queries of its addresses, which may be private.
fn without_queries(line: &str) -> String {
    let mut parts = line.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let rest = part.find(['>', ';', ' ', '"']).map_or("", |end| &part[end..]);
        format!("{shown}?***{rest}")
    })
}

fn mentions(line: &[u8], rel: &[u8]) -> bool {
    line.windows(rel.len().max(1)).any(|part| part.eq_ignore_ascii_case(rel))
}

/// Octets as text. Those above 0x7F are opaque data (RFC 9110, section 5.5): what is not UTF-8 is percent-encoded, as it
/// would be in a URL.
fn text(octets: &[u8]) -> String {
    octets.utf8_chunks().fold(String::with_capacity(octets.len()), |mut text, chunk| {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().copied().map(percent_encode_byte));
        text
    })
}

/// One link of a header line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Link<'h> {
    target: &'h [u8],
    /// The value of its first `rel`; further ones are ignored (section 3.3).
    relations: Option<Vec<u8>>,
    /// The resource it is about, if that is not the page (section 3.2).
    anchor: Option<Vec<u8>>,
    /// A parameter that is not a text for people mentions the relation that is wanted.
    mentioned: bool,
}

impl Link<'_> {
    fn is(&self, rel: &[u8]) -> bool {
        let relations = self.relations.as_deref().unwrap_or_default();
        relations.split(u8::is_ascii_whitespace).any(|relation| relation.eq_ignore_ascii_case(rel))
    }

    /// Whether it may have meant to name the next page: its relation is mentioned where no well-formed `rel` says anything.
    fn is_unreadable(&self, rel: &[u8]) -> bool {
        let relations = self.relations.as_deref().unwrap_or_default();
        let mut types = relations.split(u8::is_ascii_whitespace).filter(|relation| !relation.is_empty());
        let says_nothing = self.relations.is_none() || !types.all(is_relation);
        says_nothing && (self.mentioned || mentions(relations, rel))
    }

    fn is_about_another(&self, page: &Url) -> bool {
        self.anchor.as_ref().is_some_and(|anchor| page.join(&text(anchor)).ok().as_ref() != Some(page))
    }
}

/// Whether it is a relation type: a registered one, or a URI (section 3.3). The case of registered ones does not count.
fn is_relation(relation: &[u8]) -> bool {
    let registered = relation.first().is_some_and(u8::is_ascii_alphabetic)
        && relation.iter().all(|octet| octet.is_ascii_alphanumeric() || b".-_".contains(octet));
    registered || std::str::from_utf8(relation).is_ok_and(|uri| Url::parse(uri).is_ok())
}

/// The links of one header line (section 3, `Link`); `None` if any of it cannot be parsed.
fn links<'h>(line: &'h [u8], rel: &[u8]) -> Option<Vec<Link<'h>>> {
    let mut links = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        while let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
        }
        if rest.is_empty() {
            return Some(links);
        }
        let (target, after) = target(rest.strip_prefix(b"<")?)?;
        let mut found = Link { target, ..Link::default() };
        rest = parameters(after, &mut found, rel)?;
        if !found.is(rel) && found.is_unreadable(rel) {
            return None;
        }
        links.push(found);
    }
}

/// What stands before the first `>` that can be the end of a target, and what follows it. Some servers leave a `>` inside
/// their URL as it is.
fn target(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'>').map(|(at, _)| at);
    let mut ends =
        ends.filter(|at| matches!(text[at + 1..].trim_ascii_start().first(), None | Some(b';' | b',')));
    ends.next().map(|at| (&text[..at], &text[at + 1..]))
}

/// Reads `; name=value` parameters into `link`; returns what follows, which begins the next link.
fn parameters<'h>(mut rest: &'h [u8], link: &mut Link<'_>, rel: &[u8]) -> Option<&'h [u8]> {
    loop {
        rest = rest.trim_ascii_start();
        rest = match rest.first() {
            None | Some(b',') => return Some(rest),
            Some(b';') => rest[1..].trim_ascii_start(),
            Some(_) => return None,
        };
        let name_end = rest.iter().position(|byte| b"=;,".contains(byte)).unwrap_or(rest.len());
        let name = rest[..name_end].trim_ascii_end();
        rest = &rest[name_end..];
        let Some(after) = rest.strip_prefix(b"=") else {
            link.mentioned |= mentions(name, rel);
            continue;
        };
        let (value, after) = value(after.trim_ascii_start())?;
        let for_people = [&b"title"[..], b"title*", b"anchor", b"type", b"media", b"hreflang"];
        if !for_people.iter().any(|known| name.eq_ignore_ascii_case(known))
            && !name.eq_ignore_ascii_case(b"rel")
        {
            link.mentioned |= mentions(name, rel) || mentions(&value, rel);
        }
        if name.eq_ignore_ascii_case(b"rel") {
            link.relations.get_or_insert(value);
        } else if name.eq_ignore_ascii_case(b"anchor") {
            link.anchor.get_or_insert(value);
        } else if name.eq_ignore_ascii_case(b"rel*") {
            // Section 3.4.1 defines no such parameter, so a relation in it has no meaning that others would know.
            return None;
        }
        rest = after;
    }
}

/// A token, or a string in quotes with `\` before escaped characters. Single quotes, which are not quotes by the standard,
/// are taken as what their sender means.
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    match text.first() {
        Some(b'"') => quoted(&text[1..]),
        Some(b'\'') if single_quoted(&text[1..]).is_some() => single_quoted(&text[1..]),
        _ => {
            let end = text.iter().position(|byte| b";,".contains(byte)).unwrap_or(text.len());
            let token = text[..end].trim_ascii_end();
            let is_token = !token.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'"');
            is_token.then(|| (token.to_vec(), &text[end..]))
        }
    }
}

fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut octets = text.iter().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'"' => return Some((value, &text[at + 1..])),
            b'\\' => value.push(*octets.next()?.1),
            octet => value.push(*octet),
        }
    }
    None
}

fn single_quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\'')?;
    let after = &text[end + 1..];
    let ends = matches!(after.trim_ascii_start().first(), None | Some(b';' | b','));
    ends.then(|| (text[..end].to_vec(), after))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = "https://acme.okta.com/api/v1/users?limit=2";

    fn next_of(lines: &[&[u8]]) -> Result<Option<String>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, HeaderValue::from_bytes(line).unwrap());
        }
        let url = Url::parse(PAGE).unwrap();
        linked(&headers, &url, "next").map(|next| next.map(String::from))
    }

    fn next(lines: &[&str]) -> Option<String> {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        next_of(&lines).unwrap()
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
    fn links_of_other_relations_are_the_end_of_the_list() {
        assert_eq!(next(&[]), None);
        for line in [
            r#"</a>; rel="self""#,
            r#"</b>; rel="nextish""#,
            "</_next/a.css>; rel=preload; as=style",
            r#"</a>; title="the next one"; rel=up"#,
            "</next>",
            "</a>; rel=prev; title*=UTF-8''next%20page",
            "</a>;;rel=first;crossorigin,,",
            "</a>; rel=\"http://example.com/next\"",
            "</a>; rel=next-archive",
            "</a>; rel=self; foo=next",
            "nonsense",
            "",
            ",",
        ] {
            assert_eq!(next(&[line]), None, "{line}");
        }
    }

    #[test]
    fn a_next_link_is_followed_however_it_is_spelled() {
        for line in [
            "</b>; rel='next'",
            "</b>;rel=next",
            "</b> ;\trel = \"next\" ; title='it is, here'",
            "</b>; rel=\"http://example.com/rel NEXT\"",
            "</a>; rel=prev,, </b>; crossorigin; rel=next;",
            "</b>; title=\"a \\\"next\\\" one\"; rel=next",
            "</b>; rel=next; anchor=\"?limit=2\"",
            "</b>; rel=next, </b>; rel=\"next last\"",
        ] {
            assert_eq!(next(&[line]).as_deref(), Some("https://acme.okta.com/b"), "{line}");
        }
    }

    #[test]
    fn octets_above_ascii_are_kept_as_they_are() {
        let followed = next_of(&[b"</u?q=J\xf6rg&after=2>; rel=next; title=\"J\xf6rg\""]).unwrap();
        assert_eq!(followed.as_deref(), Some("https://acme.okta.com/u?q=J%F6rg&after=2"));
        let utf8 = next_of(&["</u?q=Jörg&after=2>; rel=next".as_bytes()]).unwrap();
        assert_eq!(utf8.as_deref(), Some("https://acme.okta.com/u?q=J%C3%B6rg&after=2"));
    }

    #[test]
    fn an_angle_bracket_inside_a_target_does_not_end_it() {
        let followed = next(&["</u?filter=a>b&after=2>; rel=next"]);
        assert_eq!(followed.as_deref(), Some("https://acme.okta.com/u?filter=a%3Eb&after=2"));
    }

    #[test]
    fn a_line_that_cannot_be_parsed_and_mentions_next_is_an_error() {
        for line in [
            "</u>; rel:next",
            "</u>; rel next",
            "</u>; next",
            "</u>; rel==next",
            "</u>; rel=\u{201c}next\u{201d}",
            "</u>; rel=&quot;next&quot;",
            "</u>; rel=\"next;\"",
            "</u>; rel=`next`",
            "</u>; \"rel\"=\"next\"",
            "</u>; rels=\"next\"",
            "</u>; rel=next/",
            "</u>; rel=next)",
            "</u>; rel=''next''",
            "https://acme.okta.com/u?after=2; rel=next",
            "</u?after=2> rel=\"next\"",
            "see </u?after=2>; rel=next",
            "rel=next; </u?after=2>",
            "</u?after=2>; rel=\"next",
            "</u?after=2; rel=next",
            "</u?a>,b>; rel=next",
            "</u>; title=\"x; rel=\"next\"",
            "</u>; rel=prev next",
            "</u>; rel=\"next\"x",
            "</u>; rel*=UTF-8''next",
            "<http://[>; rel=next",
            "</u>; rel=next; anchor=\"/other\"",
            "</u?after=2>; rel=next, </u?after=3>; rel=next",
            "</u>; rel=NeXt=\"",
        ] {
            let error = next_of(&[line.as_bytes()]).expect_err(line);
            assert_eq!(error.kind(), ErrorKind::Data, "{line}");
            assert!(error.to_string().contains("`Link` header"), "{error}");
            assert!(!error.to_string().contains("after=2"), "{error}");
        }
    }

    #[test]
    fn the_target_is_kept_as_sent() {
        let target = "https://acme.okta.com/u?after=a%2Fb%252B+c|~*%5b%5D&limit=2";
        assert_eq!(next(&[&format!("<{target}>; rel=next")]).as_deref(), Some(target));
    }

    /// A well-formed link with the relation `next` among others, as a server could send it.
    fn line_with_next() -> impl Strategy<Value = String> {
        let parameter = || {
            proptest::sample::select(vec![
                "",
                "; title=\"a, b\"",
                "; crossorigin",
                "; type=a/b",
                "; title='x'",
            ])
        };
        let relation = proptest::sample::select(vec!["next", "\"next\"", "'next'", "\"prev next\"", "NEXT"]);
        let other = || proptest::sample::select(vec!["", "</p>; rel=prev, ", "</x?next=1>; rel=\"self\" ,"]);
        (other(), parameter(), relation, parameter())
            .prop_map(|(other, before, rel, after)| format!("{other}</n>{before}; rel={rel}{after}"))
    }

    /// What may stand in a header's value (RFC 9110, section 5.5).
    fn octet() -> impl Strategy<Value = u8> {
        prop_oneof![0x20u8..0x7f, 0x80u8..=0xff]
    }

    proptest! {
        #[test]
        fn no_corruption_of_a_next_link_makes_it_absent(
            line in line_with_next(),
            at in any::<prop::sample::Index>(),
            octet in octet(),
            insert in any::<bool>(),
        ) {
            let mut corrupt = line.clone().into_bytes();
            let at = at.index(corrupt.len());
            if insert { corrupt.insert(at, octet) } else { corrupt[at] = octet }
            // What still is a list of links says what it says; anything else must not end the list.
            let still_links = links(&corrupt, b"next").is_some();
            let result = next_of(&[&corrupt]);
            if !still_links && mentions(&corrupt, b"next") {
                prop_assert!(result.is_err(), "{:?}: {:?}", String::from_utf8_lossy(&corrupt), result);
            }
        }

        #[test]
        fn any_octets_are_read_without_panic(octets in proptest::collection::vec(octet(), 0..80)) {
            let _ = next_of(&[&octets]);
        }
    }
}
