//! Responses that were corrupted on their way: whatever becomes of one, a run that says it is complete has every record, and
//! no secret that came back shows.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::catalog::{Definition, NextUrl, PageSize, PaginatorSpec, Pointer, Signal};
use crate::testing::{CANARY, Lake, ScriptedResponse, Server, okta};

/// The record limit of a page.
const CAP: usize = 20;

/// A list whose next pages are named by a link in a header, or in the body. It refuses a cursor that it did not give.
struct Api {
    items: usize,
    in_body: bool,
    given: Mutex<BTreeSet<String>>,
}

impl Api {
    fn respond(&self, url: &Url) -> ScriptedResponse {
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        let size = value("limit").and_then(|size| size.parse().ok()).unwrap_or(CAP).clamp(1, CAP);
        let mut given = self.given.lock().unwrap();
        let start = match value("after") {
            Some(cursor) if !given.contains(&*cursor) => return ScriptedResponse::new(400, "{}"),
            Some(cursor) => cursor[1..].parse().unwrap(),
            None => 0,
        };
        let end = (start + size).min(self.items);
        let items: Vec<_> =
            (start..end).map(|id| json!({"id": format!("u{id}"), "again": format!("u{id}")})).collect();
        let next = (end < self.items).then(|| {
            let cursor = format!("c{end}");
            given.insert(cursor.clone());
            format!("https://acme.okta.com/api/v1/users?limit={size}&after={cursor}")
        });
        let body = if self.in_body { json!({"items": items, "next": next}) } else { json!(items) };
        let response = ScriptedResponse::new(200, body.to_string()).quota(600, 599, 30);
        match next.filter(|_| !self.in_body) {
            Some(next) => response.next(&next),
            None => response,
        }
    }

    fn definition(&self, limit: u32) -> Definition {
        let mut definition = okta("users");
        let list = &mut definition.endpoint.list;
        let pointer = |text: &str| Pointer::try_from(text.to_owned()).unwrap();
        if self.in_body {
            (list.paginator, list.records) = (
                PaginatorSpec::NextUrl(NextUrl { from: Signal::Body(pointer("/next")), keep: Vec::new() }),
                pointer("/items").into(),
            );
        }
        list.page_size = Some(PageSize::in_query("limit", limit));
        definition
    }
}

/// What happens to an octet.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Replace(u8),
    Insert(u8),
    Remove,
    Cut,
}

impl Edit {
    fn apply(self, text: &mut Vec<u8>, at: usize) {
        if text.is_empty() {
            return;
        }
        let at = at % text.len();
        match self {
            Self::Replace(octet) => text[at] = octet,
            Self::Insert(octet) => text.insert(at, octet),
            Self::Remove => drop(text.remove(at)),
            Self::Cut => text.truncate(at),
        }
    }
}

/// What becomes of a response.
#[derive(Debug, Clone)]
enum Corruption {
    Body(Edit, usize),
    Line(&'static str, Edit, usize),
    /// It has this line in place of its own.
    Other(&'static str, Vec<u8>),
    Lost(&'static str),
    /// Some proxy responds. With 200 or 203 a whole page of it would be as good as the server's own.
    Status(u16, Vec<u8>),
}

impl Corruption {
    fn apply(&self, response: ScriptedResponse) -> ScriptedResponse {
        match self {
            Self::Body(edit, at) => response.with_body(|body| edit.apply(body, *at)),
            Self::Line(name, edit, at) => {
                let Some(mut line) = response.line(name).map(<[u8]>::to_vec) else { return response };
                edit.apply(&mut line, *at);
                response.without(name).octets(name, &line)
            }
            Self::Other(name, line) => response.without(name).octets(name, line),
            Self::Lost(name) => response.without(name),
            Self::Status(status, body) => ScriptedResponse::new(*status, body.clone())
                .octets("www-authenticate", body)
                .octets("location", body),
        }
    }
}

fn corruptions() -> impl Strategy<Value = Corruption> {
    let edit = prop_oneof![
        any::<u8>().prop_map(Edit::Replace),
        any::<u8>().prop_map(Edit::Insert),
        Just(Edit::Remove),
        Just(Edit::Cut),
    ];
    let sent = ["link", "date", "x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"];
    let sent = prop::sample::select(sent.to_vec());
    let others =
        ["link", "date", "x-rate-limit-reset", "x-rate-limit-remaining", "retry-after", "content-type"];
    let others =
        prop::sample::select([&others[..], &["content-encoding", "x-total-count", "location"]].concat());
    let octets = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[<>;=\"', a-z0-9/:]{0,40}(next)?".prop_map(String::into_bytes),
        Just(CANARY.as_bytes().to_vec()),
        Just(format!("{{\"errorSummary\": \"no {CANARY}\"}}").into_bytes()),
        Just(format!("https://evil.example/?t={CANARY}").into_bytes()),
        Just(b"[]".to_vec()),
    ];
    let status = prop_oneof![prop::sample::select(vec![202_u16, 204, 205, 206]), 300_u16..600];
    prop_oneof![
        3 => (edit.clone(), any::<usize>()).prop_map(|(edit, at)| Corruption::Body(edit, at)),
        3 => (sent.clone(), edit, any::<usize>()).prop_map(|(name, edit, at)| Corruption::Line(name, edit, at)),
        2 => (others, octets.clone()).prop_map(|(name, octets)| Corruption::Other(name, octets)),
        1 => sent.prop_map(Corruption::Lost),
        2 => (status, octets).prop_map(|(status, octets)| Corruption::Status(status, octets)),
    ]
}

/// Pulls while the response number `at` is corrupt. What came of it, and what a person or the lake could show of it.
async fn pulled(
    lake: &Lake,
    api: Api,
    limit: u32,
    at: usize,
    corruption: Corruption,
) -> [(Verdict, BTreeSet<String>); 2] {
    let (definition, seen) = (api.definition(limit), Arc::new(AtomicUsize::new(0)));
    let sent = Arc::clone(&seen);
    let server = Server::new(move |url| {
        let response = api.respond(url);
        if seen.fetch_add(1, Ordering::SeqCst) == at { corruption.apply(response) } else { response }
    });
    let mut ends = Vec::new();
    for _ in 0..2 {
        let mut pull = lake.pull_of(definition.clone(), Arc::clone(&server) as _);
        pull.options.mode = Mode::Full;
        let outcome = pull.run().await;
        let shown = format!("{outcome:?} {} {:?}", json!(outcome.report), lake.store);
        assert!(!shown.contains(CANARY), "{shown}");
        let mut ids = BTreeSet::new();
        if let Some(manifest) = &outcome.report.manifest {
            for record in lake.records(manifest).await {
                // A corrupt text inside a record shows nowhere; the record is there all the same.
                let record: Value = serde_json::from_str(&record).unwrap();
                ids.extend(record.as_object().unwrap().values().map(Value::to_string));
            }
        }
        ends.push((outcome.report.status, ids));
        // The next pull meets no corrupt response.
        sent.store(at + 1, Ordering::SeqCst);
    }
    ends.try_into().unwrap()
}

proptest! {
    #[test]
    fn no_corruption_of_a_response_makes_a_run_complete_with_records_missing(
        items in 1_usize..60,
        in_body in any::<bool>(),
        full in any::<bool>(),
        at in 0_usize..5,
        corruption in corruptions(),
    ) {
        let api = Api { items, in_body, given: Mutex::default() };
        // Behind the first page only a full one is requested again.
        let (limit, at) = if full { (20, at) } else { (100, 0) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let [first, then] = runtime.block_on(pulled(&Lake::default(), api, limit, at, corruption));
        let has_all = |ids: &BTreeSet<String>| (0..items).all(|id| ids.contains(&format!("\"u{id}\"")));
        prop_assert!(first.0 != Verdict::Complete || has_all(&first.1), "{first:?}");
        prop_assert!(then.0 == Verdict::Complete && has_all(&then.1), "the next pull: {then:?}");
    }
}
