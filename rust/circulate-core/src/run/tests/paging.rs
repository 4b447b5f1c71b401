//! Lists of every kind of paging: each record comes once and in order, wherever a run is stopped; and what an API says of its
//! end is not believed where something speaks against it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::http::Request;
use crate::catalog::Definition;
use crate::page::EndKind;
use crate::stop::{Stop, StopReason};
use crate::testing::{Lake, ScriptedResponse, Server, okta};

/// A list, and how its API pages it.
#[derive(Debug, Clone)]
struct Paged {
    kind: &'static str,
    records: usize,
    /// Records of the pages, over and over.
    pages: Vec<usize>,
    /// A lie about the end.
    lie: Lie,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    /// The total is higher than what there is.
    HighTotal,
    /// The flag says that there is more where there is not.
    More,
    /// Every page is the first one.
    SamePage,
    /// The last page comes for all numbers behind it.
    LastPageAgain,
}

/// The list of a definition, but for its path and its key.
fn paginator_of(kind: &str) -> &'static str {
    match kind {
        "link" => "paginator: link_header",
        "relation" => "paginator: {link_header: {rel: following}}",
        "next url" => "paginator: {next_url: {body: /next}}",
        "next url kept" => "query: {view: full}\n  paginator: {next_url: {body: /short_next, keep: [view]}}",
        "next url in a header" => "paginator: {next_url: {header: X-Next-Page}}",
        "token" => "paginator: {token: {from: {body: /cursor}, to: cursor}}",
        "token and flag" => "paginator: {token: {from: {body: /kept_cursor}, to: cursor, more: /more}}",
        "token in a header" => {
            "paginator: {token: {from: {header: X-Cursor}, to: {header: X-Cursor}, send: token}}"
        }
        "token in a body" => {
            "body: {json: {limit: 5, view: full}}\n  paginator: {token: {from: {body: /cursor}, to: {body: /page/cursor}}}"
        }
        "token alone in a body" => {
            "body: {json: {limit: 5}}\n  paginator: {token: {from: {body: /cursor}, to: {body: /page/cursor}, send: token}}"
        }
        "token in a form" => {
            "body: {form: {view: full}}\n  paginator: {token: {from: {body: /cursor}, to: {body: /cursor}}}"
        }
        "token in graphql" => {
            "body: {graphql: {query: 'query { items { id } }', variables: {first: 5}}}\n  paginator: {token: {from: {body: /cursor}, to: {body: /variables/after}}}"
        }
        "token in a path" => {
            "paginator: {token: {from: {body: /cursor}, to: {path: '/api/v1/users/from/{token}'}}}"
        }
        "token of a url" => "paginator: {token: {from: {url: {body: /next}, param: cursor}, to: cursor}}",
        "two tokens" => {
            "paginator: {token: {from: [{body: /cursor}, {body: /session}], to: [cursor, session], start: ''}}"
        }
        "offset" => "paginator: {offset: {to: offset}}",
        "offset without a size" => "page_size: null\n  paginator: {offset: {to: offset}}",
        "offset from 1" => "paginator: {offset: {to: offset, start: 1, total: /total}}",
        "offset and total" => "paginator: {offset: {to: offset, total: /total}}",
        "offset and flag" => "paginator: {offset: {to: offset, more: /more}}",
        "offset in a body" => "body: {json: {}}\n  paginator: {offset: {to: {body: /offset}}}",
        "offset with a cap" => {
            "paginator: {offset: {to: offset, cap: 10, restart: {from: /id, to: filter, text: 'id ge {last}'}}}"
        }
        "offset with a cap that its total does not pass" => {
            "paginator: {offset: {to: offset, total: /total, cap: 10, restart: {from: /id, to: filter, text: 'id ge {last}'}}}"
        }
        "page" => "paginator: {page: {to: page}}",
        "page from 0" => "paginator: {page: {to: page, first: 0}}",
        "page and total" => "paginator: {page: {to: page, total: {header: X-Total}}}",
        "page and pages" => "paginator: {page: {to: page, pages: /pages}}",
        "page and flag" => "paginator: {page: {to: page, more: /more}}",
        "last record" => "paginator: {last_record: {from: /id, to: after}}",
        "last record and flag" => "paginator: {last_record: {from: /id, to: after, more: /more}}",
        other => panic!("{other}"),
    }
}

const NAMED: [&str; 15] = [
    "link",
    "relation",
    "next url",
    "next url kept",
    "next url in a header",
    "token",
    "token and flag",
    "token in a header",
    "token in a body",
    "token alone in a body",
    "token in a form",
    "token in graphql",
    "token in a path",
    "token of a url",
    "two tokens",
];
const COUNTED: [&str; 15] = [
    "offset",
    "offset with a cap that its total does not pass",
    "offset with a cap",
    "offset without a size",
    "offset from 1",
    "offset and total",
    "offset and flag",
    "offset in a body",
    "page",
    "page from 0",
    "page and total",
    "page and pages",
    "page and flag",
    "last record",
    "last record and flag",
];

fn definition(kind: &str, size: usize) -> Definition {
    let paginator = paginator_of(kind);
    let size = if paginator.contains("page_size: null") {
        String::new()
    } else {
        format!("page_size: {{param: limit, max: {size}}}")
    };
    let paginator = paginator.replace("page_size: null\n  ", "");
    let yaml = format!(
        "endpoint: users\nabout: x\nlist:\n  path: /api/v1/users\n  records: /items\n  primary_key: [/id]\n  {size}\n  {paginator}\n"
    );
    let endpoint = crate::catalog::endpoint_from_yaml(&yaml, std::path::Path::new("users.yaml")).unwrap();
    Definition { endpoint, ..okta("users") }
}

impl Paged {
    fn size(&self) -> usize {
        self.pages.iter().copied().max().unwrap_or(1).max(1)
    }

    fn page_size(&self, number: usize) -> usize {
        self.pages[number % self.pages.len()]
    }

    /// What the API gives for a request: the records, and whether there are more.
    fn respond(&self, request: &Request) -> ScriptedResponse {
        let body: Value = match std::str::from_utf8(&request.body).unwrap() {
            "" => json!({}),
            text if text.starts_with('{') => serde_json::from_str(text).unwrap(),
            text => url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect::<std::collections::BTreeMap<_, _>>()
                .into_iter()
                .map(|(name, value)| (name, json!(value)))
                .collect(),
        };
        let parameter = |name: &str| {
            let mut pairs = request.url.query_pairs();
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let number = |text: Option<String>| text.and_then(|text| text.parse::<usize>().ok());
        let of_body = |pointer: &str| body.pointer(pointer).map(crate::api::page_request::text);
        let header = || Some(request.headers.get("x-cursor")?.to_str().unwrap().to_owned());
        let same = self.lie == Lie::SamePage;
        let kept = parameter("view").is_some() || of_body("/view").is_some();
        match self.kind {
            "next url kept" | "token in a form" => assert!(kept, "{request:?}"),
            "token in a body" => assert_eq!(body["limit"], 5, "{body}"),
            "token in graphql" => assert_eq!(body["variables"]["first"], 5, "{body}"),
            "token alone in a body" => {
                assert!(body.get("limit").is_some() != body.get("page").is_some(), "{body}");
            }
            _ => {}
        }
        let posts = paginator_of(self.kind).starts_with("body");
        assert_eq!(request.method, if posts { Method::POST } else { Method::GET });
        if NAMED.contains(&self.kind) {
            let in_path = request.url.path().rsplit_once("/from/").map(|(_, token)| token.to_owned());
            let token = match self.kind {
                "token in a header" => header(),
                "token in a body" | "token alone in a body" => of_body("/page/cursor"),
                "token in graphql" => of_body("/variables/after"),
                "token in a form" => of_body("/cursor"),
                "token in a path" => in_path,
                _ => parameter("cursor"),
            };
            let page = number(token.filter(|_| !same)).unwrap_or(0);
            let start: usize = (0..page).map(|page| self.page_size(page)).sum();
            let end = (start + self.page_size(page)).min(self.records);
            return self.page(request, start..end, (end < self.records).then_some(page + 1), start);
        }
        let size = number(parameter("limit").or(of_body("/limit"))).unwrap_or_else(|| self.size());
        let (start, size) = match self.kind {
            kind if kind.starts_with("page") => {
                let first = usize::from(kind != "page from 0");
                let mut page = number(parameter("page")).unwrap() - first;
                if self.lie == Lie::LastPageAgain {
                    page = page.min(self.records.saturating_sub(1) / size);
                }
                (page * size, size)
            }
            kind if kind.starts_with("offset") => {
                let first = usize::from(kind == "offset from 1");
                let start = number(parameter("offset").or(of_body("/offset"))).unwrap() - first;
                (start, size.min(self.page_size(start)).max(1))
            }
            _ => (number(parameter("after")).map_or(0, |id| id + 1), size.min(self.page_size(0)).max(1)),
        };
        let from =
            parameter("filter").map_or(0, |filter| filter.trim_start_matches("id ge ").parse().unwrap());
        if self.kind.starts_with("offset with a cap") {
            assert!(start + number(parameter("limit")).unwrap() <= 10, "{request:?}");
        }
        let start = if same { 0 } else { start + from }.min(self.records);
        let end = (start + size).min(self.records);
        self.page(request, start..end, (end < self.records).then_some(end), start)
    }

    fn page(
        &self,
        request: &Request,
        ids: std::ops::Range<usize>,
        next: Option<usize>,
        start: usize,
    ) -> ScriptedResponse {
        let items: Vec<_> = ids.map(|id| json!({"id": id})).collect();
        let more = if self.lie == Lie::More { json!(true) } else { json!(next.is_some()) };
        let mut total = self.records + if self.lie == Lie::HighTotal { 3 } else { 0 };
        if self.kind.ends_with("does not pass") && self.lie == Lie::None {
            let from = request.url.query_pairs().find(|(name, _)| name == "filter");
            let from = from.map_or(0, |(_, filter)| filter.trim_start_matches("id ge ").parse().unwrap());
            total = (self.records - from).min(10);
        }
        let mut url = request.url.clone();
        url.set_query(next.map(|next| format!("view=full&cursor={next}")).as_deref());
        let shown = next.map(|_| url.to_string());
        let size = self.size();
        let mut body = json!({
            "items": items, "cursor": next, "kept_cursor": next.unwrap_or(start), "session": next.map(|_| "s"),
            "next": shown, "short_next": next.map(|next| format!("?cursor={next}")), "more": more, "total": total,
            "pages": total.div_ceil(size),
        });
        // What the definition does not name must not be there: it would be evidence.
        let named = paginator_of(self.kind);
        let members = body.as_object_mut().unwrap();
        members.retain(|key, _| key == "items" || named.contains(&format!("/{key}")));
        let mut response = ScriptedResponse::new(200, body.to_string()).header("x-total", &total.to_string());
        if !named.contains("X-Total") {
            response = response.without("x-total");
        }
        match (self.kind, next) {
            ("link", Some(_)) => response.next(&shown.unwrap()),
            ("relation", Some(_)) => response.header("link", &format!("<{}>; rel=following", shown.unwrap())),
            ("next url in a header", Some(_)) => response.header("x-next-page", &shown.unwrap()),
            ("token in a header", Some(next)) => response.header("x-cursor", &next.to_string()),
            _ => response,
        }
    }
}

/// What pulls of a list came to: verdicts, and the records of the run that was committed last.
struct Pulled {
    verdicts: Vec<Verdict>,
    ids: Vec<usize>,
    ends: Vec<EndKind>,
    gaps: Vec<String>,
    error: Option<String>,
}

/// Pulls a list, with a stop at each of these requests, until nothing stops it.
fn pull(api: &Paged, stops: &[usize]) -> Pulled {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (lake, definition) = (Lake::default(), definition(api.kind, api.size()));
        let stop_now: Arc<Mutex<Option<Stop>>> = Arc::default();
        let (requests, api_served) = (Arc::new(AtomicUsize::new(0)), api.clone());
        let (counter, stopper, at) = (Arc::clone(&requests), Arc::clone(&stop_now), stops.to_vec());
        let server = Server::of_requests(move |request| {
            let response = api_served.respond(request);
            if at.contains(&counter.fetch_add(1, Ordering::SeqCst)) {
                // The page that is on its way is still taken in.
                stopper.lock().unwrap().as_ref().unwrap().request(StopReason::Interrupted);
            }
            response
        });
        let mut pulled =
            Pulled { verdicts: Vec::new(), ids: Vec::new(), ends: Vec::new(), gaps: Vec::new(), error: None };
        for _ in 0..=stops.len() {
            let mut pull = lake.pull_of(definition.clone(), Arc::clone(&server) as _);
            pull.options.checkpoint_objects = 1;
            *stop_now.lock().unwrap() = Some(pull.stop.clone());
            let outcome = pull.run().await;
            pulled.verdicts.push(outcome.report.status);
            pulled.error = outcome.error.map(|error| error.to_string());
            if let Some(manifest) = &outcome.report.manifest {
                let records = lake.records(manifest).await;
                let id =
                    |record: &String| serde_json::from_str::<Value>(record).unwrap()["id"].as_u64().unwrap();
                pulled.ids = records.iter().map(|record| usize::try_from(id(record)).unwrap()).collect();
                pulled.ends = outcome.report.ends.counts.keys().copied().collect();
                pulled.gaps = outcome.report.gaps.clone();
                break;
            }
        }
        pulled
    })
}

fn kinds() -> impl Strategy<Value = &'static str> {
    prop::sample::select([&NAMED[..], &COUNTED[..]].concat())
}

/// The kinds of which a lie can be told, with it.
fn lies() -> impl Strategy<Value = (&'static str, Lie)> {
    let is_lie = |kind: &str, lie: Lie| match lie {
        Lie::HighTotal => kind.contains("total") && !kind.contains("cap"),
        Lie::More => kind.contains("flag"),
        Lie::SamePage => true,
        Lie::LastPageAgain => kind == "page" || kind == "page from 0",
        Lie::None => false,
    };
    let all = [Lie::HighTotal, Lie::More, Lie::SamePage, Lie::LastPageAgain];
    let pairs = COUNTED.iter().flat_map(|kind| all.map(|lie| (*kind, lie)));
    prop::sample::select(pairs.filter(|(kind, lie)| is_lie(kind, *lie)).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn each_record_comes_once_and_in_order_wherever_a_run_is_stopped(
        kind in kinds(),
        records in 0usize..40,
        pages in prop::collection::vec(0usize..8, 1..6),
        stops in prop::collection::vec(0usize..20, 0..4),
    ) {
        let pages = if pages.iter().all(|page| *page == 0) { vec![1] } else { pages };
        let api = Paged { kind, records, pages, lie: Lie::None };
        let pulled = pull(&api, &stops);
        prop_assert_eq!(&pulled.error, &None, "{:?}", api);
        prop_assert_eq!(pulled.ids, (0..records).collect::<Vec<_>>(), "{:?}", api);
        prop_assert_eq!(pulled.verdicts.last(), Some(&Verdict::Complete), "{:?} {:?}", api, pulled.gaps);
    }

    #[test]
    fn no_list_whose_api_lies_about_its_end_is_complete(
        (kind, lie) in lies(),
        size in 1usize..8,
        more in 1usize..40,
    ) {
        // A list of one page is_lie no lie by repeating it.
        let records = if lie == Lie::SamePage { size + more } else { more };
        let api = Paged { kind, records, pages: vec![size], lie };
        let pulled = pull(&api, &[]);
        prop_assert!(pulled.verdicts != [Verdict::Complete], "{:?} {:?} {:?}", api, pulled.ids, pulled.ends);
        if lie != Lie::SamePage {
            prop_assert_eq!(pulled.ids, (0..records).collect::<Vec<_>>(), "{:?}", api);
        }
    }
}

/// A list by offset that changes while it is read: before a request, records are put in front of it or taken out.
#[derive(Debug, Clone)]
enum Change {
    Insert(usize),
    Remove(usize, usize),
}

fn pull_moving(count: usize, size: usize, changes: &[(usize, Change)]) -> (Pulled, Vec<String>, Vec<usize>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (lake, definition) = (Lake::default(), definition("offset", size));
        let list: Arc<Mutex<Vec<usize>>> = Arc::new(Mutex::new((0..count).collect()));
        let (kept, changes, requests) = (Arc::clone(&list), changes.to_vec(), AtomicUsize::new(0));
        let server = Server::of_requests(move |request| {
            let number = requests.fetch_add(1, Ordering::SeqCst);
            let mut list = kept.lock().unwrap();
            for (_, change) in changes.iter().filter(|(at, _)| *at == number) {
                match change {
                    Change::Insert(many) => drop(list.splice(0..0, (0..*many).map(|new| 1000 + new))),
                    Change::Remove(at, many) => {
                        let at = (*at).min(list.len());
                        let end = (at + many).min(list.len());
                        list.drain(at..end);
                    }
                }
            }
            let offset = request
                .url
                .query_pairs()
                .find(|(name, _)| name == "offset")
                .unwrap()
                .1
                .parse::<usize>()
                .unwrap();
            let page: Vec<_> = list.iter().skip(offset).take(size).map(|id| json!({"id": id})).collect();
            ScriptedResponse::new(200, json!({"items": page}).to_string())
        });
        let outcome = lake.pull_of(definition, Arc::clone(&server) as _).run().await;
        let manifest = outcome.report.manifest.clone().unwrap();
        let records = lake.records(&manifest).await;
        let id = |record: &String| serde_json::from_str::<Value>(record).unwrap()["id"].as_u64().unwrap();
        let ids = records.iter().map(|record| usize::try_from(id(record)).unwrap()).collect();
        let pulled = Pulled {
            verdicts: vec![outcome.report.status],
            ids,
            ends: outcome.report.ends.counts.keys().copied().collect(),
            gaps: outcome.report.gaps.clone(),
            error: outcome.error.map(|error| error.to_string()),
        };
        let moved = outcome.report.ends.lists.iter().filter_map(|list| list.end.moved.clone()).collect();
        let left = list.lock().unwrap().clone();
        (pulled, moved, left)
    })
}

#[test]
fn what_is_put_in_front_of_a_list_while_it_is_read_repeats_nothing() {
    let (pulled, moved, _) = pull_moving(20, 5, &[(2, Change::Insert(3))]);
    assert_eq!((pulled.ids, pulled.verdicts), ((0..20).collect(), vec![Verdict::Complete]));
    assert_eq!(moved, Vec::<String>::new());
}

#[test]
fn what_is_taken_out_of_a_list_while_it_is_read_hides_nothing() {
    let (pulled, moved, left) = pull_moving(20, 5, &[(2, Change::Remove(0, 3))]);
    assert_eq!((pulled.ids, pulled.verdicts), ((0..20).collect(), vec![Verdict::Complete]));
    assert_eq!((moved, left.len()), (Vec::new(), 17));
}

#[test]
fn a_list_of_which_nothing_is_found_again_has_moved() {
    let (pulled, moved, _) = pull_moving(20, 5, &[(2, Change::Remove(0, 9))]);
    assert_eq!(pulled.verdicts, [Verdict::Complete]);
    assert_eq!(moved, ["none of the records that were read last was found again"]);
}

proptest! {
    #[test]
    fn records_that_stay_in_a_list_are_read_whatever_goes_and_comes_in_front(
        count in 1usize..40,
        size in 3usize..8,
        changes in prop::collection::vec((1usize..10, prop_oneof![
            (1usize..6).prop_map(Change::Insert),
            (0usize..3, 1usize..3).prop_map(|(at, many)| Change::Remove(at, many)),
        ]), 0..4),
    ) {
        let (pulled, moved, left) = pull_moving(count, size, &changes);
        prop_assert_eq!(&pulled.error, &None);
        if moved.is_empty() && pulled.verdicts == [Verdict::Complete] {
            for id in left.iter().filter(|id| **id < 1000) {
                prop_assert!(pulled.ids.contains(id), "{} of {:?} is missing in {:?}", id, left, pulled.ids);
            }
        }
    }
}
