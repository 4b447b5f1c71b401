//! Object keys: where the objects and manifests of a stream lie.

use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::lake::stream_id::StreamId;

/// The end of the key of an index.
pub const INDEX: &str = ".json";
/// The end of the key of a marker.
pub const MARKER: &str = ".committed";

/// Refuses a key that would lead out of its lake. Files name keys, and whoever may write into a lake may have written
/// them: nothing is read, copied or written by a key that this has not let pass.
///
/// A key is relative and has `/` between parts, none of which is empty, `.` or `..`. What other programs take for a
/// separator or decode into one is refused too: backslashes, control characters, percent-encoded dots and slashes.
pub fn check_key(key: &str) -> Result<()> {
    let odd = |part: &str| matches!(part, "" | "." | "..");
    let lower = key.to_ascii_lowercase();
    let encoded = ["%2e", "%2f", "%5c", "%00", "%25"].iter().any(|code| lower.contains(code));
    if !encoded && !key.contains(|c: char| c == '\\' || c.is_control()) && !key.split('/').any(odd) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Mismatch,
        "look up key",
        "a key leads out of its place; nothing was read there",
    )
    .with("key", key.escape_default())
    .hint("no pull writes such keys: the manifest was changed, see who may write there"))
}

/// The keys of one run of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKeys {
    /// The folder of the stream.
    folder: String,
    run_id: String,
    hour: String,
}

impl StreamKeys {
    /// Keys of the run `run_id` of a stream, which started at `started_at`.
    pub fn new(stream: &StreamId, run_id: &str, started_at: Timestamp) -> Self {
        Self {
            folder: stream.folder(),
            run_id: run_id.to_owned(),
            hour: started_at.strftime("circulate_date=%Y-%m-%d/circulate_hour=%H").to_string(),
        }
    }

    /// An object with records; `suffix` includes its dots.
    pub fn object(&self, task: u32, fence: u64, sequence: u64, suffix: &str) -> String {
        format!("{}/{}/{}-{task}-{fence:04}-{sequence:08}{suffix}", self.folder, self.hour, self.run_id)
    }

    /// The number that [`object`](Self::object) put into `key`; `None` if it is the key of something else.
    pub fn sequence_of(key: &str) -> Option<u64> {
        let name = key.rsplit('/').next().filter(|_| !key.starts_with("_circulate/"))?;
        name.rsplit('-').next()?.split('.').next()?.parse().ok()
    }

    /// A part of the manifest.
    pub fn part(&self, task: u32, fence: u64, number: u64) -> String {
        format!("_circulate/{}/{}/{task}-{fence:04}-{number:08}.json", self.folder, self.run_id)
    }

    /// The columns of tables, as of a checkpoint.
    pub fn tables(&self, task: u32, fence: u64, number: u64) -> String {
        format!("_circulate/{}/{}/tables-{task}-{fence:04}-{number:08}.json", self.folder, self.run_id)
    }

    /// A part of the plan.
    pub fn plan(&self, task: u32, fence: u64, number: u64) -> String {
        format!("_circulate/{}/{}/plan-{task}-{fence:04}-{number:08}.json", self.folder, self.run_id)
    }

    /// Where the run stands as of a checkpoint, if that is too large for an item of state.
    pub fn position(&self, task: u32, fence: u64, number: u64) -> String {
        format!("_circulate/{}/{}/position-{task}-{fence:04}-{number:08}.json", self.folder, self.run_id)
    }

    /// Keys of records, as they were taken in up to a checkpoint.
    pub fn taken_keys(&self, task: u32, fence: u64, number: u64) -> String {
        format!("{}keys-{task}-{fence:04}-{number:08}.bin", self.parts())
    }

    /// A file of sorted entries of the whole run, such as its keys.
    pub fn entries(&self, kind: &str, number: usize, digest: &str) -> String {
        format!("{}{kind}-{number:08}-{digest}.bin", self.parts())
    }

    /// The page that the next run of a polling stream goes on with, if its address is too long for an item of state.
    pub fn poll(&self) -> String {
        format!("_circulate/{}/{}/poll.json", self.folder, self.run_id)
    }

    /// The digests of the records that the next run will be shown again.
    pub fn dedup(&self) -> String {
        format!("_circulate/{}/{}/dedup.json", self.folder, self.run_id)
    }

    /// How the run is promoted, in the place it is promoted to.
    pub fn promotion(&self) -> String {
        format!("_circulate/{}/{}/promotion.json", self.folder, self.run_id)
    }

    /// An object that many were put into, in the folder they are in; `suffix` includes its dots.
    pub fn group_object(&self, folder: &str, number: usize, suffix: &str) -> String {
        format!("{folder}/{}-c-{number:08}{suffix}", self.run_id)
    }

    /// The part of the manifest that lists it.
    pub fn group_part(&self, number: usize) -> String {
        format!("{}c-{number:08}.json", self.parts())
    }

    /// What keys of objects of the stream begin with.
    pub fn objects(&self) -> String {
        format!("{}/", self.folder)
    }

    /// What keys of parts of the run begin with.
    pub fn parts(&self) -> String {
        format!("_circulate/{}/{}/", self.folder, self.run_id)
    }

    /// Refuses the key of an object that is not of the stream.
    pub fn check_object(&self, key: &str) -> Result<()> {
        self.check(key, &self.objects())
    }

    /// Refuses the key of a part that is not of the run.
    pub fn check_part(&self, key: &str) -> Result<()> {
        self.check(key, &self.parts())
    }

    /// What lies elsewhere is not ours to copy, nor to write.
    fn check(&self, key: &str, folder: &str) -> Result<()> {
        check_key(key)?;
        if key.starts_with(folder) {
            return Ok(());
        }
        let message = "the manifest names what is not of its stream";
        Err(Error::new(ErrorKind::Mismatch, "read manifest", message)
            .with("key", key)
            .with("run", &self.run_id))
    }

    /// The manifest's index.
    pub fn index(&self) -> String {
        format!("_circulate/{}/{}{INDEX}", self.folder, self.run_id)
    }

    /// What says that the run is committed.
    pub fn marker(&self) -> String {
        format!("_circulate/{}/{}{MARKER}", self.folder, self.run_id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_that_lead_out_of_their_lake_are_refused() {
        for key in [
            "",
            "/",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            "..",
            ".",
            "a//b",
            "a/",
            "a/./b",
            "a\\..\\b",
            "\\\\host\\x",
            "C:\\x",
            "a/\0",
            "a/\n/b",
            "a/%2e%2e/b",
            "a/%2E./b",
            "a%2fb",
            "%5c..",
            "a/%252e%252e/b",
            "a/%00",
            "a/\u{7f}",
        ] {
            let error = check_key(key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Mismatch, "{key:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        for key in ["a", "a/b.json", "a/..b/c..", "a/.b", "a/x=1/c+d%e&é#f.json", "a/100%"] {
            check_key(key).unwrap();
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_below_its_folder(key in "[a.%/\\\\2ef5c]{0,12}") {
            if check_key(&key).is_ok() {
                let path = std::path::Path::new("/lake").join(&key);
                let mut parts = path.components();
                prop_assert!(path.starts_with("/lake") && path.as_os_str() != "/lake");
                prop_assert!(parts.all(|part| !matches!(part, std::path::Component::ParentDir)));
            }
        }
    }

    #[test]
    fn keys_of_other_streams_and_runs_are_refused() {
        let started = "2026-11-22T05:30:00Z".parse().unwrap();
        let keys = StreamKeys::new(&StreamId::new("okta", "acme", "users"), "run", started);
        keys.check_object(
            "okta/acme/users/circulate_date=2026-11-22/circulate_hour=05/run-0-0001-00000000.json",
        )
        .unwrap();
        keys.check_part("_circulate/okta/acme/users/run/0-0001-00000000.json").unwrap();
        for key in ["okta/acme/groups/x", "okta/acme/users", "okta/acme/users/../groups/x", "_circulate/x"] {
            keys.check_object(key).unwrap_err();
        }
        keys.check_part("_circulate/okta/acme/users/other/0-0001-00000000.json").unwrap_err();
        let astray = StreamKeys::new(&StreamId::new("..", "..", "users"), "run", started);
        astray.check_object("../../users/x").unwrap_err();
    }

    #[test]
    fn keys_have_the_layout_that_readers_rely_on() {
        let started = "2026-11-22T05:30:00Z".parse().unwrap();
        let stream = StreamId::new("okta", "acme.okta.com", "users");
        let keys = StreamKeys::new(&stream, "20261122T053000Z-1a2b3c4d", started);
        assert_eq!(
            keys.object(0, 1, 12, ".json.gz"),
            "okta/acme.okta.com/users/circulate_date=2026-11-22/circulate_hour=05/20261122T053000Z-1a2b3c4d-0-0001-00000012.json.gz"
        );
        assert_eq!(StreamKeys::sequence_of(&keys.object(0, 1, 12, ".json.gz")), Some(12));
        assert_eq!(StreamKeys::sequence_of(&keys.part(0, 1, 12)), None);
        assert_eq!(keys.index(), "_circulate/okta/acme.okta.com/users/20261122T053000Z-1a2b3c4d.json");
        assert_eq!(keys.marker(), "_circulate/okta/acme.okta.com/users/20261122T053000Z-1a2b3c4d.committed");
        assert_eq!(
            keys.part(0, 1, 12),
            "_circulate/okta/acme.okta.com/users/20261122T053000Z-1a2b3c4d/0-0001-00000012.json"
        );
    }
}
