//! The columns of a table, and how they follow from records.

mod growth;
mod member;
mod observed;
mod table_schema;

pub use member::{Member, MemberType};
pub use observed::Observed;
pub(crate) use table_schema::KEY;
pub use table_schema::TableSchema;
