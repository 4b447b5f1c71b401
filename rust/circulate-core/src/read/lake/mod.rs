//! Tables over the committed runs of a lake, whatever the format of their objects.
//!
//! [`LakeTable`] finds the runs that count ([`runs`]), goes through the keys of their records ([`scan`]), keeps where each version
//! stands ([`entries`]), and reads the rows that count ([`rows`]) into the columns of all runs ([`columns`]).

mod bitmap;
mod columns;
mod entries;
mod held;
mod keys;
mod objects;
mod paths;
mod rebuild;
mod report;
mod rows;
mod runs;
mod scan;
mod table;
mod times;

pub(crate) use entries::VERSION_BYTES;
pub use held::{HeldRun, held_runs};
pub(crate) use keys::KeyMembers;
pub(crate) use objects::LakeObject;
pub(crate) use paths::{MemberPlace, TablePlaces};
pub(crate) use rebuild::record_of_row;
pub use report::{LakeReport, WithheldDeletes};
pub use runs::UncountedRun;
pub use table::{LakePlan, LakeReading, LakeStream, LakeTable, View, lake_streams, streams_there};

#[cfg(test)]
#[path = "tests/model.rs"]
mod model;

#[cfg(test)]
#[path = "tests/current.rs"]
mod current_tests;

#[cfg(test)]
#[path = "tests/history.rs"]
mod history_tests;

#[cfg(test)]
#[path = "tests/times.rs"]
mod times_tests;
