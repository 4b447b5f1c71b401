//! Buffers of columns, and what of a record has no place in them.

mod buffers;
mod drift;
mod drift_recorder;
mod misfit;
mod names;
mod values;

pub(super) use buffers::{FixedColumn, StringColumn};
pub use drift::{Drift, DriftEntry, DriftKind};
pub(super) use drift_recorder::DriftRecorder;
pub(super) use names::{FOLDERS, JOIN, MAX_NAME, RAW, RESCUED, Taken};
pub(super) use values::{Column, ListColumn, StructColumn, Values, micros};
