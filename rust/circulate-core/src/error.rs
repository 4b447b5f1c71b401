//! The one error type of the crate.
//!
//! An error is built where the fact is known: what happened, during which operation, and where. It carries
//! whether trying again can help ([`Status`]), so that callers never match on text.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::redact::Redactor;

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, coarse enough to choose an exception class or an exit code by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A source or stream definition is wrong.
    Definition,
    /// A setting, flag or argument is missing or wrong.
    Settings,
    /// The API refused our credentials (401).
    Auth,
    /// The API refused our rights (403).
    Forbidden,
    /// The API kept throttling us.
    RateLimited,
    /// The API refused the request itself (400, 410): a wrong one, or a page that it no longer knows.
    Refused,
    /// The API does not know the address (404).
    NotFound,
    /// The API responded with any other error.
    Api,
    /// The API could not be reached, or the connection broke.
    Network,
    /// The API's response is not what the definition says it is.
    Data,
    /// Code of the user's own raised an error, returned what it may not, or did not return.
    Hook,
    /// A page leads back to one before it: no page of the run counts.
    Cycle,
    /// A plan cannot be made, approved or applied: its object is in another state, it has expired, nobody has agreed.
    Plan,
    /// A plan waits for somebody to approve it.
    Unapproved,
    /// A limit of ours (page, record, nesting) was exceeded.
    Limit,
    /// Objects could not be written or read.
    Storage,
    /// State could not be read or written, or does not fit what was requested.
    State,
    /// Another worker holds the stream.
    Busy,
    /// A stored object differs from what its manifest says.
    Mismatch,
    /// The run was to stop, or a wait would have outlasted its deadline.
    Stopped,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The same call will fail again.
    Permanent,
    /// The same call may succeed a little later.
    Temporary,
    /// It was temporary, and our retries are used up: nobody further out retries it.
    Persistent,
}

/// What an error means for the list that was requested, by the definition of its API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The account lacks what was requested.
    Unavailable,
    /// What the list belongs to does not exist any more.
    Gone,
    /// The list is not given to us, and the rest goes on without it.
    Gap,
    /// The period that was requested has too many records.
    TooMany,
    /// The API no longer knows where the list stood.
    Forgotten,
}

/// The most characters of a message, its causes included, and of each thing that it names.
const MAX_MESSAGE: usize = 4_000;
const MAX_DEFINITION: usize = 20_000;
const MAX_VALUE: usize = 500;

/// What happened, where, and what to do about it. However it is shown, it passes the [`Redactor`] of the process: what an API
/// responded may be part of it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    status: Status,
    once: bool,
    unsent: bool,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    response: Option<(u16, Option<String>)>,
    meaning: Option<Meaning>,
    tried: Option<(u32, Duration)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A permanent error of `kind`, met during `operation` (a short verb phrase such as `"read page"`).
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            status: Status::Permanent,
            once: false,
            unsent: false,
            operation,
            message: message.into(),
            context: Vec::new(),
            hint: None,
            response: None,
            meaning: None,
            tried: None,
            source: None,
        }))
    }

    /// Marks the error as one that may go away by itself.
    pub fn temporary(mut self) -> Self {
        self.0.status = Status::Temporary;
        self
    }

    /// Marks the error as one that may go away by itself, but more likely will not: it is worth one retry.
    pub fn once(mut self) -> Self {
        self.0.once = true;
        self.temporary()
    }

    /// Whether it is worth one retry only.
    pub fn is_worth_one_retry(&self) -> bool {
        self.0.once
    }

    /// Marks a temporary error whose retries are used up; others are left as they are.
    pub fn persistent(mut self) -> Self {
        if self.0.status == Status::Temporary {
            self.0.status = Status::Persistent;
        }
        self
    }

    /// Marks the error as one that came before any byte of the request was sent: it has had no effect.
    pub fn unsent(mut self) -> Self {
        self.0.unsent = true;
        self
    }

    /// Whether it is known that nothing of the request was sent.
    pub fn is_unsent(&self) -> bool {
        self.0.unsent
    }

    /// Adds where it happened: a file, a key, a redacted URL, a page number.
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Says how often it was tried, if that was more than once, and in what time.
    pub fn after(mut self, attempts: u32, time: Duration) -> Self {
        if attempts > 1 {
            self.0.tried = Some((attempts, time));
        }
        self
    }

    /// Says what the reader can do. A later hint replaces an earlier one.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(Redactor::shared().shown_lines(&hint.into(), MAX_MESSAGE));
        self
    }

    /// Keeps which response of the API it is about: the HTTP status, and the vendor's code.
    pub fn with_response(mut self, status: u16, code: Option<String>) -> Self {
        self.0.response = Some((status, code));
        self
    }

    /// The HTTP status and the vendor's code of the response it is about.
    pub fn response(&self) -> Option<(u16, Option<&str>)> {
        self.0.response.as_ref().map(|(status, code)| (*status, code.as_deref()))
    }

    /// Keeps what it means for the list that was requested.
    pub fn with_meaning(mut self, meaning: Option<Meaning>) -> Self {
        self.0.meaning = meaning;
        self
    }

    /// What it means for the list that was requested, if the definition says that.
    pub fn meaning(&self) -> Option<Meaning> {
        self.0.meaning
    }

    /// Keeps the underlying error. Its text is part of the message shown.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether trying again can help.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// What the crate was doing.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What the reader can do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where it happened, and after how many attempts in how many seconds, as name and value pairs.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, String)> {
        let tried = self.0.tried.iter().flat_map(|(attempts, time)| {
            [("attempts", attempts.to_string()), ("seconds", format!("{:.1}", time.as_secs_f64()))]
        });
        self.location().chain(tried)
    }

    fn location(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.context.iter().map(|(name, value)| (*name, Redactor::shared().shown(value, MAX_VALUE)))
    }

    /// What happened and why. An excerpt of a definition, which is the user's own, keeps its lines.
    fn message(&self) -> String {
        let mut message = self.0.message.clone();
        let mut cause: Option<&dyn StdError> = self.0.source.as_deref().map(|s| s as &dyn StdError);
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        let redactor = Redactor::shared();
        if self.0.kind == ErrorKind::Definition {
            redactor.shown_lines(&message, MAX_DEFINITION)
        } else {
            redactor.shown(&message, MAX_MESSAGE)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context: Vec<_> = self.location().map(|(name, value)| format!("{name} {value}")).collect();
        let mut text = self.message();
        if !context.is_empty() {
            text.push_str(" — ");
            text.push_str(&context.join(", "));
        }
        if let Some((attempts, time)) = self.0.tried {
            let tried = format!(" ({attempts} attempts in {})", span_in_words(time));
            text.push_str(&tried);
        }
        // Again: one part of a secret may stand in the message, and the other in a request id.
        f.write_str(&Redactor::shared().shown_lines(&text, MAX_DEFINITION))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({:?}) in {}: {self}", self.0.kind, self.0.status, self.0.operation)?;
        if let Some(hint) = &self.0.hint {
            write!(f, "; hint: {hint}")?;
        }
        Ok(())
    }
}

impl StdError for Error {}

/// A length of time as people read it: `1.4 s`, `3 min 20 s`.
fn span_in_words(span: Duration) -> String {
    if span < Duration::from_millis(59_950) {
        return format!("{:.1} s", span.as_secs_f64());
    }
    let seconds = (span + Duration::from_millis(500)).as_secs();
    format!("{} min {} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_with_causes_and_context() {
        let io = std::io::Error::other("no space left on device");
        let error = Error::new(ErrorKind::Storage, "create object", "cannot write the object")
            .caused_by(io)
            .with("file", "/lake/a.json.gz")
            .with("bytes", 12);
        assert_eq!(
            error.to_string(),
            "cannot write the object: no space left on device — file /lake/a.json.gz, bytes 12"
        );
    }

    #[test]
    fn display_says_how_often_it_was_tried_and_for_how_long() {
        let error = |attempts, millis| {
            let error =
                Error::new(ErrorKind::Api, "request page", "Okta returned 500").with("url", "https://a/b");
            error.after(attempts, Duration::from_millis(millis))
        };
        assert_eq!(
            error(6, 31_240).to_string(),
            "Okta returned 500 — url https://a/b (6 attempts in 31.2 s)"
        );
        let minutes = error(31, 200_400);
        assert!(minutes.to_string().ends_with("(31 attempts in 3 min 20 s)"), "{minutes}");
        let context: Vec<_> = minutes.context().skip(1).collect();
        assert_eq!(context, [("attempts", "31".to_owned()), ("seconds", "200.4".to_owned())]);
        assert!(error(2, 59_960).to_string().ends_with("(2 attempts in 1 min 0 s)"));
        assert_eq!(error(1, 200).to_string(), "Okta returned 500 — url https://a/b");
    }

    #[test]
    fn only_temporary_errors_become_persistent() {
        let permanent = Error::new(ErrorKind::Api, "send", "no").persistent();
        assert_eq!(permanent.status(), Status::Permanent);
        let gave_up = Error::new(ErrorKind::Api, "send", "no").temporary().persistent();
        assert_eq!(gave_up.status(), Status::Persistent);
    }
}
