//! Records to record batches, by a schema.

mod conform;
mod converter;
mod layout;
mod options;
mod table_builder;

pub use conform::conform;
pub use converter::{Contract, Converter};
pub use options::{Nested, TableOptions};
pub use table_builder::TableBuilder;
