//! Definitions as data: sources and their endpoints, read from YAML and checked before any request.
//!
//! A source is a folder with a `source.yaml` and one file per endpoint. [`Catalog`] reads folders of them;
//! errors name the file and the line and show it.

mod auth;
mod check_auth;
mod check_headers;
mod check_hooks;
mod check_incremental;
mod check_job;
mod check_oauth2;
mod check_operations;
mod check_partitions;
mod check_placeholders;
mod check_playbook;
mod check_requests;
mod check_session;
mod columns;
mod durable;
mod empty;
mod errors;
pub(crate) mod folders;
mod hook_ref;
mod hooks;
mod incremental;
mod job;
mod json_schema;
mod limits;
mod lineage;
mod location;
mod one_or_list;
mod operation;
mod page_size;
mod paginator;
mod partitions;
mod playbook;
mod position;
mod records;
mod request;
mod source;
mod stream;
mod template;
mod time_format;
mod types;
mod written;
pub(crate) mod wrong;
pub(crate) mod yaml;
mod yaml_node;

pub use auth::{
    Auth, AwsAuth, BasicAuth, BodyAuth, DuoAuth, GrantType, HeaderAuth, OAuth2, QueryAuth, SendSecret,
    SignAuth, TokenFileAuth,
};
pub use auth::{LoginJwt, LoginMethod, LoginRequest, Logout};
pub use auth::{SessionAuth, SessionExpiry, SessionHeader, SessionSend, SessionToken};
pub use check_operations::parameter_of;
pub use check_playbook::playbook_from_yaml;
pub use columns::{ColumnType, Columns};
pub use durable::{Durable, EtagOf, TokenPage};
pub use empty::Empty;
pub use errors::{ErrorRule, Expected, Statuses, Then, When};
pub use folders::{Catalog, Definition, DefinitionFile, Inline};
pub use hook_ref::{HookRef, PageHooks};
pub use hooks::{HookFile, HookFiles};
pub use incremental::{Incremental, Order, TimeWindow};
pub use job::{Job, JobParts, JobRequest, JobState};
pub use json_schema::{SchemaMistake, ValueSchema};
pub use limits::{Rate, Rates};
pub use location::{RequestLocation, Signal};
pub use one_or_list::OneOrList;
pub use operation::{
    LookUp, Modifications, NoWay, Operation, OperationKind, Parameter, Presence, ReadBack, ReadBy,
    RetryClass, ReturnedList, Returns, Undo, UndoBy,
};
pub use page_size::PageSize;
pub use paginator::{
    LastRecordSpec, LinkRel, NextUrl, OffsetBy, OffsetSpec, PageNumberSpec, PaginatorSpec, Restart, Send,
    TokenFrom, TokenSpec, UrlFrom,
};
pub use partitions::{Parent, ParentBatch, Partitions};
pub use playbook::{OnFailure, Playbook, PlaybookStep};
pub use records::{KEY_OF_MAP, PageFormat, PrimaryKey, RecordsPointer, RecordsSpec, VALUE_OF_SCALAR};
pub use request::{
    Before, BodySpec, Encode, GraphQl, JsonTemplate, Method, QueryText, QueryValue, Quote, RequestMethod,
};
pub(crate) use source::QuotaHeaders;
pub use source::{Check, ErrorBody, RateLimit, Reset, Setting, Source, TimeForm, Timeouts};
pub use stream::{EndRules, Endpoint, Lists, Polling, RecordKind, Single, StreamSpec, Total, Unavailable};
pub use template::{Template, has_steps, path_segment};
pub use time_format::{BothSides, PatternTime, TimeFormat, TimePattern, Zone, truncated_to, unit_later};
pub use types::{Name, Pointer, Pointers, Share, Span};
pub use yaml::{endpoint_from_yaml, json_schemas, source_from_yaml};
pub use yaml_node::json_of_yaml;

#[cfg(test)]
#[path = "tests/catalog.rs"]
mod tests;
