//! The loop by which a run reads, whatever it reads from.

use super::attempt::{Attempt, AttemptEnd};
use super::fetch::Step;
use crate::error::{Error, Result};
use crate::stop::StopReason;

/// What a run reads from: one list, or several side by side.
pub(super) trait PageSource {
    /// What names one of its lists.
    type List;

    /// The page that comes next, or what came instead of it, and of which list; `None` once all lists were read.
    async fn next(&mut self, attempt: &mut Attempt<'_>) -> Result<Option<(Self::List, Result<Step>)>>;

    /// Takes a page in.
    async fn take_in(&mut self, attempt: &mut Attempt<'_>, list: Self::List, step: Step) -> Result<()>;

    /// Settles an error that came instead of a page. Returns how the attempt ends, if it does.
    async fn settle(
        &mut self,
        attempt: &mut Attempt<'_>,
        list: Self::List,
        error: Error,
    ) -> Result<Option<AttemptEnd>>;

    /// Stops between two pages: the next start goes on from there.
    async fn stop(&mut self, attempt: &mut Attempt<'_>, reason: StopReason) -> Result<AttemptEnd> {
        attempt.checkpoint().await?;
        Ok(AttemptEnd::Early(reason))
    }
}

impl Attempt<'_> {
    /// Reads all there is, with a checkpoint now and then, until something stops it.
    pub(super) async fn read(&mut self, mut source: impl PageSource) -> Result<AttemptEnd> {
        while let Some((list, step)) = source.next(self).await? {
            match step {
                Ok(step) => source.take_in(self, list, step).await?,
                Err(error) => {
                    if let Some(end) = source.settle(self, list, error).await? {
                        return Ok(end);
                    }
                }
            }
            if self.position.finished {
                break;
            }
            if self.checkpoint_is_due() {
                self.checkpoint().await?;
            }
            if let Some(reason) = self.pull.stop.reason() {
                return source.stop(self, reason).await;
            }
        }
        self.checkpoint().await?;
        Ok(AttemptEnd::OfTheList)
    }
}
