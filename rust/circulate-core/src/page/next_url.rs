//! The next page's URL as a member of the page, such as `/_links/next/href`, or in a header that is not `Link`.

use serde_json::Value;

use super::envelope::{EnvelopeMember, Scalar};
use super::paginator::{Next, PageFacts, Paginator};
use super::signal::{Signals, is_nothing, members, shown, unreadable};
use crate::api::page_request::{add_parameter, parameter};
use crate::catalog::{NextUrl, Pointer};
use crate::error::{Error, ErrorKind, Result};

impl Paginator for NextUrl {
    fn page_fields(&self) -> Vec<Pointer> {
        members([&self.from])
    }

    /// A page without the URL, or with `null`, `false`, 0 or something empty there, names none.
    fn next(&self, facts: &PageFacts<'_>) -> Result<Next> {
        let found = Signals::new(facts.headers, facts.fields).value(&self.from)?;
        let target = match found.filter(|value| !is_nothing(value)) {
            None => return Ok(Next::Unnamed),
            Some(Value::String(target)) => target,
            Some(other) => {
                return Err(unreadable(
                    &self.from,
                    &format!("is {}, not the address of the next page", shown(&other)),
                ));
            }
        };
        let page = &facts.request.address.url;
        let mut next =
            page.join(&target).map_err(|error| unreadable(&self.from, &format!("is not a URL: {error}")))?;
        for name in &self.keep {
            if parameter(&next, name).is_none() {
                // It may be sent several times.
                for (_, value) in page.query_pairs().filter(|(key, _)| key == name) {
                    add_parameter(&mut next, name, &value);
                }
            }
        }
        Ok(Next::Page(Box::new(facts.at(next))))
    }
}

/// A page without the member at `pointer` may hold the link in another shape: a value where the pointer wants an object,
/// such as `{"next": "https://..."}` for `/next/href`, or a key that differs in case only, such as `Next`. That is not an
/// end of the list, but an error that says what was found.
pub(crate) fn misplaced_link(pointer: &Pointer, envelope: &[EnvelopeMember]) -> Result<()> {
    let segments = pointer.segments();
    let misplaced = envelope.iter().filter(|member| !member.value.is_nothing()).find_map(|member| {
        let shared =
            member.path.iter().zip(segments).take_while(|(found, segments)| found == segments).count();
        if shared == segments.len() {
            return None;
        }
        if shared == member.path.len() {
            return Some(format!("`{}` is {}", member.pointer(), kind_of_scalar(&member.value)));
        }
        let (key, rest) = (&member.path[shared], &member.path[shared..]);
        let is_list = key.bytes().all(|byte| byte.is_ascii_digit()) && member.in_list && shared > 0;
        if is_list {
            let list = EnvelopeMember { path: member.path[..shared].to_vec(), ..member.clone() };
            return Some(format!("`{}` is a list", list.pointer()));
        }
        let same_but_case =
            rest.iter().map(|key| plain(key)).eq(segments[shared..].iter().map(|key| plain(key)));
        same_but_case.then(|| format!("there is `{}`", member.pointer()))
    });
    let Some(found) = misplaced else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Data,
        "read next link",
        format!("the page has no member `{pointer}`, where the definition says what leads to the next page is: {found}"),
    )
    .hint(format!("correct `{pointer}` under `paginator` in the endpoint's definition")))
}

/// A key without what spellings differ in.
fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn kind_of_scalar(value: &Scalar) -> &'static str {
    match value {
        Scalar::Text(_) => "a string",
        Scalar::Number(_) => "a number",
        Scalar::Bool(_) => "`true`",
        Scalar::Null | Scalar::Empty => "empty",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::api::page_request::PageRequest;
    use crate::catalog::Signal;

    fn followed(spec: &NextUrl, field: Option<&str>) -> Result<Option<String>> {
        let url = "https://acme.okta.com/api/v1/iam/assignees/users?limit=5&q=a&q=b%20c".parse().unwrap();
        let fields = [field.map(|field| field.as_bytes().to_vec())];
        let request = PageRequest::new(url);
        let headers = HeaderMap::new();
        let facts =
            PageFacts { request: &request, headers: &headers, fields: &fields, last: &[], records: 0 };
        spec.next(&facts).map(|next| match next {
            Next::Page(address) => Some(address.url.into()),
            other => {
                assert_eq!(other, Next::Unnamed);
                None
            }
        })
    }

    fn next(field: Option<&str>) -> Result<Option<String>> {
        let pointer = Pointer::try_from("/_links/next/href".to_owned()).unwrap();
        followed(&NextUrl { from: Signal::Body(pointer), keep: Vec::new() }, field)
    }

    #[test]
    fn the_member_is_followed_and_its_absence_ends_the_list() {
        assert_eq!(
            next(Some(r#""https://a.example/x?after=%2B""#)).unwrap().unwrap(),
            "https://a.example/x?after=%2B"
        );
        assert_eq!(
            next(Some(r#""?after=1""#)).unwrap().unwrap(),
            "https://acme.okta.com/api/v1/iam/assignees/users?after=1"
        );
        for last in [None, Some("null"), Some("\"\""), Some("false"), Some("0"), Some("[]"), Some("{}")] {
            assert_eq!(next(last).unwrap(), None, "{last:?}");
        }
    }

    #[test]
    fn parameters_that_the_url_drops_are_sent_again() {
        let keep = vec!["q".to_owned(), "limit".to_owned(), "absent".to_owned()];
        let pointer = Pointer::try_from("/next".to_owned()).unwrap();
        let next = followed(&NextUrl { from: Signal::Body(pointer), keep }, Some(r#""?after=1&limit=9""#));
        assert!(next.unwrap().unwrap().ends_with("?after=1&limit=9&q=a&q=b%20c"));
    }

    #[test]
    fn what_is_no_address_is_an_error_that_says_what_it_is() {
        for (field, found) in [
            ("7", "the number 7"),
            ("true", "`true`"),
            (r#"{"href":"/x"}"#, "an object"),
            (r#"["/x"]"#, "a list"),
            (r#""http://[""#, "not a URL"),
            (r#""\ud800""#, "not readable text"),
        ] {
            let error = next(Some(field)).expect_err(field).to_string();
            assert!(error.contains("/_links/next/href") && error.contains(found), "{error}");
        }
    }

    #[test]
    fn a_link_in_another_shape_is_an_error_that_names_the_pointer_and_what_was_found() {
        let check = |page: &str| {
            let pointer = Pointer::try_from("/_links/next/href".to_owned()).unwrap();
            misplaced_link(&pointer, &crate::page::envelope::members(page.as_bytes()))
        };
        for (page, found) in [
            (r#"{"_links":{"next":"http://a/x?p=2"}}"#, "`/_links/next` is a string"),
            (r#"{"_links":{"next":["http://a/x?p=2"]}}"#, "`/_links/next` is a list"),
            (r#"{"_links":{"next":[{"href":"http://a/x?p=2"}]}}"#, "`/_links/next` is a list"),
            (r#"{"_links":"http://a/x?p=2"}"#, "`/_links` is a string"),
            (r#"{"_links":[{"next":{"href":"x"}}]}"#, "`/_links` is a list"),
            (r#"{"_links":{"Next":{"href":"x"}}}"#, "there is `/_links/Next/href`"),
            (r#"{"_Links":{"next":{"href":"x"}}}"#, "there is `/_Links/next/href`"),
            (r#"{"_links":{"next":{"HREF":"x"}}}"#, "there is `/_links/next/HREF`"),
            (r#"{"links":{"next":{"href":"x"}}}"#, "there is `/links/next/href`"),
            (r#"{"_links":{"next":7}}"#, "`/_links/next` is a number"),
        ] {
            let error = check(page).expect_err(page).to_string();
            assert!(error.contains("`/_links/next/href`") && error.contains(found), "{error}");
        }
        for end in [
            "{}",
            r#"{"_links":null}"#,
            r#"{"_links":{}}"#,
            r#"{"_links":{"next":null}}"#,
            r#"{"_links":{"next":[]}}"#,
            r#"{"_links":{"next":{"href":null}}}"#,
            r#"{"_links":{"self":{"href":"x"}},"Next":null}"#,
            r#"{"_links":{"next":{"title":"x"}}}"#,
        ] {
            assert!(check(end).is_ok(), "{end}");
        }
    }
}
