//! Query parameters of URLs, changed one by one: the rest of a URL that an API sent stays as it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');

/// A text with all encoded that is not an unreserved character of RFC 3986.
pub(crate) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The value of a query parameter.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A text as a part of a query. A space is `%20`, which all servers take for one.
fn encoded(text: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace('+', "%20")
}

/// Adds a query parameter behind the others.
pub fn add_parameter(url: &mut Url, name: &str, value: &str) {
    let pair = format!("{}={}", encoded(name), encoded(value));
    let query =
        url.query().filter(|query| !query.is_empty()).map_or(pair.clone(), |query| format!("{query}&{pair}"));
    url.set_query(Some(&query));
}

/// Leaves a query parameter out, if it is there.
pub fn remove_parameter(url: &mut Url, name: &str) {
    let Some(query) = url.query().filter(|_| parameter(url, name).is_some()) else { return };
    let left: Vec<_> = query.split('&').filter(|pair| !names(pair, name)).collect();
    let left = (!left.is_empty()).then(|| left.join("&"));
    url.set_query(left.as_deref());
}

/// Whether a part of a query is a parameter of this name.
fn names(pair: &str, name: &str) -> bool {
    url::form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(key, _)| key == name)
}

/// Sets a query parameter, leaving the rest of the URL as it is. A name may be written in several ways, such as
/// `page[size]` and `page%5Bsize%5D`; the one that is there is kept.
pub fn set_parameter(url: &mut Url, name: &str, value: &str) {
    let value = encoded(value);
    let mut pairs: Vec<String> = Vec::new();
    let mut is_set = false;
    for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        if !names(pair, name) {
            pairs.push(pair.to_owned());
        } else if !std::mem::replace(&mut is_set, true) {
            let key = pair.split('=').next().unwrap_or_default();
            pairs.push(format!("{key}={value}"));
        }
    }
    if !is_set {
        pairs.push(format!("{}={value}", encoded(name)));
    }
    url.set_query(Some(&pairs.join("&")));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_parameter_is_left_out_wherever_and_however_it_is_written() {
        for (query, left) in [
            ("key=a", None),
            ("a=1&key=a&b=%2B+x", Some("a=1&b=%2B+x")),
            ("k%65y=a&a&key&key=", Some("a")),
            ("a=1&&keys=2", Some("a=1&&keys=2")),
        ] {
            let mut url: Url = format!("https://acme.example/?{query}").parse().unwrap();
            remove_parameter(&mut url, "key");
            assert_eq!(url.query(), left, "{query}");
        }
    }

    proptest! {
        #[test]
        fn a_parameter_is_set_and_the_others_stay(query in "[a-z%5B=&+0-9]{0,20}", value in "\\PC*") {
            let mut url: Url = format!("https://acme.example/?{query}").parse().unwrap();
            let others: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != "c").collect();
            set_parameter(&mut url, "c", &value);
            prop_assert_eq!(parameter(&url, "c"), Some(value));
            prop_assert_eq!(url.query_pairs().filter(|(key, _)| key == "c").count(), 1);
            let left: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != "c").collect();
            prop_assert_eq!(left, others);
        }
    }
}
