//! Operations: calls of an API that are not pulls. What changes something is planned, agreed to, recorded before it is sent, and
//! read back.

mod apply;
mod caller;
mod document;
mod fill;
mod ledger;
mod name;
mod object;
mod plan;
mod request;
mod undo;
mod values;

pub use apply::{Agreement, Applied, Apply};
pub use caller::{Called, Caller, late, scopes_of};
pub use document::read_parameters;
pub use ledger::{Approval, CallStatus, LedgerEntry, OperationLedger, RecordedResponse};
pub use name::OperationName;
pub use object::{ExpectedState, FieldChange, ObjectState};
pub use plan::{Plan, PlanOptions, PlannedCall, PlannedRequest};
pub use values::ParameterValues;
