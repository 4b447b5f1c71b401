//! Where a run stands, as state keeps it. Addresses, cursors and ids are an API's, and as long as it likes: what is too large
//! for an item of state is an object beside the parts of the manifest, and the item names it.

use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, TASK};
use super::pull::Pull;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::keys::StreamKeys;
use crate::lake::manifest::{self, PartRef, SCHEMA, read_part, sha256_hex};
use crate::lake::sink::create_same;
use crate::state::{LeasedRun, PollCursor, Position};

/// Bytes of a position that is kept in its item. `DynamoDB` refuses items of more than 400 KB, and bills each kilobyte of each
/// checkpoint.
const MAX_IN_ITEM: usize = 32_000;
/// Bytes of an address that is kept in the item of the cursor: that holds two, and each run another one.
const MAX_URL: usize = 8_000;

/// `poll.json`: the page that the next run of a polling stream goes on with, if its address is a long one.
#[derive(Debug, Serialize, Deserialize)]
struct PollUrl {
    schema: u32,
    run_id: String,
    url: String,
}

impl Pull {
    /// The position of a checkpoint, wherever it is kept.
    pub(super) async fn read_position(&self, stored: &Position) -> Result<Position> {
        let Some(details) = &stored.details else { return Ok(stored.clone()) };
        let whole: Position = read_part(&*self.sink, details).await?;
        // What HTTP cost is counted after the last checkpoint too.
        Ok(Position { traffic: stored.traffic.clone(), ..whole })
    }

    /// The cursor of a polling stream as state keeps it.
    pub(super) async fn keep_poll_url(
        &self,
        held: &LeasedRun,
        keys: &StreamKeys,
        poll: PollCursor,
    ) -> Result<PollCursor> {
        let Some(url) = poll.url.clone().filter(|url| url.len() > MAX_URL) else { return Ok(poll) };
        let key = keys.poll();
        let file = PollUrl { schema: SCHEMA, run_id: held.run.run_id.clone(), url };
        let object = manifest::to_object(key.clone(), &file)?;
        let sha256 = sha256_hex(&object.bytes);
        create_same(&*self.sink, object).await?;
        Ok(PollCursor { url: None, url_at: Some(PartRef { key, sha256, objects: 0, records: 0 }), ..poll })
    }

    /// The page that a cursor of a polling stream goes on with.
    pub(super) async fn poll_url(&self, poll: &PollCursor) -> Result<Option<String>> {
        match &poll.url_at {
            Some(reference) => Ok(Some(read_part::<PollUrl>(&*self.sink, reference).await?.url)),
            None => Ok(poll.url.clone()),
        }
    }
}

impl Attempt<'_> {
    /// The position as state is to keep it.
    pub(super) async fn keep_position(&mut self) -> Result<Position> {
        let size = serde_json::to_vec(&self.position).map(|json| json.len()).map_err(|error| {
            Error::new(ErrorKind::State, "write checkpoint", "cannot write JSON").caused_by(error)
        })?;
        if size <= MAX_IN_ITEM {
            return Ok(self.position.clone());
        }
        let key = self.keys.position(TASK, self.held.fence, self.next_position);
        self.next_position += 1;
        let details = self.write_part(key, &self.position, 0, 0).await?;
        Ok(self.position.in_short(details))
    }
}
