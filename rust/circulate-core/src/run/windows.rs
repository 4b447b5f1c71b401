//! A period of a polling stream: it is requested in windows, side by side.

use jiff::Timestamp;

use super::attempt::Attempt;
use super::request::first_request;
use crate::api::http::server_date;
use crate::catalog::Polling;
use crate::clock::{earlier, later};
use crate::error::{Error, ErrorKind, Result};
use crate::extract::cursor::Window;
use crate::extract::plan::Partition;

/// Windows of one run: more would mean that the definition's windows are far too short.
const MAX_WINDOWS: usize = 10_000;

impl Attempt<'_> {
    /// Lists the windows of the period in the plan.
    pub(super) async fn plan_windows(&mut self, polling: &Polling) -> Result<()> {
        let now = self.server_time().await?;
        let kept_since = earlier(now, polling.history.get());
        let requested = self.held.run.window.clone();
        let until = requested.until.map_or(now, |until| until.min(now));
        let mut since = requested.since.unwrap_or(kept_since);
        if since < kept_since {
            self.plan().gaps.push(format!("before {kept_since}, which the API no longer keeps"));
            since = kept_since;
        }
        let step = polling.window.get();
        while since < until && self.planned.len() < MAX_WINDOWS {
            let end = later(since, step).min(until);
            self.planned.push(Partition::of_window(since, end));
            since = end;
        }
        if since < until {
            return Err(Error::new(ErrorKind::Settings, "plan", "the part of time is too long")
                .hint("ask for it in pieces, with `since` and `until`"));
        }
        self.plan().complete = true;
        self.checkpoint().await
    }

    /// The server's time, which any response has. A small page of the stream is requested: nothing else needs to be within
    /// our rights.
    pub(super) async fn server_time(&self) -> Result<Timestamp> {
        let mut small = self.pull.stream().clone();
        if let Some(size) = &mut small.page_size {
            size.preferred = Some(size.min);
        }
        let request = first_request(&self.pull.account, &small, None, None, &Window::default())?;
        match server_date(&self.client.fetch_headers(request).await?) {
            Some(date) => Ok(date),
            None => self.pull.store.now().await,
        }
    }
}
