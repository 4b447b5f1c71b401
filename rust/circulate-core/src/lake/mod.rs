//! Where data goes: the names of what is in a place, places, manifests, and the writer of objects.
//!
//! [`stream_id`] → [`keys`] → [`sink`] → [`manifest`] → [`mod@write`].

pub mod keys;
pub mod manifest;
pub mod sink;
pub mod stream_id;
pub mod write;
