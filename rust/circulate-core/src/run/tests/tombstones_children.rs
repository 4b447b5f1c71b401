//! Children: what each parent's list says of them, by itself and together.

use super::*;
use crate::testing::page;

#[derive(Debug, Default)]
struct Groups {
    /// When the members changed, and who they are.
    groups: Mutex<BTreeMap<String, (String, BTreeSet<u32>)>>,
    /// Statuses instead of lists of members.
    statuses: Mutex<BTreeMap<String, u16>>,
}

const OLD: &str = "2026-11-22T04:00:00.000Z";
/// Where the cursor is after the first run, less the overlap.
const LATE: &str = "2026-11-22T05:20:00.000Z";
const NEW: &str = "2026-11-22T05:29:00.000Z";

impl Groups {
    fn set(&self, group: &str, time: &str, members: impl IntoIterator<Item = u32>) {
        let value = (time.to_owned(), members.into_iter().collect());
        self.groups.lock().unwrap().insert(group.to_owned(), value);
    }

    fn status(&self, group: &str, status: u16) {
        self.statuses.lock().unwrap().insert(group.to_owned(), status);
    }

    fn respond(&self, url: &Url) -> ScriptedResponse {
        let groups = self.groups.lock().unwrap();
        let path: Vec<_> = url.path_segments().unwrap().collect();
        if let ["api", "v1", "groups", group, "users"] = path[..] {
            if let Some(status) = self.statuses.lock().unwrap().get(group) {
                return ScriptedResponse::new(*status, "{}");
            }
            let Some((_, members)) = groups.get(group) else { return ScriptedResponse::new(404, "{}") };
            let members: Vec<_> = members.iter().map(|id| format!(r#"{{"id":"u{id}"}}"#)).collect();
            // Two pages, so that its paginator is seen to work.
            let (first, rest) = members.split_at(members.len() / 2);
            return match url.query_pairs().any(|(name, _)| name == "after") {
                _ if members.len() < 2 => page(&members),
                true => page(rest),
                false => page(first).next(&format!("{url}&after=x")),
            };
        }
        let filter =
            url.query_pairs().find(|(name, _)| name == "filter").map(|(_, value)| value.into_owned());
        let since = filter.and_then(|filter| Some(filter.split('"').nth(1)?.to_owned())).unwrap_or_default();
        let changed = groups.iter().filter(|(_, (time, _))| time[..19] >= since[..since.len().min(19)]);
        let records: Vec<_> = changed
            .map(|(id, (time, _))| {
                format!(r#"{{"id":"{id}","lastUpdated":"{time}","lastMembershipUpdated":"{time}"}}"#)
            })
            .collect();
        page(&records)
    }

    fn entries(&self) -> BTreeSet<Entry> {
        let groups = self.groups.lock().unwrap();
        let members =
            groups.iter().flat_map(|(group, (_, members))| members.iter().map(move |id| (group, id)));
        members.map(|(group, id)| entry(Some(group), &format!("u{id}"))).collect()
    }
}

struct Club {
    stand: Stand,
    groups: Arc<Groups>,
}

impl Club {
    fn new() -> Self {
        let (mut stand, groups) = (Stand::new(Arc::default()), Arc::<Groups>::default());
        stand.definition = okta("group_members");
        for group in ["a", "b", "c"] {
            groups.set(group, OLD, 0..10);
        }
        // This one moves the cursor past the others, and is read each time.
        groups.set("late", LATE, 0..4);
        Self { stand, groups }
    }

    fn pull(&self, mode: Mode) -> Pull {
        let groups = Arc::clone(&self.groups);
        let server = Server::new(move |url| groups.respond(url));
        let mut pull = self.stand.pull(mode);
        let fresh = self.stand.lake.pull_of(self.stand.definition.clone(), server);
        (pull.connection, pull.authorize) = (fresh.connection, fresh.authorize);
        pull
    }

    async fn run(&self, mode: Mode) -> DeleteCounts {
        self.stand.run(self.pull(mode)).await
    }

    async fn scopes(&self) -> Vec<[u8; SCOPE_ENTRY]> {
        let files = self.stand.last().await.keys.unwrap().scopes;
        let mut reader = EntryReader::<SCOPE_ENTRY>::new(&*self.stand.lake.sink, files);
        let mut scopes = Vec::new();
        while let Some(scope) = reader.next().await.unwrap() {
            scopes.push(scope);
        }
        scopes
    }

    async fn is_current(&self) {
        assert_eq!(self.stand.current().await, self.groups.entries());
    }
}

#[tokio::test(start_paused = true)]
async fn each_parent_that_is_read_again_says_who_is_no_longer_below_it() {
    let club = Club::new();
    club.groups.set("empty", OLD, []);
    club.run(Mode::Incremental).await;
    assert_eq!(club.scopes().await.len(), 5, "the one without members was read too");
    // Nobody reads `b` again, so who has left it is not known to have done so.
    club.groups.set("a", NEW, 3..12);
    let before = club.groups.entries();
    club.groups.set("b", OLD, 0..5);
    assert_eq!(club.run(Mode::Incremental).await, counts(3));
    assert_eq!(club.scopes().await.len(), 2);
    assert_eq!(club.stand.current().await, before);
    // One that is emptied is no empty list.
    club.groups.set("c", NEW, []);
    assert_eq!(club.run(Mode::Incremental).await, counts(10));
    assert_eq!(club.run(Mode::Full).await, counts(5));
    club.is_current().await;
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_is_gone_takes_its_children_with_it() {
    let club = Club::new();
    club.run(Mode::Incremental).await;
    club.groups.set("a", NEW, 0..10);
    club.groups.status("a", 404);
    assert_eq!(club.run(Mode::Incremental).await, counts(10));
    let mut marks: Vec<_> = club.scopes().await.iter().map(|scope| scope[SCOPE_ENTRY - 1]).collect();
    marks.sort_unstable();
    assert_eq!(marks, [0, 1], "it is marked as gone");
    club.groups.groups.lock().unwrap().remove("a");
    club.is_current().await;
    // One that is no longer listed is found by a full run.
    club.groups.groups.lock().unwrap().remove("b");
    assert_eq!(club.run(Mode::Full).await, counts(10));
    club.is_current().await;
}

#[tokio::test(start_paused = true)]
async fn what_one_parent_refuses_is_kept_and_the_others_count() {
    let club = Club::new();
    club.run(Mode::Incremental).await;
    club.groups.status("a", 403);
    club.groups.set("b", OLD, 5..10);
    let before = club.stand.current().await;
    let outcome = club.pull(Mode::Full).run().await;
    assert_eq!(outcome.report.status, Verdict::Partial);
    let deletes = outcome.report.deletes.unwrap();
    assert_eq!(reason(&deletes), (5, 10, "a list has gaps"));
    let gone: BTreeSet<_> = (0..5).map(|id| entry(Some("b"), &format!("u{id}"))).collect();
    assert_eq!(club.stand.current().await, &before - &gone);
    // It can be read again, and nobody has left it.
    club.groups.statuses.lock().unwrap().clear();
    assert_eq!(club.run(Mode::Full).await, counts(0));
    club.is_current().await;
}

#[tokio::test(start_paused = true)]
async fn who_moves_from_one_parent_to_another_is_deleted_from_the_first_alone() {
    let club = Club::new();
    club.run(Mode::Incremental).await;
    club.groups.set("a", NEW, 0..9);
    club.groups.set("d", NEW, 9..10);
    assert_eq!(club.run(Mode::Incremental).await, counts(1));
    club.is_current().await;
}
