//! Asking a run to stop, and knowing how long it has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Why a run stopped before its stream was at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Its time was up.
    Deadline,
    /// Somebody requested it: Ctrl-C, SIGTERM, a cancelled call.
    Interrupted,
    /// A wait would have outlasted the deadline or our patience: one that the API demanded, or one that leaves quota to
    /// others.
    Wait(Duration),
}

impl StopReason {
    /// The reason in a word, for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Interrupted => "interrupted",
            Self::Wait(_) => "wait",
        }
    }
}

/// Shared by everyone who may stop a run and everyone who must notice.
#[derive(Debug, Clone)]
pub struct Stop {
    requested: Arc<watch::Sender<Option<StopReason>>>,
    /// What led to it.
    cause: Arc<Mutex<Option<String>>>,
    /// What was at work when it came.
    running: Arc<Mutex<Option<String>>>,
    deadline: Option<Instant>,
    max_wait: Option<Duration>,
}

impl Stop {
    /// A run that may take as long as it needs, or has until `deadline`.
    pub fn new(deadline: Option<Instant>) -> Self {
        Self {
            requested: Arc::new(watch::Sender::new(None)),
            cause: Arc::default(),
            running: Arc::default(),
            deadline,
            max_wait: None,
        }
    }

    /// Rather stops than waits for longer than `span` at a time: where waiting is billed, somebody else can do it.
    pub fn waiting_up_to(self, span: Option<Duration>) -> Self {
        Self { max_wait: span, ..self }
    }

    /// Asks the run to stop; the first reason is the one that counts.
    pub fn request(&self, reason: StopReason) {
        self.set_reason(reason);
    }

    /// The same, and says what led to it: an error that could not be retried in time, or what is waited for.
    pub fn request_because(&self, reason: StopReason, cause: impl Into<String>) {
        if self.set_reason(reason) {
            *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.into());
        }
    }

    /// Says what was being retried when the deadline came. The first cause is the one that counts.
    pub fn was_retrying(&self, error: impl Into<String>) {
        if self.reason() == Some(StopReason::Deadline) {
            let mut cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
            cause.get_or_insert_with(|| error.into());
        }
    }

    /// Says what had not come to its end when the deadline came.
    pub fn was_running(&self, what: &str) {
        if self.reason() == Some(StopReason::Deadline) {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.get_or_insert_with(|| what.to_owned());
        }
    }

    /// The reason in a word, and what led to it: a reason for stopping never replaces the error that caused it.
    pub fn in_words(&self, reason: StopReason) -> String {
        let cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (reason, cause) {
            (StopReason::Deadline, None) => {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
                running.map_or_else(
                    || reason.as_str().to_owned(),
                    |what| format!("deadline, while running {what}"),
                )
            }
            (_, None) | (StopReason::Interrupted, _) => reason.as_str().to_owned(),
            (StopReason::Deadline, Some(error)) => format!("deadline, while retrying: {error}"),
            (StopReason::Wait(_), Some(cause)) => format!("wait: {cause}"),
        }
    }

    /// Returns whether this is the first reason.
    fn set_reason(&self, reason: StopReason) -> bool {
        self.requested.send_if_modified(|requested| {
            let first = requested.is_none();
            requested.get_or_insert(reason);
            first
        })
    }

    /// Why the run should stop, if it should.
    pub fn reason(&self) -> Option<StopReason> {
        let requested = *self.requested.borrow();
        requested.or_else(|| self.deadline.filter(|end| *end <= Instant::now()).map(|_| StopReason::Deadline))
    }

    /// How long the worker has; `None` if it may take as long as it needs.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Resolves when the run should stop.
    pub async fn requested(&self) -> StopReason {
        let mut requested = self.requested.subscribe();
        let by_deadline = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Ok(reason) = requested.wait_for(Option::is_some) => (*reason).unwrap_or(StopReason::Interrupted),
            () = by_deadline => StopReason::Deadline,
        }
    }

    /// Whether a wait of `span` ends before the deadline and is not longer than waits may be.
    pub fn allows(&self, span: Duration) -> bool {
        self.max_wait.is_none_or(|limit| span <= limit)
            && self.deadline.is_none_or(|deadline| Instant::now() + span < deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_reason_counts() {
        let stop = Stop::new(Some(Instant::now() + Duration::from_secs(5)));
        assert_eq!(stop.reason(), None);
        stop.request(StopReason::Interrupted);
        stop.request(StopReason::Wait(Duration::ZERO));
        assert_eq!(stop.requested().await, StopReason::Interrupted);
    }

    #[tokio::test(start_paused = true)]
    async fn the_reason_keeps_the_error_that_caused_it() {
        let stop = Stop::new(Some(Instant::now() + Duration::from_secs(5)));
        stop.was_retrying("too early");
        assert_eq!(stop.in_words(StopReason::Deadline), "deadline");
        tokio::time::advance(Duration::from_secs(5)).await;
        stop.was_retrying("the API returned 500");
        stop.was_retrying("another");
        assert_eq!(stop.in_words(StopReason::Deadline), "deadline, while retrying: the API returned 500");
        let stop = Stop::new(None);
        stop.request_because(StopReason::Wait(Duration::ZERO), "leaving quota");
        stop.request_because(StopReason::Deadline, "too late");
        assert_eq!(stop.in_words(StopReason::Wait(Duration::ZERO)), "wait: leaving quota");
    }

    #[tokio::test(start_paused = true)]
    async fn waits_may_have_a_bound_of_their_own() {
        let stop = Stop::new(None).waiting_up_to(Some(Duration::from_secs(30)));
        assert!(stop.allows(Duration::from_secs(30)) && !stop.allows(Duration::from_secs(31)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_is_a_reason() {
        let stop = Stop::new(Some(Instant::now() + Duration::from_secs(5)));
        assert!(stop.allows(Duration::from_secs(4)) && !stop.allows(Duration::from_secs(6)));
        assert_eq!(stop.requested().await, StopReason::Deadline);
        assert_eq!(stop.reason(), Some(StopReason::Deadline));
    }
}
