//! The model of `incremental`: how a pull requests what changed since the one before.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::durable::Durable;
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
    /// then never later than the start of the run less this. Without either, the cursor cannot move. Windows end so long
    /// before the present.
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
    /// Requests take no filter: all is read, and what is not newer than the bound is left out. It has neither `param` nor `since`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub client_side: bool,
    /// The order of records by their time, if the API promises one. Default none.
    #[serde(default, skip_serializing_if = "Order::is_none")]
    pub order: Order,
    /// The time is requested in windows, side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<TimeWindow>,
    /// What the API gives to go on with at the next pull. Then neither `cursor` nor a filter is needed; with them a pull begins
    /// by time where the API no longer knows what it gave, and in full without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<Durable>,
}

/// An order by time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Older records first.
    Ascending,
    /// Newer records first.
    Descending,
    /// None that could be relied on.
    #[default]
    None,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Order {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// Windows in which a period is requested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeWindow {
    /// The longest period that a request may be for.
    pub span: Span,
    /// The shortest one: a window of which the API says that it has too many records is halved down to that. Default the
    /// finest that the filter can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Span>,
    /// How far back the API keeps records; the first pull begins there, unless `full_since` says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Span>,
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
        self.format_of_filter() != &TimeFormat::Rfc3339 || !self.inclusive || self.client_side
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
