//! Operations: calls of an API that are not pulls.

mod call;
mod request;
mod values;

pub use call::{Called, OperationCall};
pub use values::ParameterValues;
