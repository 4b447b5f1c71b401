//! How many requests are on their way at the same time: more while all goes well, half when the API finds it too many.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Places for requests. Their number grows by one with every success, up to a bound, and is halved when the API says that
/// there were too many at once (additive increase, multiplicative decrease).
#[derive(Debug)]
pub struct ConcurrencyLimiter {
    limit: usize,
    state: Mutex<LimiterState>,
    freed: Notify,
}

#[derive(Debug)]
struct LimiterState {
    allowed: usize,
    used: usize,
}

impl ConcurrencyLimiter {
    /// One slot at first, and never more than `limit`.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            state: Mutex::new(LimiterState { allowed: 1, used: 0 }),
            freed: Notify::new(),
        }
    }

    /// Waits for a place.
    pub async fn take(&self) -> ConcurrencyPermit<'_> {
        loop {
            let freed = self.freed.notified();
            if let Some(slot) = self.try_take() {
                return slot;
            }
            freed.await;
        }
    }

    /// How many requests may be on their way now.
    pub fn allowed(&self) -> usize {
        self.state().allowed
    }

    fn try_take(&self) -> Option<ConcurrencyPermit<'_>> {
        let mut state = self.state();
        (state.used < state.allowed).then(|| {
            state.used += 1;
            ConcurrencyPermit { slots: self }
        })
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place for one request; dropping it makes room for the next.
#[derive(Debug)]
pub struct ConcurrencyPermit<'s> {
    slots: &'s ConcurrencyLimiter,
}

impl ConcurrencyPermit<'_> {
    /// The request succeeded: one more may be on its way from now on.
    pub fn succeeded(&self) {
        let mut state = self.slots.state();
        state.allowed = (state.allowed + 1).min(self.slots.limit);
    }

    /// There were too many at once.
    pub fn crowded(&self) {
        let mut state = self.slots.state();
        state.allowed = (state.allowed / 2).max(1);
    }
}

impl Drop for ConcurrencyPermit<'_> {
    fn drop(&mut self) {
        self.slots.state().used -= 1;
        // A success makes room for two, a crowd for none: whoever wakes looks again.
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slots_grow_by_one_with_every_success_and_are_halved_by_a_crowd() {
        let slots = ConcurrencyLimiter::new(5);
        for allowed in [1, 2, 3, 4, 5, 5] {
            assert_eq!(slots.allowed(), allowed);
            slots.take().await.succeeded();
        }
        for allowed in [2, 1, 1] {
            slots.take().await.crowded();
            assert_eq!(slots.allowed(), allowed);
        }
    }

    #[tokio::test]
    async fn a_slot_that_is_freed_is_taken_by_who_waits() {
        let slots = ConcurrencyLimiter::new(5);
        let held = slots.take().await;
        let waiting = async { slots.take().await.succeeded() };
        let freeing = async {
            tokio::task::yield_now().await;
            assert!(slots.try_take().is_none());
            drop(held);
        };
        tokio::join!(waiting, freeing);
        assert_eq!(slots.allowed(), 2);
    }
}
