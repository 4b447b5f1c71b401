//! The model of `incremental`: how a pull requests what changed since the one before.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::RequestLocation;
use super::template::Template;
use super::time_format::{BothSides, TimeFormat, Zone};
use super::types::{Pointer, Pointers, Span};

/// How records are selected by time. Its keys are in the order in which definitions were hashed from the beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Incremental {
    /// The member that holds a record's time; of several the greatest counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Pointers>,
    /// Taken off the next lower bound, for changes the API shows late. Default 5m.
    #[serde(default = "Incremental::default_overlap")]
    pub overlap: Span,
    /// How far records may be behind our clock, for an API whose responses have no usable `Date`: the next lower bound is
    /// then never later than the start of the run less this. Without either, the cursor cannot move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Span>,
    /// The query parameter of the lower and upper bound, or where else requests take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param: Option<RequestLocation>,
    /// Its text for the lower bound; `{since}` is the time. A text that is nothing but `{since:number}` is sent as a number
    /// in a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Template>,
    /// Its text for the upper bound (exclusive); `{until}` is the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Template>,
    /// What joins the two.
    #[serde(default)]
    pub join: String,
    /// Where requests take the upper bound, if it has a location of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_param: Option<RequestLocation>,
    /// The lower bound of a full refresh. Without it a full refresh sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub full_since: Option<Timestamp>,
    /// How times are written: by records and by the filter alike, or `{records: ..., filter: ...}`. Default rfc3339.
    #[serde(default, skip_serializing_if = "BothSides::is_unsaid")]
    pub format: BothSides<TimeFormat>,
    /// The zone of times that name none, likewise. Default UTC; `rfc3339` without an offset is a time only with a zone.
    #[serde(default, skip_serializing_if = "BothSides::is_unsaid")]
    pub zone: BothSides<Zone>,
    /// Whether the API selects what is at the lower bound itself. Default true; otherwise a bound is sent that is earlier by
    /// the finest that its format can say.
    #[serde(default = "Incremental::default_inclusive", skip_serializing_if = "is_true")]
    pub inclusive: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_true(value: &bool) -> bool {
    *value
}

impl Incremental {
    fn default_overlap() -> Span {
        Span::seconds(300)
    }

    fn default_inclusive() -> bool {
        true
    }

    /// The members that hold a record's time.
    pub fn times(&self) -> &[Pointer] {
        self.cursor.as_ref().map_or(&[], Pointers::as_slice)
    }

    /// How records write times.
    pub fn format_of_records(&self) -> &TimeFormat {
        self.format.records.as_ref().unwrap_or(&TimeFormat::Rfc3339)
    }

    /// How the filter writes times.
    pub fn format_of_filter(&self) -> &TimeFormat {
        self.format.filter.as_ref().unwrap_or(&TimeFormat::Rfc3339)
    }

    /// Whether its requests may select more than the period that they are for.
    pub fn selects_more(&self) -> bool {
        self.format_of_filter() != &TimeFormat::Rfc3339 || !self.inclusive
    }

    /// The zone of times of records that name none.
    pub fn zone_of_records(&self) -> Option<&TimeZone> {
        self.zone.records.as_ref().map(Zone::get)
    }

    /// The zone in which the filter writes times.
    pub fn zone_of_filter(&self) -> Option<&TimeZone> {
        self.zone.filter.as_ref().map(Zone::get)
    }
}
