//! Circulate Core: complete, exactly accounted data out of SaaS APIs.
//!
//! Data flows one way, and a module uses only what stands before it in this list: `error`, `nearest`, `redact` → `net` → `aws`,
//! `clock`, `secrets`, `stop`, `timestamp`, `events`, `progress` → [`catalog`] → [`deploy`], [`human`] → [`api`] → [`page`] →
//! [`extract`] → [`table`] →
//! [`encode`] → [`lake`] → [`state`] → [`writes`], [`location`] → [`run`] → [`promote`], [`read`], [`register`], [`upkeep`] → [`operate`]. A test holds it to that,
//! and to the order within [`api`], [`extract`], [`table`] and [`lake`], which they give.
#![forbid(unsafe_code)]

pub mod api;
pub mod aws;
pub mod catalog;
pub mod clock;
pub mod deploy;
pub mod encode;
pub mod error;
pub mod events;
pub mod extract;
pub mod human;
pub mod lake;
pub mod location;
pub mod nearest;
mod net;
pub mod operate;
pub mod page;
pub mod progress;
pub mod promote;
pub mod read;
pub mod redact;
pub mod register;
pub mod run;
pub mod secrets;
pub mod state;
pub mod stop;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timestamp;
pub mod upkeep;
pub mod writes;

/// Characters of a text that reports and state hold; it may have come from an API, which decides how long it is.
pub(crate) const MAX_TEXT: usize = 2_000;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
