//! Whatever differs from what was written is found and named.

use crate::encode::Format;
use crate::lake::manifest::sha256_hex;
use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::encode::Compression;
use crate::extract::batch::BatchLimits;
use crate::lake::sink::{MemorySink, Object};
use crate::testing::{Lake, Script, page, users};

/// A committed run of five users in three objects.
struct Written {
    lake: Lake,
    index: String,
    objects: Vec<ObjectEntry>,
}

async fn written_as(format: Format, compression: Compression) -> Written {
    let lake = Lake::default();
    let mut pull = lake.pull(&Script::new([page(&users(0..5))]));
    pull.options.objects.format = format;
    pull.options.objects.compression = compression;
    pull.options.objects.batch = BatchLimits { records: 2, bytes: 1_000_000 };
    let index = pull.run().await.report.manifest.unwrap();
    let objects = lake.objects(&index).await;
    Written { lake, index, objects }
}

async fn written() -> Written {
    written_as(Format::Json, Compression::Gzip).await
}

impl Written {
    fn marker(&self) -> String {
        self.index.replace(".json", ".committed")
    }

    /// The marker of an index with these bytes.
    async fn marker_of(&self, index: &[u8]) -> Bytes {
        let mut marker = self.json(&self.marker()).await;
        marker["sha256"] = sha256_hex(index).into();
        serde_json::to_vec(&marker).unwrap().into()
    }

    /// Keys of the manifest's parts.
    fn parts(&self) -> Vec<String> {
        let others = [self.index.clone(), self.marker()];
        let is_part = |key: &String| key.starts_with("_circulate/") && !others.contains(key);
        self.lake.sink.keys().into_iter().filter(is_part).collect()
    }

    /// What is found in a copy of the lake in which each object is what `change` makes of it, and the marker is of the index
    /// that is there then.
    async fn found(&self, change: impl Fn(&str, Bytes) -> Option<Bytes>) -> Verified {
        let copy = MemorySink::default();
        let mut index = Bytes::new();
        for key in self.lake.sink.keys().into_iter().rev() {
            let bytes = self.lake.sink.read(&key).await.unwrap().unwrap();
            let bytes = if key == self.marker() { self.marker_of(&index).await } else { bytes };
            if let Some(bytes) = change(&key, bytes) {
                if key == self.index {
                    index = bytes.clone();
                }
                let object = Object { key, bytes, content_type: "", content_encoding: None };
                copy.create(object).await.unwrap();
            }
        }
        verify(&copy, &self.index, None).await.unwrap()
    }

    /// What is found when the manifest's part, and the index that names it, say something else.
    async fn found_with_part(&self, change: impl Fn(&mut Value)) -> Verified {
        let part = self.parts().remove(0);
        let mut changed: Value = self.json(&part).await;
        change(&mut changed);
        let changed = serde_json::to_vec(&changed).unwrap();
        let mut index = self.json(&self.index).await;
        index["parts"][0]["sha256"] = sha256_hex(&changed).into();
        let index = serde_json::to_vec(&index).unwrap();
        let replaced = [(part, changed), (self.index.clone(), index)];
        self.found(|key, bytes| {
            let new = replaced.iter().find(|(replaced, _)| replaced == key);
            Some(new.map_or(bytes, |(_, new)| new.clone().into()))
        })
        .await
    }

    async fn json(&self, key: &str) -> Value {
        serde_json::from_slice(&self.lake.sink.read(key).await.unwrap().unwrap()).unwrap()
    }
}

/// The one problem found must say `part`, and name `key`.
fn assert_one_problem(found: &Verified, part: &str, key: &str) {
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    assert!(found.problems[0].contains(part) && found.problems[0].contains(key), "{:?}", found.problems);
}

fn flip(bytes: &Bytes, at: usize) -> Bytes {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    changed.into()
}

#[tokio::test]
async fn what_is_as_it_was_written_has_no_problems() {
    for format in [Format::Json, Format::Ndjson] {
        for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
            let written = written_as(format, compression).await;
            let found = written.found(|_, bytes| Some(bytes)).await;
            assert!(found.problems.is_empty(), "{format:?} {compression:?}: {:?}", found.problems);
            assert_eq!((found.totals.records, found.totals.objects, found.totals.pages), (5, 3, 1));
            assert_eq!((found.stream.as_str(), found.account.as_str()), ("okta.users", "acme.okta.com"));
        }
    }
}

#[tokio::test]
async fn a_changed_byte_is_found_wherever_it_is() {
    let written = written().await;
    let changed = &written.objects[1];
    for at in 0..usize::try_from(changed.bytes).unwrap() {
        let found =
            written.found(|key, bytes| Some(if key == changed.key { flip(&bytes, at) } else { bytes })).await;
        assert_one_problem(&found, "the object differs from what was written", &changed.key);
        assert_eq!(found.totals.objects, 2, "the others are read all the same");
    }
}

#[tokio::test]
async fn a_missing_object_is_found() {
    let written = written().await;
    let missing = &written.objects[2].key;
    let found = written.found(|key, bytes| (key != missing).then_some(bytes)).await;
    assert_one_problem(&found, "is missing", missing);
}

#[tokio::test]
async fn a_changed_part_is_found() {
    let written = written().await;
    let part = written.parts().remove(0);
    let found = written.found(|key, bytes| Some(if key == part { flip(&bytes, 9) } else { bytes })).await;
    assert_one_problem(&found, "was changed after it was written", &part);
}

#[tokio::test]
async fn a_missing_part_is_found() {
    let written = written().await;
    let part = written.parts().remove(0);
    let found = written.found(|key, bytes| (key != part).then_some(bytes)).await;
    assert_one_problem(&found, "is missing", &part);
}

#[tokio::test]
async fn a_wrong_record_count_is_found() {
    let written = written().await;
    let found = written.found_with_part(|part| part["objects"][0]["records"] = 3.into()).await;
    assert_one_problem(&found, "the object holds 2 records, the manifest says 3", &written.objects[0].key);
}

#[tokio::test]
async fn a_wrong_size_is_found() {
    let written = written().await;
    for size in [0, 1_u64, 1_000_000] {
        let found = written.found_with_part(|part| part["objects"][0]["body_bytes"] = size.into()).await;
        assert_one_problem(&found, "cannot be decompressed to the size", &written.objects[0].key);
    }
}

#[tokio::test]
async fn a_wrong_digest_of_the_content_is_found() {
    let written = written().await;
    let found = written.found_with_part(|part| part["objects"][0]["body_sha256"] = "00".into()).await;
    assert_one_problem(&found, "content differs from what was written", &written.objects[0].key);
}

#[tokio::test]
async fn an_index_whose_sums_are_not_those_of_its_objects_is_found() {
    let written = written().await;
    let mut index = written.json(&written.index).await;
    index["totals"]["records"] = 6.into();
    let changed = Bytes::from(serde_json::to_vec(&index).unwrap());
    let found =
        written.found(|key, bytes| Some(if key == written.index { changed.clone() } else { bytes })).await;
    assert_one_problem(&found, "the index has", "records: 6");
}

#[tokio::test]
async fn an_index_that_is_not_the_one_that_was_committed_is_found() {
    let written = written().await;
    let of_another = written.marker_of(b"another").await;
    let found = written
        .found(|key, bytes| Some(if key == written.marker() { of_another.clone() } else { bytes }))
        .await;
    assert_one_problem(&found, "not the one that was committed", &written.index);
}

#[tokio::test]
async fn a_manifest_that_is_not_there_or_not_ours_is_an_error() {
    let sink = MemorySink::default();
    assert_eq!(verify(&sink, "none.json", None).await.unwrap_err().kind(), ErrorKind::Storage);
    sink.create(crate::testing::object("odd.json", "{}")).await.unwrap();
    assert_eq!(verify(&sink, "odd.json", None).await.unwrap_err().kind(), ErrorKind::Mismatch);
}

#[tokio::test]
async fn a_key_that_leads_out_of_the_lake_or_the_stream_is_found() {
    let written = written().await;
    for key in [
        "../../../../etc/hostname",
        "okta/acme.okta.com/users/../../../x",
        "/etc/hostname",
        "okta/acme.okta.com/users/%2e%2e/x",
        "okta\\acme.okta.com\\users\\x",
        "okta/acme.okta.com/users//x",
        "okta/acme.okta.com/users/x\0",
        "",
        "okta/acme.okta.com/groups/x",
        "_circulate/about.json",
    ] {
        let found = written.found_with_part(|part| part["objects"][0]["key"] = key.into()).await;
        let shown = key.escape_default().to_string();
        assert_eq!(found.problems.len(), 1, "{key:?}: {:?}", found.problems);
        let problem = &found.problems[0];
        assert!(problem.contains("out of its place") || problem.contains("not of its stream"), "{problem}");
        assert!(problem.contains(&shown), "{problem}");
    }
    for (member, key) in [("dedup_key", "../x"), ("plan", "a/../../x"), ("parts", "../../x"), ("run", "..")] {
        let mut index = written.json(&written.index).await;
        match member {
            "dedup_key" => index["dedup_key"] = key.into(),
            "plan" => {
                let mut reference = index["parts"][0].clone();
                reference["key"] = key.into();
                index["plan"] = reference;
            }
            "parts" => index["parts"][0]["key"] = key.into(),
            _ => {
                for name in ["source", "account", "endpoint"] {
                    index[name] = key.into();
                }
            }
        }
        let changed = Bytes::from(serde_json::to_vec(&index).unwrap());
        let found = written
            .found(|key, bytes| Some(if key == written.index { changed.clone() } else { bytes }))
            .await;
        assert!(!found.problems.is_empty(), "{member}");
    }
}

#[tokio::test]
async fn a_manifest_that_lies_under_the_key_of_another_run_is_found() {
    let written = written().await;
    let bytes = written.lake.sink.read(&written.index).await.unwrap().unwrap();
    let elsewhere = written.index.replace(".json", "0.json");
    let copy =
        Object { key: elsewhere.clone(), bytes, content_type: "application/json", content_encoding: None };
    written.lake.sink.create(copy).await.unwrap();
    let found = verify(&*written.lake.sink, &elsewhere, None).await.unwrap();
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    assert!(found.problems[0].contains("the manifest is of another run than its key says"));
}
