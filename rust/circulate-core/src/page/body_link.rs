//! The next page's URL as a member of the page, such as `/_links/next/href`.

use url::Url;

use super::envelope::{EnvelopeMember, Scalar};
use super::paginator::{PageFacts, Paginator};
use crate::catalog::Pointer;
use crate::error::{Error, ErrorKind, Result};

/// Follows a member of the page; a page without it, or with `null`, `false`, 0 or something empty there, is the last.
#[derive(Debug, Clone)]
pub struct BodyLink(pub Pointer);

impl Paginator for BodyLink {
    fn page_fields(&self) -> Vec<Pointer> {
        vec![self.0.clone()]
    }

    fn next(&self, facts: &PageFacts<'_>) -> Result<Option<Url>> {
        let Some(Some(field)) = facts.fields.first() else { return Ok(None) };
        let wrong = |found: String| {
            Error::new(
                ErrorKind::Data,
                "read next link",
                format!("the page's member `{}` is {found}", self.0),
            )
        };
        let value: serde_json::Value =
            serde_json::from_slice(field).map_err(|_| wrong("not a readable text".to_owned()))?;
        let target = match value {
            serde_json::Value::Null | serde_json::Value::Bool(false) => return Ok(None),
            serde_json::Value::String(target) if target.is_empty() => return Ok(None),
            serde_json::Value::Array(list) if list.is_empty() => return Ok(None),
            serde_json::Value::Object(members) if members.is_empty() => return Ok(None),
            serde_json::Value::Number(number) if number.as_f64() == Some(0.0) => return Ok(None),
            serde_json::Value::String(target) => target,
            other => return Err(wrong(format!("{}, not the address of the next page", kind_of(&other)))),
        };
        facts.url.join(&target).map(Some).map_err(|error| wrong(format!("not a URL: {error}")))
    }
}

fn kind_of(value: &serde_json::Value) -> &'static str {
    use serde_json::Value as V;
    match value {
        V::Object(_) => "an object",
        V::Array(_) => "a list",
        V::Number(_) => "a number",
        V::Bool(_) => "`true`",
        V::String(_) | V::Null => "a string",
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
        format!("the page has no member `{pointer}`, where the definition says the next page's address is: {found}"),
    )
    .hint(format!("correct `paginator: {{body_link: {pointer}}}` in the endpoint's definition")))
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

    fn next(field: Option<&str>) -> Result<Option<String>> {
        let url = "https://acme.okta.com/api/v1/iam/assignees/users".parse().unwrap();
        let fields = [field.map(|field| field.as_bytes().to_vec())];
        let facts = PageFacts { url: &url, headers: &HeaderMap::new(), fields: &fields, records: 0 };
        let pointer = Pointer::try_from("/_links/next/href".to_owned()).unwrap();
        BodyLink(pointer).next(&facts).map(|next| next.map(String::from))
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
    fn what_is_no_address_is_an_error_that_says_what_it_is() {
        for (field, found) in [
            ("7", "a number"),
            ("true", "`true`"),
            (r#"{"href":"/x"}"#, "an object"),
            (r#"["/x"]"#, "a list"),
            (r#""http://[""#, "not a URL"),
            (r#""\ud800""#, "not a readable text"),
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
