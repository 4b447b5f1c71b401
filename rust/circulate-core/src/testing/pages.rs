//! Pages of users to respond with.

use super::ScriptedResponse;

/// Where the practice API lists users.
pub const USERS_URL: &str = "https://acme.okta.com/api/v1/users";

/// The user of this number, last updated at 05:00; with spaces, an escape and a float, which must be kept.
pub fn user(number: u32) -> String {
    user_at(number, "2026-11-22T05:00:00.000Z")
}

/// The user of this number, last updated at `time`.
pub fn user_at(number: u32, time: &str) -> String {
    format!(r#"{{"id" : "00u{number}","lastUpdated":"{time}", "profile":{{"name":"\u00e9 é","x":1.10}}}}"#)
}

/// Users of these numbers.
pub fn users(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(user).collect()
}

/// The URL of the page after user `number`.
pub fn after(number: u32) -> String {
    format!("{USERS_URL}?after=00u%2B{number}%3D&limit=200")
}

/// A page of `records`, with white space between them.
pub fn page(records: &[String]) -> ScriptedResponse {
    ScriptedResponse::new(200, format!("[ {} ]\n", records.join(" ,\r\n  ")))
}
