//! Circulate Core: complete, exactly accounted data out of SaaS APIs.
//!
//! Data flows one way, and a module uses only what stands before it in this list: `error`, `redact` → `net`, `aws`, `clock`,
//! `secrets`, `stop`, `timestamp`, `progress` → [`spec`] → [`account`], [`http`], [`auth`] → [`client`] → [`page`] → [`cursor`],
//! [`plan`] → [`batch`] → [`table`] → [`encode`] → [`sink`] → [`manifest`] → [`state`] → [`location`], [`write`] → [`run`], [`check`], [`read`],
//! [`verify`], [`gc`], [`promote`]. A test holds it to that.
#![forbid(unsafe_code)]

pub mod account;
pub mod auth;
pub mod aws;
pub mod batch;
pub mod check;
pub mod client;
pub mod clock;
pub mod cursor;
pub mod encode;
pub mod error;
pub mod gc;
pub mod http;
pub mod location;
pub mod manifest;
mod net;
pub mod page;
pub mod plan;
pub mod progress;
pub mod promote;
pub mod read;
pub mod redact;
pub mod run;
pub mod secrets;
pub mod sink;
pub mod spec;
pub mod state;
pub mod stop;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timestamp;
pub mod verify;
pub mod write;

/// Characters of a text that reports and state hold; it may have come from an API, which decides how long it is.
pub(crate) const MOST_OF_TEXT: usize = 2_000;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
