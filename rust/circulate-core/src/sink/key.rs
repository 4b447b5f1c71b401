//! Object keys: where the objects and manifests of a stream lie.

use jiff::Timestamp;

/// The keys of one run of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKeys {
    stream: String,
    run_id: String,
    hour: String,
}

impl StreamKeys {
    /// Keys of the run `run_id`, which started at `started_at`, of `source`/`account`/`endpoint`.
    pub fn new(source: &str, account: &str, endpoint: &str, run_id: &str, started_at: Timestamp) -> Self {
        Self {
            stream: format!("{source}/{account}/{endpoint}"),
            run_id: run_id.to_owned(),
            hour: started_at.strftime("date=%Y-%m-%d/hour=%H").to_string(),
        }
    }

    /// An object with records; `suffix` includes its dots.
    pub fn object(&self, task: u32, fence: u64, sequence: u64, suffix: &str) -> String {
        format!("{}/{}/{}-{task}-{fence:04}-{sequence:08}{suffix}", self.stream, self.hour, self.run_id)
    }

    /// The number that [`object`](Self::object) put into `key`; `None` if it is the key of something else.
    pub fn sequence_of(key: &str) -> Option<u64> {
        let name = key.rsplit('/').next().filter(|_| !key.starts_with("_circulate/"))?;
        name.rsplit('-').next()?.split('.').next()?.parse().ok()
    }

    /// A part of the manifest.
    pub fn part(&self, task: u32, fence: u64, number: u64) -> String {
        format!("_circulate/{}/{}/{task}-{fence:04}-{number:08}.json", self.stream, self.run_id)
    }

    /// The columns of tables, as of a checkpoint.
    pub fn tables(&self, task: u32, fence: u64, number: u64) -> String {
        format!("_circulate/{}/{}/tables-{task}-{fence:04}-{number:08}.json", self.stream, self.run_id)
    }

    /// A part of the plan.
    pub fn plan(&self, task: u32, fence: u64, number: u64) -> String {
        format!("_circulate/{}/{}/plan-{task}-{fence:04}-{number:08}.json", self.stream, self.run_id)
    }

    /// The digests of the records that the next run will be shown again.
    pub fn dedup(&self) -> String {
        format!("_circulate/{}/{}/dedup.json", self.stream, self.run_id)
    }

    /// How the run is promoted, in the place it is promoted to.
    pub fn promotion(&self) -> String {
        format!("_circulate/{}/{}/promotion.json", self.stream, self.run_id)
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
        format!("{}/", self.stream)
    }

    /// What keys of parts of the run begin with.
    pub fn parts(&self) -> String {
        format!("_circulate/{}/{}/", self.stream, self.run_id)
    }

    /// The manifest's index.
    pub fn index(&self) -> String {
        format!("_circulate/{}/{}.json", self.stream, self.run_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_layout_that_readers_rely_on() {
        let started = "2026-11-22T05:30:00Z".parse().unwrap();
        let keys = StreamKeys::new("okta", "acme.okta.com", "users", "20261122T053000Z-1a2b3c4d", started);
        assert_eq!(
            keys.object(0, 1, 12, ".json.gz"),
            "okta/acme.okta.com/users/date=2026-11-22/hour=05/20261122T053000Z-1a2b3c4d-0-0001-00000012.json.gz"
        );
        assert_eq!(StreamKeys::sequence_of(&keys.object(0, 1, 12, ".json.gz")), Some(12));
        assert_eq!(StreamKeys::sequence_of(&keys.part(0, 1, 12)), None);
        assert_eq!(keys.index(), "_circulate/okta/acme.okta.com/users/20261122T053000Z-1a2b3c4d.json");
        assert_eq!(
            keys.part(0, 1, 12),
            "_circulate/okta/acme.okta.com/users/20261122T053000Z-1a2b3c4d/0-0001-00000012.json"
        );
    }
}
