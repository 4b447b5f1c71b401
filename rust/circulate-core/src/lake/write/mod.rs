//! Records in, stored objects out: batches are encoded as records come, then compressed and stored side by side while
//! the next batch fills, and reported in order.

mod budget;
mod object_format;
mod object_store;
mod object_writer;
mod table;
mod written_times;

pub(crate) use budget::Budget;
pub use object_format::ObjectFormat;
pub use object_store::ObjectStore;
pub use object_writer::ObjectWriter;
