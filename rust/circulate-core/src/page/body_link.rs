//! The next page's URL as a member of the page, such as `/_links/next/href`.

use url::Url;

use super::{PageFacts, Paginator};
use crate::error::{Error, ErrorKind, Result};
use crate::spec::Pointer;

/// Follows a member of the page; a page without it, or with `null` or an empty text there, is the last.
#[derive(Debug, Clone)]
pub struct BodyLink(pub Pointer);

impl Paginator for BodyLink {
    fn page_fields(&self) -> Vec<Pointer> {
        vec![self.0.clone()]
    }

    fn next(&self, facts: &PageFacts<'_>) -> Result<Option<Url>> {
        let Some(Some(field)) = facts.fields.first() else { return Ok(None) };
        let wrong = |why: String| {
            Error::new(ErrorKind::Data, "read next link", format!("the page's member `{}` is {why}", self.0))
        };
        let target: Option<String> =
            serde_json::from_slice(field).map_err(|_| wrong("neither a text nor null".to_owned()))?;
        match target.filter(|target| !target.is_empty()) {
            None => Ok(None),
            Some(target) => {
                facts.url.join(&target).map(Some).map_err(|error| wrong(format!("not a URL: {error}")))
            }
        }
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
        for last in [None, Some("null"), Some("\"\"")] {
            assert_eq!(next(last).unwrap(), None, "{last:?}");
        }
        assert!(next(Some("7")).is_err() && next(Some(r#""http://[""#)).is_err());
    }
}
