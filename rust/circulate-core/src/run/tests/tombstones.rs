//! What is deleted and what is not. The oracle is a set of ids that is changed as the API's list is, and as the brakes say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use url::Url;

use super::*;
use crate::catalog::{Definition, endpoint_from_yaml};
use crate::encode::Format;
use crate::extract::batch::{BatchLimits, Memory};
use crate::lake::entry_files::{EntryReader, read_entries};
use crate::lake::external_sort::sort;
use crate::lake::manifest::{DeleteCounts, EntryFile, Part, read_part};
use crate::lake::record_key::{KEY_ENTRY, KeyBuilder, KeyValue, SCOPE_ENTRY, key_entry, scope_of};
use crate::lake::sink::{MemorySink, Object, Sink};
use crate::lake::write::ObjectFormat;
use crate::state::MemoryStore;
use crate::testing::{Faulty, Lake, ScriptedResponse, Server, okta, page};

type Entry = [u8; KEY_ENTRY];

/// The key of a record as anybody may make it.
fn entry(parent: Option<&str>, id: &str) -> Entry {
    let mut builder = KeyBuilder::default();
    if let Some(parent) = parent {
        builder.parent(KeyValue::Text(parent));
    }
    let scope = parent.map_or_else(Default::default, |parent| scope_of([Some(parent)]));
    builder.value(KeyValue::Text(id));
    key_entry(scope, builder.finish().unwrap())
}

/// Users of an org, and how their list is paged.
#[derive(Debug, Default)]
struct Org {
    users: Mutex<BTreeMap<u32, String>>,
    page: usize,
    fixed: Mutex<Option<ScriptedResponse>>,
}

impl Org {
    fn of(users: std::ops::Range<u32>, page: usize) -> Arc<Self> {
        let org = Self { page, ..Self::default() };
        org.add(users, "2026-11-22T05:00:00Z");
        Arc::new(org)
    }

    fn add(&self, users: impl IntoIterator<Item = u32>, time: &str) {
        let users = users.into_iter().map(|id| (id, format!(r#"{{"id":"u{id}","lastUpdated":"{time}"}}"#)));
        self.users.lock().unwrap().extend(users);
    }

    fn remove(&self, users: impl IntoIterator<Item = u32>) {
        let mut all = self.users.lock().unwrap();
        users.into_iter().for_each(|id| drop(all.remove(&id)));
    }

    fn ids(&self) -> BTreeSet<u32> {
        self.users.lock().unwrap().keys().copied().collect()
    }

    /// Every request gets this response, or the list again.
    fn respond_with(&self, response: Option<ScriptedResponse>) {
        *self.fixed.lock().unwrap() = response;
    }

    fn respond(&self, url: &Url) -> ScriptedResponse {
        if let Some(fixed) = &*self.fixed.lock().unwrap() {
            return fixed.clone();
        }
        let value =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let since = value("filter").and_then(|filter| Some(filter.split('"').nth(1)?.to_owned()));
        let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX).min(self.page);
        let users = self.users.lock().unwrap();
        let is_new =
            |user: &&String| since.as_ref().is_none_or(|since| user[user.len() - 22..] >= *since.as_str());
        let users: Vec<_> = users.values().filter(is_new).cloned().collect();
        if let Some(number) = value("page").and_then(|number| number.parse::<usize>().ok()) {
            let pages: Vec<_> = users.chunks(limit).collect();
            return page(pages.get(number - 1).copied().unwrap_or_default());
        }
        let start = value("after").and_then(|after| after.parse::<usize>().ok()).unwrap_or(0);
        let end = (start + limit).min(users.len());
        let response = page(&users[start..end]);
        if end == users.len() {
            return response;
        }
        let mut next = url.clone();
        let others: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "after").collect();
        next.query_pairs_mut().clear().extend_pairs(others).append_pair("after", &end.to_string());
        response.next(next.as_str())
    }
}

struct Stand {
    lake: Lake,
    org: Arc<Org>,
    definition: Definition,
}

impl Stand {
    fn new(org: Arc<Org>) -> Self {
        Self { lake: Lake::default(), org, definition: okta("users") }
    }

    /// With a list of its own.
    fn with_list(org: Arc<Org>, list: &str) -> Self {
        let yaml = format!(
            "endpoint: users\nabout: Users.\nscopes: []\nlist:\n  path: /users\n  primary_key: [/id]\n  {list}\n"
        );
        let mut definition = okta("users");
        definition.endpoint = endpoint_from_yaml(&yaml, Path::new("users.yaml")).unwrap();
        Self { definition, ..Self::new(org) }
    }

    fn pull(&self, mode: Mode) -> Pull {
        self.lake.clock.advance(Duration::from_mins(2));
        let org = Arc::clone(&self.org);
        let server = Server::new(move |url| org.respond(url));
        let mut pull = self.lake.pull_of(self.definition.clone(), server);
        pull.options.mode = mode;
        pull.options.objects.batch = BatchLimits { records: 7, bytes: 1_000_000 };
        pull.options.checkpoint_objects = 2;
        pull
    }

    /// A full pull by another token.
    fn by_others(&self) -> Pull {
        let mut pull = self.pull(Mode::Full);
        let given = [("org_url", "https://acme.okta.com"), ("api_token", "another")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let account =
            crate::api::account::Account::resolve(&pull.definition.source, &given.into(), None, None);
        pull.account = account.unwrap();
        pull
    }

    async fn run(&self, pull: Pull) -> DeleteCounts {
        let outcome = Box::pin(pull.run()).await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        outcome.report.deletes.unwrap_or_default()
    }

    async fn full(&self) -> DeleteCounts {
        self.run(self.pull(Mode::Full)).await
    }

    async fn accepting(&self) -> DeleteCounts {
        let mut pull = self.pull(Mode::Full);
        pull.options.accept_deletes = true;
        self.run(pull).await
    }

    async fn entries(&self, files: &[EntryFile]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for file in files {
            entries.extend(read_entries(&*self.lake.sink, file).await.unwrap());
        }
        sort(&mut entries);
        entries
    }

    /// What readers see: run after run, less its deletes, and with its keys.
    async fn current(&self) -> BTreeSet<Entry> {
        let mut current = BTreeSet::new();
        for index in self.lake.indices().await {
            if let Some(deletes) = &index.deletes {
                assert_eq!(deletes.files.iter().map(|file| file.entries).sum::<u64>(), deletes.count);
                for entry in self.entries(&deletes.files).await {
                    assert!(current.remove(&entry), "what is not there is deleted");
                }
            }
            current.extend(self.entries(&index.keys.unwrap().files).await);
        }
        current
    }

    async fn current_ids(&self) -> BTreeSet<u32> {
        let ids: BTreeMap<_, _> = (0..3000).map(|id| (entry(None, &format!("u{id}")), id)).collect();
        self.current().await.iter().map(|entry| ids[entry]).collect()
    }

    async fn last(&self) -> Index {
        self.lake.indices().await.pop().unwrap()
    }
}

fn counts(count: u64) -> DeleteCounts {
    DeleteCounts { count, withheld: None }
}

fn reason(counts: &DeleteCounts) -> (u64, u64, &str) {
    let withheld = counts.withheld.as_ref().unwrap();
    (counts.count, withheld.count, withheld.reason.as_str())
}

#[tokio::test(start_paused = true)]
async fn a_complete_full_run_deletes_what_is_not_in_it() {
    let stand = Stand::new(Org::of(0..50, 20));
    assert_eq!(stand.full().await, counts(0));
    stand.org.remove([3, 17]);
    stand.org.add([100], "2026-11-22T05:00:00Z");
    assert_eq!(stand.full().await, counts(2));
    assert_eq!(stand.current_ids().await, stand.org.ids());
    let index = stand.last().await;
    let deletes = index.deletes.unwrap();
    let gone = BTreeSet::from([entry(None, "u3"), entry(None, "u17")]);
    assert_eq!(stand.entries(&deletes.files).await, gone.into_iter().collect::<Vec<_>>());
    let run = &stand.lake.runs().await[0];
    assert_eq!(run.ledger.deletes, Some(counts(2)), "the ledger says so too");
    // Who comes back is there again.
    stand.org.add([3], "2026-11-22T05:00:00Z");
    assert_eq!(stand.full().await, counts(0));
    assert_eq!(stand.current_ids().await, stand.org.ids());
}

#[tokio::test(start_paused = true)]
async fn an_incremental_run_and_a_period_only_add() {
    let stand = Stand::new(Org::of(0..50, 20));
    stand.full().await;
    stand.org.remove([3, 17]);
    stand.org.add([100], "2026-11-22T05:29:00Z");
    assert_eq!(stand.run(stand.pull(Mode::Incremental)).await, counts(0));
    assert!(stand.last().await.deletes.is_none(), "nothing was looked for");
    let mut period = stand.pull(Mode::Window);
    period.options.window.since = Some("2026-11-22T05:20:00Z".parse().unwrap());
    assert_eq!(stand.run(period).await, counts(0));
    assert!(stand.current_ids().await.is_superset(&BTreeSet::from([3, 17, 100])));
    // The next full one compares with all of them.
    stand.org.remove([100]);
    assert_eq!(stand.full().await, counts(3));
    assert_eq!(stand.current_ids().await, stand.org.ids());
}

#[tokio::test(start_paused = true)]
async fn where_state_was_lost_no_run_is_taken_for_the_first_one_of_the_place() {
    let mut stand = Stand::new(Org::of(0..200, 50));
    stand.full().await;
    stand.lake.store = Arc::new(MemoryStore::new(stand.lake.clock.clock()));
    stand.org.remove(20..200);
    for _ in 0..2 {
        let withheld = stand.full().await;
        let why = "state does not know all committed runs of the place: 1 are of another one";
        assert_eq!(reason(&withheld), (0, 0, why));
        assert!(!stand.last().await.keys.unwrap().whole, "readers need the runs before");
    }
    assert_eq!(stand.accepting().await, counts(0));
    assert!(stand.last().await.keys.unwrap().whole);
    stand.org.remove([3]);
    assert_eq!(stand.full().await, counts(1));
}

#[tokio::test(start_paused = true)]
async fn what_a_period_took_that_a_full_run_does_not_go_back_to_is_not_deleted() {
    let list = "paginator: link_header\n  incremental:\n    cursor: /lastUpdated\n    param: filter\n    \
        since: 'lastUpdated ge \"{since}\"'\n    full_since: 2026-11-20T00:00:00Z";
    let org = Org::of(0..50, 20);
    org.add([100, 101], "2026-11-01T05:00:00Z");
    let stand = Stand::with_list(org, list);
    assert_eq!(stand.full().await, counts(0));
    let mut period = stand.pull(Mode::Window);
    period.options.window.since = Some("2026-10-01T00:00:00Z".parse().unwrap());
    assert_eq!(stand.run(period).await, counts(0));
    assert_eq!(stand.current_ids().await, stand.org.ids());
    stand.org.remove([3]);
    // Not even by the second one, which compares with what the first one had.
    for _ in 0..2 {
        let withheld = stand.full().await;
        let (count, withheld, why) = reason(&withheld);
        assert_eq!((count, withheld), (0, 3));
        assert!(why.contains("took what is older than this run begins with"), "{why}");
        assert!(stand.current_ids().await.is_superset(&stand.org.ids()));
    }
    assert_eq!(stand.accepting().await, counts(3));
    assert_eq!(stand.full().await, counts(0));
}

#[tokio::test(start_paused = true)]
async fn ninety_percent_of_users_gone_in_one_full_pull_are_withheld_until_somebody_agrees() {
    let stand = Stand::new(Org::of(0..1000, 200));
    stand.full().await;
    stand.org.remove(0..900);
    let all = stand.current_ids().await;
    let withheld = stand.full().await;
    assert_eq!(reason(&withheld), (0, 900, "900 of 1000 would be deleted, more than 20 %"));
    assert_eq!(stand.current_ids().await, all);
    let index = stand.last().await;
    let candidates = index.deletes.unwrap().candidates;
    let gone: BTreeSet<_> = (0..900).map(|id| entry(None, &format!("u{id}"))).collect();
    assert_eq!(stand.entries(&candidates.files).await, gone.into_iter().collect::<Vec<_>>());
    // They are not forgotten by the run that withheld them.
    assert_eq!(reason(&stand.full().await).1, 900);
    assert_eq!(stand.accepting().await, counts(900));
    assert_eq!(stand.current_ids().await, stand.org.ids());
    assert_eq!(stand.full().await, counts(0));
}

#[tokio::test(start_paused = true)]
async fn a_fifth_is_not_too_many_and_neither_are_many_of_a_few() {
    for (before, gone, deleted) in [(100, 20, 20), (100, 21, 0), (99, 90, 90), (101, 20, 20)] {
        let stand = Stand::new(Org::of(0..before, 30));
        stand.full().await;
        stand.org.remove(0..gone);
        assert_eq!(stand.full().await.count, deleted, "{gone} of {before}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_deletes_nothing() {
    let stand = Stand::new(Org::of(0..5, 3));
    stand.full().await;
    stand.org.remove(0..5);
    assert_eq!(reason(&stand.full().await), (0, 5, "the list is empty"));
    assert_eq!(stand.accepting().await, counts(5));
    assert!(stand.current().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_by_other_rights_deletes_nothing() {
    let stand = Stand::new(Org::of(0..50, 20));
    stand.full().await;
    stand.org.remove([1, 2]);
    let withheld = stand.run(stand.by_others()).await;
    let why = "what is requested, or by whose rights, is not what it was when they were read";
    assert_eq!(reason(&withheld), (0, 2, why));
    assert_eq!(stand.current_ids().await.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn what_other_rights_never_showed_is_kept_until_somebody_agrees() {
    let stand = Stand::new(Org::of(0..50, 20));
    stand.full().await;
    stand.org.remove([1, 2]);
    assert_eq!(stand.run(stand.by_others()).await.withheld.unwrap().count, 2);
    // Whom these rights have shown, they show to be gone.
    stand.org.remove([3]);
    for deleted in [1, 0] {
        let withheld = stand.run(stand.by_others()).await;
        let why = "they were read by other settings or rights, which these may not show, and nobody has agreed that they no longer exist";
        assert_eq!(reason(&withheld), (deleted, 2, why));
    }
    assert!(stand.current_ids().await.is_superset(&BTreeSet::from([1, 2])));
    let mut agreed = stand.by_others();
    agreed.options.accept_deletes = true;
    assert_eq!(stand.run(agreed).await, counts(2));
    stand.org.remove([4]);
    assert_eq!(stand.run(stand.by_others()).await, counts(1));
    assert_eq!(stand.current_ids().await, stand.org.ids());
}

#[tokio::test(start_paused = true)]
async fn a_list_with_gaps_and_an_unavailable_feature_delete_nothing() {
    let list = "paginator: link_header\n  unavailable: {statuses: [410]}\n  errors:\n  - {when: {status: 403}, then: gap}";
    for (status, why) in [(403, "a list has gaps"), (410, "the account lacks a feature")] {
        let stand = Stand::with_list(Org::of(0..50, 20), list);
        stand.full().await;
        stand.org.respond_with(Some(ScriptedResponse::new(status, "{}")));
        assert_eq!(reason(&stand.full().await), (0, 50, why), "{status}");
        // What was there is compared with all the same.
        stand.org.respond_with(None);
        stand.org.remove([7]);
        assert_eq!(stand.full().await, counts(1), "{status}");
        assert_eq!(stand.current_ids().await, stand.org.ids());
    }
}

#[tokio::test(start_paused = true)]
async fn of_numbered_pages_without_a_total_a_record_has_to_be_missing_twice() {
    let list = "page_size: {param: limit, max: 10}\n  paginator: {page: {to: page}}";
    let stand = Stand::with_list(Org::of(0..45, 10), list);
    stand.full().await;
    stand.org.remove([1, 2]);
    let why = "the list is taken for whole though nothing shows that it is: what the next complete full run lacks too is deleted";
    assert_eq!(reason(&stand.full().await), (0, 2, why));
    stand.org.add([1], "2026-11-22T05:00:00Z");
    stand.org.remove([3]);
    let second = stand.full().await;
    assert_eq!(reason(&second), (1, 1, why), "one is gone for good, one came back, one is missing now");
    assert_eq!(stand.full().await, counts(1));
    assert_eq!(stand.current_ids().await, stand.org.ids());
}

#[tokio::test(start_paused = true)]
async fn of_a_list_that_is_assumed_to_be_whole_a_record_has_to_be_missing_twice() {
    // The API gives one page, however many are asked for.
    let stand = Stand::with_list(Org::of(0..9, 100), "paginator: link_header");
    stand.full().await;
    stand.org.remove([4]);
    assert_eq!(stand.full().await.withheld.unwrap().count, 1);
    assert_eq!(stand.full().await, counts(1));
    assert_eq!(stand.current_ids().await, stand.org.ids());
}

#[tokio::test(start_paused = true)]
async fn an_event_and_a_record_that_nothing_identifies_are_never_deleted() {
    for change in ["kind: event\n  primary_key: [/id]", "primary_key: none"] {
        let yaml = format!(
            "endpoint: users\nabout: Users.\nscopes: []\nlist:\n  path: /users\n  {change}\n  paginator: link_header\n"
        );
        let mut stand = Stand::new(Org::of(0..20, 7));
        stand.definition.endpoint = endpoint_from_yaml(&yaml, Path::new("users.yaml")).unwrap();
        stand.full().await;
        stand.org.remove([4]);
        stand.full().await;
        let index = stand.last().await;
        assert!(index.keys.is_none() && index.deletes.is_none());
        assert!(!stand.lake.sink.keys().iter().any(|key| is_of_keys(key)), "nothing is written for it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_without_its_key_is_counted_and_never_deleted() {
    let stand = Stand::with_list(Org::of(0..20, 7), "paginator: link_header");
    stand.org.users.lock().unwrap().insert(5, r#"{"id":null,"n":1}"#.to_owned());
    stand.org.users.lock().unwrap().insert(6, r#"{"n":2}"#.to_owned());
    let outcome = stand.pull(Mode::Full).run().await;
    assert_eq!(outcome.report.records_without_key, 2);
    assert_eq!(stand.last().await.keys.unwrap().without_key, 2);
    assert_eq!(stand.current().await.len(), 18);
    stand.org.remove([5, 6]);
    assert_eq!(stand.full().await, counts(0));
}

#[tokio::test(start_paused = true)]
async fn large_files_of_keys_stay_as_they_were_taken_in_and_are_compared_all_the_same() {
    let stand = Stand::new(Org::of(0..24_000, 4_000));
    let run = |mode: Mode| {
        let mut pull = stand.pull(mode);
        pull.options.objects.batch = BatchLimits { records: 4_000, bytes: 10_000_000 };
        pull.options.checkpoint_objects = 3;
        pull
    };
    let all = stand.org.ids();
    stand.run(run(Mode::Full)).await;
    let keys = stand.last().await.keys.unwrap();
    assert_eq!(keys.files.len(), 2);
    assert!(keys.files[1].first < keys.files[0].last, "they are not put together");
    assert_eq!(stand.current().await.len(), all.len());
    stand.org.remove(all.iter().copied().step_by(1_000));
    assert_eq!(stand.run(run(Mode::Full)).await, counts(24));
    assert_eq!(stand.current().await.len(), all.len() - 24);
    stand.org.remove([1, 2]);
    stand.run(run(Mode::Incremental)).await;
    assert_eq!(stand.run(run(Mode::Full)).await, counts(2));
    assert_eq!(stand.current().await.len(), all.len() - 26);
}

#[tokio::test(start_paused = true)]
async fn keys_beyond_the_memory_for_them_are_sorted_all_the_same() {
    let stand = Stand::new(Org::of(0..2000, 200));
    let run = |accept: bool| {
        let mut pull = stand.pull(Mode::Full);
        // Room for a few keys at a time.
        pull.options.memory = Memory::tiny(8_000);
        pull.options.accept_deletes = accept;
        pull
    };
    stand.run(run(false)).await;
    let index = stand.last().await;
    let parts: Vec<Part> = futures_util::future::join_all(
        index.parts.iter().map(|part| async { read_part(&*stand.lake.sink, part).await.unwrap() }),
    )
    .await;
    assert!(
        parts.iter().any(|part| part.keys.as_ref().unwrap().files.len() > 1),
        "several between two checkpoints"
    );
    assert_eq!(stand.current_ids().await, stand.org.ids());
    stand.org.remove(500..1900);
    assert_eq!(stand.run(run(true)).await, counts(1400));
    assert_eq!(stand.current_ids().await, stand.org.ids());
}

/// The write points of a full run that has something to delete.
#[tokio::test(start_paused = true)]
async fn a_death_at_any_write_of_a_run_deletes_the_same() {
    let kinds = ["create", "put", "create _circulate/"];
    for kind in kinds {
        for nth in 1.. {
            let stand = Stand::new(Org::of(0..40, 20));
            stand.full().await;
            stand.org.remove([3, 17]);
            stand.org.add([100], "2026-11-22T05:00:00Z");
            let mut dying = stand.pull(Mode::Full);
            dying.sink = Faulty::dies(stand.lake.as_sink(), kind, nth);
            dying.store = Faulty::dies(stand.lake.as_store(), kind, nth);
            let died = Box::pin(dying.run()).await.error.is_some();
            stand.lake.clock.advance(Duration::from_secs(61));
            let after = Box::pin(stand.pull(Mode::Full).run()).await;
            assert!(after.error.is_none(), "{kind} {nth}: {:?}", after.error);
            let indices = stand.lake.indices().await;
            let deleted: u64 = indices.iter().filter_map(|index| Some(index.deletes.as_ref()?.count)).sum();
            assert_eq!(deleted, 2, "{kind} {nth}: none lost, none doubled");
            assert_eq!(stand.current_ids().await, stand.org.ids(), "{kind} {nth}");
            if !died {
                assert!(nth > 3, "{kind}: it died nowhere");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_withheld_and_died_while_publishing_may_be_accepted_by_the_next_start() {
    for nth in 1..30 {
        let stand = Stand::new(Org::of(0..200, 70));
        stand.full().await;
        stand.org.remove(0..150);
        let mut dying = stand.pull(Mode::Full);
        dying.sink = Faulty::dies(stand.lake.as_sink(), "create _circulate/", nth);
        drop(Box::pin(dying.run()).await);
        stand.lake.clock.advance(Duration::from_secs(61));
        stand.accepting().await;
        let left = stand.current_ids().await;
        // A run that was visible by then stays as it is, and the next one does as it is told.
        if left != stand.org.ids() {
            assert_eq!(stand.last().await.deletes.unwrap().withheld.unwrap().count, 150, "{nth}");
            stand.accepting().await;
        }
        assert_eq!(stand.current_ids().await, stand.org.ids(), "{nth}");
    }
}

/// Runs of all kinds, some of which die at any write and are taken up again, beside a set that changes as their rules say.
#[tokio::test(start_paused = true)]
async fn after_any_runs_the_lake_has_what_the_rules_leave() {
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let stand = Stand::new(Org::of(0..random.u32(1..300), 70));
        let (mut model, mut is_begun, mut newest) = (BTreeSet::new(), false, 1000);
        for step in 0..14 {
            let at = format!("seed {seed}, step {step}");
            let ids: Vec<_> = stand.org.ids().into_iter().collect();
            let share = random.choice([0.0, 0.05, 0.15, 0.5]).unwrap();
            stand.org.remove(ids.into_iter().filter(|_| random.f64() < share));
            let added = newest..newest + random.u32(0..8);
            newest = added.end;
            stand.org.add(added, "2026-11-22T05:28:00Z");
            let (is_full, accepts, dies) = (random.bool(), random.u8(..) < 60, random.bool());
            let mode = if is_full { Mode::Full } else { Mode::Incremental };
            let pull = || {
                let mut pull = stand.pull(mode);
                pull.options.accept_deletes = accepts;
                pull
            };
            if dies {
                let mut dying = pull();
                dying.sink = Faulty::dies(stand.lake.as_sink(), "create", random.u32(1..14));
                drop(Box::pin(dying.run()).await);
                stand.lake.clock.advance(Duration::from_secs(61));
            }
            let outcome = Box::pin(pull().run()).await;
            assert!(outcome.error.is_none(), "{at}: {:?}", outcome.error);
            let (there, is_whole) = (stand.org.ids(), is_full || !is_begun);
            let missing = model.difference(&there).count();
            let too_many = model.len() >= 100 && missing * 100 > model.len() * 20;
            if is_whole && (accepts || !(too_many || there.is_empty())) {
                model.clone_from(&there);
            } else if is_whole {
                model.extend(&there);
            } else {
                // The API shows what has changed since the cursor.
                model.extend(there.range(1000..));
            }
            is_begun = true;
            assert_eq!(stand.current_ids().await, model, "{at}: {mode:?} accepts {accepts} dies {dies}");
        }
    }
}

/// A file of a manifest without what older versions did not write.
fn older_file(key: &str, bytes: &[u8]) -> serde_json::Value {
    let mut file: serde_json::Value = manifest::parse(key, bytes).unwrap();
    for name in ["keys", "deletes", "identity"] {
        file.as_object_mut().unwrap().remove(name);
    }
    if file.get("previous").is_some() {
        // What it names has other bytes now.
        file["previous"] = serde_json::Value::Null;
    }
    file
}

/// The lake as a version without keys has written it.
async fn without_keys(stand: &Stand) -> MemorySink {
    let old = MemorySink::default();
    let sink = &stand.lake.sink;
    for key in sink.keys().into_iter().filter(|key| !is_of_keys(key)) {
        let mut bytes = sink.read(&key).await.unwrap().unwrap();
        if key.starts_with("_circulate/") {
            let mut file = older_file(&key, &bytes);
            for part in file.get_mut("parts").and_then(|parts| parts.as_array_mut()).into_iter().flatten() {
                let key = part["key"].as_str().unwrap().to_owned();
                let older = older_file(&key, &sink.read(&key).await.unwrap().unwrap());
                part["sha256"] =
                    manifest::sha256_hex(&manifest::to_object(key, &older).unwrap().bytes).into();
            }
            bytes = manifest::to_object(key.clone(), &file).unwrap().bytes;
        }
        let content_type = "application/json";
        old.create(Object { key, bytes, content_type, content_encoding: None }).await.unwrap();
    }
    old
}

/// Whether an object holds keys.
fn is_of_keys(key: &str) -> bool {
    key.strip_suffix(".bin").is_some()
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_version_without_keys_is_compared_by_its_objects() {
    let mut stand = Stand::new(Org::of(0..50, 20));
    stand.full().await;
    stand.org.add([60], "2026-11-22T05:29:00Z");
    stand.run(stand.pull(Mode::Incremental)).await;
    stand.lake.sink = Arc::new(without_keys(&stand).await);
    stand.org.remove([3, 60]);
    assert_eq!(stand.full().await, counts(2));
    let deletes = stand.last().await.deletes.unwrap();
    let gone = BTreeSet::from([entry(None, "u3"), entry(None, "u60")]);
    assert_eq!(stand.entries(&deletes.files).await, gone.into_iter().collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_run_of_tables_without_keys_is_not_compared_until_somebody_agrees() {
    let mut stand = Stand::new(Org::of(0..50, 20));
    let mut tables = stand.pull(Mode::Full);
    tables.options.objects = ObjectFormat::new(Format::Parquet, None, None, None).unwrap();
    stand.run(tables).await;
    stand.lake.sink = Arc::new(without_keys(&stand).await);
    stand.org.remove([3]);
    for _ in 0..2 {
        let withheld = stand.full().await;
        assert_eq!(withheld.count, 0);
        let why = withheld.withheld.unwrap().reason;
        assert!(why.contains("of a version that wrote no keys of tables"), "{why}");
    }
    stand.accepting().await;
    stand.org.remove([4]);
    assert_eq!(stand.full().await, counts(1), "from here on it is known");
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_changed_or_are_missing_delete_nothing_and_say_so() {
    for is_removed in [true, false] {
        let stand = Stand::new(Org::of(0..50, 20));
        stand.full().await;
        let key = stand.last().await.keys.unwrap().files[0].key.clone();
        stand.lake.sink.remove(&key).await.unwrap();
        if !is_removed {
            let bytes = vec![7; KEY_ENTRY].into();
            let content_type = "application/octet-stream";
            let tampered = Object { key: key.clone(), bytes, content_type, content_encoding: None };
            stand.lake.sink.create(tampered).await.unwrap();
        }
        stand.org.remove([3]);
        let outcome = stand.pull(Mode::Full).run().await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let deletes = stand.last().await.deletes.unwrap();
        assert_eq!(deletes.count, 0);
        let why = deletes.withheld.unwrap().reason;
        assert!(why.contains(&key), "{why}");
        assert!(!stand.last().await.keys.unwrap().whole, "nobody takes it for all that is known");
        assert!(stand.lake.runs().await[0].ledger.deletes.is_some());
    }
}

#[path = "tombstones_children.rs"]
mod children;
