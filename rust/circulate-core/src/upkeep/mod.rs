//! Looking after a lake: whether everything is as it was written, and removing what nothing names.

pub mod gc;
pub mod verify;
