use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{FutureExt, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;

use crate::api::http::{Response, Success};
use crate::catalog::{Pointer, endpoint_from_yaml};
use crate::error::{Error, ErrorKind, Status};
use crate::page::{EnvelopeMember, Page, PageLimits, Watch, read_page};

const NDJSON: &str = "primary_key: [/id], format: ndjson";
const TRAILER: &str = "primary_key: [/id], format: ndjson_with_trailer, empty: no_body";
const CSV: &str = "primary_key: [/id], format: csv";

fn pointers(strings: &[&str]) -> Vec<Pointer> {
    strings.iter().map(|text| Pointer::try_from((*text).to_owned()).unwrap()).collect()
}

/// What is read of a body that comes in pieces of this size.
fn page(listed: &str, body: &[u8], piece: usize) -> Result<Page, Error> {
    page_within(listed, body, piece, PageLimits::default())
}

fn page_within(listed: &str, body: &[u8], piece: usize, limits: PageLimits) -> Result<Page, Error> {
    page_with(listed, body, piece, limits, HeaderMap::new())
}

fn page_with(
    listed: &str,
    body: &[u8],
    piece: usize,
    limits: PageLimits,
    headers: HeaderMap,
) -> Result<Page, Error> {
    let has_trailer = listed.contains("trailer");
    let paginator = if has_trailer { "{token: {from: {body: /offset}, to: offset}}" } else { "none" };
    let yaml = format!(
        "endpoint: things\nabout: Things.\nlist: {{path: /things, paginator: {paginator}, {listed}}}"
    );
    let endpoint = endpoint_from_yaml(&yaml, Path::new("things.yaml")).unwrap();
    let watch = Watch::of(&endpoint.list, &pointers(&["/id"]), &pointers(&["/offset"]));
    let pieces: Vec<_> = body.chunks(piece.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let body = futures_util::stream::iter(pieces).boxed();
    let response = Response { status: StatusCode::OK, headers, body };
    let page = read_page(response, &watch, limits, None, |_, _, _| Ok(Success::Page)).now_or_never().unwrap();
    page.map_err(|failure| failure.error)
}

/// Its records, each with its `/id`.
fn records(page: &Page) -> Vec<(String, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (mut records, mut all) = (page.records(), Vec::new());
    while let Some(record) = records.next().unwrap() {
        all.push((text(record.bytes), record.field(0).map(text)));
    }
    assert_eq!(all.len(), page.record_count());
    all
}

fn strings(listed: &str, body: &str) -> Vec<String> {
    records(&page(listed, body.as_bytes(), 3).unwrap()).into_iter().map(|(record, _)| record).collect()
}

fn offset(page: &Page) -> Option<String> {
    page.fields[0].as_ref().map(|field| String::from_utf8(field.clone()).unwrap())
}

#[test]
fn names_without_rows_are_an_empty_list_where_something_shows_that_they_are_names() {
    let text = "Service unavailable, try later";
    assert_eq!(strings(CSV, "id,name\n"), [""; 0]);
    refused(
        "primary_key: none, format: csv",
        text,
        "may be names of columns as well as an error",
        Status::Permanent,
    );
    assert_eq!(strings("primary_key: none, format: csv", "id,name\n1,a\n").len(), 1);
    let csv = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("Text/CSV; charset=utf-8"))]);
    let listed = "primary_key: none, format: csv";
    let page = page_with(listed, text.as_bytes(), 3, PageLimits::default(), csv).unwrap();
    assert_eq!(page.record_count(), 0);
}

#[track_caller]
fn refused(listed: &str, body: &str, part: &str, status: Status) {
    for piece in [1, 5, 10_000] {
        let error = page(listed, body.as_bytes(), piece).unwrap_err();
        assert!(error.to_string().contains(part), "{body:?}: {error}");
        assert_eq!(error.status(), status, "{body:?}: {error}");
    }
}

#[test]
fn lines_are_records_as_received() {
    let body = "\u{feff}{\"id\": 1.0 }\r\n\r\n \t\n  {\"id\":\"a\\n\"}\n{}";
    assert_eq!(strings(NDJSON, body), ["{\"id\": 1.0 }", "{\"id\":\"a\\n\"}", "{}"]);
    assert_eq!(records(&page(NDJSON, body.as_bytes(), 2).unwrap())[1].1.as_deref(), Some("\"a\\n\""));
    let error = page(NDJSON, b" \n", 9).unwrap_err();
    assert!(error.to_string().contains("empty body"), "{error}");
    assert_eq!(strings(&format!("{NDJSON}, empty: no_body"), "\n"), [""; 0]);
}

#[test]
fn a_line_that_is_no_record_is_named_by_its_number() {
    for (body, part) in [
        ("{}\n\n{\"a\":1},{\"b\":2}\n", "one whole object in each line — line 3"),
        ("{\"a\":1\n\"b\":2}\n", "one whole object in each line — line 1"),
        ("{}\n{\"a\":\n1}\n", "one whole object in each line — line 2"),
        ("{}\n]\n", "not JSON: expected a value — line 2"),
        ("]\n{}\n", "line 1"),
        ("{}]\n", "one whole object in each line — line 1"),
        ("{},\n{}\n", "one whole object in each line — line 1"),
        ("{}\n7\n", "a line of the page is a number, where each is a record, which is an object — line 2"),
        ("[{}]\n", "a line of the page is an array"),
        ("{}\n{\"a\":nul}\n", "a line of the page is not JSON: expected true, false or null — line 2"),
        ("{}\n{\"a\":\"\u{1}\"}\n", "line 2"),
        ("<html>\n", "HTML or XML"),
    ] {
        refused(NDJSON, body, part, Status::Permanent);
    }
    for body in ["{}\n{\"a\":1", "{}\n{\"a\":tr", "{\"a\":\"x", "{}\n{"] {
        refused(NDJSON, body, "ends in the middle of a line", Status::Temporary);
    }
    let limits = PageLimits { record: 10, ..PageLimits::default() };
    for body in ["{}\n{\"a\":\"too long for it\"}\n", "{}\n{\"a\":\"too long for it"] {
        let error = page_within(NDJSON, body.as_bytes(), 4, limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}

#[test]
fn the_last_line_is_what_stands_around_the_records() {
    for (body, expected, token) in [
        ("{\"id\":1}\n{\"id\":2}\n{\"offset\":\"x\",\"n\":2}\n", 2, Some("\"x\"")),
        ("{\"id\":1}\n\n { \"offset\" : 7 } \r\n \n", 1, Some("7")),
        ("\u{feff}{\"offset\":7}", 0, Some("7")),
        ("{\"id\":1}\n{\"offset\":null}\n", 1, Some("null")),
    ] {
        for piece in [1, 1000] {
            let page = page(TRAILER, body.as_bytes(), piece).unwrap();
            assert_eq!((records(&page).len(), offset(&page).as_deref()), (expected, token), "{body}");
        }
    }
    let page = page(TRAILER, b"{\"id\":1}\n{\"total\":537,\"offset\":null}\n", 9).unwrap();
    let around: Vec<_> = page.envelope().unwrap().unwrap().iter().map(EnvelopeMember::pointer).collect();
    assert_eq!(around, ["/_circulate", "/total", "/offset"]);
}

#[test]
fn an_error_that_is_the_only_line_is_neither_a_record_nor_a_trailer() {
    let error = "{\"ok\":false,\"error\":\"x\"}\n";
    refused(NDJSON, error, "the only line has no member `/id` of the primary key", Status::Permanent);
    refused(TRAILER, error, "the last line has no member `/offset`", Status::Permanent);
    assert_eq!(page(NDJSON, b"{\"a\":1}\n{\"a\":2}\n", 3).unwrap().record_count(), 2);
    let keyless = "primary_key: none, format: ndjson";
    assert_eq!(page(keyless, error.as_bytes(), 3).unwrap().record_count(), 1);
}

#[test]
fn a_record_is_never_taken_for_the_trailer() {
    for (body, part) in [
        ("{\"id\":1}\n{}\n", "the last line has no member `/offset`"),
        ("{\"id\":1}\n{\"ok\":false}\n", "the last line has no member `/offset`"),
        ("{\"id\":1}\n{\"id\":2}\n", "the last line is a record: it has the primary key — line 2"),
        ("{\"id\":1}\n[]\n", "the last line is an array — line 2"),
        ("{\"id\":1}\n{\"offset\":1}}\n", "line 2"),
        ("{\"id\":1}\n{\"offset\":1},{}\n", "line 2"),
        ("{\"id\":1}\nx\n", "line 2"),
        ("{\"id\":1}\n{\"offset\":1,\"_circulate\":[{}]}\n", "twice"),
        ("{\"id\":1\n{\"offset\":1}\n", "one whole object in each line — line 1"),
    ] {
        refused(TRAILER, body, part, Status::Permanent);
    }
    refused(TRAILER, "{\"id\":1}\n{\"offset\":1", "ends in the middle of a line", Status::Temporary);
    refused(TRAILER, "{\"id\":1}\n{", "ends in the middle of a line", Status::Temporary);
    let keyless = "primary_key: none, format: ndjson_with_trailer";
    refused(keyless, "{\"a\":1}\n{\"a\":2}\n", "no member `/offset`", Status::Permanent);
    refused(keyless, "", "empty body", Status::Temporary);
    assert_eq!(page(TRAILER, b"", 1).unwrap().record_count(), 0);
}

#[test]
fn rows_are_objects_of_strings() {
    let body = "\u{feff}id,\"the \"\"name\"\"\",c\r\n1,\"a\r\n,\"\"b\"\"\",\n\n\"2\",é\\\u{1}\t,\"\"\r\n";
    assert_eq!(
        strings(CSV, body),
        [
            r#"{"id":"1","the \"name\"":"a\r\n,\"b\"","c":""}"#,
            "{\"id\":\"2\",\"the \\\"name\\\"\":\"é\\\\\\u0001\\t\",\"c\":\"\"}",
        ]
    );
    let page = page(CSV, b"id,a\n7,8", 1).unwrap();
    assert_eq!(records(&page), [(r#"{"id":"7","a":"8"}"#.to_owned(), Some("\"7\"".to_owned()))]);
    for empty in ["id,a", "id,a\r\n", "\n\nid\n"] {
        assert_eq!(strings(CSV, empty), [""; 0], "{empty:?}");
    }
    refused(CSV, "", "empty body", Status::Temporary);
}

#[test]
fn a_row_that_is_none_is_named_by_its_line() {
    for (body, part) in [
        ("id,id\n", "column 2 has the name of one before it — line 1"),
        ("id,,b\n", "the name of column 2 is empty — line 1"),
        ("name\nx\n", "the first row does not name the column `/id` of the primary key — line 1"),
        ("Invalid token", "does not name the column `/id`"),
        ("id,a\n1,2\n\"3\n\",\n4\n", "the row has 1 values, and the first row 2 names — line 5"),
        ("id,a\n1,2,3\n", "more values than the first row has names, which are 2 — line 2"),
        ("id,a\n1,2\"3\n", "a quote stands in a value that does not begin with one — line 2"),
        ("id,a\n1,\"2\"3\n", "something stands between a closing quote and the next comma — line 2"),
        ("id,a\n1\r2,3\n", "a carriage return is neither in quotes nor before a line feed — line 2"),
        ("id\n1\n\n2\n", "a blank line may be a row with an empty value"),
        ("<html>", "HTML or XML, not CSV"),
        ("[]", "it begins like JSON"),
        ("{\"error\":1}", "it begins like JSON"),
    ] {
        refused(CSV, body, part, Status::Permanent);
    }
    let error = page(CSV, b"id,a\n1,\xff\n", 2).unwrap_err();
    assert!(error.to_string().contains("not UTF-8 — line 2"), "{error}");
    for cut in ["id,a\n1,2\n3", "id,a\n1,\"2", "id,a\n1,2\n\"3\n4"] {
        refused(CSV, cut, "ends in the middle of a row", Status::Temporary);
    }
    let limits = PageLimits { record: 20, ..PageLimits::default() };
    for body in ["id,a\n1,\"too long for such a limit\"\n", "id,a\n1,2\n,\"too long for such a limit"] {
        let error = page_within(CSV, body.as_bytes(), 4, limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
}

#[test]
fn what_rows_become_is_bounded_too() {
    let body = format!("id,{}\n{}", "n".repeat(10_000), ",\n".repeat(1_000));
    let limits = PageLimits { page: 1_000_000, ..PageLimits::default() };
    let error = page_within(CSV, body.as_bytes(), 100, limits).unwrap_err();
    assert!(error.to_string().contains("larger than 1 MB"), "{error}");
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_gzip_file_is_unpacked_whatever_is_in_it() {
    let json = "primary_key: [/id]";
    for (listed, parts) in [
        (json, ["[{\"id\":1}", ",{\"id\":2}]"]),
        (NDJSON, ["{\"id\":1}\n{", "\"id\":2}\n"]),
        (CSV, ["id\n1", "\n2\n"]),
    ] {
        let body: Vec<u8> = parts.iter().flat_map(|part| gzip(part.as_bytes())).collect();
        for piece in [1, 7, 10_000] {
            assert_eq!(page(listed, &body, piece).unwrap().record_count(), 2, "{listed}");
        }
        let error = page(listed, &body[..body.len() - 3], 9).unwrap_err();
        assert_eq!(error.status(), Status::Temporary, "{error}");
        assert!(error.to_string().contains("ends too early"), "{error}");
    }
    let limits = PageLimits { page: 1_000_000, ..PageLimits::default() };
    let bomb = page_within(json, &gzip(&vec![b' '; 50_000_000]), 1000, limits).unwrap_err();
    assert_eq!(bomb.kind(), ErrorKind::Limit, "{bomb}");
}

#[test]
fn a_spooled_page_of_very_many_records_gives_them_all_in_any_format() {
    let count = 60_000;
    let all = |shown: fn(usize) -> String| (0..count).map(shown).collect::<Vec<_>>();
    let lines = all(|id| format!("{{\"id\":{id}}}\n")).concat();
    let rows = all(|id| format!("{id}\n")).concat();
    let members = all(|id| format!("\"{id}\":{{}}"));
    let scalars = all(|id| id.to_string());
    for (listed, body, last) in [
        (NDJSON, lines.clone(), r#"{"id":59999}"#),
        (TRAILER, format!("{lines}{{\"offset\":1}}"), r#"{"id":59999}"#),
        (CSV, format!("id\n{rows}"), r#"{"id":"59999"}"#),
        (
            "primary_key: none, records: {map: ''}",
            format!("{{{}}}", members.join(",")),
            r#"{"_circulate":{"key":"59999"}}"#,
        ),
        (
            "primary_key: none, records: {scalars: ''}",
            format!("[{}]", scalars.join(",")),
            r#"{"value":59999}"#,
        ),
    ] {
        for in_memory in [u64::MAX, 10] {
            let limits = PageLimits { in_memory, ..PageLimits::default() };
            let all = records(&page_within(listed, body.as_bytes(), 9_999, limits).unwrap());
            assert_eq!((all.len(), all[count - 1].0.as_str()), (count, last), "{listed}");
        }
    }
}

#[test]
fn what_stands_around_groups_is_all_but_their_arrays() {
    let listed = "primary_key: [/id], records: /g/*/u";
    let body = "\u{feff}{\"g\":[{\"u\":[{\"next\":1}],\"n\":1},{\"u\":[]}],\"next\":\"yes\"}";
    let page = page(listed, body.as_bytes(), 9).unwrap();
    let around: Vec<_> = page.envelope().unwrap().unwrap().iter().map(EnvelopeMember::pointer).collect();
    assert_eq!(around, ["/g/0/u", "/g/0/n", "/g/1/u", "/next"]);
}

#[test]
fn a_record_of_a_map_has_its_key_and_its_parent_in_one_member() {
    let listed = "primary_key: [/_circulate/key], records: {map: ''}";
    let page = page(listed, br#"{"a\"b" : { "id":1}, "c":{ }}"#, 9).unwrap();
    let (mut records, mut written, mut all) = (page.records(), Vec::new(), Vec::new());
    while let Some(record) = records.next().unwrap() {
        record.write_with_parent(br#"{"p":"1"}"#, &mut written);
        all.push((
            String::from_utf8(record.bytes.to_vec()).unwrap(),
            String::from_utf8(written.clone()).unwrap(),
        ));
    }
    let (first, second) = (&all[0], &all[1]);
    assert_eq!(first.0, r#"{"_circulate":{"key":"a\"b"}, "id":1}"#);
    assert_eq!(first.1, r#"{"_circulate":{"parent":{"p":"1"},"key":"a\"b"}, "id":1}"#);
    assert_eq!(second.0, r#"{"_circulate":{"key":"c"} }"#);
    assert_eq!(second.1, r#"{"_circulate":{"parent":{"p":"1"},"key":"c"} }"#);
}

proptest! {
    #[test]
    fn lines_are_what_another_parser_finds_whatever_the_pieces(
        values in proptest::collection::vec("\\PC{0,6}", 0..6), piece in 1_usize..20, crlf: bool, ended: bool,
    ) {
        let lines: Vec<_> = values.iter().map(|value| serde_json::json!({"id": value}).to_string()).collect();
        let end = if crlf { "\r\n" } else { "\n" };
        let body = lines.join(end) + if ended { end } else { "" };
        let listed = format!("{NDJSON}, empty: no_body");
        let found: Vec<_> = records(&page(&listed, body.as_bytes(), piece).unwrap()).into_iter().map(|(r, _)| r).collect();
        prop_assert_eq!(&found, &lines);
        let trailing = format!("{body}{end}{{\"offset\":1}}");
        prop_assert_eq!(page(TRAILER, trailing.as_bytes(), piece).unwrap().record_count(), lines.len());
    }

    #[test]
    fn rows_are_what_another_parser_finds_whatever_the_pieces(
        rows in proptest::collection::vec(proptest::collection::vec("[a,\"\r\n é]{0,5}", 3), 0..6), piece in 1_usize..20,
    ) {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        writer.write_record(["id", "b", "c"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let body = writer.into_inner().unwrap();
        let found: Vec<serde_json::Value> = records(&page(CSV, &body, piece).unwrap())
            .into_iter().map(|(record, _)| serde_json::from_str(&record).unwrap()).collect();
        let parsed: Vec<_> = csv::Reader::from_reader(&*body).into_records()
            .map(|row| row.unwrap()).map(|row| serde_json::json!({"id": row[0], "b": row[1], "c": row[2]})).collect();
        prop_assert_eq!(&found, &parsed);
        prop_assert_eq!(found.len(), rows.len());
    }

    #[test]
    fn what_is_accepted_of_any_rows_is_what_another_parser_finds(
        body in "(id|id,a)\n[a,\"\r\n]{0,20}", piece in 1_usize..20,
    ) {
        if let Ok(page) = page(CSV, body.as_bytes(), piece) {
            let mut reader = csv::Reader::from_reader(body.as_bytes());
            let names = reader.headers().unwrap().clone();
            let parsed: Vec<_> = reader.into_records().map(|row| {
                let row = row.unwrap();
                names.iter().zip(row.iter()).map(|(name, value)| (name.to_owned(), value.into())).collect()
            }).map(serde_json::Value::Object).collect();
            let found: Vec<serde_json::Value> =
                records(&page).into_iter().map(|(record, _)| serde_json::from_str(&record).unwrap()).collect();
            prop_assert_eq!(found, parsed);
        }
    }

    #[test]
    fn any_lines_are_read_whole_or_refused(body in "[{}\\[\\],:\"a1\n\r ]{0,30}", piece in 1_usize..20) {
        let lines: Vec<_> = body.split('\n').map(str::trim_ascii).filter(|line| !line.is_empty()).collect();
        let whole = lines.iter().all(|line| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok());
        // None of them has the primary key: a line that is alone may be an error in words.
        let read = page(&format!("{NDJSON}, empty: no_body"), body.as_bytes(), piece);
        prop_assert_eq!(read.is_ok(), whole && lines.len() != 1, "{:?}", read);
        if let Ok(page) = read {
            prop_assert_eq!(page.record_count(), lines.len());
        }
        let trailing = page(TRAILER, body.as_bytes(), piece);
        prop_assert!(trailing.is_err() || trailing.unwrap().record_count() + 1 == lines.len().max(1));
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..60), piece in 1_usize..20) {
        for listed in [NDJSON, TRAILER, CSV, "primary_key: none, records: {map: /a}", "primary_key: none, records: {scalars: '/*/b'}"] {
            let _ = page(listed, &body, piece);
            let _ = page(listed, &[b"\x1f\x8b", &*body].concat(), piece);
            let _ = page(listed, &[b"id,a\n", &*body].concat(), piece);
        }
    }
}
