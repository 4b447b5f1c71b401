//! Promotions that go well, that are stopped, fail or die in between, and that must not be.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::*;
use crate::encode::{Compression, Format};
use crate::extract::batch::BatchLimits;
use crate::lake::manifest::{Part, read_existing, read_part, sha256_hex};
use crate::lake::sink::{MemorySink, Object, Sink};
use crate::lake::stream_id::StreamId;
use crate::progress::Progress;
use crate::run::{Pull, Verdict};
use crate::state::reset;
use crate::stop::Stop;
use crate::testing::{Faulty, Lake, Script, ScriptedResponse, after, page, users};
use crate::upkeep::verify::verify;

fn stream() -> StreamId {
    StreamId::new("okta", "acme.okta.com", "users")
}

/// Some three objects of the runs here make a group.
const SMALL: Limits = Limits { enough: 500, max_bytes: 700, objects: 100 };

/// A run of twelve users in six objects and three parts, and a place to promote it to.
struct Pulled {
    lake: Lake,
    index: String,
    to: Arc<MemorySink>,
}

async fn pulled_as(format: Format, compression: Compression, pending: bool) -> Pulled {
    pulled_of(4, |pull| {
        pull.options.objects.format = format;
        pull.options.objects.compression = compression;
        pull.options.objects.batch = BatchLimits { records: 2, bytes: 1_000_000 };
        pull.options.checkpoint_objects = 2;
        pull.options.pending = pending.then(|| Duration::from_hours(24));
    })
    .await
}

/// Three pages of so many users.
async fn pulled_of(size: u32, options: impl FnOnce(&mut Pull)) -> Pulled {
    let lake = Lake::default();
    let pages = [0, 1, 2].map(|n| {
        let page = page(&users(n * size..(n + 1) * size));
        if n < 2 { page.next(&after((n + 1) * size)) } else { page }
    });
    let mut pull = lake.pull(&Script::new(pages));
    options(&mut pull);
    let index = pull.run().await.report.manifest.unwrap();
    Pulled::new(lake, index)
}

async fn pulled() -> Pulled {
    pulled_as(Format::Json, Compression::Gzip, false).await
}

impl Pulled {
    fn new(lake: Lake, index: String) -> Self {
        Self { lake, index, to: Arc::new(MemorySink::named("data")) }
    }

    fn promotion(&self) -> Promotion {
        Promotion {
            from: self.lake.as_sink(),
            manifest: self.index.clone(),
            to: Arc::clone(&self.to) as _,
            store: self.lake.as_store(),
            compact: None,
            memory: 64_000_000,
            progress: Arc::default(),
            stop: Stop::new(None),
        }
    }

    fn compacting(&self) -> Promotion {
        Promotion { compact: Some(SMALL), ..self.promotion() }
    }

    async fn status(&self) -> RunStatus {
        self.lake.runs().await[0].status
    }

    /// Replaces an object in a place.
    async fn put(&self, sink: &dyn Sink, key: &str, bytes: impl Into<Bytes>) {
        sink.remove(key).await.unwrap();
        let object =
            Object { key: key.to_owned(), bytes: bytes.into(), content_type: "", content_encoding: None };
        sink.create(object).await.unwrap();
    }

    async fn index_of(&self) -> Index {
        let bytes = read_existing(&*self.lake.sink, &self.index).await.unwrap();
        manifest::parse(&self.index, &bytes).unwrap()
    }

    async fn parts(&self, sink: &dyn Sink) -> Vec<Part> {
        let index: Index =
            manifest::parse(&self.index, &read_existing(sink, &self.index).await.unwrap()).unwrap();
        let mut parts = Vec::new();
        for part in &index.parts {
            parts.push(read_part(sink, part).await.unwrap());
        }
        parts
    }

    /// Every record of the target, in order, as its manifest lists them; and nothing else is there.
    async fn records(&self) -> Vec<String> {
        let verified = verify(&*self.to, &self.index, Some(&*self.lake.store)).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());
        let index: Index =
            manifest::parse(&self.index, &read_existing(&*self.to, &self.index).await.unwrap()).unwrap();
        let run_id = &index.run_id;
        let run = format!("_circulate/okta/acme.okta.com/users/{run_id}");
        let mut named = vec![self.index.clone(), format!("{run}.committed"), format!("{run}/promotion.json")];
        named.extend(index.parts.iter().map(|part| part.key.clone()));
        named.extend(index.entry_files().map(|file| file.key.clone()));
        let mut records = Vec::new();
        for part in self.parts(&*self.to).await {
            for object in &part.objects {
                let body = manifest::read_body(&*self.to, part.compression, object).await.unwrap();
                let text = |record: &crate::page::Record<'_>| {
                    records.push(String::from_utf8(record.bytes.to_vec()).unwrap());
                    Ok(())
                };
                part.format.for_each_record(&body, &crate::page::Watch::default(), text).unwrap();
                named.push(object.key.clone());
            }
        }
        named.sort();
        assert_eq!(self.to.keys(), named, "nothing is missing and nothing else is there");
        records
    }

    /// Nothing that a reader could take for data.
    fn is_empty(&self) -> bool {
        self.to.keys().iter().all(|key| key.ends_with("/promotion.json"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_copied_as_it_is_and_again_nothing_is() {
    let run = pulled().await;
    let done = run.promotion().run().await.unwrap();
    assert_eq!((done.status, done.copied, done.skipped), (PromotionStatus::Complete, 6, 0));
    assert_eq!((done.objects, done.records, done.manifest.as_str()), (6, 12, run.index.as_str()));
    assert_eq!(run.records().await, users(0..12));
    assert_eq!(run.parts(&*run.to).await, run.parts(&*run.lake.sink).await);
    let index: Index =
        manifest::parse(&run.index, &read_existing(&*run.to, &run.index).await.unwrap()).unwrap();
    let source = read_existing(&*run.lake.sink, &run.index).await.unwrap();
    let origin =
        PromotedFrom { location: "memory:".to_owned(), key: run.index.clone(), sha256: sha256_hex(&source) };
    assert_eq!(index.promoted_from, Some(origin));
    assert_eq!(index.dedup_key, None, "it is not there");
    let there = run.to.keys();
    let again = run.promotion().run().await.unwrap();
    assert_eq!((again.status, again.copied, again.skipped), (PromotionStatus::Complete, 0, 6));
    assert_eq!((again.bytes, again.records), (done.bytes, done.records));
    assert_eq!(run.to.keys(), there);
}

#[tokio::test(start_paused = true)]
async fn a_pending_run_is_committed_once_it_is_there() {
    for compact in [None, Some(SMALL)] {
        let run = pulled_as(Format::Json, Compression::Gzip, true).await;
        assert_eq!(run.status().await, RunStatus::Pending);
        let cursor = async || StreamState::current_cursor(&*run.lake.store, &stream()).await.unwrap();
        assert_eq!(cursor().await, None);
        for _ in 0..2 {
            Promotion { compact, ..run.promotion() }.run().await.unwrap();
            assert_eq!(run.status().await, RunStatus::Committed);
            assert!(cursor().await.is_some());
            assert_eq!(run.records().await, users(0..12));
        }
        let head = StreamState::head(&*run.lake.store, &stream()).await.unwrap().unwrap();
        assert_eq!(head.open_run, None);
    }
}

#[tokio::test(start_paused = true)]
async fn groups_hold_the_same_records_whatever_they_were() {
    for format in [Format::Json, Format::Ndjson] {
        for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
            let run = pulled_as(format, compression, false).await;
            let done = run.compacting().run().await.unwrap();
            assert_eq!(run.records().await, users(0..12), "{format:?} {compression:?}");
            assert!((1..6).contains(&done.objects), "{done:?}");
            let parts = run.parts(&*run.to).await;
            assert!(parts.iter().all(|part| part.format == Format::Ndjson && part.objects.len() == 1));
            let suffix = format!("-c-00000000.ndjson{}", compression.suffix());
            assert!(parts[0].objects[0].key.ends_with(&suffix), "{:?}", parts[0].objects);
            let again = run.compacting().run().await.unwrap();
            assert_eq!((again.copied, again.objects, again.bytes), (0, done.objects, done.bytes));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_anywhere_is_gone_on_from_and_nothing_is_lost_twice_or_foreign() {
    for compact in [None, Some(SMALL)] {
        for pending in [false, true] {
            for nth in 1.. {
                let run = pulled_as(Format::Json, Compression::Gzip, pending).await;
                let to = Faulty::dies(Arc::clone(&run.to) as Arc<dyn Sink>, "", nth);
                let died = Promotion { to, compact, ..run.promotion() }.run().await;
                let done = Promotion { compact, ..run.promotion() }.run().await.unwrap();
                assert_eq!(run.records().await, users(0..12), "death at call {nth}");
                assert_eq!(done.copied + done.skipped, done.objects, "death at call {nth}");
                if died.is_ok() {
                    assert!(nth > 9, "{nth} calls");
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_anywhere_in_state_or_source_is_gone_on_from() {
    for compact in [None, Some(SMALL)] {
        for nth in 1..60 {
            let run = pulled_as(Format::Json, Compression::Gzip, true).await;
            let store = Faulty::dies(run.lake.as_store(), "", nth);
            let died_in_state = Promotion { store, compact, ..run.promotion() }.run().await.is_err();
            assert!(!died_in_state || run.status().await != RunStatus::Abandoned);
            let from = Faulty::dies(run.lake.as_sink(), "", nth);
            let _ = Promotion { from, compact, ..run.promotion() }.run().await;
            run.promotion().run().await.unwrap();
            assert_eq!((run.status().await, run.records().await), (RunStatus::Committed, users(0..12)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_response_was_lost_counts_once() {
    for compact in [None, Some(SMALL)] {
        for nth in 1..12 {
            let run = pulled().await;
            let to = Faulty::loses(Arc::clone(&run.to) as Arc<dyn Sink>, "create", nth);
            let _ = Promotion { to, compact, ..run.promotion() }.run().await;
            run.promotion().run().await.unwrap();
            assert_eq!(run.records().await, users(0..12), "lost answer {nth}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_it_as_partial_and_the_next_ones_go_on() {
    let thirds = Limits { enough: 4_000, max_bytes: 8_000, objects: 100 };
    for compact in [None, Some(thirds)] {
        let run = pulled_of(40, |pull| {
            pull.options.objects.batch = BatchLimits { records: 1, bytes: 1_000_000 };
            pull.options.checkpoint_objects = 40;
            pull.options.pending = Some(Duration::from_hours(24));
        })
        .await;
        assert_eq!(run.parts(&*run.lake.sink).await.len(), 3);
        let (mut rounds, mut before) = (0, 0);
        loop {
            let to = Faulty::slow(Arc::clone(&run.to) as Arc<dyn Sink>, Duration::from_secs(1));
            let stop = Stop::new(Some(Instant::now() + Duration::from_secs(15)));
            let done = Promotion { to, compact, stop, ..run.promotion() }.run().await.unwrap();
            rounds += 1;
            if done.status == PromotionStatus::Complete {
                break;
            }
            assert_eq!(done.continuation.as_deref(), Some(done.run_id.as_str()));
            assert_eq!(done.stopped_by.as_deref(), Some("deadline"));
            assert_eq!(run.status().await, RunStatus::Pending);
            assert!(!run.to.keys().contains(&run.index), "no index before the end");
            assert!(done.records > before && rounds < 60, "each gets on: {done:?}");
            before = done.records;
        }
        assert!(rounds > 1);
        assert_eq!((run.status().await, run.records().await), (RunStatus::Committed, users(0..120)));
    }
}

#[tokio::test(start_paused = true)]
async fn stopped_before_it_begins_it_does_nothing() {
    let run = pulled().await;
    let stop = Stop::new(None);
    stop.request(crate::stop::StopReason::Interrupted);
    for compact in [None, Some(SMALL)] {
        let done = Promotion { stop: stop.clone(), compact, ..run.promotion() }.run().await.unwrap();
        assert_eq!((done.status, done.copied), (PromotionStatus::Partial, 0));
        assert_eq!(done.stopped_by.as_deref(), Some("interrupted"));
        assert!(run.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn two_at_once_do_no_harm() {
    for (one, other) in [(None, None), (Some(SMALL), Some(SMALL)), (None, Some(SMALL))] {
        let run = pulled_as(Format::Json, Compression::Gzip, true).await;
        let start = |compact, millis| {
            let to = Faulty::slow(Arc::clone(&run.to) as Arc<dyn Sink>, Duration::from_millis(millis));
            let store = Faulty::slow(run.lake.as_store(), Duration::from_millis(5));
            Promotion { to, store, compact, ..run.promotion() }
        };
        let (a, b) = (start(one, 7), start(other, 9));
        let (a, b) = tokio::join!(a.run(), b.run());
        assert_eq!(
            (a.unwrap().status, b.unwrap().status),
            (PromotionStatus::Complete, PromotionStatus::Complete)
        );
        assert_eq!((run.status().await, run.records().await), (RunStatus::Committed, users(0..12)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_promotion_goes_on_as_it_was_begun() {
    for (first, then, objects) in [(None, Some(SMALL), 6), (Some(SMALL), None, 2)] {
        let run = pulled().await;
        let to = Faulty::dies(Arc::clone(&run.to) as Arc<dyn Sink>, "create _circulate", 2);
        Promotion { to, compact: first, ..run.promotion() }.run().await.unwrap_err();
        let progress = Arc::<Progress>::default();
        let then = Promotion { compact: then, progress: Arc::clone(&progress), ..run.promotion() };
        let done = then.run().await.unwrap();
        assert_eq!((done.objects > 2, objects > 2), (first.is_none(), first.is_none()));
        assert!(progress.snapshot().notes[0].contains("goes on as it was"));
        assert_eq!(run.records().await, users(0..12));
    }
}

#[tokio::test(start_paused = true)]
async fn progress_counts_the_objects_of_the_run_whoever_copied_them() {
    let run = pulled().await;
    let to = Faulty::dies(Arc::clone(&run.to) as Arc<dyn Sink>, "create _circulate", 2);
    Promotion { to, ..run.promotion() }.run().await.unwrap_err();
    let promotion = run.promotion();
    let done = promotion.run().await.unwrap();
    let counted = promotion.progress.snapshot().completion.unwrap();
    assert!(done.skipped > 0, "{done:?}");
    assert_eq!((counted.unit.as_str(), counted.done), ("objects", done.objects));
    assert_eq!((counted.total, counted.estimated), (Some(done.objects), false));
}

/// What is wrong is reported, and no reader sees anything of the run.
async fn refused(run: &Pulled, promotion: Promotion, kind: ErrorKind, part: &str) {
    let error = promotion.run().await.unwrap_err();
    assert!(error.kind() == kind && error.to_string().contains(part), "{error:?}");
    assert!(!run.to.keys().contains(&run.index));
}

#[tokio::test(start_paused = true)]
async fn runs_that_do_not_count_are_refused() {
    let run = pulled_as(Format::Json, Compression::Gzip, true).await;
    decide(
        &*run.lake.store,
        &stream(),
        &run.lake.runs().await[0].run_id,
        Decision::Abandon { forced: false },
    )
    .await
    .unwrap();
    refused(&run, run.promotion(), ErrorKind::State, "was abandoned").await;

    let run = pulled().await;
    let elsewhere = Promotion { store: Lake::default().as_store(), ..run.promotion() };
    refused(&run, elsewhere, ErrorKind::State, "does not know the run").await;
    let nothing = Promotion { manifest: "_circulate/okta/acme/users/x.json".to_owned(), ..run.promotion() };
    refused(&run, nothing, ErrorKind::Storage, "no such manifest").await;
    let to_itself = Promotion { to: run.lake.as_sink(), ..run.promotion() };
    refused(&run, to_itself, ErrorKind::Settings, "another place").await;
    assert!(run.to.keys().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_visible_but_not_committed_yet_is_left_for_the_next_pull() {
    let lake = Lake::default();
    let mut pull = lake.pull(&Script::new([page(&users(0..4))]));
    // The worker dies after the index.
    pull.store = Faulty::dies(lake.as_store(), "put run#", 3);
    assert!(pull.run().await.error.is_some());
    let index = lake.sink.keys().into_iter().find(|key| key.split('/').count() == 5).unwrap();
    let run = Pulled::new(lake, index);
    let error = run.promotion().run().await.unwrap_err();
    assert!(error.to_string().contains("not finished") && run.to.keys().is_empty());
    assert_eq!(error.status(), crate::error::Status::Temporary);
    run.lake.clock.advance(Duration::from_secs(61));
    assert_eq!(run.lake.pull(&Script::new([])).run().await.report.status, Verdict::Complete);
    run.promotion().run().await.unwrap();
    assert_eq!(run.records().await, users(0..4));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_keys_that_is_not_of_its_run_is_refused_and_leaves_nothing() {
    for compact in [None, Some(SMALL)] {
        for to in
            ["../x.bin", "_circulate/okta/acme.okta.com/users/other/keys.bin", "okta/acme.okta.com/users/x"]
        {
            let run = pulled_as(Format::Json, Compression::Gzip, true).await;
            let mut index = run.index_of().await;
            index.keys.as_mut().unwrap().files[0].key = to.to_owned();
            let object = manifest::to_object(run.index.clone(), &index).unwrap();
            run.put(&*run.lake.sink, &run.index, object.bytes).await;
            refused(&run, Promotion { compact, ..run.promotion() }, ErrorKind::Mismatch, to).await;
            assert_eq!(run.to.keys(), Vec::<String>::new(), "{to}");
            let verified = verify(&*run.lake.sink, &run.index, None).await.unwrap();
            assert!(verified.problems.iter().any(|problem| problem.contains(to)), "{:?}", verified.problems);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_given_up_by_force_meanwhile_gets_no_index() {
    let run = pulled_as(Format::Json, Compression::Gzip, true).await;
    let to = Faulty::slow(Arc::clone(&run.to) as Arc<dyn Sink>, Duration::from_secs(1));
    let promotion = Promotion { to, ..run.promotion() };
    let give_up = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let refused = reset(&*run.lake.store, &stream(), false).await.unwrap_err();
        assert!(refused.to_string().contains("the promotion of this run has begun"), "{refused}");
        reset(&*run.lake.store, &stream(), true).await.unwrap();
    };
    let (error, ()) = tokio::join!(promotion.run(), give_up);
    assert!(error.unwrap_err().to_string().contains("was abandoned"));
    assert!(!run.to.keys().contains(&run.index));
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_or_lost_in_the_source_is_found() {
    for compact in [None, Some(SMALL)] {
        for (kind_of_key, change, part) in [
            ("okta/", None, "missing"),
            ("okta/", Some(Bytes::from_static(b"else")), "differs from what was written"),
            ("_circulate/okta/acme.okta.com/users/", None, "missing"),
            ("_circulate/okta/acme.okta.com/users/", Some(Bytes::from_static(b"{}")), "was changed"),
        ] {
            let run = pulled().await;
            let is_it = |key: &String| {
                key.starts_with(kind_of_key) && *key != run.index && !key.ends_with("dedup.json")
            };
            let key = run.lake.sink.keys().into_iter().filter(is_it).nth(1).unwrap();
            match change {
                Some(bytes) => run.put(&*run.lake.sink, &key, bytes).await,
                None => run.lake.sink.remove(&key).await.unwrap(),
            }
            refused(&run, Promotion { compact, ..run.promotion() }, ErrorKind::Mismatch, part).await;
            assert!(!run.to.keys().contains(&key) || compact.is_some());
        }
        let run = pulled().await;
        let index = read_existing(&*run.lake.sink, &run.index).await.unwrap();
        let changed =
            String::from_utf8(index.to_vec()).unwrap().replace("\"records\": 12", "\"records\": 13");
        run.put(&*run.lake.sink, &run.index, changed).await;
        let otherwise = "state differs from";
        refused(&run, Promotion { compact, ..run.promotion() }, ErrorKind::Mismatch, otherwise).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_is_not_overwritten() {
    for compact in [None, Some(SMALL)] {
        let model = pulled().await;
        Promotion { compact, ..model.promotion() }.run().await.unwrap();
        for key in model.to.keys() {
            let run = pulled().await;
            // Runs of a test all have the same id.
            assert_eq!(run.index, model.index);
            run.put(&*run.to, &key, "{}").await;
            let error = Promotion { compact, ..run.promotion() }.run().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Mismatch, "{key}: {error}");
            assert_eq!(read_existing(&*run.to, &key).await.unwrap(), "{}", "{key}");
            let is_last = key == run.index || key.ends_with(".committed");
            assert!(is_last || !run.to.keys().contains(&run.index), "{key}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_names_what_is_not_of_its_stream_is_refused_and_leaves_nothing() {
    for compact in [None, Some(SMALL)] {
        for to in [
            "../okta",
            "okta/other",
            "okta/acme.okta.com/users/../../x",
            "_circulate/x",
            "/etc",
            "okta/acme.okta.com/users/%2e%2e/x",
            "okta/acme.okta.com/users/..\\x",
        ] {
            let run = pulled_as(Format::Json, Compression::Gzip, true).await;
            let mut honest = Vec::new();
            for key in [run.index.clone(), run.index_of().await.parts[2].key.clone()] {
                let bytes = read_existing(&*run.lake.sink, &key).await.unwrap();
                honest.push((key, bytes));
            }
            let mut parts = run.parts(&*run.lake.sink).await;
            let mut index = run.index_of().await;
            let last = parts.pop().unwrap();
            let mut forged = last.clone();
            forged.objects[0].key = format!("{to}/x.json.gz");
            let object = manifest::to_object(index.parts[2].key.clone(), &forged).unwrap();
            index.parts[2].sha256 = sha256_hex(&object.bytes);
            run.put(&*run.lake.sink, &object.key, object.bytes).await;
            let object = manifest::to_object(run.index.clone(), &index).unwrap();
            run.put(&*run.lake.sink, &run.index, object.bytes).await;
            let key = to.escape_default().to_string();
            refused(&run, Promotion { compact, ..run.promotion() }, ErrorKind::Mismatch, &key).await;
            assert_eq!(run.to.keys(), Vec::<String>::new(), "{to}");
            assert_eq!(run.lake.runs().await[0].promoting_until, None, "{to}");
            for (key, bytes) in honest {
                run.put(&*run.lake.sink, &key, bytes).await;
            }
            Promotion { compact, ..run.promotion() }.run().await.unwrap();
            assert_eq!(run.records().await, users(0..12));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_whose_parts_are_not_what_it_says_is_refused_and_leaves_nothing() {
    for compact in [None, Some(SMALL)] {
        let run = pulled().await;
        let (mut part, mut index) = (run.parts(&*run.lake.sink).await.remove(0), run.index_of().await);
        part.objects[0].records += 1;
        let object = manifest::to_object(index.parts[0].key.clone(), &part).unwrap();
        index.parts[0].sha256 = sha256_hex(&object.bytes);
        run.put(&*run.lake.sink, &object.key, object.bytes).await;
        let object = manifest::to_object(run.index.clone(), &index).unwrap();
        run.put(&*run.lake.sink, &run.index, object.bytes).await;
        refused(
            &run,
            Promotion { compact, ..run.promotion() },
            ErrorKind::Mismatch,
            "differ from those of its parts",
        )
        .await;
        assert_eq!(run.to.keys(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_another_version_compressed_is_taken_as_it_is() {
    let run = pulled().await;
    run.compacting().run().await.unwrap();
    let (first, before) = (run.parts(&*run.to).await.remove(0), run.records().await);
    let object = &first.objects[0];
    let body = manifest::read_body(&*run.to, Compression::Gzip, object).await.unwrap();
    // One member instead of several: other bytes, the same content.
    let other = Compression::Gzip.compress(body, &mut crate::encode::Scratch::default()).unwrap();
    assert_ne!(sha256_hex(&other), object.sha256);
    let run = pulled().await;
    run.put(&*run.to, &object.key, other).await;
    run.compacting().run().await.unwrap();
    assert_eq!(run.records().await, before);
}

#[tokio::test(start_paused = true)]
async fn runs_without_objects_get_an_index_too() {
    for compact in [None, Some(SMALL)] {
        for response in [page(&[]), ScriptedResponse::new(200, "[]")] {
            let lake = Lake::default();
            let index = lake.pull(&Script::new([response])).run().await.report.manifest.unwrap();
            let run = Pulled::new(lake, index);
            let done = Promotion { compact, ..run.promotion() }.run().await.unwrap();
            assert_eq!((done.status, done.objects, done.records), (PromotionStatus::Complete, 0, 0));
            assert_eq!(run.records().await, Vec::<String>::new());
        }
    }
}
