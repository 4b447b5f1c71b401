use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;
use crate::catalog::Pointer;

fn pointer(text: &str) -> Pointer {
    Pointer::try_from(text.to_owned()).unwrap()
}

fn watch_root(fields: &[&str]) -> Watch {
    let fields: Vec<_> = fields.iter().map(|field| pointer(field)).collect();
    Watch::new(Pointer::default(), &fields, &[])
}

fn split(page: &[u8], watch: &Watch) -> Result<Split, SplitError> {
    let mut splitter = Splitter::new(watch, 1_000_000, 1_000_000);
    splitter.feed(page)?;
    splitter.finish()
}

fn slices<'p>(page: &'p str, spans: &[ByteSpan]) -> Vec<&'p str> {
    spans.iter().map(|span| at(page, span)).collect()
}

fn at<'p>(page: &'p str, span: &ByteSpan) -> &'p str {
    &page[usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()]
}

#[test]
fn records_are_the_bytes_between_the_commas() {
    let page = "\u{feff} [ {\"a\":1.0 , \"a\":1e5},\r\n{\"b\":[{},[],\"]}\\\"\"]} ,{} ] \n";
    let split = split(page.as_bytes(), &watch_root(&[])).unwrap();
    assert_eq!(slices(page, &split.records), ["{\"a\":1.0 , \"a\":1e5}", "{\"b\":[{},[],\"]}\\\"\"]}", "{}"]);
}

#[test]
fn watched_members_are_found_whatever_their_key_looks_like() {
    let page =
        r#"[{"x":{"id":0},"id":"a","profile":{"login":{"id":7}}},{"i\u0064":"b"},{"id":1,"id":[2]},{}]"#;
    let split = split(page.as_bytes(), &watch_root(&["/id", "/profile/login"])).unwrap();
    let found: Vec<_> = split.record_fields.iter().map(|f| f.as_ref().map(|span| at(page, span))).collect();
    assert_eq!(
        found,
        [Some("\"a\""), Some("{\"id\":7}"), Some("\"b\""), None, Some("[2]"), None, None, None]
    );
}

#[test]
fn records_inside_an_object_are_found_with_what_stands_around_them() {
    let watch =
        Watch::new(pointer("/data/items"), &[pointer("/id")], &[pointer("/next"), pointer("/data/more")]);
    let page = r#"{"items":[1],"data":{"n":1,"items":[{"id":5,"next":0}],"more":true},"next":"u"}"#;
    let split = split(page.as_bytes(), &watch).unwrap();
    assert_eq!(slices(page, &split.records), [r#"{"id":5,"next":0}"#]);
    let around: Vec<_> = split.page_fields.iter().flatten().map(|span| at(page, span)).collect();
    assert_eq!(around, ["\"u\"", "true"]);
}

#[test]
fn what_is_not_a_page_of_records_is_refused_with_its_offset() {
    let cases: [(&[u8], u64, Problem); 16] = [
        (b"", 0, Problem::Blank),
        (b"[{\"a\":1},{\"a\"", 13, Problem::Truncated),
        (b" \n<!DOCTYPE html>", 2, Problem::Markup),
        (b"{\"errorCode\":1}", 0, Problem::NoArray),
        (b"\"text\"", 0, Problem::NoArray),
        (b"[1]", 1, Problem::NotAnObject),
        (b"[{}] x", 5, Problem::Syntax("nothing more after the document")),
        (b"[{}][]", 4, Problem::Syntax("nothing more after the document")),
        (b"[{\"a\":NaN}]", 6, Problem::Syntax("a value")),
        (b"[{\"a\":01}]", 7, Problem::Syntax("`,` or the end of the container")),
        (b"[{\"a\":1.}]", 8, Problem::Syntax("a number")),
        (b"[{\"a\":\"\n\"}]", 7, Problem::Syntax("no raw control character in a string")),
        (b"[{\"a\":\"\xff\"}]", 7, Problem::Utf8),
        (b"[{\"a\":\"\xed\xa0\x80\"}]", 8, Problem::Utf8),
        (b"[{},]", 4, Problem::Syntax("a value")),
        (b"[{\"a\":1,}]", 8, Problem::Syntax("a key")),
    ];
    for (page, offset, problem) in cases {
        let shown = String::from_utf8_lossy(page);
        assert_eq!(split(page, &watch_root(&[])), Err(SplitError { offset, problem }), "{shown}");
    }
}

#[test]
fn what_other_parsers_trip_over_is_kept() {
    for page in [
        r#"[{"a":"\ud800","b":"\udc00\ud800"}]"#,
        r#"[{"a":123456789012345678901234567890,"b":1e400,"c":-0.0}]"#,
        r#"[{"a":1,"a":2}]"#,
        "[{\"a\":\"\u{7f}\u{2028}\u{10ffff}\"}]",
    ] {
        assert_eq!(split(page.as_bytes(), &watch_root(&[])).unwrap().records.len(), 1, "{page}");
    }
}

#[test]
fn limits_hold() {
    let watch = watch_root(&[]);
    let mut tight = Splitter::new(&watch, 10, 2);
    assert_eq!(tight.feed(b"[{\"a\":\"bcdefgh").unwrap_err().problem, Problem::RecordTooLarge);
    assert!(Splitter::new(&watch, 10, 2).feed(b"[{\"a\":\"123\"},{},").is_err());
    assert!(Splitter::new(&watch, 10, 2).feed(b"[{\"a\":\"12\"},{}]").is_ok());
    assert_eq!(
        Splitter::new(&watch, 10, 2).feed(b"[{},{},{}]").unwrap_err().problem,
        Problem::TooManyRecords
    );
    let deep = "[{\"a\":".to_owned() + &"[".repeat(MAX_DEPTH);
    assert_eq!(split(deep.as_bytes(), &watch).unwrap_err().problem, Problem::TooDeep);
}

/// JSON text with white space, escapes and numbers of all shapes.
fn json() -> impl Strategy<Value = String> {
    let space = || proptest::sample::select(vec!["", " ", "\n", "\t\r\n "]);
    let text = proptest::sample::select(vec![
        r#""""#,
        r#""id""#,
        r#""a b""#,
        r#""é漢😀""#,
        r#""\u00e9\ud83d\ude00\ud800""#,
        r#""\"\\\/\n""#,
        r#""\u0069d""#,
    ]);
    let number = proptest::sample::select(vec![
        "0",
        "-0",
        "1.0",
        "1e5",
        "1E+2",
        "-0.0",
        "12345678901234567890123",
        "0.1000",
    ]);
    let literal = proptest::sample::select(vec!["true", "false", "null", "{}", "[]"]);
    let leaf = prop_oneof![text.clone(), number, literal].prop_map(str::to_owned);
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let member =
            (text.clone(), space(), inner.clone()).prop_map(|(key, s, value)| format!("{key}{s}:{s}{value}"));
        prop_oneof![
            (proptest::collection::vec(inner, 0..4), space())
                .prop_map(|(items, s)| format!("[{s}{}{s}]", items.join(&format!("{s},{s}")))),
            (proptest::collection::vec(member, 0..4), space())
                .prop_map(|(items, s)| format!("{{{s}{}{s}}}", items.join(&format!(",{s}")))),
        ]
    })
}

fn record() -> impl Strategy<Value = String> {
    proptest::collection::vec((proptest::sample::select(vec!["id", "x", "lastUpdated"]), json()), 0..4)
        .prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(" ,\n"))
        })
}

fn is_json(page: &[u8]) -> bool {
    std::str::from_utf8(page).is_ok() && serde_json::from_slice::<IgnoredAny>(page).is_ok()
}

proptest! {
    #[test]
    fn plain_bytes_are_distinguished_from_others_wherever_they_stand(
        text in proptest::collection::vec(
            prop_oneof![8 => b' '..0x80_u8, 1 => any::<u8>(), 1 => proptest::sample::select(b"\"\\\x1f\x80".to_vec())],
            0..40,
        ),
    ) {
        let special = |byte: &u8| *byte < 0x20 || *byte >= 0x80 || *byte == b'"' || *byte == b'\\';
        prop_assert_eq!(plain_length(&text), text.iter().position(special).unwrap_or(text.len()));
    }

    #[test]
    fn every_record_comes_out_as_it_went_in(records in proptest::collection::vec(record(), 0..8)) {
        let page = format!("[{}]", records.join(" ,\n "));
        let split = split(page.as_bytes(), &watch_root(&["/id"])).unwrap();
        prop_assert_eq!(slices(&page, &split.records), records);
    }

    #[test]
    fn the_pieces_a_page_arrives_in_do_not_matter(
        records in proptest::collection::vec(record(), 0..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let page = format!("[{}]", records.join(","));
        let watch = watch_root(&["/id", "/lastUpdated"]);
        let whole = split(page.as_bytes(), &watch).unwrap();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(page.len())).collect();
        cuts.extend([0, page.len()]);
        cuts.sort_unstable();
        let mut splitter = Splitter::new(&watch, 1_000_000, 1_000_000);
        for pair in cuts.windows(2) {
            splitter.feed(&page.as_bytes()[pair[0]..pair[1]]).unwrap();
        }
        prop_assert_eq!(splitter.finish().unwrap(), whole);
    }

    #[test]
    fn corrupt_pages_are_accepted_exactly_when_they_are_json(
        value in json(),
        index in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        remove in any::<bool>(),
    ) {
        let mut page = format!("[{{\"id\":{value}}}]").into_bytes();
        let at = 1 + index.index(page.len() - 2);
        if remove { page.remove(at); } else { page[at] = byte; }
        match split(&page, &watch_root(&["/id"])) {
            Ok(_) => prop_assert!(is_json(&page)),
            Err(SplitError { problem: Problem::NotAnObject, .. }) => {}
            Err(_) => prop_assert!(!is_json(&page), "{}", String::from_utf8_lossy(&page)),
        }
    }
}
