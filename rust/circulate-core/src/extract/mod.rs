//! What to request next, and how much of it is in memory. No I/O.
//!
//! [`cursor`] → [`plan`] → [`batch`].

pub mod batch;
pub mod cursor;
pub mod plan;
