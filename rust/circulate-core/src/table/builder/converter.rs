//! Whole batches in, Arrow out, with a contract on what happens when records drift.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

use super::options::TableOptions;
use super::table_builder::TableBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::table::columns::{Drift, DriftEntry};
use crate::table::schema::{Observed, TableSchema};

/// What happens when records hold what the schema does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// New members become columns; other drift is rescued.
    #[default]
    Evolve,
    /// The columns stay; everything else is rescued.
    Rescue,
    /// Any drift is an error.
    Freeze,
}

/// Converts batches by a schema, a layout and a contract, and keeps count of drift.
#[derive(Debug)]
pub struct Converter {
    schema: TableSchema,
    options: TableOptions,
    contract: Contract,
    fixed: bool,
    builder: TableBuilder,
    drift: Drift,
}

impl Converter {
    /// A converter that begins with `schema`.
    pub fn new(schema: TableSchema, options: TableOptions, contract: Contract) -> Self {
        let fixed = false;
        let builder = builder(&schema, options, contract, fixed);
        Self { schema, options, contract, fixed, builder, drift: Drift::default() }
    }

    /// A converter whose schema is what is declared and, beside it, what the records of a JSON array hold.
    pub fn from_sample(
        declared: &TableSchema,
        options: TableOptions,
        contract: Contract,
        body: &[u8],
    ) -> Result<Self> {
        let mut sample = Observed::default();
        sample.observe_array(body, usize::MAX)?;
        Ok(Self::new(declared.inferred(&sample), options, contract))
    }

    /// One that goes on counting drift from here.
    pub fn after(self, drift: Drift) -> Self {
        Self { drift, ..self }
    }

    /// Readers know the schema, as those of an Arrow stream are: new members are rescued where they would have
    /// become columns.
    pub fn fixed(mut self) -> Self {
        self.fixed = true;
        self.builder = builder(&self.schema, self.options, self.contract, true);
        self
    }

    /// The schema as it is by now.
    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// The Arrow schema of the batches by now.
    pub fn arrow(&self) -> SchemaRef {
        self.builder.arrow()
    }

    /// What drifted so far.
    pub fn drift(&self) -> &Drift {
        &self.drift
    }

    /// Converts the records of a JSON array, however much they become. What drifted in a batch that is refused is not
    /// counted.
    pub fn convert_array(&mut self, body: &[u8]) -> Result<RecordBatch> {
        self.convert_some(body, 0, usize::MAX).map(|(batch, _)| batch)
    }

    /// Converts records of a JSON array, from byte `from` on, until they take `limit` bytes as columns: a record without some
    /// members takes more there than as text. Returns where to go on, which is the length of `body` at the end.
    pub fn convert_some(&mut self, body: &[u8], from: usize, limit: usize) -> Result<(RecordBatch, usize)> {
        let (mut batch, mut drift, mut next) = self.convert(body, from, limit)?;
        if let Some(evolved) = self.builder.evolved() {
            self.builder = builder(&evolved, self.options, self.contract, self.fixed);
            self.schema = evolved;
            let before = drift;
            // With more columns there may be fewer records.
            (batch, drift, next) = self.convert(body, from, limit)?;
            drift.merge_new_members(before);
        }
        if self.contract == Contract::Freeze && !drift.is_empty() {
            return Err(refused(&drift));
        }
        self.drift.merge(drift);
        Ok((batch, next))
    }

    fn convert(&mut self, body: &[u8], from: usize, limit: usize) -> Result<(RecordBatch, Drift, usize)> {
        let pushed = self.builder.push_some(body, from, limit);
        let drift = self.builder.take_drift();
        let next = pushed?;
        Ok((self.builder.finish()?, drift, next))
    }
}

fn builder(schema: &TableSchema, options: TableOptions, contract: Contract, fixed: bool) -> TableBuilder {
    let builder = TableBuilder::new(schema.clone(), options);
    if contract == Contract::Evolve && !fixed && schema.can_grow() { builder.learning() } else { builder }
}

/// Limit of the drifted paths that an error shows.
const MAX_SHOWN: usize = 3;

fn refused(drift: &Drift) -> Error {
    // Errors go to logs, where no data belongs.
    let show = |DriftEntry { path, kind, count, .. }| {
        let often = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        format!("`{path}`: {kind}, {often}")
    };
    let shown: Vec<_> = drift.entries().take(MAX_SHOWN).map(show).collect();
    let more = drift.entries().count().saturating_sub(MAX_SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let message = format!("records are not what the table's schema says: {}{more}", shown.join("; "));
    Error::new(ErrorKind::Data, "convert records", message).hint(
        "declare the columns in the endpoint's definition, or choose the contract `evolve` (new members become \
         columns) or `rescue` (what does not fit goes to the column `_rescued`)",
    )
}
