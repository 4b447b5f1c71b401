//! Errors inside of successes, by what the bodies of these say.

use http::{HeaderMap, StatusCode};

use super::Watch;
use super::format::Intake;
use super::record::{ByteSpan, Splitter};
use crate::api::http::{Failure, Success};

/// How many bytes are looked at of a member that shows whether a page is an error; as many as of an error response.
pub(super) const MAX_ERROR_FIELD: u64 = 64 * 1024;

/// What a body has in a place that shows whether it is an error.
pub(super) type ErrorField = Option<Vec<u8>>;

/// Judges whether a success is an error.
pub(super) struct ErrorInside<'p, J> {
    pub(super) status: StatusCode,
    pub(super) headers: &'p HeaderMap,
    pub(super) watch: &'p Watch,
    /// The largest record.
    pub(super) max_record: u64,
    /// Record limit of a page.
    pub(super) max_records: usize,
    /// Says it by status, headers and what a body has.
    pub(super) judge: J,
}

impl<J> ErrorInside<'_, J>
where
    J: Fn(StatusCode, &HeaderMap, &[ErrorField]) -> Result<Success, Failure>,
{
    /// Fails if it is one, by what its body says.
    pub(super) fn judge(&self, said: &[ErrorField]) -> Result<Success, Failure> {
        (self.judge)(self.status, self.headers, said)
    }

    /// What a body that a hook is about to get says where errors do, if it is JSON; nothing if it is something else.
    pub(super) fn said_in(&self, body: &[u8]) -> Vec<ErrorField> {
        let is_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
        if self.watch.error_fields() == 0 || !is_json {
            return Vec::new();
        }
        let mut pass = Intake::of_json(Splitter::new(self.watch, self.max_record, self.max_records));
        if pass.feed(body).is_err() || pass.end().is_err() {
            return Vec::new();
        }
        let start = |span: &ByteSpan| {
            let start = usize::try_from(span.start).ok()?;
            let end = usize::try_from(span.end.min(span.start + MAX_ERROR_FIELD)).ok()?;
            body.get(start..end).map(<[u8]>::to_vec)
        };
        pass.error_fields().iter().map(|span| span.as_ref().and_then(start)).collect()
    }
}
