//! Events of runs, as who listens gets them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest, set_default};
use tracing::{Event, Level, Subscriber};

use super::*;
use crate::api::auth::sign_in;
use crate::extract::batch::BatchLimits;
use crate::extract::cursor::Window;
use crate::read::Read;
use crate::run::{PullOptions, Verdict};
use crate::stop::Stop;
use crate::testing::{
    CANARY, Lake, Script, ScriptedResponse, after, connection, okta_account, okta_users, page, users,
};

/// An event with its level and its fields as text.
type Captured = (Level, BTreeMap<&'static str, String>);

/// Keeps the events of one thread, as long as `guard` is there.
struct Capture {
    events: Arc<Mutex<Vec<Captured>>>,
    _guard: DefaultGuard,
}

struct Listener(Arc<Mutex<Vec<Captured>>>);

struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Listener {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push((*event.metadata().level(), fields.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn capture() -> Capture {
    let events = Arc::default();
    Capture { _guard: set_default(Listener(Arc::clone(&events))), events }
}

impl Capture {
    fn taken(&self) -> Vec<BTreeMap<&'static str, String>> {
        std::mem::take(&mut *self.events.lock().unwrap()).into_iter().map(|(_, fields)| fields).collect()
    }
}

fn names<'a>(events: &'a [BTreeMap<&'static str, String>]) -> Vec<&'a str> {
    events.iter().map(|event| event["event"].as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_sends_every_event_with_its_id_and_its_stream() {
    let capture = capture();
    let script = Script::new([
        ScriptedResponse::new(429, "").header("retry-after", "3"),
        ScriptedResponse::new(500, ""),
        page(&users(0..3)).next(&after(3)),
        page(&users(3..5)),
    ]);
    let report = Lake::default().pull(&script).run().await.report;
    assert_eq!(report.status, Verdict::Complete);
    let events = capture.taken();
    let in_order = [
        "lease_acquired",
        "throttled",
        "request_retried",
        "request_retried",
        "object_stored",
        "checkpoint_written",
        "run_committed",
    ];
    assert_eq!(names(&events), in_order);
    for event in &events {
        let about = (event["run_id"].as_str(), event["stream"].as_str(), event["account"].as_str());
        assert_eq!(about, (report.run_id.as_deref().unwrap(), "okta.users", "acme.okta.com"));
        assert!(event["message"].starts_with("okta.users: "), "{event:?}");
    }
    assert_eq!((events[0]["mode"].as_str(), events[0]["resumed"].as_str()), ("incremental", "false"));
    let attempts: Vec<_> = events[2..4].iter().map(|event| event["attempts"].as_str()).collect();
    assert_eq!(attempts, ["1", "2"]);
    assert!(events[2]["wait_seconds"].parse::<f64>().unwrap() >= 3.0);
    assert!(events[3]["error"].starts_with("Okta returned 500 — url https://acme.okta.com/api/v1/users?"));
    assert_eq!(events[4]["records"], "5");
    assert_eq!((events[5]["pages"].as_str(), events[5]["records"].as_str()), ("2", "5"));
    assert_eq!(
        (Some(&events[6]["manifest"]), events[6]["objects"].as_str()),
        (report.manifest.as_ref(), "1")
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_taken_up_says_so() {
    let capture = capture();
    let lake = Lake::default();
    let broken = Script::new([page(&users(0..3)).next(&after(3)), ScriptedResponse::new(400, "")]);
    let pull = lake.pull(&broken);
    pull.run().await;
    assert_eq!(names(&capture.taken()), ["lease_acquired", "object_stored", "checkpoint_written"]);
    lake.again(&pull, &Script::new([page(&users(3..5))])).run().await;
    let events = capture.taken();
    assert_eq!((events[0]["resumed"].as_str(), events[0]["fence"].as_str()), ("true", "2"));
}

#[tokio::test(start_paused = true)]
async fn runs_side_by_side_have_their_own_events() {
    let capture = capture();
    let (one, two) = (Lake::default(), Lake::default());
    let script = |last| Script::new([ScriptedResponse::new(503, ""), page(&users(0..last))]);
    let (one, two) = (one.pull(&script(3)), two.pull(&script(5)));
    let (first, second) = tokio::join!(one.run(), two.run());
    let events = capture.taken();
    for (pull, report, records) in [(&one, first.report, "3"), (&two, second.report, "5")] {
        let work = pull.progress.events().work().to_string();
        let own: Vec<_> = events.iter().filter(|event| event["work"] == work).cloned().collect();
        let in_order =
            ["lease_acquired", "request_retried", "object_stored", "checkpoint_written", "run_committed"];
        assert_eq!(names(&own), in_order);
        assert!(own.iter().all(|event| Some(&event["run_id"]) == report.run_id.as_ref()));
        assert_eq!(own[4]["records"], records);
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_in_addresses_and_bodies_are_hidden() {
    let capture = capture();
    let body = format!(r#"{{"errorCode": "E1", "errorSummary": "no {CANARY}\u001b[2J"}}"#);
    let next = "https://acme.okta.com/api/v1/users?after=private&limit=200";
    let script = Script::new([
        ScriptedResponse::new(429, body.clone()).header("retry-after", "1"),
        page(&users(0..2)).next(next),
        ScriptedResponse::new(500, body),
        page(&users(2..3)),
    ]);
    assert_eq!(Lake::default().pull(&script).run().await.report.status, Verdict::Complete);
    let events = capture.taken();
    let shown = format!("{events:?}");
    assert!(!shown.contains("canary") && !shown.contains("private") && !shown.contains('\u{1b}'), "{shown}");
    assert!(events[1]["error"].contains("no ***"), "{shown}");
    assert_eq!(events[3]["url"], "https://acme.okta.com/api/v1/users?after=***&limit=200");
}

#[tokio::test(start_paused = true)]
async fn a_read_which_keeps_nothing_has_no_run() {
    let capture = capture();
    let definition = okta_users();
    let account = okta_account();
    let script = Script::new([ScriptedResponse::new(500, ""), page(&users(0..2))]);
    let connection = connection(&definition.source, script);
    let authorize = sign_in(&definition.source, &account, &connection, None).unwrap();
    let read = Read {
        definition,
        account,
        connection,
        authorize,
        window: Window::default(),
        batch: BatchLimits::default(),
        options: PullOptions::default(),
        progress: Arc::default(),
        stop: Stop::new(None),
    };
    let mut reading = read.start();
    while reading.next().await.unwrap().is_some() {}
    let events = capture.taken();
    assert_eq!(names(&events), ["request_retried"]);
    assert_eq!((events[0].get("run_id"), events[0]["stream"].as_str()), (None, "okta.users"));
}

#[test]
fn events_of_others_are_not_taken() {
    let capture = capture();
    tracing::info!(target: "hyper", event = "request", authorization = CANARY);
    let _span = tracing::info_span!(target: TARGET, "a span");
    Events::default().note("ours");
    assert_eq!(names(&capture.taken()), ["note"]);
}

#[test]
fn the_guide_lists_all_events() {
    let guide = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/docs/python.md"));
    let (_, section) = guide.split_once("\n## Logging\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |event: &Declared| {
        let fields: Vec<_> = event.fields.iter().map(|field| format!("`{field}`")).collect();
        let level = event.level.as_str().replace("WARN", "WARNING");
        format!("| `{}` | {level} | {} | {} |", event.name, fields.join(", "), event.about.trim())
    };
    assert_eq!(rows, DECLARED.iter().map(row).collect::<Vec<_>>());
}
