//! Undoing: a new plan, made of what was recorded.

use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::document::is_exact;
use super::fill::FillValues;
use super::ledger::{CallStatus, LedgerEntry, OperationLedger};
use super::object::{ExpectedState, look_at, put, recorded, state_of};
use super::plan::{Plan, PlanOptions};
use super::request::RequestValues;
use super::values::ParameterValues;
use crate::catalog::{Operation, ReadBack, Undo};
use crate::error::{Error, ErrorKind, Result};

impl Caller {
    /// Plans the undoing of what a plan did, the last call first. An object that is no longer as the plan left it is not touched.
    pub async fn plan_undo(
        &self,
        ledger: &OperationLedger,
        plan: &Plan,
        options: PlanOptions,
    ) -> Result<Plan> {
        let address = self.account.address();
        if plan.address != address {
            let what = format!("the plan was made for {}, and this account is at {address}", plan.address);
            return Err(refused(&what));
        }
        let definition = self.catalog.stream(&plan.operation.stream())?;
        let operation = definition.operation(plan.operation.operation())?.clone();
        let undo = match &operation.undo {
            Some(Undo::By(undo)) => undo,
            Some(Undo::Not(why)) => {
                return Err(refused(&format!("nothing undoes {}: {}", plan.operation, why.none)));
            }
            None => {
                return Err(refused(&format!("its definition does not say what undoes {}", plan.operation)));
            }
        };
        let entries: Vec<_> = ledger.entries_of(plan).await?.into_iter().flatten().collect();
        if let Some(open) =
            entries.iter().find(|entry| !entry.status.is_final() || entry.status == CallStatus::Unknown)
        {
            return Err(refused(&format!("{} is {}: what it did is not known", open.id, open.status)).hint(
                "look at the object, and at `circulate ledger`; `circulate apply` resumes a call that is not done yet",
            ));
        }
        let done: Vec<_> = entries.iter().rev().filter(|entry| entry.had_effect).collect();
        let mut given = Vec::new();
        for entry in &done {
            self.check_untouched(plan, &operation, entry).await?;
            let parameters = OfEntry { caller: self, entry }.each(&undo.with)?;
            if !parameters.values().all(is_exact) {
                let what = format!(
                    "what {} changed held a number or half of a character that cannot be sent back as it was received",
                    entry.id
                );
                return Err(refused(&what));
            }
            given.push(parameters);
        }
        if given.is_empty() {
            return Err(refused("nothing of this plan had an effect: there is nothing to undo"));
        }
        let undoes = done.last().map(|entry| entry.id.clone());
        let options = PlanOptions { undoes, ..options };
        self.plan(&plan.operation.sibling(&undo.operation), given, options, ledger.now().await?).await
    }

    /// Refuses to undo a call whose object was changed since, by the fields that were recorded.
    async fn check_untouched(&self, plan: &Plan, operation: &Operation, entry: &LedgerEntry) -> Result<()> {
        let (Some(ReadBack::By(by)), Some(after)) = (&operation.reads_back, &entry.after) else {
            return Ok(());
        };
        let values = entry.call.parameters.clone().into_iter().collect();
        let values =
            ParameterValues::new(&plan.operation.to_string(), operation, values)?.with(&entry.call.looked_up);
        let values = RequestValues::new(&self.account, &values);
        let pointers =
            recorded(&self.catalog, &plan.operation, operation, by, &ExpectedState::new(by, &values)?)?;
        let object = look_at(self, &plan.operation, by, &values).await?;
        let now = state_of(object.as_ref(), &pointers);
        if now == *after {
            return Ok(());
        }
        let what = format!(
            "the object of {} has been changed since: it was {}, and is {}",
            entry.id,
            json!(after),
            json!(now)
        );
        Err(refused(&what)
            .hint("what somebody did after that would be lost: plan what is to be done instead"))
    }
}

/// What an undoing is made of: the parameters of the call, what its object was before, and what the API responded.
struct OfEntry<'e> {
    caller: &'e Caller,
    entry: &'e LedgerEntry,
}

impl FillValues for OfEntry<'_> {
    fn value(&self, placeholder: &str) -> Option<Value> {
        let call = &self.entry.call;
        if let Some(pointer) = placeholder.strip_prefix("before").filter(|rest| rest.starts_with('/')) {
            return member_of(&call.before.as_ref()?.fields, pointer);
        }
        if let Some(pointer) = placeholder.strip_prefix("response").filter(|rest| rest.starts_with('/')) {
            let response = self.entry.response.as_ref().and_then(|response| response.body.pointer(pointer));
            // One that was lost is not needed where its object was found: what it was made as is in there.
            return response.cloned().or_else(|| member_of(&self.entry.after.as_ref()?.fields, pointer));
        }
        let (name, rest) =
            placeholder.split_once('/').map_or((placeholder, None), |(name, rest)| (name, Some(rest)));
        let value = call.parameters.get(name).or_else(|| call.looked_up.get(name))?;
        match rest {
            None => Some(value.clone()),
            Some(rest) => value.pointer(&format!("/{rest}")).cloned(),
        }
        .or_else(|| {
            let name = crate::catalog::Name::try_from(placeholder.to_owned()).ok()?;
            self.caller.account.value(&name).map(Value::from)
        })
    }
}

/// A member that was recorded, as a whole or by what it is made of.
fn member_of(fields: &std::collections::BTreeMap<String, Value>, pointer: &str) -> Option<Value> {
    let below = format!("{pointer}/");
    let parts: Vec<_> = fields.iter().filter(|(known, _)| known.starts_with(&below)).collect();
    if parts.is_empty() {
        return fields.get(pointer).cloned();
    }
    let mut whole = Value::Object(Map::new());
    for (known, value) in parts {
        put(&mut whole, &known[pointer.len()..], value.clone());
    }
    Some(whole)
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::Plan, "undo plan", what)
}
