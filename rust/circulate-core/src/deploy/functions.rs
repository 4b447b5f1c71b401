//! The functions of a folder of lambdas, each with everything that it is given to run with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::lambda::{Architecture, LambdaDefaults, PipelineDefaults, PipelineFile, Runtime};
use super::yaml;
use crate::catalog::{Name, folders};
use crate::error::{Error, ErrorKind, Result};

/// A function with everything it is given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LambdaFunction {
    /// Its source.
    pub source: Name,
    /// Its endpoint.
    pub endpoint: Name,
    /// What it does with the endpoint.
    pub operation: Name,
    /// Folder of its code.
    pub folder: PathBuf,
    /// Files and folders of that folder that the code reads.
    pub files: Vec<String>,
    /// Python that runs it.
    pub runtime: Runtime,
    /// Processor that runs it.
    pub architecture: Architecture,
    /// Module and function.
    pub handler: String,
    /// Memory in MB.
    pub memory_mb: u32,
    /// How long an invocation may take in seconds.
    pub timeout_s: u32,
    /// Size of `/tmp` in MB.
    pub ephemeral_mb: u32,
    /// The extension beside it.
    pub extension: Option<String>,
    /// Whether it changes nothing at the API.
    pub reads: bool,
    /// Whose credentials it may read.
    pub auth: Option<String>,
    /// Whether it may write them, since its source signs in by a refresh token.
    pub refresh_token: bool,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Its schedule, with everything that the defaults say.
    pub pipeline: Option<PipelineFile>,
}

/// What says that there is nothing of a kind.
const NONE: &str = "none";
/// Operations that change nothing, unless their file says otherwise.
const READS: [&str; 2] = ["list", "get"];
/// What functions are called by default, before their source.
const PREFIX: &str = "circulate";
/// The most characters of a function's name: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.
const MAX_NAME: usize = 64;

/// The most that the environment of a function may take, names and values together.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MAX_ENVIRONMENT: usize = 4096;

/// All functions below a folder of `{source}/{endpoint}/lambda.yaml`, sorted by name. What a file leaves out is as the folder's
/// `defaults.yaml` says, if it has one.
pub fn lambda_functions(folder: &Path) -> Result<Vec<LambdaFunction>> {
    if !folder.is_dir() {
        return Err(Error::new(
            ErrorKind::Definition,
            "read lambdas",
            "there is no such folder of Lambda functions",
        )
        .with("folder", folder.display())
        .hint("name the folder that holds `{source}/{endpoint}/lambda.yaml` by --lambdas"));
    }
    let defaults_file = folder.join("defaults.yaml");
    let defaults = if defaults_file.exists() {
        yaml::lambda_defaults_from_yaml(&folders::read(&defaults_file)?, &defaults_file)?
    } else {
        LambdaDefaults::default()
    };
    let mut functions = Vec::new();
    for source in folders::entries(folder)?.into_iter().filter(|entry| entry.is_dir()) {
        for endpoint in folders::entries(&source)? {
            let file = endpoint.join("lambda.yaml");
            if file.is_file() {
                functions.extend(functions_of(&file, &defaults)?);
            }
        }
    }
    functions
        .sort_by(|a, b| (&a.source, &a.endpoint, &a.operation).cmp(&(&b.source, &b.endpoint, &b.operation)));
    check_credentials(&functions)?;
    Ok(functions)
}

fn functions_of(file: &Path, defaults: &LambdaDefaults) -> Result<Vec<LambdaFunction>> {
    let read = yaml::lambda_from_yaml(&folders::read(file)?, file)?;
    let folder = file.parent().unwrap_or(file);
    let named = |path: Option<&Path>| {
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    };
    folders::require_same(read.source.as_str(), &named(folder.parent()), "source", file)?;
    folders::require_same(read.endpoint.as_str(), &named(Some(folder)), "endpoint", file)?;
    let wrong = |what: String| {
        Err(Error::new(ErrorKind::Definition, "read lambdas", what).with("file", file.display()))
    };
    let pipeline = read.pipeline.map(|given| with_defaults(given, &defaults.pipeline));
    if let Some(target) = pipeline.as_ref().and_then(|pipeline| pipeline.target.as_ref())
        && let Some(lib) = folder.parent().and_then(Path::parent)
        && !lib.join("targets").join(target).join("lambda.yaml").is_file()
    {
        let what = format!(
            "the target `{target}` of the pipeline has no folder in {}",
            lib.join("targets").display()
        );
        return wrong(what).map_err(|error| {
            error.hint("`circulate package --terraform` puts `s3` there; `target: none` leaves runs where they are pulled to")
        });
    }
    let mut functions = Vec::new();
    for (operation, given) in read.functions {
        let name = format!("{PREFIX}-{}-{}-{operation}", read.source, read.endpoint);
        if name.len() > MAX_NAME {
            return wrong(format!(
                "the name `{name}` has {} characters; Lambda allows {MAX_NAME}",
                name.len()
            ));
        }
        let mut environment = defaults.environment.clone();
        environment.extend(given.environment);
        let size: usize = environment.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MAX_ENVIRONMENT {
            let what = format!(
                "the environment of `{operation}` takes {size} bytes; Lambda allows {MAX_ENVIRONMENT}"
            );
            return wrong(what);
        }
        let is_list = operation.as_str() == "list";
        let reads = given.reads.unwrap_or_else(|| READS.contains(&operation.as_str()));
        functions.push(LambdaFunction {
            source: read.source.clone(),
            endpoint: read.endpoint.clone(),
            folder: folder.to_owned(),
            files: read.files.clone(),
            runtime: read.runtime.unwrap_or(defaults.runtime),
            architecture: read.architecture.unwrap_or(defaults.architecture),
            handler: given.handler,
            memory_mb: given.memory_mb.unwrap_or(defaults.memory_mb),
            timeout_s: given.timeout_s.unwrap_or(defaults.timeout_s),
            ephemeral_mb: given.ephemeral_mb.unwrap_or(defaults.ephemeral_mb),
            extension: given.extension.filter(|name| name != NONE).map(today),
            reads,
            auth: Some(given.auth.unwrap_or_else(|| usual_auth(&read.source, reads)))
                .filter(|name| name != NONE),
            refresh_token: given.refresh_token,
            environment,
            pipeline: pipeline.clone().filter(|_| is_list),
            operation,
        });
    }
    Ok(functions)
}

/// The name of an extension today: the one for tokens served Okta alone at first.
fn today(extension: String) -> String {
    if extension == "okta-token" { "circulate-token".to_owned() } else { extension }
}

/// Readers and writers have credentials of their own, so that a function that lists can never change anything.
fn usual_auth(source: &Name, reads: bool) -> String {
    format!("{source}-{}", if reads { "read" } else { "write" })
}

fn with_defaults(given: PipelineFile, defaults: &PipelineDefaults) -> PipelineFile {
    PipelineFile {
        mode: given.mode.or(Some(defaults.mode)),
        format: given.format.or(Some(defaults.format)),
        target: given.target.or_else(|| Some(defaults.target.clone())).filter(|name| name != NONE),
        stale_after_h: given.stale_after_h.or(Some(defaults.stale_after_h)),
        ..given
    }
}

/// Credentials that can write must not be within the reach of a function that reads.
fn check_credentials(functions: &[LambdaFunction]) -> Result<()> {
    for reader in functions.iter().filter(|function| function.reads && function.auth.is_some()) {
        if let Some(writer) = functions.iter().find(|other| !other.reads && other.auth == reader.auth) {
            let name = |function: &LambdaFunction| {
                format!("{}.{}.{}", function.source, function.endpoint, function.operation)
            };
            let what = format!(
                "`{}` reads and `{}` writes with the same credentials, `auth: {}`",
                name(reader),
                name(writer),
                reader.auth.as_deref().unwrap_or(NONE)
            );
            return Err(Error::new(ErrorKind::Definition, "read lambdas", what)
                .with("file", writer.folder.join("lambda.yaml").display())
                .hint("give those that write credentials of their own; one that changes nothing has `reads: true`"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/functions.rs"]
mod tests;
