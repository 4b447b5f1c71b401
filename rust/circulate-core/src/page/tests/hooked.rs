use std::sync::Arc;

use futures_util::stream::iter;
use serde_json::json;

use super::super::{Page, PageLimits, Watch, read_page};
use super::*;
use crate::api::http::{Response, Success};
use crate::testing::FakeHooks;

fn hooks(list: &str) -> ThroughHooks {
    let stream = stream(list);
    ThroughHooks::of(&stream, &Hooks::new(Arc::new(FakeHooks::default()))).unwrap()
}

fn stream(list: &str) -> StreamSpec {
    let yaml = format!("endpoint: x\nabout: x\nlist: {{path: /x, primary_key: [/id], {list}}}\n");
    crate::catalog::endpoint_from_yaml(&yaml, std::path::Path::new("x.yaml")).unwrap().list
}

async fn read(list: &str, body: &[u8], limits: PageLimits) -> Result<Page> {
    let stream = stream(list);
    let watch = Watch::of(&stream, &[], &[]);
    let pieces: Vec<_> = body.chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let response = Response { status: StatusCode::OK, headers: HeaderMap::new(), body: iter(pieces).boxed() };
    let judge = |_, _: &HeaderMap, _: &[Option<Vec<u8>>]| Ok(Success::Page);
    read_page(response, &watch, limits, Some(&hooks(list)), judge).await.map_err(|failure| failure.error)
}

fn records(page: &Page) -> Vec<String> {
    let (mut records, mut found) = (page.records(), Vec::new());
    while let Some(record) = records.next().unwrap() {
        found.push(String::from_utf8(record.bytes.to_vec()).unwrap());
    }
    found
}

const PAGE: &str = "hooks: {page: h.py:page}, paginator: none";
const SPLIT: &str = "hooks: {split: h.py:split}, paginator: none";

#[tokio::test]
async fn what_hooks_make_is_read_in_memory_and_in_a_file() {
    for list in [PAGE, SPLIT] {
        for in_memory in [1_000, 3] {
            let limits = PageLimits { in_memory, ..PageLimits::default() };
            let page = read(list, b"{\"id\" :1}\n{\"id\":2}", limits).await.unwrap();
            assert_eq!((page.bytes, page.record_count()), (18, 2), "as many bytes as came");
            assert_eq!(records(&page), ["{\"id\" :1}", "{\"id\":2}"]);
        }
    }
}

#[tokio::test]
async fn records_that_a_hook_makes_are_exactly_one_object_each() {
    for (body, why) in [
        ("{}\n[]", "record 2 is an array"),
        ("{}\n", "record 2 is not exactly one"),
        ("{}{}", "record 1 is not JSON"),
        ("{}]", "record 1 is not exactly one"),
        ("{},{}", "record 1 is not exactly one"),
        ("{\"x\":1", "record 1 is not exactly one"),
        ("{x}", "record 1 is not JSON"),
    ] {
        let error = read(SPLIT, body.as_bytes(), PageLimits::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Hook, "{body}");
        assert!(error.to_string().contains(why), "{body}: {error}");
    }
    let limits = PageLimits { record: 10, ..PageLimits::default() };
    let error = read(SPLIT, b"{\"text\": \"too long\"}", limits).await.unwrap_err();
    assert!(error.to_string().contains("larger than records may be"), "{error}");
}

#[tokio::test]
async fn a_page_for_a_hook_has_a_bound() {
    let limits = PageLimits { hooked: 5, ..PageLimits::default() };
    for list in [PAGE, SPLIT, "paginator: {hook: h.py:next}"] {
        assert_eq!(read(list, b"[{}, {}]", limits).await.unwrap_err().kind(), ErrorKind::Limit, "{list}");
    }
}

fn request(body: Option<RequestBody>) -> PageRequest {
    let url = "https://acme.example/items?page=1&key=x".parse().unwrap();
    PageRequest { body, key_parameters: vec!["key".to_owned()], ..PageRequest::new(url) }
}

#[test]
fn what_a_hook_names_is_changed_and_all_else_is_kept() {
    let json = || Some(RequestBody::Json(json!({"limit": 5})));
    let next = NextRequest {
        url: Some("/v2/items?page=1&x=%2B".to_owned()),
        query: vec![("page".to_owned(), Some("2 3".to_owned())), ("x".to_owned(), None)],
        headers: vec![("X-Cursor".to_owned(), "c".to_owned())],
        body: vec![("/after".to_owned(), json!(7))],
    };
    let address = address_of(&request(json()), next).unwrap();
    assert_eq!(address.url.as_str(), "https://acme.example/v2/items?page=2%203");
    assert_eq!((address.headers["X-Cursor"].as_str(), &address.body["/after"]), ("c", &json!(7)));
    let kept = address_of(&request(json()), NextRequest::default()).unwrap();
    assert_eq!(kept.url.as_str(), "https://acme.example/items?page=1", "what signs in is in no address");
}

#[test]
fn what_no_request_can_take_is_an_error() {
    let with =
        |pointer: &str| NextRequest { body: vec![(pointer.to_owned(), json!(1))], ..NextRequest::default() };
    let json = || Some(RequestBody::Json(json!({"limit": 5})));
    for (body, next, why) in [
        (None, with("/x"), "requests of the list have none"),
        (json(), with(""), "a whole body"),
        (json(), with("/limit/x"), "leads through"),
        (Some(RequestBody::Form(Vec::new())), with("/a/b"), "a form has fields only"),
        (json(), NextRequest { url: Some("http://[".to_owned()), ..NextRequest::default() }, "`url`"),
    ] {
        let error = address_of(&request(body), next).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
