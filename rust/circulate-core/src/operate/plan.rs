//! Plans: what would be requested and changed, before anything is.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::caller::Caller;
use super::fill::FillValues;
use super::name::OperationName;
use super::object::{ExpectedState, FieldChange, ObjectState, look_at, modified, recorded, state_of};
use super::request::{RequestValues, request_of};
use super::values::ParameterValues;
use crate::api::http::Request;
use crate::api::page_request::{PageRequest, RequestBody};
use crate::catalog::{Operation, OperationKind, Presence, ReadBack, RetryClass, Undo};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};

/// The version of plans and of what the ledger holds.
pub(super) const SCHEMA: u32 = 1;
/// How long a plan can be applied.
const GOOD_FOR: Duration = Duration::from_hours(24);

/// What is to be done, and to what it is to be done. It is known by its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this document.
    pub schema: u32,
    /// The operation.
    pub operation: OperationName,
    /// What it is for.
    pub kind: OperationKind,
    /// Whether a person has to agree.
    pub destructive: bool,
    /// When its requests may be sent again.
    pub retry: RetryClass,
    /// The account.
    pub account: String,
    /// Where the account is.
    pub address: String,
    /// Who made it.
    pub requested_by: String,
    /// When it was made, by the clock of the ledger.
    pub made_at: Timestamp,
    /// Until when it can be applied.
    pub expires_at: Timestamp,
    /// What no other plan has: one that is made anew, within the second that a table's clock shows, is not the one before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce: String,
    /// The call that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// Why nothing undoes it, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_undo: Option<String>,
    /// Why nothing reads it back, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_read_back: Option<String>,
    /// The calls.
    pub calls: Vec<PlannedCall>,
}

/// One call of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedCall {
    /// The values of its parameters.
    pub parameters: BTreeMap<String, Value>,
    /// What was looked up for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub looked_up: BTreeMap<String, Value>,
    /// The request, without credentials.
    pub request: PlannedRequest,
    /// What its object is now; none if nothing reads it.
    pub before: Option<ObjectState>,
    /// What it is to be.
    pub expected: Option<ExpectedState>,
    /// What is to change.
    pub changes: Vec<FieldChange>,
    /// It is so already: nothing will be sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
}

/// A request, as it will be sent, without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRequest {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Headers of the operation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

impl PlannedRequest {
    pub(super) fn of(request: &Request) -> Self {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            method: request.method.to_string(),
            url: request.url.to_string(),
            headers: request.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
        }
    }
}

impl Plan {
    /// SHA-256 of it, in hex: whoever agrees to it agrees to all that it says.
    pub fn digest(&self) -> Result<String> {
        let text = serde_json::to_vec(self).map_err(|error| {
            Error::new(ErrorKind::State, "hash plan", "cannot write the plan as JSON").caused_by(error)
        })?;
        Ok(crate::hex(&Sha256::digest(text)))
    }

    /// Whether a person has to agree to it: something that is destructive would be sent.
    pub fn needs_agreement(&self) -> bool {
        self.destructive && self.calls.iter().any(|call| !call.unchanged)
    }
}

/// Who plans, and how much at most.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Who plans.
    pub requested_by: String,
    /// The most calls of a plan.
    pub bound: usize,
    /// The call that is undone.
    pub undoes: Option<String>,
    /// What no other plan has.
    pub nonce: String,
}

impl PlanOptions {
    /// Who plans, and the most calls of a plan.
    pub fn new(requested_by: &str, bound: usize) -> Self {
        let nonce = format!("{:016x}", fastrand::u64(..));
        Self { requested_by: requested_by.to_owned(), bound, undoes: None, nonce }
    }
}

impl Caller {
    /// Plans calls of an operation with each of these parameters. The objects are read; nothing is changed. All that stands against
    /// it is named at once.
    pub async fn plan(
        &self,
        name: &OperationName,
        given: Vec<Map<String, Value>>,
        options: PlanOptions,
        now: Timestamp,
    ) -> Result<Plan> {
        let definition = self.catalog.stream(&name.stream())?;
        let operation = definition.operation(name.operation())?.clone();
        if operation.kind == OperationKind::Investigate {
            let what = format!("{name} changes nothing: it is called without a plan");
            return Err(Error::new(ErrorKind::Settings, "plan operation", what));
        }
        if given.is_empty() || given.len() > options.bound {
            let what = format!(
                "{} calls of {name} are too many or too few: a plan has from 1 to {}",
                given.len(),
                options.bound
            );
            return Err(Error::new(ErrorKind::Limit, "plan operation", what)
                .hint("raise the bound if so many are meant (`--max`, `max_calls`)"));
        }
        let several = given.len() > 1;
        let (mut values, mut mistakes) = (Vec::new(), Vec::new());
        for (number, given) in given.into_iter().enumerate() {
            match ParameterValues::new(&name.to_string(), &operation, given) {
                Ok(checked) if values.contains(&checked) => {
                    mistakes.push(format!("call {} is there twice", number + 1));
                }
                Ok(checked) => values.push(checked),
                Err(error) if several => mistakes.push(format!("call {}: {error}", number + 1)),
                Err(error) => return Err(error),
            }
        }
        refuse(&mistakes, ErrorKind::Settings)?;
        let mut calls = Vec::new();
        for (number, values) in values.iter().enumerate() {
            match self.plan_one(name, &operation, values).await {
                Ok(call) => calls.push(call),
                Err(error) if several && error.kind() == ErrorKind::Plan => {
                    mistakes.push(format!("call {}: {error}", number + 1));
                }
                Err(error) => return Err(error),
            }
        }
        refuse(&mistakes, ErrorKind::Plan)?;
        let no_read_back = match &operation.reads_back {
            Some(ReadBack::By(_)) => None,
            Some(ReadBack::Not(why)) => Some(why.none.clone()),
            None => Some("its definition does not say how".to_owned()),
        };
        let no_undo = match &operation.undo {
            Some(Undo::By(_)) => None,
            Some(Undo::Not(why)) => Some(why.none.clone()),
            None => Some("its definition does not say how".to_owned()),
        };
        Ok(Plan {
            schema: SCHEMA,
            operation: name.clone(),
            kind: operation.kind,
            destructive: operation.destructive,
            retry: operation.retry.unwrap_or(RetryClass::Never),
            account: self.account.name().to_owned(),
            address: self.account.address(),
            requested_by: options.requested_by,
            made_at: now,
            expires_at: later(now, GOOD_FOR),
            nonce: options.nonce,
            undoes: options.undoes,
            no_undo,
            no_read_back,
            calls,
        })
    }

    async fn plan_one(
        &self,
        name: &OperationName,
        operation: &Operation,
        values: &ParameterValues,
    ) -> Result<PlannedCall> {
        let parameters = values.all().clone();
        let mut looked_up = BTreeMap::new();
        for (key, look_up) in &operation.looks_up {
            let values = RequestValues::new(&self.account, values);
            looked_up.insert(
                key.to_string(),
                Box::pin(super::object::looked_up(self, name, look_up, &values)).await?,
            );
        }
        let values = values.clone().with(&looked_up);
        let request = request_of(&self.account, operation, &values)?;
        let planned = PlannedCall {
            parameters,
            looked_up,
            request: PlannedRequest::of(&request.to_http()?),
            before: None,
            expected: None,
            changes: Vec::new(),
            unchanged: false,
        };
        let Some(ReadBack::By(by)) = &operation.reads_back else { return Ok(planned) };
        let values = RequestValues::new(&self.account, &values);
        let mut expected = ExpectedState::new(by, &values)?;
        let object = Box::pin(look_at(self, name, by, &values)).await?;
        let mut planned = planned;
        if let (Some(modifies), Some(object)) = (&operation.modifies, &object) {
            let (body, changed) = modified(modifies, object, &values)?;
            planned.request = PlannedRequest::of(&with_body(request, body).to_http()?);
            expected.whole.extend(changed);
            expected.is_proof = true;
        }
        let before = state_of(object.as_ref(), &recorded(&self.catalog, name, operation, by, &expected)?);
        let refused =
            |what: String| Err(Error::new(ErrorKind::Plan, "plan operation", format!("{name}: {what}")));
        let known = values.each(&by.with)?;
        let object = || Value::Object(known.clone());
        // What is already so is no mistake, and its state may not be the one that the operation begins from.
        let is_met = expected.is_proof && expected.is_met(&before) && by.before != Presence::Absent;
        // Unless it says that it begins from there, too: then it is done again, and its object does not show that.
        let is_repeated = is_met
            && by.requires.iter().any(|(pointer, allowed)| {
                expected.fields.get(&pointer.to_string()).is_some_and(|after| allowed.contains(after))
            });
        expected.is_proof &= !is_repeated;
        let unchanged = is_met && !is_repeated;
        if !unchanged {
            match by.before {
                Presence::Present if !before.present => {
                    return refused(format!("there is nothing with {}", object()));
                }
                Presence::Absent if before.present => {
                    return refused(format!("it is already there: {}", object()));
                }
                _ => {}
            }
            for (pointer, allowed) in by.requires.iter().filter(|_| before.present) {
                let found = before.fields.get(&pointer.to_string()).cloned().unwrap_or_default();
                if !allowed.contains(&found) {
                    let allowed: Vec<_> = allowed.iter().map(Value::to_string).collect();
                    return refused(format!(
                        "`{pointer}` is {found} and has to be {}: {}",
                        allowed.join(" or "),
                        object()
                    ));
                }
            }
        }
        let changes = expected.changes(&before);
        Ok(PlannedCall { before: Some(before), expected: Some(expected), changes, unchanged, ..planned })
    }
}

/// The same request with another body.
pub(super) fn with_body(request: PageRequest, body: Value) -> PageRequest {
    PageRequest { body: Some(RequestBody::Json(body)), ..request }
}

fn refuse(mistakes: &[String], kind: ErrorKind) -> Result<()> {
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(Error::new(kind, "plan operation", mistakes.join("; ")))
}
