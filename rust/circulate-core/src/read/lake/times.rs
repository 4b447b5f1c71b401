//! What is wanted by the time that records have.

use arrow_array::RecordBatch;
use jiff::Timestamp;

use super::keys::value_at;
use super::paths::{MemberPlace, TablePlaces};
use crate::catalog::{Pointer, RecordsSpec, TimeFormat, Zone};
use crate::extract::cursor::{RecordTimes, TimeRange, Window};
use crate::lake::manifest::{Identity, ObjectEntry};
use crate::lake::record_key::KeyValue;
use crate::page::{Record, Watch};

/// Selects records by their time. What has none is not selected.
#[derive(Debug)]
pub(super) struct TimeFilter {
    window: Window,
    pointers: Vec<Pointer>,
    format: TimeFormat,
    zone: Option<Zone>,
    /// For records as JSON.
    pub(super) watch: Watch,
}

impl TimeFilter {
    /// One that selects `window`; `None` if that is everything.
    pub(super) fn new(window: &Window, identity: &Identity) -> Option<Self> {
        (*window != Window::default()).then(|| Self {
            window: window.clone(),
            pointers: identity.time.clone(),
            format: identity.time_format.clone(),
            zone: identity.time_zone.clone(),
            watch: Watch::new(RecordsSpec::default(), &identity.time, &[]),
        })
    }

    /// Whether an object may hold records that are selected.
    pub(super) fn may_hold(&self, object: &ObjectEntry) -> bool {
        object.times.is_none_or(|times| self.window.may_hold(TimeRange { from: times.min, to: times.max }))
    }

    fn times(&self) -> RecordTimes<'_> {
        RecordTimes::written_as(&self.format, self.zone.as_ref().map(|zone| zone.get().clone()))
    }

    pub(super) fn holds_record(&self, record: &Record<'_>) -> bool {
        let fields = (0..self.pointers.len()).map(|number| record.field(number));
        self.times().greatest(fields).is_some_and(|time| self.window.may_hold(time))
    }

    /// Where the times stand in a table.
    pub(super) fn paths(&self, table: &TablePlaces<'_>) -> Vec<MemberPlace> {
        self.pointers.iter().map(|pointer| table.find(pointer)).collect()
    }

    pub(super) fn holds_row(&self, batch: &RecordBatch, paths: &[MemberPlace], row: usize) -> bool {
        let times = self.times();
        let of_member = |(member_path, pointer)| match value_at(batch, member_path, pointer, row) {
            KeyValue::Time(microseconds) => {
                Timestamp::from_microsecond(microseconds).ok().map(TimeRange::from)
            }
            KeyValue::Json(json) => times.greatest([Some(json)]),
            KeyValue::Text(text) => {
                times.greatest([Some(serde_json::Value::from(text).to_string().as_bytes())])
            }
            KeyValue::Integer(number) => times.greatest([Some(number.to_string().as_bytes())]),
            KeyValue::Float(number) => times.greatest([Some(number.to_string().as_bytes())]),
            KeyValue::Missing | KeyValue::Boolean(_) => None,
        };
        let all = paths.iter().zip(&self.pointers).filter_map(of_member);
        let greatest =
            all.reduce(|one, other| TimeRange { from: one.from.max(other.from), to: one.to.max(other.to) });
        greatest.is_some_and(|time| self.window.may_hold(time))
    }
}
