//! What happens to a run while it goes on, for logs: events of `tracing`, all with the target [`TARGET`].
//!
//! Who listens takes in events of this target only: those of other crates may hold secrets. Names, levels and fields are in
//! one table, below. Each event also has `event` (its name), `message` (the same in a sentence), `work` (a number by which
//! works side by side are distinguished), and `run_id`, `stream` and `account` once these are known. They are given
//! as arguments rather than by spans, which do not reach tasks that a run starts.
//!
//! Levels: a retry is a warning, since something failed that need not have. What a run does a few times is information; an
//! object is for those who look for a fault, since there may be a million of them. Where nobody listens, nothing is formatted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::Metadata;

use crate::redact::Redactor;

/// The target of all events of this crate.
pub const TARGET: &str = "circulate_core";

/// The most characters of a text in an event.
const MAX_TEXT: usize = 4_000;

/// Whether this is about an event of this crate.
pub fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET && metadata.is_event()
}

static WORKS: AtomicU64 = AtomicU64::new(1);

/// An event as it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: &'static str,
    /// Its level.
    pub level: tracing::Level,
    /// When it happens.
    pub about: &'static str,
    /// Names of the fields that it has besides those of all.
    pub fields: &'static [&'static str],
}

/// What events are about, and who sends them: one pull, promotion or read.
#[derive(Debug)]
pub struct Events {
    work: u64,
    subject: Mutex<Subject>,
}

#[derive(Debug, Clone, Default)]
struct Subject {
    stream: Option<String>,
    account: Option<String>,
    run_id: Option<String>,
}

impl Default for Events {
    fn default() -> Self {
        Self { work: WORKS.fetch_add(1, Ordering::Relaxed), subject: Mutex::default() }
    }
}

impl Events {
    /// The number in the field `work`.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Events are about this stream from now on, and about no run yet.
    pub(crate) fn set_stream(&self, stream: &str, account: &str) {
        let (stream, account) = (Some(stream.to_owned()), Some(account.to_owned()));
        *self.subject.lock().unwrap_or_else(PoisonError::into_inner) =
            Subject { stream, account, run_id: None };
    }

    /// Events are about this run from now on.
    pub(crate) fn set_run(&self, run_id: &str) {
        self.subject.lock().unwrap_or_else(PoisonError::into_inner).run_id = Some(run_id.to_owned());
    }

    pub(crate) fn run_id(&self) -> Option<String> {
        self.subject().run_id
    }

    fn subject(&self) -> Subject {
        self.subject.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Subject {
    /// What happened, after the name of the stream.
    fn line(&self, what: fmt::Arguments<'_>) -> String {
        match &self.stream {
            Some(stream) => shown(&format!("{stream}: {what}")),
            None => shown(&what.to_string()),
        }
    }
}

fn shown(text: &str) -> String {
    Redactor::shared().shown(text, MAX_TEXT)
}

/// A number with its noun: `1 page`, `2 pages`.
fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// An argument of an event, as its field has it: texts may come from an API.
trait EventArgument {
    fn value(self) -> impl tracing::Value;
}

impl EventArgument for &str {
    fn value(self) -> impl tracing::Value {
        shown(self)
    }
}

impl EventArgument for u64 {
    fn value(self) -> impl tracing::Value {
        self
    }
}

impl EventArgument for f64 {
    fn value(self) -> impl tracing::Value {
        self
    }
}

impl EventArgument for bool {
    fn value(self) -> impl tracing::Value {
        self
    }
}

macro_rules! events {
    ($(#[doc = $about:literal] $level:ident $name:ident($($field:ident: $type:ty),* $(; $said:ident: $said_type:ty)?) => ($($message:tt)*);)*) => {
        /// All events.
        pub const DECLARED: &[Declared] = &[$(Declared {
            name: stringify!($name),
            level: tracing::Level::$level,
            about: $about,
            fields: &[$(stringify!($field)),*],
        }),*];

        impl Events {
            $(
                #[doc = $about]
                pub(crate) fn $name(&self, $($field: $type,)* $($said: $said_type)?) {
                    if !tracing::event_enabled!(target: TARGET, tracing::Level::$level) {
                        return;
                    }
                    let subject = self.subject();
                    tracing::event!(
                        target: TARGET,
                        tracing::Level::$level,
                        work = self.work,
                        event = stringify!($name),
                        run_id = subject.run_id,
                        stream = subject.stream,
                        account = subject.account,
                        $($field = EventArgument::value($field),)*
                        message = subject.line(format_args!($($message)*)),
                    );
                }
            )*
        }
    };
}

events! {
    #[doc = "This worker holds a run, which it began or takes up; `fence` is its number among the workers of the run."]
    INFO lease_acquired(mode: &str, resumed: bool, fence: u64) => ("holds the lease of the run ({mode}, worker {fence} of it)");

    #[doc = "A request failed, and is retried after a wait. `attempts` is how often it was sent so far."]
    WARN request_retried(url: &str, attempts: u64, wait_seconds: f64, error: &str) => ("retrying in {wait_seconds:.1} s: {error}");

    #[doc = "The API responded that it wants fewer requests (429). The wait follows, as that of a retry."]
    INFO throttled(url: &str, error: &str) => ("throttled: {error}");

    #[doc = "Something else that a person should know, such as that a run starts over. Its message says it."]
    INFO note(; text: &str) => ("{text}");

    #[doc = "An object is in the place: durable, and listed with the next checkpoint."]
    DEBUG object_stored(key: &str, records: u64, bytes: u64) => ("stored {key} ({}, {bytes} bytes)", counted(records, "record"));

    #[doc = "The next start goes on from here. The sums are those of the run."]
    INFO checkpoint_written(pages: u64, records: u64, objects: u64, bytes: u64) => (
        "checkpoint at {}, {}, {}", counted(pages, "page"), counted(records, "record"), counted(objects, "object")
    );

    #[doc = "The run counts, and readers of the lake see it. `manifest` is the key of its index."]
    INFO run_committed(manifest: &str, records: u64, objects: u64, bytes: u64) => ("the run is committed: {} in {}", counted(records, "record"), counted(objects, "object"));
}

#[cfg(test)]
#[path = "tests/events.rs"]
mod tests;
