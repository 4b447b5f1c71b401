//! The model of `lambda.yaml`: the functions of an endpoint, and what each is given to run with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::catalog::Name;

/// The functions of an endpoint. What is left out is as `defaults.yaml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaFile {
    /// Name of the source; equals its folder.
    pub source: Name,
    /// Name of the endpoint; equals its folder.
    pub endpoint: Name,
    /// Python that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// Processor that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// The functions, by operation: `list` pulls the stream, `promote` copies runs into a place for readers, all else calls the
    /// operation of that name.
    pub functions: BTreeMap<Name, FunctionFile>,
    /// Files and folders of this folder that the code reads, such as `regions.json`: they go into the zip beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Runs the `list` function by a schedule, until what it pulls is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineFile>,
}

/// One function. What is left out is as `defaults.yaml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionFile {
    /// Module and function, such as `handler.list`.
    pub handler: String,
    /// Memory in MB, 128 to 10240; CPU comes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 128, max = 10240))]
    pub memory_mb: Option<u32>,
    /// How long an invocation may take in seconds, 1 to 900.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 900))]
    pub timeout_s: Option<u32>,
    /// Size of `/tmp` in MB, 512 to 10240.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 512, max = 10240))]
    pub ephemeral_mb: Option<u32>,
    /// The extension beside it, such as `circulate-token`, a folder of `lambdas/extensions`; or `none`, as by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Whether it changes nothing at the API, such as a lookup. Default: true for `list` and `get`, false for all else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<bool>,
    /// Whose credentials it may read, such as `okta-read`: with this, those of each account in a secret of its own. `none` of
    /// anybody's. Default: `{source}-read` for functions that read, `{source}-write` for all else. The two never share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
    /// Whether its source signs in by a refresh token. Then it may write the secrets that it reads: the next token is kept
    /// there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh_token: bool,
    /// Environment variables, besides those of `defaults.yaml`. Never a secret: whoever may look at the function sees them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

/// A schedule, and what becomes of what is pulled. What is left out is as `defaults.yaml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineFile {
    /// When to pull.
    pub schedule: Schedule,
    /// When to pull everything again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_refresh: Option<Schedule>,
    /// What to pull by `schedule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PipelineMode>,
    /// The format of objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<PipelineFormat>,
    /// Where complete runs are brought to, such as `s3`, a folder of `lambdas/lib/targets`; `none` leaves them where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Raise an alarm if no run was complete for so many hours, 1 to 168.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 168))]
    pub stale_after_h: Option<u32>,
}

/// What a pipeline pulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PipelineMode {
    /// What changed.
    Incremental,
    /// Everything.
    Full,
}

/// The format of a pipeline's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PipelineFormat {
    /// One JSON array per object.
    Json,
    /// One record per line.
    Ndjson,
    /// Apache Parquet: tables.
    Parquet,
    /// The file format of Arrow IPC: tables.
    Arrow,
}

/// What pipelines have that do not say otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineDefaults {
    /// What to pull by the schedule.
    pub mode: PipelineMode,
    /// The format of objects.
    pub format: PipelineFormat,
    /// Where complete runs are brought to, such as `s3`, a folder of `lambdas/lib/targets`; `none` leaves them where they are.
    pub target: String,
    /// Raise an alarm if no run was complete for so many hours, 1 to 168.
    #[schemars(range(min = 1, max = 168))]
    pub stale_after_h: u32,
}

/// `defaults.yaml`: what functions have that do not say otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaDefaults {
    /// Python that runs them.
    pub runtime: Runtime,
    /// Processor that runs them.
    pub architecture: Architecture,
    /// Memory in MB, 128 to 10240.
    #[schemars(range(min = 128, max = 10240))]
    pub memory_mb: u32,
    /// How long an invocation may take in seconds, 1 to 900.
    #[schemars(range(min = 1, max = 900))]
    pub timeout_s: u32,
    /// Size of `/tmp` in MB, 512 to 10240.
    #[schemars(range(min = 512, max = 10240))]
    pub ephemeral_mb: u32,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Pipelines.
    pub pipeline: PipelineDefaults,
}

/// What holds without a `defaults.yaml`: the same as in that of this project.
impl Default for LambdaDefaults {
    fn default() -> Self {
        Self {
            runtime: Runtime::Python313,
            architecture: Architecture::X86,
            memory_mb: 256,
            timeout_s: 900,
            ephemeral_mb: 512,
            environment: BTreeMap::new(),
            pipeline: PipelineDefaults {
                mode: PipelineMode::Incremental,
                format: PipelineFormat::Json,
                target: "s3".to_owned(),
                stale_after_h: 26,
            },
        }
    }
}

/// A Python of Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Runtime {
    /// Python 3.11.
    #[serde(rename = "python3.11")]
    Python311,
    /// Python 3.12.
    #[serde(rename = "python3.12")]
    Python312,
    /// Python 3.13.
    #[serde(rename = "python3.13")]
    Python313,
}

/// A processor of Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86,
    /// Graviton.
    #[serde(rename = "arm64")]
    Arm,
}
