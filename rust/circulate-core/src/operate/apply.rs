//! Applying a plan. For each call: its object is read once more; a row says what is intended; the request is sent; a row says that it
//! was; the object is read back; a row says what came of it.
//!
//! A worker that dies leaves a row. Whoever takes it over reads the object first, and sends the request again only if that is
//! known to do no more than once: so nothing is done twice, and what is not known is said to be.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::caller::Caller;
use super::ledger::{
    CallStatus, LedgerEntry, OperationLedger, RecordedResponse, SHORT_DIGEST, Version, expired,
};
use super::object::{ExpectedState, ObjectState, look_at, modified, recorded, state_of};
use super::plan::{Plan, PlannedCall, PlannedRequest, SCHEMA, with_body};
use super::request::{RequestValues, request_of};
use super::values::ParameterValues;
use crate::MAX_TEXT;
use crate::api::client::{BeforeSend, Client, Effect, FailedRequest, Resend, ResponseDocument};
use crate::api::page_request::PageRequest;
use crate::catalog::{Operation, ReadBack, ReadBy, RetryClass};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;
use crate::state::{Expect, ItemKey};

/// Who agrees that a plan is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// Nobody: enough for what is not destructive.
    None,
    /// The person who applies it says so.
    Person(String),
    /// One of these has approved it.
    Approval(Vec<String>),
}

/// Applies plans.
#[derive(Debug)]
pub struct Apply {
    /// Calls operations.
    pub caller: Caller,
    /// Where it is recorded.
    pub ledger: OperationLedger,
    /// What this worker is called.
    pub worker: String,
    /// How long a call stays this worker's if it dies.
    pub lease: Duration,
}

/// What became of a plan.
#[derive(Debug, Serialize)]
pub struct Applied {
    /// Digest of the plan.
    pub plan: String,
    /// The account.
    pub account: String,
    /// The rows of its calls, of those that were begun.
    pub entries: Vec<LedgerEntry>,
    /// Why the others were not.
    pub stopped_by: Option<String>,
    /// Secrets that responses held, by the id of the call and their pointer. They are kept nowhere.
    pub secrets: BTreeMap<String, BTreeMap<String, Value>>,
}

/// How often an object is read back until it is as planned, and how long is waited in between: twice as long each time.
const READS: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The largest body that a row keeps.
const MAX_BODY: usize = 20_000;

/// A row that this worker holds.
struct HeldEntry {
    key: ItemKey,
    entry: LedgerEntry,
    version: Version,
}

/// A call of a plan, and what it takes to make it.
struct PreparedCall<'p> {
    plan: &'p Plan,
    digest: &'p str,
    number: usize,
    call: &'p PlannedCall,
    operation: &'p Operation,
    values: ParameterValues,
    request: PageRequest,
}

impl PreparedCall<'_> {
    fn read_by(&self) -> Option<&ReadBy> {
        match &self.operation.reads_back {
            Some(ReadBack::By(by)) => Some(by),
            _ => None,
        }
    }

    fn expected(&self) -> Option<&ExpectedState> {
        self.call.expected.as_ref()
    }

    /// Whether its definition still says what was planned, and agreed to.
    fn is_as_planned(&self) -> Result<bool> {
        let (plan, operation) = (self.plan, self.operation);
        Ok(PlannedRequest::of(&self.request.to_http()?) == self.call.request
            && plan.destructive == operation.destructive
            && Some(plan.retry) == operation.retry)
    }

    /// Whether an object that is so shows that it was done.
    fn is_shown_by(&self, state: &ObjectState) -> bool {
        self.expected().is_some_and(|expected| expected.is_proof && expected.is_met(state))
    }
}

impl Apply {
    /// Applies a plan, or goes on with one that was begun.
    pub async fn apply(&self, plan: &Plan, agreement: &Agreement) -> Result<Applied> {
        let digest = plan.digest()?;
        self.check_account(plan)?;
        let mut applied = Applied {
            plan: digest.clone(),
            account: plan.account.clone(),
            entries: Vec::new(),
            stopped_by: None,
            secrets: BTreeMap::new(),
        };
        let known = self.ledger.entries_of(plan).await?;
        if known.iter().all(|entry| entry.as_ref().is_some_and(|entry| entry.status.is_final())) {
            applied.entries = known.into_iter().flatten().collect();
            return Ok(applied);
        }
        let is_new = known.iter().all(Option::is_none);
        if is_new && self.ledger.now().await? >= plan.expires_at {
            return Err(expired(plan));
        }
        let approved_by = self.agreed(plan, agreement).await?;
        let definition = self.caller.catalog.stream(&plan.operation.stream())?;
        let operation = definition.operation(plan.operation.operation())?.clone();
        let client = self.caller.client(&definition)?;
        for (number, call) in plan.calls.iter().enumerate() {
            if let Some(reason) = self.caller.stop.reason().filter(|_| number > 0) {
                applied.stopped_by = Some(reason.as_str().to_owned());
                break;
            }
            let given = call.parameters.clone().into_iter().collect();
            let values =
                ParameterValues::new(&plan.operation.to_string(), &operation, given)?.with(&call.looked_up);
            let mut request = request_of(&self.caller.account, &operation, &values)?;
            if operation.modifies.is_some() && !call.request.body.is_empty() {
                let body = serde_json::from_str(&call.request.body).map_err(|error| {
                    Error::new(ErrorKind::State, "apply plan", "a planned body is not JSON").caused_by(error)
                })?;
                request = with_body(request, body);
            }
            let prepared =
                PreparedCall { plan, digest: &digest, number, call, operation: &operation, values, request };
            match self.one(&prepared, &client, approved_by.as_deref(), &mut applied.secrets).await {
                Ok(entry) => applied.entries.push(entry),
                // What was done is told, and a secret that nobody keeps is not lost with the row that could not be written.
                Err(error) if number > 0 || !applied.secrets.is_empty() => {
                    applied.stopped_by = Some(error.to_string());
                    break;
                }
                Err(error) => return Err(error),
            }
            if let Some(why) =
                applied.entries.last().and_then(|entry| stops(entry, &plan.calls[number + 1..]))
            {
                applied.stopped_by = Some(why);
                break;
            }
        }
        Ok(applied)
    }

    fn check_account(&self, plan: &Plan) -> Result<()> {
        let address = self.caller.account.address();
        if plan.address == address {
            return Ok(());
        }
        let what = format!("the plan was made for {}, and this account is at {address}", plan.address);
        Err(Error::new(ErrorKind::Plan, "apply plan", what))
    }

    /// Who agreed, if somebody had to.
    async fn agreed(&self, plan: &Plan, agreement: &Agreement) -> Result<Option<String>> {
        match agreement {
            Agreement::Approval(approvers) => Ok(Some(self.ledger.approval(plan, approvers).await?.approver)),
            Agreement::Person(name) => Ok(Some(name.clone())),
            Agreement::None if !plan.needs_agreement() => Ok(None),
            Agreement::None => {
                let what = format!("{} is destructive: a person has to agree to it", plan.operation);
                Err(Error::new(ErrorKind::Unapproved, "apply plan", what).hint(
                    "say `--yes` (`yes=True`), or have somebody else approve the plan: `circulate approve`",
                ))
            }
        }
    }

    /// Makes one call, goes on with it, or tells what became of it.
    async fn one(
        &self,
        prepared: &PreparedCall<'_>,
        client: &Client,
        approved_by: Option<&str>,
        secrets: &mut BTreeMap<String, BTreeMap<String, Value>>,
    ) -> Result<LedgerEntry> {
        let key = self.ledger.entry_key(prepared.plan, prepared.number)?;
        let held = match self.ledger.get::<LedgerEntry>(&key).await? {
            Some((entry, _)) if entry.status.is_final() => return Ok(entry),
            Some((entry, version)) => self.take_over(prepared, HeldEntry { key, entry, version }).await?,
            None => self.begin(prepared, key, approved_by).await?,
        };
        match held.entry.status {
            CallStatus::Intent => self.send(prepared, held, client, secrets).await,
            CallStatus::Sent => self.verify(prepared, held, client).await,
            _ => Ok(held.entry),
        }
    }

    /// Begins a call, unless its object is not what it was when it was planned.
    async fn begin(
        &self,
        prepared: &PreparedCall<'_>,
        key: ItemKey,
        approved_by: Option<&str>,
    ) -> Result<HeldEntry> {
        if self.ledger.now().await? >= prepared.plan.expires_at {
            return Err(expired(prepared.plan));
        }
        if !prepared.is_as_planned()? {
            let what =
                format!("the definition of {} has changed since the plan was made", prepared.plan.operation);
            return Err(Error::new(ErrorKind::Plan, "apply plan", what).hint("plan again"));
        }
        let object = self.object_of(prepared).await?;
        let now_it_is =
            prepared.read_by().map(|_| self.recorded_of(prepared, object.as_ref())).transpose()?;
        let is_sent_back = self.is_as_it_will_be_sent(prepared, object.as_ref())?;
        let now = self.ledger.now().await?;
        let plan = prepared.plan;
        let mut entry = LedgerEntry {
            schema: SCHEMA,
            id: format!("{}@{}#{}", plan.operation, &prepared.digest[..SHORT_DIGEST], prepared.number + 1),
            operation: plan.operation.to_string(),
            kind: plan.kind,
            account: plan.account.clone(),
            plan: prepared.digest.to_owned(),
            number: u32::try_from(prepared.number + 1).unwrap_or(u32::MAX),
            call: prepared.call.clone(),
            status: CallStatus::Intent,
            note: None,
            requested_by: plan.requested_by.clone(),
            approved_by: approved_by.map(str::to_owned),
            worker: self.worker.clone(),
            lease_until: Some(later(now, self.lease)),
            began_at: now,
            ended_at: None,
            takeovers: 0,
            response: None,
            after: None,
            had_effect: false,
            undoes: plan.undoes.clone(),
        };
        if now_it_is != prepared.call.before || !is_sent_back {
            settle(&mut entry, CallStatus::Failed, Some(changed_since(prepared, now_it_is.as_ref())));
        } else if prepared.call.unchanged {
            entry.after = now_it_is;
            settle(&mut entry, CallStatus::Verified, Some("it was so already: nothing was sent".to_owned()));
        }
        if entry.status.is_final() {
            (entry.ended_at, entry.lease_until) = (Some(now), None);
        }
        #[cfg(feature = "testing")]
        crate::testing::crash::reach("call-planned").await;
        match self.ledger.put(&key, &entry, Expect::Absent).await? {
            Some(version) => {
                #[cfg(feature = "testing")]
                crate::testing::crash::reach("call-intended").await;
                Ok(HeldEntry { key, entry, version })
            }
            None => Err(busy("another worker has just begun this call")),
        }
    }

    /// Takes over a call of a worker that is gone.
    async fn take_over(&self, prepared: &PreparedCall<'_>, mut held: HeldEntry) -> Result<HeldEntry> {
        let now = self.ledger.now().await?;
        if let Some(until) = held.entry.lease_until.filter(|until| *until > now) {
            let what = format!(
                "{} works on {} until {until}, unless it renews that",
                held.entry.worker, held.entry.id
            );
            return Err(busy(&what));
        }
        held.entry.worker.clone_from(&self.worker);
        held.entry.lease_until = Some(later(now, self.lease));
        held.entry.takeovers += 1;
        self.write(&mut held).await?;
        if held.entry.status == CallStatus::Sent {
            return Ok(held);
        }
        let object = self.object_of(prepared).await?;
        let state = prepared.read_by().map(|_| self.recorded_of(prepared, object.as_ref())).transpose()?;
        let is_shown = state.as_ref().is_some_and(|state| prepared.is_shown_by(state));
        let not_resent = self.why_not_resent(prepared, state.as_ref(), object.as_ref(), now)?;
        held.entry.after = state;
        if is_shown {
            held.entry.had_effect = true;
            let note = "another worker has sent it; its object is as planned";
            self.end(&mut held, CallStatus::Verified, Some(note.to_owned())).await?;
        } else if let Some(why) = not_resent {
            let note = format!("another worker may have sent it, and {why}: it is not retried");
            self.end(&mut held, CallStatus::Unknown, Some(note)).await?;
        }
        Ok(held)
    }

    /// Why a request that another worker may have sent is not sent again, if so.
    fn why_not_resent(
        &self,
        prepared: &PreparedCall<'_>,
        state: Option<&ObjectState>,
        object: Option<&Value>,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let why = if matches!(prepared.plan.retry, RetryClass::IfNotSent | RetryClass::Never) {
            "nothing shows whether it had an effect".to_owned()
        } else if now >= prepared.plan.expires_at {
            format!("its plan expired at {}", prepared.plan.expires_at)
        } else if !prepared.is_as_planned()? {
            "its definition has changed since".to_owned()
        } else if state != prepared.call.before.as_ref() || !self.is_as_it_will_be_sent(prepared, object)? {
            format!("its object is neither as it was nor as planned ({})", changes_of(prepared, state))
        } else {
            return Ok(None);
        };
        Ok(Some(why))
    }

    /// Sends the request, and keeps the row meanwhile.
    async fn send(
        &self,
        prepared: &PreparedCall<'_>,
        held: HeldEntry,
        client: &Client,
        secrets: &mut BTreeMap<String, BTreeMap<String, Value>>,
    ) -> Result<LedgerEntry> {
        let resend = match prepared.plan.retry {
            RetryClass::Safe | RetryClass::Idempotent => Resend::Always,
            RetryClass::IfNotSent => Resend::WithoutEffect,
            RetryClass::Never => Resend::Never,
        };
        let good_until = held.entry.lease_until.unwrap_or(held.entry.began_at);
        let before = Holding { apply: self, prepared, held: Mutex::new(held), good_until };
        let mut sending = Box::pin(client.send(prepared.request.clone(), resend, &before));
        let sent = loop {
            tokio::select! {
                biased;
                sent = &mut sending => break sent,
                () = tokio::time::sleep(self.lease / 3) => {
                    // Whoever has locked it renews it.
                    if let Ok(mut held) = before.held.try_lock() {
                        self.renew(&mut held).await?;
                    }
                }
            }
        };
        drop(sending);
        let mut held = before.held.into_inner();
        #[cfg(feature = "testing")]
        crate::testing::crash::reach("call-responded").await;
        match sent {
            Ok(document) if is_web_page(&document) => {
                let what = "the response is a web page, and not one of an API";
                let error = Error::new(ErrorKind::Data, "read response", what);
                self.settle_failed(prepared, held, client, FailedRequest { error, effect: Effect::Unknown })
                    .await
            }
            Ok(document) => {
                let hidden = take_secrets(prepared.operation, &document);
                held.entry.response = Some(recorded_response(&document, &hidden));
                if !hidden.is_empty() {
                    secrets.insert(held.entry.id.clone(), hidden);
                }
                held.entry.had_effect = true;
                held.entry.status = CallStatus::Sent;
                self.renew(&mut held).await?;
                #[cfg(feature = "testing")]
                crate::testing::crash::reach("call-sent").await;
                self.verify(prepared, held, client).await
            }
            Err(failed) => self.settle_failed(prepared, held, client, failed).await,
        }
    }

    /// What a request that failed has done.
    async fn settle_failed(
        &self,
        prepared: &PreparedCall<'_>,
        mut held: HeldEntry,
        client: &Client,
        FailedRequest { error, effect }: FailedRequest,
    ) -> Result<LedgerEntry> {
        if let Some((status, _)) = error.response() {
            held.entry.response = Some(RecordedResponse { status, body: Value::Null });
        }
        if error.kind() == ErrorKind::Stopped && effect == Effect::Unknown {
            // Whoever goes on with it reads its object first.
            held.entry.lease_until = None;
            held.entry.note = Some("stopped while it was sent".to_owned());
            self.write(&mut held).await?;
            return Err(error
                .hint("apply the plan again: the object is read first, and the request is not sent twice"));
        }
        if effect == Effect::Unsent || error.kind() == ErrorKind::Stopped {
            self.end(&mut held, CallStatus::Failed, Some(format!("it was not sent: {error}"))).await?;
            return Ok(held.entry);
        }
        let (seen, waits) = match effect {
            Effect::Unknown => (self.wait_until_shown(prepared, client).await, true),
            _ => (self.look(prepared).await, false),
        };
        let (state, looked) = match seen {
            Ok(state) => (state, Ok(())),
            Err(why) => (None, Err(why)),
        };
        let is_shown = state.as_ref().is_some_and(|state| prepared.is_shown_by(state));
        let is_as_before = state.is_some() && state == prepared.call.before;
        held.entry.after = state;
        let (status, note) = match (effect, looked) {
            (Effect::Refused, _) if is_shown => {
                (CallStatus::Verified, format!("the API refused it, and its object is as planned: {error}"))
            }
            (Effect::Refused, _) => (CallStatus::Failed, error.to_string()),
            (_, Ok(())) if is_shown => {
                held.entry.had_effect = true;
                (
                    CallStatus::Verified,
                    format!("there was no response, and its object is as planned: {error}"),
                )
            }
            (_, Ok(())) if is_as_before && waits => (
                CallStatus::Unknown,
                format!("its object is as before, but it may still have its effect: {error}"),
            ),
            (_, Ok(())) => (CallStatus::Unknown, format!("nothing shows whether it had its effect: {error}")),
            (_, Err(why)) => {
                (CallStatus::Unknown, format!("{error}; and its object could not be read: {why}"))
            }
        };
        self.end(&mut held, status, Some(note)).await?;
        Ok(held.entry)
    }

    /// Reads the object back until it is as planned, or for long enough.
    async fn verify(
        &self,
        prepared: &PreparedCall<'_>,
        mut held: HeldEntry,
        client: &Client,
    ) -> Result<LedgerEntry> {
        let state = match self.wait_until_shown(prepared, client).await {
            Ok(state) => state,
            Err(error) => {
                // The next worker reads it back.
                held.entry.lease_until = None;
                held.entry.note = Some(format!("its object could not be read back yet: {error}"));
                self.write(&mut held).await?;
                return Ok(held.entry);
            }
        };
        let is_proof = prepared.expected().is_some_and(|expected| expected.is_proof);
        let is_shown = state.as_ref().is_some_and(|state| prepared.is_shown_by(state));
        held.entry.after.clone_from(&state);
        let (status, note) = match (state, prepared.expected()) {
            _ if is_shown => (CallStatus::Verified, None),
            (Some(state), Some(expected)) if is_proof => {
                let not_so: Vec<_> = expected
                    .changes(&state)
                    .iter()
                    .map(|change| {
                        format!("`{}` is {} and not {}", change.pointer, change.before, change.after)
                    })
                    .collect();
                (
                    CallStatus::Unknown,
                    Some(format!("the API took it, and its object is not as planned: {}", not_so.join(", "))),
                )
            }
            _ => (CallStatus::Accepted, prepared.plan.no_read_back.clone()),
        };
        #[cfg(feature = "testing")]
        crate::testing::crash::reach("call-read-back").await;
        self.end(&mut held, status, note).await?;
        Ok(held.entry)
    }

    async fn wait_until_shown(
        &self,
        prepared: &PreparedCall<'_>,
        client: &Client,
    ) -> Result<Option<ObjectState>> {
        let is_proof = prepared.expected().is_some_and(|expected| expected.is_proof);
        let mut wait = FIRST_WAIT;
        for read in 1.. {
            let state = self.look(prepared).await?;
            let is_shown = state.as_ref().is_some_and(|state| prepared.is_shown_by(state));
            if is_shown || !is_proof || read == READS {
                return Ok(state);
            }
            client.wait("the object is not as planned yet", wait).await?;
            wait *= 2;
        }
        Ok(None)
    }

    /// What is recorded of the object, as it is now; none if nothing reads it.
    async fn look(&self, prepared: &PreparedCall<'_>) -> Result<Option<ObjectState>> {
        if prepared.read_by().is_none() {
            return Ok(None);
        }
        let object = self.object_of(prepared).await?;
        self.recorded_of(prepared, object.as_ref()).map(Some)
    }

    async fn object_of(&self, prepared: &PreparedCall<'_>) -> Result<Option<Value>> {
        let Some(by) = prepared.read_by() else { return Ok(None) };
        let values = RequestValues::new(&self.caller.account, &prepared.values);
        Box::pin(look_at(&self.caller, &prepared.plan.operation, by, &values)).await
    }

    fn recorded_of(&self, prepared: &PreparedCall<'_>, object: Option<&Value>) -> Result<ObjectState> {
        let Some(by) = prepared.read_by() else { return Ok(ObjectState::default()) };
        let values = RequestValues::new(&self.caller.account, &prepared.values);
        let (catalog, name) = (&self.caller.catalog, &prepared.plan.operation);
        let expected = ExpectedState::new(by, &values)?;
        Ok(state_of(object, &recorded(catalog, name, prepared.operation, by, &expected)?))
    }

    /// Whether an object that is sent back is still the one that was planned with: else what others changed would be lost.
    fn is_as_it_will_be_sent(&self, prepared: &PreparedCall<'_>, object: Option<&Value>) -> Result<bool> {
        let (Some(modifies), Some(object)) = (&prepared.operation.modifies, object) else { return Ok(true) };
        let values = RequestValues::new(&self.caller.account, &prepared.values);
        let (body, _) = modified(modifies, object, &values)?;
        let request = with_body(prepared.request.clone(), body);
        Ok(PlannedRequest::of(&request.to_http()?) == prepared.call.request)
    }

    /// Refuses to send a request whose object is not as it was planned with any more.
    async fn check_unchanged(&self, prepared: &PreparedCall<'_>) -> Result<()> {
        let object = self.object_of(prepared).await?;
        let state = prepared.read_by().map(|_| self.recorded_of(prepared, object.as_ref())).transpose()?;
        if state == prepared.call.before && self.is_as_it_will_be_sent(prepared, object.as_ref())? {
            return Ok(());
        }
        let what = format!(
            "its object has changed since ({}): it is not sent any more",
            changes_of(prepared, state.as_ref())
        );
        Err(Error::new(ErrorKind::Plan, "apply plan", what))
    }

    async fn renew(&self, held: &mut HeldEntry) -> Result<()> {
        held.entry.lease_until = Some(later(self.ledger.now().await?, self.lease));
        self.write(held).await
    }

    async fn end(&self, held: &mut HeldEntry, status: CallStatus, note: Option<String>) -> Result<()> {
        settle(&mut held.entry, status, note);
        (held.entry.ended_at, held.entry.lease_until) = (Some(self.ledger.now().await?), None);
        self.write(held).await
    }

    async fn write(&self, held: &mut HeldEntry) -> Result<()> {
        match self.ledger.put(&held.key, &held.entry, Expect::Version(held.version)).await? {
            Some(version) => {
                held.version = version;
                Ok(())
            }
            None => Err(busy("another worker has taken this call over")),
        }
    }
}

/// A row that this worker holds while its request is sent.
struct Holding<'a> {
    apply: &'a Apply,
    prepared: &'a PreparedCall<'a>,
    held: Mutex<HeldEntry>,
    /// Until when the object is taken to be as it was when it was read last.
    good_until: Timestamp,
}

impl BeforeSend for Holding<'_> {
    /// While it waited to be sent again, or was stopped, somebody may have changed the object.
    fn attempt(&self, again: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if again || self.apply.ledger.now().await? > self.good_until {
                self.apply.check_unchanged(self.prepared).await?;
            }
            Ok(())
        })
    }

    /// A worker that was stopped may have lost the row to another one, which this write shows.
    fn send(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.apply.renew(&mut *self.held.lock().await).await })
    }
}

fn settle(entry: &mut LedgerEntry, status: CallStatus, note: Option<String>) {
    entry.status = status;
    entry.note = note.map(|note| Redactor::shared().shown(&note, MAX_TEXT));
}

/// Whether the calls that follow are not made, and why.
fn stops(entry: &LedgerEntry, rest: &[PlannedCall]) -> Option<String> {
    let is_unsettled = matches!(entry.status, CallStatus::Unknown | CallStatus::Intent | CallStatus::Sent);
    let is_about_all =
        entry.response.as_ref().is_some_and(|response| matches!(response.status, 401 | 403 | 429));
    let stops = is_unsettled || entry.status == CallStatus::Failed && is_about_all;
    (stops && !rest.is_empty()).then(|| format!("{} is {}", entry.id, entry.status))
}

fn changed_since(prepared: &PreparedCall<'_>, state: Option<&ObjectState>) -> String {
    format!(
        "its object has changed since the plan was made ({}): nothing was sent",
        changes_of(prepared, state)
    )
}

/// What an object has become since the plan was made.
fn changes_of(prepared: &PreparedCall<'_>, state: Option<&ObjectState>) -> String {
    let (Some(before), Some(now)) = (&prepared.call.before, state) else {
        return "another member of it".to_owned();
    };
    if before.present != now.present {
        return if now.present { "it is there now" } else { "it is not there any more" }.to_owned();
    }
    let changed: Vec<_> = now
        .fields
        .iter()
        .filter(|(pointer, value)| before.fields.get(*pointer) != Some(value))
        .map(|(pointer, value)| {
            let was = before.fields.get(pointer).unwrap_or(&Value::Null);
            format!("`{pointer}` was {was} and is {value}")
        })
        .collect();
    if changed.is_empty() {
        return "a member that would be sent back as it was".to_owned();
    }
    changed.join(", ")
}

fn busy(what: &str) -> Error {
    Error::new(ErrorKind::Busy, "apply plan", what)
}

/// Whether something on the way responded, such as a page to sign in at.
fn is_web_page(document: &ResponseDocument) -> bool {
    let kind = document.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_html = kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    is_html && document.body.is_null() && !document.text.is_empty()
}

/// The secrets of a response, by their pointers. Nothing shows them from now on.
fn take_secrets(operation: &Operation, document: &ResponseDocument) -> BTreeMap<String, Value> {
    let found = operation.secrets.iter().map(ToString::to_string);
    let found = found.filter_map(|pointer| Some((pointer.clone(), document.body.pointer(&pointer)?.clone())));
    let secrets: BTreeMap<_, _> = found.collect();
    for text in secrets.values().filter_map(Value::as_str) {
        Redactor::shared().hide_once(text);
    }
    secrets
}

fn recorded_response(document: &ResponseDocument, secrets: &BTreeMap<String, Value>) -> RecordedResponse {
    let mut body = document.body.clone();
    for pointer in secrets.keys() {
        if let Some(member) = body.pointer_mut(pointer) {
            *member = "***".into();
        }
    }
    if document.text.len() > MAX_BODY {
        body = Value::Null;
    }
    RecordedResponse { status: document.status.as_u16(), body: without_secrets(body) }
}

/// A response without the secrets that this process knows: an API may send back what it was sent, or the same link twice.
fn without_secrets(value: Value) -> Value {
    let text = |text: String| {
        if Redactor::shared().reveals(&text) { Redactor::shared().shown(&text, MAX_BODY) } else { text }
    };
    match value {
        Value::String(value) => text(value).into(),
        Value::Array(items) => items.into_iter().map(without_secrets).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (text(name), without_secrets(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}
