//! Whatever changes between pulls, while they read, and wherever they are stopped: every version that a list has in the end is in
//! the lake once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::catalog::Definition;
use crate::clock::later;
use crate::stop::{Stop, StopReason};
use crate::testing::{Lake, ScriptedResponse, Server, okta};

/// What the definition says beside the path of the list.
const RULES: [&str; 6] = [
    "{cursor: /at, param: since, since: '{since}', overlap: 1s}",
    "{cursor: /at, param: since, since: '{since}', overlap: 1s, order: ascending}",
    "{cursor: /at, param: since, since: '{since}', overlap: 0s, format: {filter: date}}",
    "{cursor: /at, client_side: true, overlap: 1s}",
    "{cursor: /at, client_side: true, overlap: 1s, order: descending}",
    "{cursor: /at, param: since, since: '{since}', until_param: until, until: '{until}', overlap: 1s, \
      window: {span: 3h, history: 10d}}",
];

fn definition(rule: &str) -> Definition {
    let yaml = format!(
        "endpoint: users\nabout: x\nlist:\n  path: /api/v1/users\n  records: /items\n  primary_key: [/id]\n  \
         paginator: {{next_url: {{body: /next}}}}\n  incremental: {rule}\n"
    );
    let endpoint = crate::catalog::endpoint_from_yaml(&yaml, std::path::Path::new("users.yaml")).unwrap();
    Definition { endpoint, ..okta("users") }
}

/// What happens: time passes and a record changes, or the stream is pulled, with a stop at a request.
#[derive(Debug, Clone)]
enum Event {
    Change { id: u64, seconds: u64 },
    Pull { stop_at: Option<usize>, meanwhile: Option<(usize, u64)> },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let change = (0u64..12, 0u64..20_000).prop_map(|(id, seconds)| Event::Change { id, seconds });
    let pull = (prop::option::of(0usize..4), prop::option::of((0usize..4, 0u64..12)))
        .prop_map(|(stop_at, meanwhile)| Event::Pull { stop_at, meanwhile });
    prop::collection::vec(prop_oneof![3 => change, 1 => pull], 1..40)
}

/// The list as it is now: the version of each record, and when it came to be.
#[derive(Debug, Default)]
struct Api {
    now: Timestamp,
    records: BTreeMap<u64, (u64, Timestamp)>,
    changes: u64,
    requests: usize,
    stop: Option<(usize, Stop)>,
    meanwhile: Option<(usize, u64)>,
}

impl Api {
    fn change(&mut self, id: u64, seconds: u64) {
        self.now = later(self.now, Duration::from_millis(seconds * 1000 + 7));
        self.changes += 1;
        self.records.insert(id, (self.changes, self.now));
    }

    /// Pages go on behind a record, so that no change shifts them.
    fn respond(&mut self, url: &Url, descending: bool) -> ScriptedResponse {
        let number = self.requests;
        self.requests += 1;
        if let Some((_, id)) = self.meanwhile.filter(|(at, _)| *at == number) {
            self.change(id, 1);
        }
        if let Some((_, stop)) = self.stop.as_ref().filter(|(at, _)| *at == number) {
            stop.request(StopReason::Interrupted);
        }
        let parameter =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let bound = |name: &str| {
            let text = parameter(name)?;
            let day = || format!("{text}T00:00:00Z").parse().ok();
            text.parse::<Timestamp>().ok().or_else(day)
        };
        let (since, until) = (bound("since"), bound("until"));
        let behind = parameter("behind").map(|behind| behind.parse::<u64>().unwrap());
        let mut there: Vec<_> = self.records.iter().map(|(id, (version, at))| (*version, *id, *at)).collect();
        there.retain(|(_, _, at)| {
            since.is_none_or(|since| *at >= since) && until.is_none_or(|until| *at < until)
        });
        there.sort_unstable();
        if descending {
            there.reverse();
            there.retain(|(version, ..)| behind.is_none_or(|behind| *version < behind));
        } else {
            there.retain(|(version, ..)| behind.is_none_or(|behind| *version > behind));
        }
        let page = &there[..there.len().min(3)];
        let items: Vec<_> = page
            .iter()
            .map(|(version, id, at)| json!({"id": id, "version": version, "at": at.to_string()}))
            .collect();
        let next = page.last().filter(|_| there.len() > 3).map(|(version, ..)| {
            let mut next = url.clone();
            let kept: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "behind").collect();
            next.query_pairs_mut().clear().extend_pairs(kept).append_pair("behind", &version.to_string());
            next.to_string()
        });
        let date = self.now.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let body = json!({"items": items, "next": next}).to_string();
        ScriptedResponse::new(200, body).undated().header("date", &date)
    }
}

/// How often each version is in the lake, after these events and a pull that nothing disturbs; and the versions that are there.
fn pulled(rule: &str, events: &[Event]) -> (BTreeMap<u64, usize>, Vec<u64>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (lake, definition) = (Lake::default(), definition(rule));
        let began = "2026-11-20T05:30:00Z".parse().unwrap();
        let api = Arc::new(Mutex::new(Api { now: began, ..Api::default() }));
        let (shown, descending) = (Arc::clone(&api), rule.contains("descending"));
        let server =
            Server::of_requests(move |request| shown.lock().unwrap().respond(&request.url, descending));
        let mut versions = BTreeMap::new();
        let last =
            [Event::Pull { stop_at: None, meanwhile: None }, Event::Pull { stop_at: None, meanwhile: None }];
        for event in events.iter().chain(&last) {
            match event {
                Event::Change { id, seconds } => api.lock().unwrap().change(*id, *seconds),
                Event::Pull { stop_at, meanwhile } => {
                    let pull = lake.pull_of(definition.clone(), Arc::clone(&server) as _);
                    let (now, since) = {
                        let mut api = api.lock().unwrap();
                        api.now = later(api.now, Duration::from_secs(2));
                        api.requests = 0;
                        api.stop = stop_at.map(|at| (at, pull.stop.clone()));
                        api.meanwhile = *meanwhile;
                        (api.now, lake.clock.clock().now())
                    };
                    // Windows end at the present, by our clock.
                    lake.clock.advance(Duration::try_from(now.duration_since(since)).unwrap_or_default());
                    let outcome = pull.run().await;
                    assert!(outcome.error.is_none(), "{:?}", outcome.error);
                    for record in match &outcome.report.manifest {
                        Some(manifest) => lake.records(manifest).await,
                        None => Vec::new(),
                    } {
                        let record: Value = serde_json::from_str(&record).unwrap();
                        *versions.entry(record["version"].as_u64().unwrap()).or_default() += 1;
                    }
                }
            }
        }
        let there = api.lock().unwrap().records.values().map(|(version, _)| *version).collect();
        (versions, there)
    })
}

proptest! {
    #[test]
    fn every_version_that_a_list_has_in_the_end_is_in_the_lake_once(rule in 0usize..RULES.len(), events in events()) {
        let (versions, there) = pulled(RULES[rule], &events);
        for version in there {
            prop_assert_eq!(versions.get(&version), Some(&1), "version {} by {}: {:?}", version, RULES[rule], versions);
        }
        prop_assert!(versions.values().all(|times| *times == 1), "{} {:?}", RULES[rule], versions);
    }
}
