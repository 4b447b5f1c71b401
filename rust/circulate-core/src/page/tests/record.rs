use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;
use crate::catalog::{Empty, Pointer};

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
    let no_records = |found| Problem::NotRecords { location: String::new(), found };
    let cases: [(&[u8], u64, Problem); 16] = [
        (b"", 0, Problem::Blank),
        (b"[{\"a\":1},{\"a\"", 13, Problem::Truncated),
        (b" \n<!DOCTYPE html>", 2, Problem::Markup),
        (b"{\"errorCode\":1}", 0, no_records(Found::Object)),
        (b"\"text\"", 0, no_records(Found::String)),
        (b"[1]", 1, Problem::NotARecord { location: String::new(), found: Found::Number }),
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
            Err(SplitError { problem: Problem::NotARecord { .. }, .. }) => {}
            Err(_) => prop_assert!(!is_json(&page), "{}", String::from_utf8_lossy(&page)),
        }
    }
}

fn spec(yaml: &str) -> RecordsSpec {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn records_in_groups_are_found_in_each_of_them() {
    let watch =
        Watch::new(spec("/groups/*/users"), &[pointer("/id")], &[pointer("/next"), pointer("/groups")]);
    let page = r#"{"*":{"users":[{}]},"groups":[{"n":1,"users":[{"id":1},{"users":[{}]}]},{"users":[]},{"users":[{"id":2}],"z":[{}]}],"next":"u"}"#;
    let split = split(page.as_bytes(), &watch).unwrap();
    assert_eq!(slices(page, &split.records), [r#"{"id":1}"#, r#"{"users":[{}]}"#, r#"{"id":2}"#]);
    assert_eq!(slices(page, &split.arrays), [r#"[{"id":1},{"users":[{}]}]"#, "[]", r#"[{"id":2}]"#]);
    assert_eq!(split.page_fields[0].as_ref().map(|span| at(page, span)), Some("\"u\""));
    let fields: Vec<_> = split.record_fields.iter().map(|f| f.as_ref().map(|span| at(page, span))).collect();
    assert_eq!(fields, [Some("1"), None, Some("2")]);
    for (records, page, expected) in [
        ("'/*/items'", r#"[{"items":[{"a":1}]},{"items":[{}]}]"#, vec![r#"{"a":1}"#, "{}"]),
        ("'/*'", r#"[[{"a":1}],[],[{}]]"#, vec![r#"{"a":1}"#, "{}"]),
        ("/a/~2", r#"{"a":{"*":[{}]}}"#, vec!["{}"]),
        ("/a/*/b/c", r#"{"a":[{"b":{"c":[{}]},"c":[{}]}]}"#, vec!["{}"]),
        ("/a/*/b", r#"{"a":[]}"#, vec![]),
        ("{scalars: /a/*/b}", r#"{"a":[{"b":[1,"x"]},{"b":[null]}]}"#, vec!["1", "\"x\"", "null"]),
        ("{map: '/*'}", r#"[{"a":{}},{"b" : {"c":1}},[]]"#, vec![r#""a":{}"#, r#""b" : {"c":1}"#]),
        ("{map: ''}", r#"{"a":{},"a":{"a":{}}}"#, vec![r#""a":{}"#, r#""a":{"a":{}}"#]),
        ("{map: /u}", r#"{"u":[ ]}"#, vec![]),
        ("{one: ''}", r#" {"a":{"b":[{}]}} "#, vec![r#"{"a":{"b":[{}]}}"#]),
        ("{one: /u}", r#"{"v":{},"u": {"u":{}},"w":[]}"#, vec![r#"{"u":{}}"#]),
        ("{one: /u/v}", r#"{"u":{"x":1,"v":{}}}"#, vec!["{}"]),
    ] {
        let found = self::split(page.as_bytes(), &Watch::new(spec(records), &[], &[])).unwrap();
        assert_eq!(slices(page, &found.records), expected, "{records} {page}");
        assert_eq!(found.count, expected.len());
    }
}

#[test]
fn what_is_not_where_records_should_be_is_named_with_its_place() {
    let not = |location: &str, found| Problem::NotRecords { location: location.to_owned(), found };
    let no_record = |location: &str, found| Problem::NotARecord { location: location.to_owned(), found };
    for (records, page, problem) in [
        ("/a/b", r#"{"a":5}"#, not("/a", Found::Number)),
        ("/a/b", r#"{"a":[]}"#, not("/a", Found::Array)),
        ("/a/b", r#"{"a":{"b":"x"}}"#, not("/a/b", Found::String)),
        ("/a/b", "null", not("", Found::Null)),
        ("/a/b", r#"{"a":null}"#, Problem::MissingRecords("/a/b".to_owned())),
        ("/a", r#"{"a":[],"a":[]}"#, Problem::RepeatedRecords("/a".to_owned())),
        ("/a/*/b", r#"{"a":{"b":[]}}"#, not("/a", Found::Object)),
        ("/a/*/b", r#"{"a":[{"b":[]},{"b":{}}]}"#, not("/a/1/b", Found::Object)),
        ("/a/*/b", r#"{"a":[{"b":[]},7]}"#, not("/a/1", Found::Number)),
        ("/a/*/b", r#"{"a":[{"b":[]},{"b":[{},1]}]}"#, no_record("/a/1/b", Found::Number)),
        ("/a/*/b", r#"{"a":[{"b":[]},{}]}"#, Problem::MissingRecords("/a/1/b".to_owned())),
        ("/a/*/b", r#"{"a":[{"b":[]},null]}"#, Problem::MissingRecords("/a/1/b".to_owned())),
        ("/a/*/b", r#"{"a":[{"b":null}]}"#, Problem::NullRecords("/a/0/b".to_owned())),
        ("/a/*/b", r#"{"a":[{"b":[],"b":[]}]}"#, Problem::RepeatedRecords("/a/0/b".to_owned())),
        ("/a/*/b", r#"{"a":null}"#, Problem::NullRecords("/a".to_owned())),
        ("/a/*/b", "{}", Problem::MissingRecords("/a".to_owned())),
        ("/a/*/b", r#"{"a":[],"a":[]}"#, Problem::RepeatedRecords("/a".to_owned())),
        ("{map: /u}", r#"{"u":[{}]}"#, not("/u", Found::Array)),
        ("{map: /u}", r#"{"u":"x"}"#, not("/u", Found::String)),
        ("{map: /u}", r#"{"u":{"a":1}}"#, no_record("/u", Found::Number)),
        ("{scalars: /u}", r#"{"u":{"a":1}}"#, not("/u", Found::Object)),
        ("{scalars: /u}", r#"{"u":[1,[]]}"#, no_record("/u", Found::Array)),
        ("{one: ''}", "[{}]", not("", Found::Array)),
        ("{one: /u}", r#"{"u":7}"#, not("/u", Found::Number)),
        ("{one: /u}", r#"{"u":null}"#, Problem::NullRecords("/u".to_owned())),
        ("{one: /u}", "{}", Problem::MissingRecords("/u".to_owned())),
        ("{one: /u}", r#"{"u":{},"u":{}}"#, Problem::RepeatedRecords("/u".to_owned())),
    ] {
        let error = split(page.as_bytes(), &Watch::new(spec(records), &[], &[])).unwrap_err();
        assert_eq!(error.problem, problem, "{records} {page}");
    }
}

#[test]
fn an_empty_list_is_judged_in_each_group() {
    let words = |null, missing| Empty { null, missing, ..Empty::default() };
    for (page, empty, declared_empty, ok) in [
        (r#"{"a":[{"b":null},{"b":[{}]}]}"#, words(true, false), false, true),
        (r#"{"a":[{"b":null},{"b":[{}]}]}"#, words(false, true), false, false),
        (r#"{"a":[{},null,{"b":[{}]}]}"#, words(false, true), false, true),
        (r#"{"a":[{},null,{"b":[{}]}]}"#, words(true, false), false, false),
        (r#"{"a":null}"#, words(true, false), true, true),
        ("{}", words(false, true), true, true),
        (r#"{"a":[{"b":7}]}"#, words(true, true), false, false),
    ] {
        let watch = Watch::new(spec("/a/*/b"), &[], &[]).with_empty(empty);
        let split = split(page.as_bytes(), &watch);
        assert_eq!(split.is_ok(), ok, "{page}: {split:?}");
        assert!(split.is_err() || split.unwrap().declared_empty == declared_empty, "{page}");
    }
}

#[test]
fn members_of_one_record_and_of_the_page_around_it_are_found_apart() {
    for (records, page) in [
        ("{one: ''}", r#"{"id":1,"u":{"id":2},"next":3}"#),
        ("{one: /u}", r#"{"id":4,"u":{"id":1,"u":{"id":2}},"next":3}"#),
    ] {
        let members = [pointer("/id"), pointer("/u/id"), pointer("/none")];
        let watch = Watch::new(spec(records), &members, &[pointer("/next")]);
        let split = split(page.as_bytes(), &watch).unwrap();
        let text = |span: &Option<ByteSpan>| span.as_ref().map(|span| at(page, span).to_owned());
        let found: Vec<_> = split.record_fields.iter().map(text).collect();
        assert_eq!(found, [Some("1".to_owned()), Some("2".to_owned()), None], "{records}");
        assert_eq!(text(&split.page_fields[0]).as_deref(), Some("3"), "{records}");
    }
}

/// A page of groups, of a map, of scalars or of one record, and what an independent parser finds in it.
fn shaped() -> impl Strategy<Value = (&'static str, String)> {
    let objects = || proptest::collection::vec(record(), 0..4);
    let groups = proptest::collection::vec(objects(), 0..4).prop_map(|groups| {
        let groups: Vec<_> = groups
            .iter()
            .map(|users| format!("{{\"n\":[{{}}], \"users\" :[{}]}}", users.join(" , ")))
            .collect();
        ("/groups/*/users", format!("{{\"groups\":[{}]}}", groups.join(",")))
    });
    let maps = objects().prop_map(|objects| {
        let members = objects.iter().enumerate();
        let members: Vec<_> =
            members.map(|(id, object)| format!("\"\\u0061\\\"{id}\" :\n{object}")).collect();
        ("{map: /users}", format!("{{\"x\":{{\"y\":{{}}}},\"users\":{{{}}}}}", members.join(" ,")))
    });
    let scalar =
        proptest::sample::select(vec!["1", "-0.0", "\"a,]\"", "null", "true", "12345678901234567890123"]);
    let scalars = proptest::collection::vec(scalar, 0..5)
        .prop_map(|scalars| ("{scalars: /ids}", format!("{{\"ids\":[{}]}}", scalars.join(" ,"))));
    let one = record().prop_map(|record| ("{one: /ids}", format!("{{\"n\":[{{}}],\"ids\": {record} }}")));
    prop_oneof![groups, maps, scalars, one]
}

proptest! {
    #[test]
    fn the_pieces_of_a_page_of_any_shape_do_not_matter_and_no_record_is_lost(
        (records, page) in shaped(), piece in 1_usize..9,
    ) {
        let watch = Watch::new(spec(records), &[pointer("/id"), pointer("/value"), pointer("/_circulate/key")], &[]);
        let whole = split(page.as_bytes(), &watch).unwrap();
        let mut splitter = Splitter::new(&watch, 1_000_000, 1_000_000);
        for piece in page.as_bytes().chunks(piece) {
            splitter.feed(piece).unwrap();
        }
        prop_assert_eq!(&splitter.finish().unwrap(), &whole);
        let parsed: serde_json::Value = serde_json::from_str(&page.replace("\\ud800", "")).unwrap();
        let expected = match records {
            "/groups/*/users" => parsed["groups"].as_array().unwrap().iter().map(|g| g["users"].as_array().unwrap().len()).sum(),
            "{map: /users}" => parsed["users"].as_object().unwrap().len(),
            "{one: /ids}" => 1,
            _ => parsed["ids"].as_array().unwrap().len(),
        };
        prop_assert_eq!(whole.count, expected);
        let start = if records == "{map: /users}" { "\"" } else if records == "{scalars: /ids}" { "" } else { "{" };
        prop_assert!(slices(&page, &whole.records).iter().all(|record| record.starts_with(start)));
    }

    #[test]
    fn corrupt_pages_of_any_shape_are_never_taken_for_json(
        (records, page) in shaped(), index in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut page = page.into_bytes();
        let at = index.index(page.len());
        page[at] = byte;
        if split(&page, &Watch::new(spec(records), &[], &[])).is_ok() {
            prop_assert!(is_json(&page));
        }
    }
}
