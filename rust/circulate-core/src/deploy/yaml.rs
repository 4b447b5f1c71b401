//! YAML of lambdas in, checked files out; and the JSON Schemas editors complete them by.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use schemars::schema_for;

use super::lambda::{FunctionFile, LambdaDefaults, LambdaFile};
use crate::catalog::Name;
use crate::catalog::wrong::Wrong;
use crate::catalog::yaml::read;
use crate::error::Result;

/// Reads and checks a `lambda.yaml`; `file` is for messages.
pub(super) fn lambda_from_yaml(text: &str, file: &Path) -> Result<LambdaFile> {
    read(text, file, |lambda: &LambdaFile| check_lambda(lambda).err().into_iter().collect())
}

fn check_lambda(lambda: &LambdaFile) -> Result<(), Wrong> {
    lambda.functions.iter().try_for_each(|(operation, function)| check_function(operation, function))?;
    check_files(&lambda.files)?;
    let Some(pipeline) = &lambda.pipeline else { return Ok(()) };
    if !lambda.functions.keys().any(|operation| operation.as_str() == "list") {
        return Err(Wrong::at(
            "pipeline",
            "a pipeline runs `list`, and there is no such function".to_owned(),
        ));
    }
    if let Some(target) = pipeline.target.as_ref().filter(|name| !is_file_name(name)) {
        let why = format!("`{target}` can't name a target: use letters, digits, `-` and `_`");
        return Err(Wrong::at("pipeline.target", why));
    }
    check_stale(pipeline.stale_after_h)
}

/// Reads and checks a `defaults.yaml` of lambdas; `file` is for messages.
pub(super) fn lambda_defaults_from_yaml(text: &str, file: &Path) -> Result<LambdaDefaults> {
    read(text, file, |defaults: &LambdaDefaults| check_defaults(defaults).err().into_iter().collect())
}

fn check_defaults(defaults: &LambdaDefaults) -> Result<(), Wrong> {
    check_limits("", Some(defaults.memory_mb), Some(defaults.timeout_s), Some(defaults.ephemeral_mb))?;
    check_environment("environment", &defaults.environment)?;
    check_stale(Some(defaults.pipeline.stale_after_h))
}

/// The JSON Schemas of the kinds of file, by file name, for editors.
pub fn json_schemas() -> [(&'static str, serde_json::Value); 2] {
    [
        ("lambda.schema.json", schema_for!(LambdaFile).into()),
        ("lambda-defaults.schema.json", schema_for!(LambdaDefaults).into()),
    ]
}

fn check_function(operation: &Name, function: &FunctionFile) -> Result<(), Wrong> {
    let at = |key: &str| format!("functions.{operation}.{key}");
    let is_name = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !part.as_bytes()[0].is_ascii_digit()
    };
    if function.handler.split('.').count() != 2 || !function.handler.split('.').all(is_name) {
        let why = format!(
            "invalid handler `{}`: write module and function, such as `handler.list`",
            function.handler
        );
        return Err(Wrong::at(&at("handler"), why));
    }
    if let Some(extension) = function.extension.as_ref().filter(|name| !is_file_name(name)) {
        let why = format!("`{extension}` can't name an extension: use letters, digits, `-` and `_`");
        return Err(Wrong::at(&at("extension"), why));
    }
    if let Some(auth) = function.auth.as_ref().filter(|name| !is_file_name(name)) {
        let why = format!("`{auth}` can't name credentials: use letters, digits, `-` and `_`");
        return Err(Wrong::at(&at("auth"), why));
    }
    if operation.as_str() == "list" && function.reads == Some(false) {
        let why = "`list` pulls, which changes nothing: leave it out".to_owned();
        return Err(Wrong::at(&at("reads"), why));
    }
    check_limits(&at(""), function.memory_mb, function.timeout_s, function.ephemeral_mb)?;
    check_environment(&at("environment"), &function.environment)
}

/// What goes into the zip lies in the folder, so that it is the same wherever the folder is.
fn check_files(files: &[String]) -> Result<(), Wrong> {
    for (number, name) in files.iter().enumerate() {
        let inside =
            !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            let why = format!("invalid path `{name}`: name a file or folder of this folder, without `..`");
            return Err(Wrong::at(&format!("files.{number}"), why));
        }
    }
    Ok(())
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// CloudWatch looks back for at most a week: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>.
fn check_stale(hours: Option<u32>) -> Result<(), Wrong> {
    match hours {
        Some(hours) if !(1..=168).contains(&hours) => {
            Err(Wrong::at("pipeline.stale_after_h", "an alarm can look back for 1 to 168 hours".to_owned()))
        }
        _ => Ok(()),
    }
}

/// The limits of Lambda.
fn check_limits(
    at: &str,
    memory: Option<u32>,
    timeout: Option<u32>,
    ephemeral: Option<u32>,
) -> Result<(), Wrong> {
    for (key, given, least, greatest) in [
        ("memory_mb", memory, 128, 10_240),
        ("timeout_s", timeout, 1, 900),
        ("ephemeral_mb", ephemeral, 512, 10_240),
    ] {
        if given.is_some_and(|given| given < least || given > greatest) {
            return Err(Wrong::at(&format!("{at}{key}"), format!("Lambda allows {least} to {greatest}")));
        }
    }
    Ok(())
}

/// Names that Lambda takes and does not keep for itself.
fn check_environment(at: &str, environment: &BTreeMap<String, String>) -> Result<(), Wrong> {
    for name in environment.keys() {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let why = format!("invalid variable name `{name}`: use letters, digits and _, a letter first");
            return Err(Wrong::at(at, why));
        }
        if name.starts_with("AWS_LAMBDA_") || RESERVED.contains(&name.as_str()) {
            return Err(Wrong::at(at, format!("`{name}` is set by Lambda itself")));
        }
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const RESERVED: [&str; 11] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];
