//! JSON text, read token by token.

mod members;
pub(super) mod number;
pub(super) mod pointer;
mod reader;

pub(super) use members::{MemberText, Repeats, first_members, members, name_of};
pub(super) use reader::{ConversionError, Quoted};
pub(crate) use reader::{JsonReader, unescape};
