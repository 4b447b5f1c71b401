//! Options of the package's functions, each declared once: its name, its kind of value, its default and what it does.
//!
//! The structs take the options out of a dict of Python ([`Arguments`]). What is declared is what flags are made of
//! ([`declared_options`](crate::flags::declared_options)), and what signatures, docstrings and tables of the docs are
//! tested against.

mod arguments;
mod declared;
mod given;
mod group;
mod values;

pub(crate) use arguments::Arguments;
pub(crate) use declared::DeclaredOption;
pub(crate) use given::{Given, option_of};
pub(crate) use group::{Options, groups, options};
pub(crate) use values::{Count, Deadline, Headroom, LeaseTime, Length, Size, Sse, Time};
