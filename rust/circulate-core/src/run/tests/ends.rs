//! How lists end, and that no page is taken for the whole list.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::catalog::{
    Definition, EndRules, LinkRel, NextUrl, PageSize, PaginatorSpec, Pointer, RecordsSpec, RequestLocation,
    Signal, Single, Span, Total,
};
use crate::clock::later;
use crate::error::ErrorKind;
use crate::page::EndKind;
use crate::testing::{Lake, ScriptedResponse, Server, okta, page};

/// A list of some API, as a server that keeps to what it says would give it.
#[derive(Debug, Clone)]
struct Api {
    /// Records it has.
    items: usize,
    /// The most that it gives in a page.
    cap: usize,
    /// Whether `limit` counts.
    goes_by_limit: bool,
    /// How it names the next page.
    next: Next,
    /// What stands beside the records, if they stand in an object.
    envelope: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Link,
    Body,
    Nowhere,
}

const API: Api = Api { items: 0, cap: 100, goes_by_limit: true, next: Next::Link, envelope: None };

impl Api {
    fn respond(&self, url: &Url) -> ScriptedResponse {
        let number = |name: &str| {
            let pair = url.query_pairs().find(|(key, _)| key == name);
            pair.and_then(|(_, value)| value.parse::<usize>().ok())
        };
        let size = number("limit").filter(|_| self.goes_by_limit).unwrap_or(self.cap).min(self.cap);
        let start = number("start").unwrap_or(0);
        let end = (start + size).min(self.items);
        let items: Vec<_> =
            (start..end).map(|id| json!({"id": id, "lastUpdated": "2026-11-22T05:00:00Z"})).collect();
        let mut next = url.clone();
        let others: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != "start").collect();
        next.query_pairs_mut().clear().extend_pairs(others).append_pair("start", &end.to_string());
        let next = (end < self.items).then(|| next.to_string());
        let body = match &self.envelope {
            None => json!(items),
            Some(envelope) => {
                let mut body = envelope.clone();
                body["items"] = json!(items);
                if self.next == Next::Body {
                    body["next"] = json!(next);
                }
                body
            }
        };
        let response = ScriptedResponse::new(200, body.to_string());
        match next.filter(|_| self.next == Next::Link) {
            Some(next) => response.next(&next),
            None => response,
        }
    }

    fn server(self) -> Arc<Server> {
        Server::new(move |url| self.respond(url))
    }
}

/// A definition of such a list, with this paginator and page size.
fn listed(paginator: PaginatorSpec, size: Option<u32>, in_object: bool) -> Definition {
    let mut definition = okta("users");
    let list = &mut definition.endpoint.list;
    list.paginator = paginator;
    list.page_size = size.map(|max| PageSize::in_query("limit", max));
    list.records = if in_object { pointer("/items").into() } else { RecordsSpec::default() };
    list.query.clear();
    // Without a filter totals count, too.
    if let Some(rule) = list.incremental_mut() {
        rule.full_since = None;
    }
    definition
}

fn pointer(text: &str) -> Pointer {
    Pointer::try_from(text.to_owned()).unwrap()
}

async fn pulled(lake: &Lake, definition: &Definition, server: &Arc<Server>) -> Report {
    let outcome = lake.pull_of(definition.clone(), Arc::clone(server) as _).run().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    outcome.report
}

async fn pull_once(definition: &Definition, api: Api) -> Report {
    pulled(&Lake::default(), definition, &api.server()).await
}

fn ended(report: &Report) -> EndKind {
    assert_eq!(report.ends.counts.len(), 1, "{:?}", report.ends);
    *report.ends.counts.keys().next().unwrap()
}

/// The list is committed as far as it was read, is not complete, and the cursor stays; says why.
fn contradicted(report: &Report) -> &str {
    assert_eq!((report.status, report.next_since), (Verdict::Partial, None), "{report:?}");
    assert!(report.manifest.is_some(), "what was read is kept");
    assert_eq!((report.ends.contradicted, report.gaps.len()), (1, 1), "{report:?}");
    assert!(report.gaps[0].starts_with("okta.users after page 1: "), "{:?}", report.gaps);
    &report.gaps[0]
}

fn by_link() -> PaginatorSpec {
    PaginatorSpec::LinkHeader(LinkRel::default())
}

fn next_url(pointer: Pointer) -> PaginatorSpec {
    PaginatorSpec::NextUrl(NextUrl { from: Signal::Body(pointer), keep: Vec::new() })
}

fn body_by_link() -> PaginatorSpec {
    next_url(pointer("/next"))
}

#[tokio::test(start_paused = true)]
async fn a_list_of_several_pages_ends_where_no_next_page_is_named() {
    for (api, definition) in [
        (Api { items: 537, ..API }, listed(by_link(), Some(100), false)),
        (
            Api { items: 537, next: Next::Body, envelope: Some(json!({"total": 9999})), ..API },
            listed(body_by_link(), Some(100), true),
        ),
        (Api { items: 537, cap: 20, ..API }, listed(by_link(), Some(100), false)),
    ] {
        let report = pull_once(&definition, api).await;
        assert_eq!((report.status, report.totals.records), (Verdict::Complete, 537));
        assert_eq!((ended(&report), report.warnings.len()), (EndKind::NoNext, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn one_page_is_not_taken_for_a_list_whose_total_is_larger() {
    let api = Api { items: 537, cap: 20, next: Next::Nowhere, envelope: Some(json!({"total": 537})), ..API };
    for (paginator, size) in [
        (PaginatorSpec::None, None),
        (PaginatorSpec::None, Some(100)),
        (by_link(), Some(100)),
        (by_link(), None),
        (next_url(pointer("/nxt")), None),
    ] {
        let definition = listed(paginator, size, true);
        let report = pull_once(&definition, api.clone()).await;
        assert!(
            contradicted(&report).contains("`/total` is `537`, and 20 records were read"),
            "{:?}",
            report.gaps
        );
        assert_eq!(report.totals.records, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn totals_are_found_wherever_apis_put_them() {
    for (envelope, found) in [
        (json!({"meta": {"total": 537}}), Some("`/meta/total`")),
        (
            json!({"page": {"totalElements": 537, "totalPages": 27, "number": 0}}),
            Some("`/page/totalElements`"),
        ),
        (json!({"paging": {"total_pages": 27}}), Some("`/paging/total_pages`")),
        (json!({"total": {"value": 537, "relation": "eq"}}), Some("`/total/value`")),
        (json!({"count": "537"}), Some("`/count`")),
        (json!({"totalResults": 537, "itemsPerPage": 20}), Some("`/totalResults`")),
        (json!({"total": 20, "count": 20}), None),
        (json!({"took_ms": 537, "page_size": 537, "facets": {"open": {"count": 537}}}), None),
        (json!({"included": [{"total": 537}]}), None),
    ] {
        let api = Api { items: 20, next: Next::Nowhere, envelope: Some(envelope.clone()), ..API };
        let report = pull_once(&listed(PaginatorSpec::None, None, true), api).await;
        match found {
            Some(found) => assert!(contradicted(&report).contains(found), "{envelope}: {:?}", report.gaps),
            None => assert_eq!(report.status, Verdict::Complete, "{envelope}: {:?}", report.gaps),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_total_that_is_no_exact_one_contradicts_nothing() {
    let api = Api { items: 20, next: Next::Nowhere, envelope: Some(json!({"total": 537})), ..API };
    let mut definition = listed(PaginatorSpec::None, None, true);
    definition.endpoint.list.total = Some(Total { exact: false });
    assert_eq!(pull_once(&definition, api).await.status, Verdict::Complete);
}

#[tokio::test(start_paused = true)]
async fn what_looks_like_a_next_page_contradicts_the_end_of_a_list() {
    for (envelope, found, paginator) in [
        (json!({"next": "?start=20"}), "`/next`", Some("{body_link: /next}")),
        (
            json!({"_links": {"next": {"href": "/api/v1/users?start=20"}}}),
            "`/_links/next/href`",
            Some("/_links/next/href}"),
        ),
        (
            json!({"links": [{"rel": "self", "href": "x"}, {"rel": "next", "href": "/other?x=1"}]}),
            "`/links/1/href`",
            None,
        ),
        (json!({"nextPageToken": "abc"}), "`/nextPageToken`", None),
        (json!({"meta": {"next_cursor": "abc"}}), "`/meta/next_cursor`", None),
        (json!({"cursor": 20}), "`/cursor`", None),
        (json!({"has_more": true}), "`/has_more`", None),
        (json!({"has_more": 1}), "`/has_more`", None),
        (json!({"has_more": "yes"}), "`/has_more`", None),
        (json!({"more_items_in_collection": true}), "`/more_items_in_collection`", None),
        (json!({"@odata.count": 537}), "`/@odata.count`", None),
        (json!({"d": {"__count": "537"}}), "`/d/__count`", None),
        (json!({"totalRecordCount": 537}), "`/totalRecordCount`", None),
        (json!({"total": 537.0}), "`/total`", None),
        (json!({"info": {"total": 537}}), "`/info/total`", None),
        (json!({"pageInfo": {"hasNextPage": true, "endCursor": "x"}}), "`/pageInfo/hasNextPage`", None),
        (json!({"isLast": false}), "`/isLast`", None),
        (json!({"IsTruncated": true, "NextMarker": null}), "`/IsTruncated`", None),
        (
            json!({"@odata.nextLink": "https://acme.okta.com/api/v1/users?$skiptoken=x"}),
            "`/@odata.nextLink`",
            Some("/@odata.nextLink}"),
        ),
        (
            json!({"more_results_at": "https://acme.okta.com/api/v1/users?page=2"}),
            "`/more_results_at`",
            Some("/more_results_at}"),
        ),
        (json!({"metadata": {"continue": "abc"}}), "`/metadata/continue`", None),
        (json!({"page_token": "abc"}), "`/page_token`", None),
        (json!({"x": "\u{d7ff}", "next": "?start=20"}), "`/next`", None),
    ] {
        let api = Api { items: 20, next: Next::Nowhere, envelope: Some(envelope.clone()), ..API };
        for definition in [
            listed(PaginatorSpec::None, None, true),
            listed(next_url(pointer("/wrong")), Some(100), true),
            listed(by_link(), Some(100), true),
        ] {
            let report = pull_once(&definition, api.clone()).await;
            let why = contradicted(&report);
            assert!(why.contains(found), "{envelope}: {why}");
            assert!(paginator.is_none_or(|paginator| why.contains(paginator)), "{envelope}: {why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_seems_to_lead_on_contradicts_nothing() {
    for envelope in [
        json!({"next": null, "nextPageToken": "", "has_more": false, "next_offset": 0}),
        json!({"links": {"self": "/api/v1/users?start=0", "first": "/api/v1/users?page=1", "prev": "/api/v1/users?start=1"}}),
        json!({"links": {"next": null, "last": "/api/v1/users?page=1"}}),
        json!({"nextSyncToken": "abc", "@odata.deltaLink": "https://acme.okta.com/api/v1/users?$deltatoken=x"}),
        json!({"next_stream_position": "123"}),
        json!({"links": {"self": "?page=1", "first": "?page=1", "last": "?page=1"}}),
        json!({"has_more": 0, "cursor": "abc"}),
        json!({"page": {"last": 1}}),
        json!({"pageInfo": {"hasNextPage": false, "endCursor": "abc", "startCursor": "a"}}),
        json!({"has_more": "false", "cursor": "abc"}),
        json!({"isLast": true, "nextCursor": "abc"}),
        json!({"@odata.context": "https://acme.okta.com/api/v1/$metadata#users"}),
        json!({"kind": "admin#users", "etag": "\"x\""}),
        json!({"included": [{"next_billing_date": "2026-12-01", "next": "later", "href": "/api/v1/groups?x=1"}]}),
    ] {
        let api = Api { items: 20, next: Next::Nowhere, envelope: Some(envelope.clone()), ..API };
        let report = pull_once(&listed(PaginatorSpec::None, None, true), api).await;
        assert_eq!(report.status, Verdict::Complete, "{envelope}: {:?}", report.gaps);
    }
}

#[tokio::test(start_paused = true)]
async fn members_of_records_are_no_sign_of_a_next_page() {
    let record = r#"{"id":1,"next_billing_date":"2026-12-01","next":"?p=2","has_more":true,"total":99}"#;
    let server = Server::new(move |_| ScriptedResponse::new(200, format!("[{record}]")));
    let report = pulled(&Lake::default(), &listed(PaginatorSpec::None, None, false), &server).await;
    assert_eq!((report.status, ended(&report)), (Verdict::Complete, EndKind::Single));
}

#[tokio::test(start_paused = true)]
async fn headers_can_contradict_the_end_of_a_list_too() {
    for (name, value, found) in [
        (
            "link",
            "<https://acme.okta.com/api/v1/users?after=2>; rel=\"next\"",
            Some("`paginator: link_header`"),
        ),
        ("link", "https://acme.okta.com/api/v1/users?after=2; rel=next", Some("the header `Link`")),
        ("x-next-page", "2", Some("the header `x-next-page`")),
        ("x-next-cursor", "abc", Some("`x-next-cursor`")),
        ("pagination-cursor", "abc", Some("`pagination-cursor`")),
        ("x-total-count", "537", Some("`x-total-count`")),
        ("x-total-pages", "27", Some("`x-total-pages`")),
        ("content-range", "items 0-19/537", Some("`content-range`")),
        (
            "x-pagination",
            r#"{"TotalCount":537,"HasNext":true}"#,
            Some("`/HasNext` in the header `x-pagination` is `true`"),
        ),
        ("x-pagination", r#"{"totalCount":537,"pageSize":2}"#, Some("`/totalCount` in the header")),
        ("x-pagination", r#"{"nextPageToken":"abc"}"#, Some("`/nextPageToken` in the header")),
        (
            "x-pagination",
            r#"{"next":"https://acme.okta.com/api/v1/users?page=2"}"#,
            Some("`/next` in the header"),
        ),
        ("x-pagination", r#"{"TotalCount":2,"HasNext":false,"NextPage":2}"#, None),
        ("x-pagination", r#"{"nextPageLink":"","previousPageLink":null,"currentPage":1}"#, None),
        ("x-report", r#"{"group":"next","max_age":10}"#, None),
        ("x-next-page", "", None),
        ("x-next-page", "0", None),
        ("x-prev-cursor", "abc", None),
        ("x-total-count", "2", None),
        ("x-rate-limit-remaining", "537", None),
        ("content-range", "bytes 0-19/537", None),
        ("link", "</_next/a.css>; rel=preload", None),
    ] {
        let body = r#"[{"id":1},{"id":2}]"#;
        let server = Server::new(move |_| ScriptedResponse::new(200, body).header(name, value));
        let report = pulled(&Lake::default(), &listed(PaginatorSpec::None, None, false), &server).await;
        match found {
            Some(found) => {
                assert!(contradicted(&report).contains(found), "{name}: {value}: {:?}", report.gaps);
            }
            None => assert_eq!(report.status, Verdict::Complete, "{name}: {value}: {:?}", report.gaps),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_says_no_more_does_not_undo_a_link_to_a_next_page() {
    for flag in [json!({"has_more": false}), json!({"isLast": true}), json!({"next": {"next": false}})] {
        let api = Api { items: 30, cap: 20, envelope: Some(flag), ..API };
        let report = pull_once(&listed(PaginatorSpec::None, None, true), api).await;
        assert!(contradicted(&report).contains("`paginator: link_header` would follow it"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_definition_says_to_ignore_contradicts_nothing() {
    let envelope = json!({"paging": {"cursors": {"after": "abc"}}, "next_run": "2026-12-01"});
    let api = Api { items: 20, next: Next::Nowhere, envelope: Some(envelope), ..API };
    let mut definition = listed(PaginatorSpec::None, None, true);
    contradicted(&pull_once(&definition, api.clone()).await);
    definition.endpoint.list.end =
        Some(EndRules { ignore: vec![pointer("/paging/cursors"), pointer("/next_run")], short_page: false });
    assert_eq!(pull_once(&definition, api).await.status, Verdict::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_header_can_be_ignored_by_its_name() {
    for (header, value, ignored, status) in [
        ("x-next-page", "2", "/x-next-page", Verdict::Complete),
        ("x-total-count", "537", "/x-total-count", Verdict::Complete),
        ("x-pagination", r#"{"HasNext":true}"#, "/x-pagination", Verdict::Complete),
        ("x-pagination", r#"{"HasNext":true}"#, "/x-pagination/HasNext", Verdict::Complete),
        ("x-pagination", r#"{"HasNext":true}"#, "/HasNext", Verdict::Partial),
    ] {
        let server =
            Server::new(move |_| ScriptedResponse::new(200, r#"[{"id":1},{"id":2}]"#).header(header, value));
        let mut definition = listed(PaginatorSpec::None, None, false);
        definition.endpoint.list.end = Some(EndRules { ignore: vec![pointer(ignored)], short_page: false });
        let report = pulled(&Lake::default(), &definition, &server).await;
        assert_eq!(report.status, status, "{header}: {:?}", report.gaps);
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_page_without_a_next_one_is_proved_by_a_smaller_page_once() {
    let (lake, definition) = (Lake::default(), listed(by_link(), Some(100), false));
    let server = Api { items: 30, ..API }.server();
    let report = pulled(&lake, &definition, &server).await;
    assert_eq!((report.status, ended(&report)), (Verdict::Complete, EndKind::Confirmed));
    let (page, smaller) = ("/api/v1/users?limit=100", "/api/v1/users?limit=29");
    assert_eq!(server.requested(), [page, smaller, page], "which may have lost its link");
    let report = pulled(&lake, &definition, &server).await;
    assert_eq!((ended(&report), server.requested().len()), (EndKind::NoNext, 1), "once for the stream");
    let other = listed(by_link(), Some(50), false);
    let mut pull = lake.pull_of(other, Arc::clone(&server) as _);
    pull.options.mode = Mode::Full;
    assert_eq!(ended(&pull.run().await.report), EndKind::Confirmed, "and again for another definition");
}

#[tokio::test(start_paused = true)]
async fn a_paginator_that_follows_nothing_is_found_out_by_a_smaller_page() {
    let api = Api { items: 30, next: Next::Nowhere, ..API };
    for paginator in [by_link(), body_by_link()] {
        let in_object = paginator != by_link();
        let api = Api { envelope: in_object.then(|| json!({})), ..api.clone() };
        let report = pull_once(&listed(paginator, Some(100), in_object), api).await;
        assert!(contradicted(&report).contains("requested with 29 it has 29"), "{:?}", report.gaps);
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_that_ignores_the_page_size_is_assumed_to_have_sent_all_of_it() {
    let (lake, definition) = (Lake::default(), listed(by_link(), Some(100), false));
    let server = Api { items: 30, goes_by_limit: false, ..API }.server();
    for requests in [2, 1] {
        let report = pulled(&lake, &definition, &server).await;
        assert_eq!((report.status, ended(&report)), (Verdict::Complete, EndKind::Assumed));
        assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
        assert!(report.warnings[0].contains("`single: certain`"), "{:?}", report.warnings);
        assert_eq!(server.requested().len(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_size_cannot_be_made_smaller_is_assumed_to_be_all_of_the_list() {
    let mut least = listed(by_link(), Some(100), false);
    least.endpoint.list.page_size.as_mut().unwrap().min = 30;
    let mut refusing = listed(by_link(), Some(100), false);
    refusing.endpoint.list.page_size.as_mut().unwrap().param = RequestLocation::Query("limit".to_owned());
    let api = Api { items: 30, ..API };
    for definition in [least, listed(by_link(), None, false), listed(PaginatorSpec::None, None, false)] {
        let report = pull_once(&definition, api.clone()).await;
        assert_eq!((report.status, ended(&report)), (Verdict::Complete, EndKind::Assumed));
    }
    let picky = Server::new(move |url| match url.query() {
        Some("limit=100") => api.respond(url),
        _ => ScriptedResponse::new(400, r#"{"errorSummary":"limit must be a multiple of 10"}"#),
    });
    let report = pulled(&Lake::default(), &refusing, &picky).await;
    assert_eq!((report.status, ended(&report)), (Verdict::Complete, EndKind::Assumed));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_known_to_be_one_page_is_requested_once() {
    for paginator in [PaginatorSpec::None, by_link()] {
        let mut definition = listed(paginator, Some(30), false);
        definition.endpoint.list.single = Some(Single::Certain);
        let server = Api { items: 30, next: Next::Nowhere, ..API }.server();
        let report = pulled(&Lake::default(), &definition, &server).await;
        assert_eq!((report.status, ended(&report)), (Verdict::Complete, EndKind::Single));
        assert_eq!((server.requested().len(), report.warnings.len()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_page_is_not_the_whole_list_where_no_next_page_is_followed() {
    let report = pull_once(&listed(PaginatorSpec::None, Some(100), false), Api { items: 537, ..API }).await;
    assert!(contradicted(&report).contains("link_header"), "{:?}", report.gaps);
    let silent = Api { items: 537, next: Next::Nowhere, ..API };
    let report = pull_once(&listed(PaginatorSpec::None, Some(100), false), silent).await;
    assert!(contradicted(&report).contains("full with 100 records"), "{:?}", report.gaps);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_exactly_one_full_page_is_complete() {
    let (lake, definition) = (Lake::default(), listed(by_link(), Some(100), false));
    let server = Api { items: 100, ..API }.server();
    for requests in [3, 2] {
        let report = pulled(&lake, &definition, &server).await;
        assert_eq!((report.status, ended(&report)), (Verdict::Complete, EndKind::Confirmed));
        assert_eq!(server.requested().len(), requests, "the page, the page again, and once a smaller one");
    }
}

#[tokio::test(start_paused = true)]
async fn a_next_link_that_was_dropped_once_from_a_first_page_of_any_size_is_found_again() {
    let (api, seen) = (Api { items: 537, cap: 20, ..API }, AtomicU32::new(0));
    let server = Server::new(move |url| {
        let response = api.respond(url);
        if seen.fetch_add(1, Ordering::SeqCst) == 0 { response.without("link") } else { response }
    });
    let definition = listed(by_link(), Some(100), false);
    let report = pulled(&Lake::default(), &definition, &server).await;
    assert_eq!((report.status, report.totals.records), (Verdict::Complete, 537));
}

#[tokio::test(start_paused = true)]
async fn a_next_link_that_was_dropped_once_is_found_again_where_links_say_no_page_size() {
    let (api, seen) = (Api { items: 537, ..API }, AtomicU32::new(0));
    let server = Server::new(move |url| {
        let response = api.respond(url);
        match seen.fetch_add(1, Ordering::SeqCst) {
            0 => response.without("link").next("/api/v1/users?start=100"),
            1 => response.without("link"),
            _ => response,
        }
    });
    let definition = listed(by_link(), Some(100), false);
    let report = pulled(&Lake::default(), &definition, &server).await;
    assert_eq!((report.status, report.totals.records), (Verdict::Complete, 537));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_declared_to_be_an_empty_list_on_a_first_page_only() {
    for (status, body, done) in
        [(404, r#"{"error":"cursor expired"}"#, false), (204, "", true), (200, "null", true)]
    {
        let api = Api { items: 40, cap: 20, ..API };
        let server = Server::new(move |url| match url.query() {
            Some(query) if query.contains("start") => ScriptedResponse::new(status, body),
            _ => api.respond(url),
        });
        let mut definition = listed(by_link(), Some(20), false);
        definition.endpoint.list.empty.statuses = [204, 404].into();
        definition.endpoint.list.empty.null = true;
        let outcome = Lake::default().pull_of(definition, Arc::clone(&server) as _).run().await;
        assert_eq!(outcome.error.is_none(), done, "{status}: {:?}", outcome.error);
        assert!(
            outcome.error.is_none_or(|error| error.to_string().contains("only a first page can be that"))
        );
        assert_eq!(server.requested().len(), 3, "the page that may be empty is requested once more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_next_link_that_was_dropped_once_from_a_full_page_is_found_again() {
    for dropped in [0, 3] {
        let (api, seen) = (Api { items: 537, ..API }, AtomicU32::new(0));
        let server = Server::new(move |url| {
            let response = api.respond(url);
            if seen.fetch_add(1, Ordering::SeqCst) == dropped { response.without("link") } else { response }
        });
        let definition = listed(by_link(), Some(100), false);
        let report = pulled(&Lake::default(), &definition, &server).await;
        assert_eq!((report.status, report.totals.records), (Verdict::Complete, 537));
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_and_a_list_of_one_record_end_plainly() {
    for (items, end) in [(0, EndKind::EmptyPage), (1, EndKind::NoNext)] {
        let server = Api { items, ..API }.server();
        let report = pulled(&Lake::default(), &listed(by_link(), Some(100), false), &server).await;
        assert_eq!((report.status, ended(&report)), (Verdict::Complete, end));
        assert_eq!(server.requested().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_manifest_says_how_the_list_ended() {
    let lake = Lake::default();
    let server =
        Api { items: 537, cap: 20, next: Next::Nowhere, envelope: Some(json!({"total": 537})), ..API }
            .server();
    pulled(&lake, &listed(PaginatorSpec::None, None, true), &server).await;
    let index = serde_json::to_value(lake.indices().await.remove(0)).unwrap();
    assert_eq!(index["verdict"], "partial");
    assert_eq!(index["ends"]["counts"], json!({"single": 1}));
    assert_eq!(index["ends"]["contradicted"], 1);
    let list = &index["ends"]["lists"][0];
    assert_eq!(
        (&list["list"], &list["page"], &list["end"]),
        (&json!("okta.users"), &json!(1), &json!("single"))
    );
    assert!(list["contradicted"].as_str().unwrap().contains("`/total`"));
}

#[tokio::test(start_paused = true)]
async fn the_cursor_stays_until_the_list_is_read_to_its_end() {
    let lake = Lake::default();
    let definition = listed(by_link(), None, false);
    let complete = pulled(&lake, &definition, &Api { items: 30, ..API }.server()).await;
    let cut = Server::new(|_| {
        ScriptedResponse::new(200, r#"[{"id":1,"lastUpdated":"2026-11-22T05:29:00Z"}]"#)
            .header("x-total", "2")
    });
    // Another definition, whose paginator was never seen.
    let mut pull = lake.pull_of(listed(PaginatorSpec::None, None, false), cut as _);
    pull.options.mode = Mode::Full;
    contradicted(&pull.run().await.report);
    let state = lake.pull_of(definition, Api { items: 1, ..API }.server() as _).state();
    assert_eq!(state.cursor().await.unwrap().map(|cursor| cursor.since), complete.next_since);
}

#[tokio::test(start_paused = true)]
async fn a_next_link_that_cannot_be_read_fails_the_pull_and_the_cursor_stays() {
    for link in ["</api/v1/users?start=100>; rel=\"next", "/api/v1/users?start=100; rel=next"] {
        let lake = Lake::default();
        let api = Api { items: 537, ..API };
        let server = Server::new(move |url| api.respond(url).without("link").header("link", link));
        let definition = listed(by_link(), Some(100), false);
        let outcome = lake.pull_of(definition.clone(), server as _).run().await;
        assert_eq!(
            (outcome.report.status, outcome.error.unwrap().kind()),
            (Verdict::Failed, ErrorKind::Data)
        );
        assert!(lake.indices().await.is_empty());
        let report = pulled(&lake, &definition, &Api { items: 537, ..API }.server()).await;
        assert_eq!((report.status, report.totals.records), (Verdict::Complete, 537));
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_in_the_body_that_stands_elsewhere_fails_the_pull() {
    for body in [
        json!({"items": [{"id": 1}], "_links": {"next": "https://acme.okta.com/api/v1/users?start=1"}}),
        json!({"items": [{"id": 1}], "_links": {"next": [{"href": "/api/v1/users?start=1"}]}}),
        json!({"items": [{"id": 1}], "_links": {"Next": {"href": "/api/v1/users?start=1"}}}),
    ] {
        let definition = listed(next_url(pointer("/_links/next/href")), None, true);
        let text = body.to_string();
        let server = Server::new(move |_| ScriptedResponse::new(200, text.clone()));
        let error = Lake::default().pull_of(definition, server as _).run().await.error.unwrap();
        assert!(error.to_string().contains("`/_links/next/href`"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_page_of_a_circle_counts_and_the_next_pull_starts_over() {
    for length in [1usize, 2, 3, 7, 30] {
        let (lake, definition) = (Lake::default(), listed(by_link(), Some(10), false));
        let good = Api { items: 400, cap: 10, ..API };
        let circle = good.clone();
        let server = Server::new(move |url| {
            let response = circle.respond(url);
            let start: usize = url
                .query_pairs()
                .find(|(key, _)| key == "start")
                .map_or(0, |(_, value)| value.parse().unwrap());
            if start == (length - 1) * 10 {
                response.without("link").next("https://acme.okta.com/api/v1/users?limit=10")
            } else {
                response
            }
        });
        let mut pull = lake.pull_of(definition.clone(), server as _);
        pull.options.checkpoint_objects = 1;
        pull.options.objects.batch.records = 5;
        let outcome = pull.run().await;
        assert_eq!(outcome.error.unwrap().kind(), ErrorKind::Cycle);
        assert_eq!((outcome.report.totals.records, outcome.report.continuation), (0, None));
        assert_eq!(lake.runs().await[0].status, crate::state::RunStatus::Abandoned);
        let report = pulled(&lake, &definition, &good.server()).await;
        assert_eq!((report.status, report.totals.records, report.resumed), (Verdict::Complete, 400, false));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_read_nothing_is_given_up_and_says_so() {
    let lake = Lake::default();
    let refusing = Server::new(|_| ScriptedResponse::new(401, "{}"));
    let outcome = lake.pull_of(okta("users"), refusing as _).run().await;
    assert_eq!((outcome.report.status, outcome.report.continuation), (Verdict::Failed, None));
    assert_eq!(lake.runs().await[0].status, crate::state::RunStatus::Abandoned);
    assert!(lake.runs().await[0].ledger.stopped_by.as_ref().unwrap().contains("401"));
}

#[tokio::test(start_paused = true)]
async fn a_continuation_of_a_run_that_was_given_up_for_an_error_starts_over() {
    let lake = Lake::default();
    let refusing = Server::new(|_| ScriptedResponse::new(401, "{}"));
    lake.pull_of(okta("users"), refusing as _).run().await;
    let given_up = lake.runs().await.remove(0).run_id;
    let mut pull = lake.pull_of(okta("users"), Server::new(|_| page(&[])) as _);
    pull.options.continuation = Some(given_up.clone());
    assert_eq!(pull.run().await.report.status, Verdict::Complete);
    assert_eq!(lake.runs().await[0].replaces, Some(given_up));
}

#[tokio::test(start_paused = true)]
async fn a_poll_goes_on_past_short_pages() {
    // 1,000 events, of which the API gives 10 at a time although 100 were requested.
    let server = Server::new(|url| {
        let start: u32 =
            url.query_pairs().find(|(key, _)| key == "start").map_or(0, |(_, value)| value.parse().unwrap());
        let events: Vec<_> = (start..(start + 10).min(1000))
            .map(|id| format!(r#"{{"uuid":"{id}","published":"2026-11-22T05:00:00.000Z"}}"#))
            .collect();
        let next = (start + 10).min(1000);
        page(&events).next(&format!("https://acme.okta.com/api/v1/logs?start={next}"))
    });
    let report = pulled(&Lake::default(), &okta("system_log"), &server).await;
    assert_eq!((report.status, report.totals.records), (Verdict::Complete, 1000));
    assert_eq!((ended(&report), report.behind), (EndKind::CaughtUp, None));
}

#[tokio::test(start_paused = true)]
async fn a_poll_of_a_log_that_grows_as_fast_as_it_is_read_ends_at_the_present() {
    let server = Server::new(|url| {
        let start: i64 =
            url.query_pairs().find(|(key, _)| key == "start").map_or(0, |(_, value)| value.parse().unwrap());
        // The response is of 05:30.
        let time = "2026-11-22T05:25:00Z".parse::<Timestamp>().unwrap();
        let time = later(time, Duration::from_mins(u64::try_from(start).unwrap()));
        let event = format!(r#"{{"uuid":"{start}","published":"{time}"}}"#);
        page(&[event]).next(&format!("https://acme.okta.com/api/v1/logs?start={}", start + 1))
    });
    let report = pulled(&Lake::default(), &okta("system_log"), &server).await;
    assert_eq!((report.status, ended(&report)), (Verdict::Complete, EndKind::CaughtUp));
    assert_eq!(report.totals.records, 7, "up to the first event after 05:30");
}

/// A pull of one dated record whose response is `ScriptedResponse`.
async fn dated(
    change: impl Fn(ScriptedResponse) -> ScriptedResponse + Send + Sync + 'static,
    lag: Option<&str>,
) -> Report {
    let mut definition = listed(by_link(), None, false);
    definition.endpoint.list.incremental_mut().unwrap().lag =
        lag.map(|lag| Span::try_from(lag.to_owned()).unwrap());
    let api = Api { items: 1, ..API };
    pulled(&Lake::default(), &definition, &Server::new(move |url| change(api.respond(url)))).await
}

#[tokio::test(start_paused = true)]
async fn a_response_without_a_usable_date_leaves_the_cursor_where_it_is_and_says_so() {
    for date in [
        None,
        Some("2026-11-22T05:30:00Z"),
        Some("yesterday"),
        Some("Fri, 31 Dec 9999 23:59:59 GMT"),
        Some("Thu, 01 Jan 1970 00:00:00 GMT"),
        Some(""),
    ] {
        let report = dated(
            move |response| match date {
                None => response.undated(),
                Some(date) => response.undated().header("date", date),
            },
            None,
        )
        .await;
        assert_eq!((report.status, report.next_since), (Verdict::Complete, None), "{date:?}");
        assert_eq!(report.warnings.len(), 1, "{date:?}: {:?}", report.warnings);
        assert!(report.warnings[0].contains("usable `Date`") && report.warnings[0].contains("lag"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_declared_lag_moves_the_cursor_by_our_clock_where_there_is_no_date() {
    let report = dated(ScriptedResponse::undated, Some("45m")).await;
    // 05:30 by our clock less the lag and the overlap of five minutes; the newest record is of 05:00.
    assert_eq!(report.next_since.unwrap().to_string(), "2026-11-22T04:40:00Z");
    assert_eq!(report.warnings.len(), 0);
    let report = dated(|response| response, Some("45m")).await;
    assert_eq!(report.next_since.unwrap().to_string(), "2026-11-22T04:55:00Z", "a `Date` is better");
}

#[tokio::test(start_paused = true)]
async fn the_date_of_a_later_response_does_not_stand_in_for_that_of_the_first() {
    let api = Api { items: 150, ..API };
    let server = Server::new(move |url| {
        let response = api.respond(url);
        if url.query().is_some_and(|query| query.contains("start")) { response } else { response.undated() }
    });
    let definition = listed(by_link(), Some(100), false);
    let report = pulled(&Lake::default(), &definition, &server).await;
    assert_eq!((report.next_since, report.warnings.len()), (None, 1), "{:?}", report.warnings);
}

/// Envelopes with names and values that servers could use.
fn envelopes() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "next",
        "nextPage",
        "cursor",
        "has_more",
        "total",
        "count",
        "page",
        "offset",
        "self",
        "links",
        "meta",
        "isLast",
        "prev",
        "sync_token",
        "\u{e9}",
        "",
    ]);
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!("")),
        Just(json!(0)),
        Just(json!(true)),
        Just(json!(false)),
        (0u32..1000).prop_map(|number| json!(number)),
        Just(json!("/api/v1/users?start=20")),
        Just(json!("abc")),
        Just(json!(1e300)),
    ];
    leaf.prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
    .prop_map(|value| if value.is_object() { value } else { json!({ "meta": value }) })
}

proptest! {
    /// Whatever stands around the records and however the paginator is wrong: a list that goes on and says so by a link that
    /// the engine knows is never complete.
    #[test]
    fn no_page_of_a_list_that_names_its_next_page_is_taken_for_the_whole_list(
        envelope in envelopes(),
        paginator in prop::sample::select(vec![PaginatorSpec::None, next_url(Pointer::default())]),
        size in prop::sample::select(vec![None, Some(20u32), Some(100)]),
        items in 21usize..60,
    ) {
        let paginator = match paginator {
            PaginatorSpec::None => paginator,
            _ => next_url(pointer("/nowhere/at_all")),
        };
        let api = Api { items, cap: 20, envelope: Some(envelope), ..API };
        let text = api.envelope.as_ref().unwrap().to_string();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outcome = runtime.block_on(async {
            Lake::default().pull_of(listed(paginator, size, true), api.server() as _).run().await
        });
        prop_assert!(outcome.report.status != Verdict::Complete, "{text}: {:?}", outcome.report);
    }
}
