//! Which objects become one: decided from the manifest alone, so that every promotion of a run decides the same.

use serde::{Deserialize, Serialize};

use crate::encode::{Compression, Format};
use crate::lake::manifest::{ObjectEntry, PartitionEntry};

/// How large a group may become, in bytes and objects as they are stored now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A group of so many bytes is closed. Default 64 MB.
    pub enough: u64,
    /// No group has more, but one of a single object. Default 128 MB.
    #[serde(rename = "most")]
    pub max_bytes: u64,
    /// Object limit, so that a list of them is never long. Default 100,000.
    pub objects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { enough: 64_000_000, max_bytes: 128_000_000, objects: 100_000 }
    }
}

/// Consecutive objects of one hour, format and compression, or none if only partitions are left to list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) format: Format,
    pub(super) compression: Compression,
    pub(super) objects: Vec<ObjectEntry>,
    /// Partitions of the parts that ended meanwhile.
    pub(super) partitions: Vec<PartitionEntry>,
    bytes: u64,
}

impl Group {
    /// Its size as it is stored now.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where its objects lie: `source/account/endpoint/circulate_date=.../circulate_hour=...`.
    pub(super) fn folder(&self) -> &str {
        self.objects.first().map_or("", |object| folder(&object.key))
    }

    fn takes(&self, format: Format, compression: Compression, object: &ObjectEntry, limits: &Limits) -> bool {
        self.objects.is_empty()
            || (self.format, self.compression, self.folder()) == (format, compression, folder(&object.key))
                && self.bytes < limits.enough
                && self.bytes.saturating_add(object.bytes) <= limits.max_bytes
                && self.objects.len() < limits.objects
    }
}

fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Cuts a run into groups.
#[derive(Debug)]
pub(super) struct Grouper {
    limits: Limits,
    open: Group,
}

impl Grouper {
    /// Cuts by these limits.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: Group::default() }
    }

    /// Takes the next object of the run, and gives the group that was closed before it.
    pub(super) fn push(
        &mut self,
        format: Format,
        compression: Compression,
        object: ObjectEntry,
    ) -> Option<Group> {
        let fits = self.open.takes(format, compression, &object, &self.limits);
        let closed = (!fits).then(|| std::mem::take(&mut self.open));
        (self.open.format, self.open.compression) = (format, compression);
        self.open.bytes += object.bytes;
        self.open.objects.push(object);
        closed
    }

    /// Takes the partitions of a part whose objects were taken.
    pub(super) fn take_partitions(&mut self, partitions: Vec<PartitionEntry>) {
        self.open.partitions.extend(partitions);
    }

    /// The last group.
    pub(super) fn finish(self) -> Option<Group> {
        Some(self.open).filter(|open| !open.objects.is_empty() || !open.partitions.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(number: usize, bytes: u64, hour: u8) -> ObjectEntry {
        let key = format!(
            "okta/acme/users/circulate_date=2026-11-22/circulate_hour={hour:02}/r-0-0001-{number:08}.json.gz"
        );
        ObjectEntry {
            key,
            records: 1,
            bytes,
            sha256: String::new(),
            body_bytes: 0,
            body_sha256: String::new(),
            times: None,
        }
    }

    fn groups(limits: Limits, objects: &[(Format, ObjectEntry)]) -> Vec<Group> {
        let mut grouper = Grouper::new(limits);
        let mut groups: Vec<_> = objects
            .iter()
            .filter_map(|(format, object)| grouper.push(*format, Compression::Gzip, object.clone()))
            .collect();
        groups.extend(grouper.finish());
        groups
    }

    proptest! {
        #[test]
        fn groups_keep_order_and_limits_and_never_mix(
            sizes in proptest::collection::vec((1u64..40, 0u8..8, any::<bool>()), 0..80),
            enough in 1u64..50,
            above in 0u64..50,
            max_objects in 1usize..10,
        ) {
            let limits = Limits { enough, max_bytes: enough + above, objects: max_objects };
            let mut hour = 0;
            let objects: Vec<_> = sizes.iter().enumerate().map(|(n, (bytes, later, lines))| {
                hour += u8::from(*later == 0);
                (if *lines { Format::Ndjson } else { Format::Json }, object(n, *bytes, hour))
            }).collect();
            let groups = groups(limits, &objects);
            let all: Vec<_> = groups.iter().flat_map(|g| g.objects.iter().map(|o| (g.format, o.clone()))).collect();
            prop_assert_eq!(&all, &objects, "nothing is lost, twice or out of order");
            for (n, group) in groups.iter().enumerate() {
                let bytes: u64 = group.objects.iter().map(|object| object.bytes).sum();
                prop_assert!(bytes <= limits.max_bytes || group.objects.len() == 1);
                prop_assert!(group.objects.len() <= limits.objects);
                prop_assert!(group.objects.iter().all(|object| folder(&object.key) == group.folder()));
                // It was closed for a reason.
                if let Some(next) = groups.get(n + 1) {
                    let first = &next.objects[0];
                    prop_assert!(
                        bytes >= limits.enough || bytes + first.bytes > limits.max_bytes
                            || group.objects.len() == limits.objects
                            || next.format != group.format || next.folder() != group.folder()
                    );
                }
            }
        }
    }

    #[test]
    fn partitions_are_listed_even_if_there_are_no_objects() {
        assert_eq!(Grouper::new(Limits::default()).finish(), None);
        let mut grouper = Grouper::new(Limits::default());
        let partition =
            serde_json::from_str(r#"{"partition": {"id": "0oa1"}, "outcome": "gone", "records": 0}"#);
        grouper.take_partitions(vec![partition.unwrap()]);
        let last = grouper.finish().unwrap();
        assert_eq!((last.objects.len(), last.partitions.len()), (0, 1));
    }
}
