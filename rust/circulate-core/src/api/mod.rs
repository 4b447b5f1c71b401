//! The API of a source: whose account, how it is signed in to, and requests with their limits and retries.
//!
//! [`account`], [`http`] → [`hooks`] → [`auth`], [`page_request`] → [`client`].

pub mod account;
pub mod auth;
pub mod client;
pub mod hooks;
pub mod http;
pub mod page_address;
pub mod page_request;
