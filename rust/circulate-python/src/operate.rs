//! Operations: the functions of the module.

use std::sync::Arc;
use std::time::Duration;

use circulate_core::api::auth::sign_in;
use circulate_core::error::{Error, ErrorKind, Result};
use circulate_core::location::Locations;
use circulate_core::operate::{
    Agreement, Apply, Caller, OperationLedger, OperationName, ParameterValues, Plan, PlanOptions, late,
    read_parameters, scopes_of,
};
use circulate_core::progress::Progress;
use circulate_core::stop::Stop;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::account::{PyAccount, connection};
use crate::hooks;
use crate::options::{Arguments, Count, Deadline, LeaseTime, Length, options};
use crate::results::{document, py_result};
use crate::runtime::{Brief, wait};
use crate::watcher::WorkWatcher;

options! {
    /// Limits
    pub(crate) struct CallOptions {
        /// Time after which the call ends.
        deadline: Option<Deadline>,
        /// Time to wait for the API at once; a longer wait ends the call.
        max_wait: Option<Length> => "it waits",
    }
}

/// Call an operation that reads; see `circulate_core.call`. Returns the account's name, too.
#[pyfunction]
#[pyo3(signature = (operation, parameters, account, options, on_progress=None))]
pub(crate) fn call(
    py: Python<'_>,
    operation: String,
    parameters: String,
    account: &PyAccount,
    options: Arguments<CallOptions>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<(String, Py<PyAny>)> {
    let CallOptions { deadline, max_wait } = options.get()?;
    let stop = Stop::new(deadline.map(|Deadline(instant)| instant))
        .waiting_up_to(max_wait.map(|Length(length)| length));
    let progress = Arc::new(Progress::default());
    let mut watcher = WorkWatcher::new(py, &progress, &stop, None, on_progress)?;
    let account = account.clone();
    let work = async move {
        let name: OperationName = operation.parse()?;
        let definition = account.catalog.stream(&name.stream())?;
        let given = read_parameters(&parameters)?;
        // Before anything is requested, also for a token.
        let values = ParameterValues::new(&operation, definition.operation(name.operation())?, given)?;
        let caller = tokio::select! {
            biased;
            reason = stop.requested() => return Err(late(&operation, &stop, reason)),
            caller = Box::pin(caller(&name, &account, progress, &stop)) => caller?,
        };
        let account = caller.account.name().to_owned();
        Ok((account, Box::pin(caller.read(&name, &values)).await?))
    };
    let (name, returned) = py_result(py, wait(py, work, &mut watcher)?)?;
    let returned = py.import("json")?.call_method1("loads", (PyBytes::new(py, &returned),))?;
    Ok((name, returned.unbind()))
}

options! {
    /// How plans are made and applied
    pub(crate) struct OperateOptions {
        /// State file, or `dynamodb://table`, that holds plans, approvals and the ledger.
        ledger: String,
        /// Who asks.
        requester: String,
        /// Who asks agrees, too.
        yes: bool,
        /// The most calls of a plan.
        max_calls: Option<Count> => "25",
        /// How long a call stays a worker's if that dies.
        lease: LeaseTime = "60s",
        /// How long an approval can be used.
        good_for: Option<Length> => "1h",
        /// Time after which nothing more is begun.
        deadline: Option<Deadline>,
    }
}

/// A plan with its digest.
#[derive(Serialize)]
struct KnownPlan {
    digest: String,
    #[serde(flatten)]
    plan: Plan,
}

impl KnownPlan {
    fn new(plan: Plan) -> Result<Self> {
        Ok(Self { digest: plan.digest()?, plan })
    }
}

/// Plan calls of an operation, and keep the plan; see `circulate_core.plan`.
#[pyfunction]
#[pyo3(signature = (operation, calls, account, options, on_progress=None))]
pub(crate) fn plan(
    py: Python<'_>,
    operation: String,
    calls: Vec<String>,
    account: &PyAccount,
    options: Arguments<OperateOptions>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let (account, options) = (account.clone(), options.get()?);
    let (stop, progress) = (options.stop(), Arc::new(Progress::default()));
    let mut watcher = WorkWatcher::new(py, &progress, &stop, None, on_progress)?;
    let work = async move {
        let name: OperationName = operation.parse()?;
        let definition = account.catalog.stream(&name.stream())?;
        definition.operation(name.operation())?;
        let given = calls.iter().map(|call| read_parameters(call)).collect::<Result<Vec<_>>>()?;
        let caller = Box::pin(caller(&name, &account, progress, &stop)).await?;
        let ledger = ledger(&options, &name, &caller).await?;
        let now = ledger.now().await?;
        let plan = Box::pin(caller.plan(&name, given, options.of_plan(), now)).await?;
        ledger.keep_plan(&plan).await?;
        KnownPlan::new(plan)
    };
    document(py, &py_result(py, wait(py, work, &mut watcher)?)?)
}

/// Plan the undoing of what a plan did, and keep that plan; see `circulate_core.undo`.
#[pyfunction]
#[pyo3(signature = (operation, digest, account, options, on_progress=None))]
pub(crate) fn plan_undo(
    py: Python<'_>,
    operation: String,
    digest: String,
    account: &PyAccount,
    options: Arguments<OperateOptions>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let (account, options) = (account.clone(), options.get()?);
    let (stop, progress) = (options.stop(), Arc::new(Progress::default()));
    let mut watcher = WorkWatcher::new(py, &progress, &stop, None, on_progress)?;
    let work = async move {
        let name: OperationName = operation.parse()?;
        let caller = Box::pin(caller(&name, &account, progress, &stop)).await?;
        let ledger = ledger(&options, &name, &caller).await?;
        let done = ledger.plan(&name, &digest).await?;
        let plan = Box::pin(caller.plan_undo(&ledger, &done, options.of_plan())).await?;
        ledger.keep_plan(&plan).await?;
        KnownPlan::new(plan)
    };
    document(py, &py_result(py, wait(py, work, &mut watcher)?)?)
}

/// Approve a plan; see `circulate_core.approve`.
#[pyfunction]
pub(crate) fn approve(
    py: Python<'_>,
    operation: String,
    digest: String,
    account: &PyAccount,
    options: Arguments<OperateOptions>,
) -> PyResult<Py<PyAny>> {
    let (account, options) = (account.clone(), options.get()?);
    let work = async move {
        let name: OperationName = operation.parse()?;
        let ledger = account_ledger(&options.ledger, &name, &account).await?;
        let plan = ledger.plan(&name, &digest).await?;
        let good_for = options.good_for.map_or(GOOD_FOR, |Length(span)| span);
        ledger.approve(&plan, &options.requester, good_for).await
    };
    document(py, &py_result(py, wait(py, work, &mut Brief)?)?)
}

/// Apply a plan; see `circulate_core.apply`. Who asks agrees to it, or one of the `approvers` has.
#[pyfunction]
#[pyo3(signature = (operation, digest, account, options, approvers=None, on_progress=None))]
pub(crate) fn apply(
    py: Python<'_>,
    operation: String,
    digest: String,
    account: &PyAccount,
    options: Arguments<OperateOptions>,
    approvers: Option<Vec<String>>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let (account, options) = (account.clone(), options.get()?);
    let agreement = match approvers {
        Some(approvers) => Agreement::Approval(approvers),
        None if options.yes => Agreement::Person(options.requester.clone()),
        None => Agreement::None,
    };
    let (stop, progress) = (options.stop(), Arc::new(Progress::default()));
    // What was begun is recorded before an interrupt is raised.
    let mut watcher = WorkWatcher::new(py, &progress, &stop, None, on_progress)?;
    let work = async move {
        let name: OperationName = operation.parse()?;
        let caller = Box::pin(caller(&name, &account, progress, &stop)).await?;
        let ledger = ledger(&options, &name, &caller).await?;
        let plan = ledger.plan(&name, &digest).await?;
        let LeaseTime(lease) = options.lease;
        let apply = Apply { caller, ledger, worker: options.requester, lease };
        Box::pin(apply.apply(&plan, &agreement)).await
    };
    document(py, &py_result(py, wait(py, work, &mut watcher)?)?)
}

/// The rows of the ledger of an account, the newest first.
#[pyfunction]
pub(crate) fn ledger_entries(
    py: Python<'_>,
    source: String,
    limit: usize,
    account: &PyAccount,
    ledger: String,
) -> PyResult<Py<PyAny>> {
    let account = account.clone();
    let work = async move {
        let name: OperationName = format!("{source}.all.all").parse()?;
        account_ledger(&ledger, &name, &account).await?.entries(limit).await
    };
    document(py, &py_result(py, wait(py, work, &mut Brief)?)?)
}

/// Where an account of a source is, as plans have it.
#[pyfunction]
pub(crate) fn account_address(py: Python<'_>, source: String, account: &PyAccount) -> PyResult<String> {
    let account = account.clone();
    let work = async move {
        let source = account.catalog.source(&source)?;
        Ok(account.resolve(&source, &Locations::default()).await?.address())
    };
    py_result(py, wait(py, work, &mut Brief)?)
}

/// Who uses AWS here, as IAM has it in `aws:userid`.
#[pyfunction]
pub(crate) fn aws_user_id(py: Python<'_>) -> PyResult<String> {
    let work = async { Locations::default().aws_user_id().await };
    py_result(py, wait(py, work, &mut Brief)?)
}

/// The rows of a plan, of its calls that were begun; see `circulate_core.changing.rows_of`.
#[pyfunction]
pub(crate) fn plan_entries(
    py: Python<'_>,
    operation: String,
    digest: String,
    account: &PyAccount,
    options: Arguments<OperateOptions>,
) -> PyResult<Py<PyAny>> {
    let (account, options) = (account.clone(), options.get()?);
    let work = async move {
        let name: OperationName = operation.parse()?;
        let ledger = account_ledger(&options.ledger, &name, &account).await?;
        let plan = ledger.plan(&name, &digest).await?;
        Ok(ledger.entries_of(&plan).await?.into_iter().flatten().collect::<Vec<_>>())
    };
    document(py, &py_result(py, wait(py, work, &mut Brief)?)?)
}

/// Check the inputs of a playbook, and return them with its defaults. Both are JSON.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "Python gives it away")]
pub(crate) fn playbook_inputs(
    py: Python<'_>,
    playbook: &str,
    inputs: String,
    given: String,
) -> PyResult<Py<PyAny>> {
    let checked = || -> Result<ParameterValues> {
        let inputs = serde_json::from_str(&inputs).map_err(|error| {
            Error::new(ErrorKind::Definition, "read playbook", "invalid inputs").caused_by(error)
        })?;
        ParameterValues::of(playbook, "input", &inputs, read_parameters(&given)?)
    };
    document(py, py_result(py, checked())?.all())
}

/// How long an approval can be used.
const GOOD_FOR: Duration = Duration::from_hours(1);
/// The most calls of a plan.
const MAX_CALLS: usize = 25;

impl OperateOptions {
    fn stop(&self) -> Stop {
        Stop::new(self.deadline.as_ref().map(|Deadline(instant)| *instant))
    }

    fn of_plan(&self) -> PlanOptions {
        let bound = self.max_calls.as_ref().map_or(MAX_CALLS, |Count(count)| *count);
        PlanOptions::new(&self.requester, bound)
    }
}

async fn ledger(options: &OperateOptions, name: &OperationName, caller: &Caller) -> Result<OperationLedger> {
    let store = Locations::default().state(&options.ledger).await?;
    Ok(OperationLedger::new(store, name.source(), caller.account.name()))
}

/// The ledger of an account of which nothing is requested.
async fn account_ledger(ledger: &str, name: &OperationName, account: &PyAccount) -> Result<OperationLedger> {
    let source = account.catalog.source(name.source())?;
    let account = account.name_alone(&source, &Locations::default()).await?;
    let store = Locations::default().state(ledger).await?;
    Ok(OperationLedger::new(store, name.source(), &account))
}

/// What calls operations of an account, signed in for one of them.
async fn caller(
    name: &OperationName,
    account: &PyAccount,
    progress: Arc<Progress>,
    stop: &Stop,
) -> Result<Caller> {
    let definition = account.catalog.stream(&name.stream())?;
    let scopes = scopes_of(&account.catalog, name)?;
    let resolved = account.resolve(&definition.source, &Locations::default()).await?;
    let hooks = hooks::load(Arc::clone(&definition.hooks), stop).await?;
    let connection = connection(&definition.source, &resolved)?.with_hooks(hooks);
    let authorize = sign_in(&definition.source, &resolved, &connection, scopes.as_ref())?;
    Ok(Caller {
        catalog: account.catalog.clone(),
        account: resolved,
        connection,
        authorize,
        headroom: account.headroom,
        progress,
        stop: stop.clone(),
    })
}
