//! The ledger: plans, approvals, and what became of every call, in a state store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::name::OperationName;
use super::object::ObjectState;
use super::plan::{Plan, PlannedCall, SCHEMA};
use crate::catalog::OperationKind;
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Expect, ItemKey, StateStore};

/// What has become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// It is about to be sent, or was, and nothing is known of it yet.
    Intent,
    /// The API took it; whether the object is as planned is not known yet.
    Sent,
    /// The object was read, and is as planned.
    Verified,
    /// The API took it, and nothing can show more.
    Accepted,
    /// It has had no effect.
    Failed,
    /// It may have had its effect or not.
    Unknown,
}

impl CallStatus {
    /// Whether it stays so.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Intent | Self::Sent)
    }
}

impl fmt::Display for CallStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Intent => "intent",
            Self::Sent => "sent",
            Self::Verified => "verified",
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        })
    }
}

/// A row of the ledger: one call of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The version of this document.
    pub schema: u32,
    /// What it is known by: `operation@plan#number`.
    pub id: String,
    /// The operation, `source.endpoint.operation`.
    pub operation: String,
    /// What it is for.
    pub kind: OperationKind,
    /// The account.
    pub account: String,
    /// Digest of the plan.
    pub plan: String,
    /// The number of the call in it, from 1.
    pub number: u32,
    /// What was called.
    pub call: PlannedCall,
    /// What has become of it.
    pub status: CallStatus,
    /// What is to be known about that, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who planned it.
    pub requested_by: String,
    /// Who agreed to it, if somebody had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// The worker that has it, or had.
    pub worker: String,
    /// Until when no other worker may take it over; none once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// When it was begun.
    pub began_at: Timestamp,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How often a worker took it over from another one.
    #[serde(default)]
    pub takeovers: u32,
    /// What the API responded, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<RecordedResponse>,
    /// What its object was when it was read after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ObjectState>,
    /// Whether its request had an effect, as far as is known: what was so already is not undone.
    #[serde(default)]
    pub had_effect: bool,
    /// The call that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

/// A response, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedResponse {
    /// The status.
    pub status: u16,
    /// The body, secrets as `***`; none if it is too large, or there was none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// Somebody's agreement to a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Digest of the plan.
    pub plan: String,
    /// Who agrees. On AWS only that principal can write the item.
    pub approver: String,
    /// When.
    pub approved_at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

/// The ledger of an account of a source.
#[derive(Debug, Clone)]
pub struct OperationLedger {
    store: Arc<dyn StateStore>,
    source: String,
    account: String,
}

/// The most bytes of a planned call. A row also holds what the object is afterwards, and the response; an item of `DynamoDB` holds 400 KB.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const MAX_CALL: usize = 150_000;
/// What a document was read as, and its version.
pub(super) type Version = u64;

/// The most rows that are listed at once.
const MAX_ROWS: usize = 10_000;
/// Characters of a digest that a person has to type.
pub(super) const SHORT_DIGEST: usize = 12;

impl OperationLedger {
    /// The ledger of an account in a state store.
    pub fn new(store: Arc<dyn StateStore>, source: &str, account: &str) -> Self {
        Self { store, source: source.to_owned(), account: account.to_owned() }
    }

    /// The ledger's own time.
    pub async fn now(&self) -> Result<Timestamp> {
        self.store.now().await
    }

    fn key(&self, sk: String) -> ItemKey {
        ItemKey { pk: format!("operations#{}#{}", self.source, self.account), sk }
    }

    /// Keeps a plan. Returns its digest.
    pub async fn keep_plan(&self, plan: &Plan) -> Result<String> {
        let digest = plan.digest()?;
        // Calls have items of their own, since a plan of many would be too large for one. The plan itself comes last: where it is,
        // all of it is.
        for (number, call) in plan.calls.iter().enumerate() {
            let size = written(call)?.to_string().len();
            if size > MAX_CALL {
                let what = format!(
                    "call {} of {} would take {size} bytes of the ledger, with what its object is: a row has room for {MAX_CALL}",
                    number + 1,
                    plan.operation
                );
                return Err(
                    Error::new(ErrorKind::Limit, "keep plan", what).hint("change it in smaller parts")
                );
            }
            self.create(&self.key(format!("planned#{digest}#{number:06}")), call).await?;
        }
        let head = Plan { calls: Vec::new(), ..plan.clone() };
        self.create(&self.key(format!("plan#{digest}")), &KeptPlan { head, calls: plan.calls.len() }).await?;
        Ok(digest)
    }

    /// A plan of an operation by its digest, or by the first characters of it.
    pub async fn plan(&self, operation: &OperationName, digest: &str) -> Result<Plan> {
        let wrong = |what: String| {
            Error::new(ErrorKind::Settings, "find plan", what)
                .hint("`circulate call OPERATION --plan` makes one, and names it; plans are kept where the ledger is")
        };
        if digest.len() < MIN_DIGEST || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong(format!(
                "`{digest}` is not the digest of a plan: give at least {MIN_DIGEST} characters of it"
            )));
        }
        let pk = self.key(String::new()).pk;
        let found = self.store.list(&pk, &format!("plan#{digest}"), 2).await?;
        let [(key, item)] = found.as_slice() else {
            let what = if found.is_empty() { "there is no plan" } else { "there are several plans" };
            return Err(wrong(format!("{what} `{digest}` of {} at {}", self.account, self.source)));
        };
        let KeptPlan { head, calls } = read(key, item.doc.clone())?;
        if head.operation != *operation {
            return Err(wrong(format!(
                "the plan `{digest}` is one of {}, and not of {operation}",
                head.operation
            )));
        }
        let full = key.sk.trim_start_matches("plan#").to_owned();
        let mut plan = Plan { calls: Vec::with_capacity(calls), ..head };
        for number in 0..calls {
            let key = self.key(format!("planned#{full}#{number:06}"));
            let (call, _) = self.get(&key).await?.ok_or_else(|| lost(&key))?;
            plan.calls.push(call);
        }
        if plan.digest()? != full {
            let what =
                "the plan is not what its digest says: somebody has changed it, or another version wrote it";
            return Err(Error::new(ErrorKind::State, "read plan", what).with("plan", full));
        }
        Ok(plan)
    }

    /// Keeps an agreement.
    pub async fn approve(&self, plan: &Plan, approver: &str, good_for: Duration) -> Result<Approval> {
        let now = self.now().await?;
        if is_the_same(approver, &plan.requested_by) {
            let what = format!("{approver} has made this plan: somebody else has to approve it");
            return Err(Error::new(ErrorKind::Plan, "approve plan", what));
        }
        if now >= plan.expires_at {
            return Err(expired(plan));
        }
        let approval = Approval {
            plan: plan.digest()?,
            approver: approver.to_owned(),
            approved_at: now,
            expires_at: later(now, good_for).min(plan.expires_at),
        };
        let key = approval_key(approver, &approval.plan);
        let known = self.store.get(&key).await?;
        let expect = known.map_or(Expect::Absent, |item| Expect::Version(item.version));
        self.store.put(&key, written(&approval)?, expect).await?;
        Ok(approval)
    }

    /// The first agreement to a plan that holds, of those who may agree.
    pub async fn approval(&self, plan: &Plan, approvers: &[String]) -> Result<Approval> {
        let (mut kind, mut why) = (ErrorKind::Plan, Vec::new());
        for approver in approvers {
            match self.approval_of(plan, approver).await {
                Err(error) if matches!(error.kind(), ErrorKind::Plan | ErrorKind::Unapproved) => {
                    // There may still be one of those who can agree.
                    if error.kind() == ErrorKind::Unapproved {
                        kind = ErrorKind::Unapproved;
                    }
                    why.push(error.to_string());
                }
                other => return other,
            }
        }
        if why.is_empty() {
            why.push("nobody is named who may approve it".to_owned());
        }
        let hint = format!("`circulate approve {}@{}` approves it", plan.operation, plan.digest()?);
        Err(Error::new(kind, "apply plan", why.join("; ")).hint(hint))
    }

    async fn approval_of(&self, plan: &Plan, approver: &str) -> Result<Approval> {
        let refused = |what: String| Error::new(ErrorKind::Plan, "apply plan", what);
        let waits = |what: String| Error::new(ErrorKind::Unapproved, "apply plan", what);
        if is_the_same(approver, &plan.requested_by) {
            return Err(refused(format!("{approver} has made this plan, and cannot approve it")));
        }
        let digest = plan.digest()?;
        let Some((approval, _)) = self.get::<Approval>(&approval_key(approver, &digest)).await? else {
            return Err(waits(format!("{approver} has not approved this plan")));
        };
        if approval.plan != digest || approval.approver != approver {
            return Err(refused(format!("the approval of {approver} is for another plan")));
        }
        if self.now().await? >= approval.expires_at {
            return Err(waits(format!("the approval of {approver} expired at {}", approval.expires_at)));
        }
        Ok(approval)
    }

    /// Rows, the newest first.
    pub async fn entries(&self, limit: usize) -> Result<Vec<LedgerEntry>> {
        let pk = self.key(String::new()).pk;
        let rows = self.store.list(&pk, "call#", limit.min(MAX_ROWS)).await?;
        rows.into_iter().map(|(key, item)| read(&key, item.doc)).collect()
    }

    /// The rows of a plan, in their order; none where a call was not begun.
    pub async fn entries_of(&self, plan: &Plan) -> Result<Vec<Option<LedgerEntry>>> {
        let mut entries = Vec::new();
        for number in 0..plan.calls.len() {
            entries.push(self.get(&self.entry_key(plan, number)?).await?.map(|(entry, _)| entry));
        }
        Ok(entries)
    }

    /// Where the row of a call is: by time, and by plan, so that a call of a plan is begun once.
    pub(super) fn entry_key(&self, plan: &Plan, number: usize) -> Result<ItemKey> {
        let (at, digest) = (plan.made_at.strftime("%Y%m%dT%H%M%S%6fZ"), plan.digest()?);
        Ok(self.key(format!("call#{at}#{digest}#{:06}", number + 1)))
    }

    /// Reads a document with its version.
    pub(super) async fn get<T: DeserializeOwned>(&self, key: &ItemKey) -> Result<Option<(T, Version)>> {
        let Some(item) = self.store.get(key).await? else { return Ok(None) };
        Ok(Some((read(key, item.doc)?, item.version)))
    }

    /// Writes a row if it is still as this worker saw it.
    pub(super) async fn put(
        &self,
        key: &ItemKey,
        entry: &LedgerEntry,
        expect: Expect,
    ) -> Result<Option<Version>> {
        self.store.put(key, written(entry)?, expect).await
    }

    /// Writes a document that may be there already, and then is the same.
    async fn create(&self, key: &ItemKey, document: &(impl Serialize + Sync)) -> Result<()> {
        let document = written(document)?;
        if self.store.put(key, document.clone(), Expect::Absent).await?.is_some() {
            return Ok(());
        }
        match self.store.get(key).await? {
            Some(item) if item.doc == document => Ok(()),
            _ => Err(Error::new(ErrorKind::State, "keep plan", "there is another plan of this digest")
                .with("item", &key.sk)),
        }
    }
}

/// The fewest characters of a digest by which a plan is found.
const MIN_DIGEST: usize = 8;

/// A plan as it is kept, its calls apart.
#[derive(Serialize, Deserialize)]
struct KeptPlan {
    head: Plan,
    calls: usize,
}

/// Whether two names may be one person's: directories do not tell `Eve` from `eve`.
fn is_the_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Whoever approves writes below their own name, which IAM can hold them to.
fn approval_key(approver: &str, digest: &str) -> ItemKey {
    ItemKey { pk: format!("approval#{approver}"), sk: digest.to_owned() }
}

pub(super) fn expired(plan: &Plan) -> Error {
    Error::new(ErrorKind::Plan, "apply plan", format!("the plan expired at {}", plan.expires_at))
        .hint("plan again: what it was made for may have changed")
}

fn lost(key: &ItemKey) -> Error {
    Error::new(ErrorKind::State, "read plan", "a part of the plan is not there").with("item", &key.sk)
}

fn read<T: DeserializeOwned>(key: &ItemKey, document: Value) -> Result<T> {
    if let Some(schema) =
        document.get("schema").and_then(Value::as_u64).filter(|schema| *schema > u64::from(SCHEMA))
    {
        let what = format!("it was written by a newer version (schema {schema})");
        return Err(Error::new(ErrorKind::State, "read ledger", what).with("item", &key.sk));
    }
    serde_json::from_value(document).map_err(|error| {
        let error =
            Error::new(ErrorKind::State, "read ledger", "a stored item cannot be read").caused_by(error);
        error.with("item", &key.sk)
    })
}

fn written(document: &impl Serialize) -> Result<Value> {
    serde_json::to_value(document)
        .map_err(|error| Error::new(ErrorKind::State, "write ledger", "cannot write JSON").caused_by(error))
}
