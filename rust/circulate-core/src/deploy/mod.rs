//! `lambda.yaml` files: which functions there are, their schedules and pipelines.

mod lambda;
mod schedule;
mod yaml;

pub use lambda::{
    Architecture, FunctionFile, LambdaDefaults, LambdaFile, LambdaFunction, PipelineDefaults, PipelineFile,
    PipelineFormat, PipelineMode, Runtime, lambda_functions,
};
pub use schedule::Schedule;
pub use yaml::json_schemas;

#[cfg(test)]
#[path = "tests/schemas.rs"]
mod tests;
