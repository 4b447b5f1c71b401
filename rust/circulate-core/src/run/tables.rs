//! Tables of a run: the columns it begins with, and remembering those it has come to.
//!
//! Readers of a lake know its columns, so a run goes on with those of the last complete one.

use super::attempt::{Attempt, TASK};
use super::pull::Pull;
use crate::encode::{TableRules, TableState};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::manifest::{self, Index, Tables, read_part};
use crate::state::{LeasedRun, Position, StreamState};
use crate::table::{Drift, TableSchema};

impl Pull {
    /// What is known of the columns when an attempt begins.
    pub(super) async fn table_rules(&self, held: &LeasedRun) -> Result<TableRules> {
        let endpoint = &self.definition.endpoint;
        let (options, contract) = (self.options.tables, self.options.contract);
        let declared = TableSchema::of(endpoint, self.definition.names_of_parents());
        let mut rules =
            TableRules { known: declared, written: false, drift: Drift::default(), options, contract };
        if !self.options.objects.format.is_columnar() {
            return Ok(rules);
        }
        let of_this_run = self.tables_at(&held.position).await?;
        if let Some(tables) = &of_this_run {
            rules.drift = tables.drift.clone();
        }
        let before = match of_this_run {
            Some(tables) => Some(tables),
            None => self.tables_of_last_run().await?,
        };
        let Some(before) = before.filter(|before| !before.empty) else { return Ok(rules) };
        self.same_layout(&before)?;
        rules.known = before.columns.with_declared(endpoint);
        rules.written = true;
        Ok(rules)
    }

    /// Another layout than that of the tables there is refused, before a run is opened for it.
    pub(super) async fn check_layout(&self) -> Result<()> {
        if !self.options.objects.format.is_columnar() {
            return Ok(());
        }
        let before = self.tables_of_last_run().await?.filter(|before| !before.empty);
        before.map_or(Ok(()), |before| self.same_layout(&before))
    }

    fn same_layout(&self, before: &Tables) -> Result<()> {
        let (there, requested) = (before.options.nested.as_str(), self.options.tables.nested.as_str());
        if there == requested {
            return Ok(());
        }
        let what = format!("the tables of this stream were laid out as `{there}`, not as `{requested}`");
        Err(Error::new(ErrorKind::Settings, "open run", what).hint(format!(
            "readers know these columns: pull with `{there}` (`nested`), or into another place"
        )))
    }

    /// The tables of the last complete run, if that is what it wrote.
    async fn tables_of_last_run(&self) -> Result<Option<Tables>> {
        let stream = self.stream_id();
        let head = StreamState::head(&*self.store, &stream).await?;
        let Some(run_id) = head.and_then(|head| head.last_complete) else { return Ok(None) };
        let run = StreamState::run(&*self.store, &stream, &run_id).await?;
        let Some(key) = run.and_then(|run| run.manifest) else { return Ok(None) };
        // It is in another place, if that is where the stream went before.
        let Some(bytes) = self.sink.read(&key).await? else { return Ok(None) };
        let index: Index = manifest::parse(&key, &bytes)?;
        Ok(index.tables)
    }

    /// The tables as of a position.
    pub(super) async fn tables_at(&self, position: &Position) -> Result<Option<Tables>> {
        match &position.tables {
            Some(reference) => read_part(&*self.sink, reference).await.map(Some),
            None => Ok(None),
        }
    }
}

impl Attempt<'_> {
    /// Writes the columns down, if there are others or more drift since the last checkpoint.
    pub(super) async fn note_tables(&mut self) -> Result<()> {
        let options = self.pull.options.tables;
        let Some(TableState { columns, drift, empty }) = self.writer.known() else { return Ok(()) };
        let same = |noted: &Tables| (&noted.columns, &noted.drift, noted.empty) == (columns, drift, empty);
        if self.tables.as_ref().is_some_and(same) {
            return Ok(());
        }
        let tables = Tables { columns: columns.clone(), options, drift: drift.clone(), empty };
        // Others come with objects only; a checkpoint without any, such as that of a plan, makes no part either.
        let key = self.keys.tables(TASK, self.held.fence, self.writer.next_sequence());
        self.position.tables = Some(self.write_part(key, &tables, 0, 0).await?);
        self.tables = Some(tables);
        Ok(())
    }
}
