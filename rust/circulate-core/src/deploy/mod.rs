//! `lambda.yaml` files: which functions there are, their schedules and pipelines.

mod functions;
mod lambda;
mod schedule;
mod yaml;

pub use functions::{LambdaFunction, lambda_functions};
pub use lambda::{
    Architecture, FunctionFile, LambdaDefaults, LambdaFile, PipelineDefaults, PipelineFile, PipelineFormat,
    PipelineMode, Runtime,
};
pub use schedule::Schedule;
pub use yaml::json_schemas;

#[cfg(test)]
#[path = "tests/schemas.rs"]
mod tests;
