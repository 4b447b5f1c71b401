//! Why there was no response, or not all of one: decided here, with whether another try may help.

use std::error::Error as StdError;

use crate::error::{Error, ErrorKind};
use crate::net;

/// How far a request had come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    /// While doing what.
    pub(super) operation: &'static str,
    pub(super) is_timeout: bool,
    /// There was no connection yet.
    pub(super) is_connect: bool,
}

/// Says what a person would look at first, and the innermost cause: those between repeat each other. The URL is left to
/// the caller, who redacts it.
pub(super) fn connection_error(met: Met, error: &(dyn StdError + 'static)) -> Error {
    let Met { operation, is_timeout, is_connect } = met;
    if let Some(trouble) = net::tls_trouble(error) {
        let message = format!("the server can't be trusted: {}", trouble.what);
        // Before there is trust, nothing but a handshake is sent.
        return Error::new(ErrorKind::Network, operation, message).hint(trouble.hint).unsent();
    }
    if let Some(parsing) = net::find::<hyper::Error>(error).filter(|error| error.is_parse()) {
        return not_http(parsing);
    }
    let message = match (is_timeout, is_connect) {
        (true, true) => "the API did not accept a connection in time",
        (true, false) => "the API stopped responding",
        (false, true) => "cannot connect to the API",
        (false, false) => "the connection broke before the response was complete",
    };
    let error = Error::new(ErrorKind::Network, operation, message).temporary().caused_by(innermost(error));
    if is_connect { error.unsent() } else { error }
}

/// The same bytes would come again.
fn not_http(error: &hyper::Error) -> Error {
    let why = error.to_string();
    let data = |message: &str| Error::new(ErrorKind::Data, "read response", message);
    if why.contains("too large") {
        return data("the response has more header lines, or longer ones, than are read: 100 lines, 400 KB");
    }
    if why.contains("header") {
        return data("a header line of the response is not HTTP: it has a control character, or an invalid name")
            .caused_by(why)
            .hint(
                "which header it is shows `curl --silent --dump-header - --output /dev/null URL | cat -v`; the API, or \
                 something in between, has to send it otherwise",
            );
    }
    data("the response is not HTTP").caused_by(why).hint("is it an http(s) address, and the right port?")
}

fn innermost(error: &dyn StdError) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
