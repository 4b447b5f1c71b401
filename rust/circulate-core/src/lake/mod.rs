//! Where data goes: the names of what is in a place, places, manifests, and the writer of objects.
//!
//! [`stream_id`] → [`keys`] → [`sink`] → [`record_key`], [`external_sort`] → [`manifest`] → [`entry_files`], [`marker`] →
//! [`run_manifest`], [`mod@write`].

pub mod entry_files;
pub mod external_sort;
pub mod keys;
pub mod manifest;
pub mod marker;
pub mod record_key;
pub mod run_manifest;
pub mod sink;
pub mod stream_id;
pub mod write;
