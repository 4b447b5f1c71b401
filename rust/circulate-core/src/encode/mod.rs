//! Records in, bytes of an object out, and back. One file per format, and compression.

mod columnar;
mod compress;
mod decode;
mod encoder;
mod format;
mod json;

pub use columnar::{Columnar, Encoded, TableRules, TableState, Tabulator};
pub use compress::{Compression, Scratch};
pub use encoder::Encoder;
pub use format::Format;
pub use json::{JsonArray, Ndjson};
