//! Where the next run begins.

use std::time::Duration;

use jiff::Timestamp;

use super::pull::Pull;
use crate::catalog::Span;
use crate::clock::{earlier, later};
use crate::extract::cursor::FilterTimes;
use crate::state::{LeasedRun, Mode, Position};

/// How far a clock may be off before a time is said to lie in the future.
pub(super) const CLOCK_TOLERANCE: Duration = Duration::from_mins(10);

/// Whether nobody knows how far a poll has read: its records have no time, and no address to go on from came with them.
pub(super) fn is_lost(position: &Position) -> bool {
    position.totals.records > 0 && position.next_url.is_none() && position.watermark.greatest().is_none()
}

/// Whether a poll that is not read to the present has seen a record from the future: its time says nothing of how far it is.
fn is_dated_ahead(position: &Position) -> bool {
    let newest = position.watermark.greatest();
    position.behind.is_some()
        && position.first_server_date.is_some_and(|date| newest > Some(later(date, CLOCK_TOLERANCE)))
}

impl Pull {
    /// Where the next run begins: only an incremental or full pull of a stream with a cursor moves it.
    pub(super) fn next_bound(&self, held: &LeasedRun, position: &Position) -> Option<Timestamp> {
        // What was refused is to be requested again, and of an account without the feature nothing was requested.
        let refused = position.plan.as_ref().is_some_and(|plan| plan.refused() > 0);
        let stays = held.run.mode == Mode::Window
            || refused
            || position.unavailable.is_some()
            || position.ends.contradicted > 0
            || is_dated_ahead(position);
        self.stream().cursor_rule().filter(|rule| !stays && !rule.times().is_empty())?;
        let old = held.run.from_cursor.as_ref().filter(|_| held.run.mode == Mode::Incremental);
        let old = old.map(|cursor| cursor.since);
        position.watermark.next_bound(old, position.first_server_date, self.stream().overlap())
    }

    /// A stream whose API gives something to go on with has a cursor whether or not its records have times.
    pub(super) fn start_of_durable(&self, held: &LeasedRun, position: &Position) -> Option<Timestamp> {
        let rule = self.stream().incremental().filter(|rule| rule.durable.is_some())?;
        let read = held.run.mode != Mode::Window
            && position.unavailable.is_none()
            && position.ends.contradicted == 0;
        let lag = rule.lag.map_or(Duration::ZERO, Span::get);
        let began = position.first_server_date.unwrap_or_else(|| earlier(held.run.started_at, lag));
        read.then(|| earlier(began, rule.overlap.get()))
    }

    /// From where on the next run is shown records, whose bound is `since`: its request may say nothing finer than a day.
    pub(super) fn shown_from(&self, since: Timestamp) -> Timestamp {
        self.stream().incremental().map_or(since, |rule| FilterTimes::of(rule).lower(since))
    }

    /// A polling stream has a cursor even if it has shown no record yet.
    pub(super) fn start_of_poll(&self, held: &LeasedRun, position: &Position) -> Option<Timestamp> {
        let rule = self.stream().incremental().filter(|_| self.stream().polling().is_some())?;
        let polled = held.run.mode != Mode::Window && position.unavailable.is_none();
        let polled = polled && position.ends.contradicted == 0;
        let polled = polled && !is_lost(position) && !is_dated_ahead(position);
        let lag = rule.lag.map_or(Duration::ZERO, Span::get);
        let began = position.first_server_date.unwrap_or_else(|| earlier(held.run.started_at, lag));
        polled.then(|| earlier(began, rule.overlap.get()))
    }
}
