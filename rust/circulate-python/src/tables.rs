//! Records as Arrow tables: the classes `Tables`, `Table` and `Schema` of the module.
//!
//! Arrow leaves by the Arrow `PyCapsule` interface
//! (<https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>): whoever takes it needs no copy, and
//! nobody needs a library of ours.

use std::ffi::CStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::ArrowError;
use arrow_schema::SchemaRef;
use arrow_schema::ffi::FFI_ArrowSchema;
use bytes::Bytes;
use circulate_core::error::Result;
use circulate_core::extract::batch::Memory;
use circulate_core::table::{Contract, Converter, TableOptions, TableSchema, conform};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::catalog::PyCatalog;
use crate::options::Arguments;
use crate::pull::Tables as TableArguments;
use crate::read::Reader;
use crate::results::{document, py_result};

/// Makes tables of batches of a stream. The first batch shows the columns that the definition does not.
#[pyclass(frozen, name = "Tables", module = "circulate_core._core")]
pub(crate) struct PyTables {
    /// What the definition says of its columns.
    declared: TableSchema,
    options: TableOptions,
    contract: Contract,
    converter: Mutex<Option<Converter>>,
}

#[pymethods]
impl PyTables {
    #[new]
    fn new(
        py: Python<'_>,
        catalog: &PyCatalog,
        stream: &str,
        options: Arguments<TableArguments>,
    ) -> PyResult<Self> {
        let TableArguments { nested, raw, contract } = options.get()?;
        let definition = py_result(py, catalog.0.stream(stream))?;
        let declared = TableSchema::of(&definition.endpoint, definition.names_of_parents());
        Ok(Self { declared, options: TableOptions { nested, raw }, contract, converter: Mutex::default() })
    }

    /// Convert a batch, given as JSON array. The columns of the first one are those of all.
    fn convert(&self, py: Python<'_>, batch: &[u8]) -> PyResult<Table> {
        let (batch, _) = py_result(py, py.detach(|| self.fixed(batch, 0, usize::MAX)))?;
        Ok(Table { schema: batch.schema(), batches: vec![batch] })
    }

    /// Read a stream to its end. New members become columns.
    fn table(&self, py: Python<'_>, reader: &Reader) -> PyResult<Table> {
        let mut batches = Vec::new();
        while let Some(batch) = reader.wait(py)? {
            batches.push(py_result(py, py.detach(|| self.evolving(&batch)))?);
        }
        let schema = py_result(py, self.arrow())?;
        let conformed: Result<_> = batches.iter().map(|batch| conform(batch, &schema)).collect();
        Ok(Table { batches: py_result(py, conformed)?, schema })
    }

    /// Read a stream as an Arrow stream. Its columns are those of its first batch. `at_end` is called when it was read to its
    /// end.
    fn stream<'py>(
        slf: Bound<'py, Self>,
        reader: Bound<'py, Reader>,
        at_end: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        let tables = slf.get();
        let mut pending = reader.get().wait(py)?.map(PendingRecords::new);
        let first = match &mut pending {
            Some(pending) => Some(py_result(py, py.detach(|| pending.next(tables)))?),
            None => None,
        };
        let batches = Batches {
            schema: py_result(py, tables.arrow())?,
            first,
            pending,
            tables: slf.unbind(),
            reader: reader.unbind(),
            at_end,
        };
        stream_capsule(py, batches)
    }

    /// The columns as known by now: with their types and origins, and as Arrow.
    fn schema(&self, py: Python<'_>) -> PyResult<Schema> {
        let schemas =
            py_result(py, self.with(|converter| Ok((converter.schema().clone(), converter.arrow()))))?;
        Ok(Schema { columns: document(py, &schemas.0)?, arrow: schemas.1 })
    }

    /// What drifted so far.
    fn drift(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        document(py, &py_result(py, self.with(|converter| Ok(converter.drift().clone())))?)
    }
}

impl PyTables {
    fn converter(&self) -> MutexGuard<'_, Option<Converter>> {
        self.converter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The converter, which knows only what is declared if there has been no batch.
    fn with<T>(&self, look: impl FnOnce(&Converter) -> Result<T>) -> Result<T> {
        match &*self.converter() {
            Some(converter) => look(converter),
            None => look(&Converter::new(self.declared.clone(), self.options, self.contract)),
        }
    }

    fn arrow(&self) -> Result<SchemaRef> {
        self.with(|converter| Ok(converter.arrow()))
    }

    fn first(&self, batch: &[u8]) -> Result<Converter> {
        Converter::from_sample(&self.declared, self.options, self.contract, batch)
    }

    /// For readers who know the schema: records from byte `from` on that take about `limit` bytes, and where to go on.
    fn fixed(&self, batch: &[u8], from: usize, limit: usize) -> Result<(RecordBatch, usize)> {
        let mut converter = self.converter();
        if converter.is_none() {
            *converter = Some(self.first(batch)?.fixed());
        }
        match &mut *converter {
            Some(converter) => converter.convert_some(batch, from, limit),
            None => unreachable!("it was made above"),
        }
    }

    fn evolving(&self, batch: &[u8]) -> Result<RecordBatch> {
        let mut converter = self.converter();
        if converter.is_none() {
            *converter = Some(self.first(batch)?);
        }
        match &mut *converter {
            Some(converter) => converter.convert_array(batch),
            None => unreachable!("it was made above"),
        }
    }
}

/// Records that are converted in pieces, since they may take far more memory as columns than as text.
struct PendingRecords {
    records: Bytes,
    from: usize,
}

impl PendingRecords {
    fn new(records: Bytes) -> Self {
        Self { records, from: 0 }
    }

    fn next(&mut self, tables: &PyTables) -> Result<RecordBatch> {
        let batch;
        (batch, self.from) = tables.fixed(&self.records, self.from, Memory::default().for_columns())?;
        Ok(batch)
    }

    fn is_done(&self) -> bool {
        self.from >= self.records.len()
    }
}

/// A table in memory.
#[pyclass(frozen, module = "circulate_core._core")]
pub(crate) struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

#[pymethods]
impl Table {
    fn __len__(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The table as an Arrow stream. Another schema than its own is not converted to.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let batches = arrow_array::RecordBatchIterator::new(
            self.batches.clone().into_iter().map(Ok),
            Arc::clone(&self.schema),
        );
        stream_capsule(py, batches)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.schema)
    }
}

/// The columns of a table.
#[pyclass(frozen, module = "circulate_core._core")]
pub(crate) struct Schema {
    /// With their types and origins.
    #[pyo3(get)]
    columns: Py<PyAny>,
    arrow: SchemaRef,
}

#[pymethods]
impl Schema {
    /// Names of all columns of the table.
    #[getter]
    fn names(&self) -> Vec<&str> {
        self.arrow.fields().iter().map(|field| field.name().as_str()).collect()
    }

    pub(crate) fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.arrow)
    }
}

/// Columns of records, and all of a table as Arrow.
pub(crate) fn schema_of(py: Python<'_>, columns: &TableSchema, arrow: SchemaRef) -> PyResult<Schema> {
    Ok(Schema { columns: document(py, columns)?, arrow })
}

/// A stream that is converted while it is read.
struct Batches {
    schema: SchemaRef,
    first: Option<RecordBatch>,
    pending: Option<PendingRecords>,
    tables: Py<PyTables>,
    reader: Py<Reader>,
    at_end: Py<PyAny>,
}

impl Batches {
    fn read(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        if let Some(pending) = self.pending.as_mut().filter(|pending| !pending.is_done()) {
            return Some(pending.next(self.tables.get()).map_err(external));
        }
        // Before more is read, so that there are not two.
        self.pending = None;
        let next = Python::try_attach(|py| match self.reader.get().wait(py) {
            Ok(None) => self.at_end.call0(py).err().map(|error| Err(external(kept(py, &error)))),
            Ok(Some(batch)) => {
                let pending = self.pending.insert(PendingRecords::new(batch));
                Some(py.detach(|| pending.next(self.tables.get())).map_err(external))
            }
            Err(error) => Some(Err(external(kept(py, &error)))),
        });
        next.unwrap_or_else(|| Some(Err(ArrowError::ComputeError("the interpreter has ended".to_owned()))))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.first.take().map(Ok).or_else(|| self.read())
    }
}

impl RecordBatchReader for Batches {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

pub(crate) fn external(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ArrowError {
    ArrowError::ExternalError(error.into())
}

/// An Arrow stream reports an error as text, from which its reader makes an exception of its own. Ctrl-C is too important
/// to end so: it comes again once the reader is back in Python, which is why the text is made before.
pub(crate) fn kept(py: Python<'_>, error: &PyErr) -> String {
    let message = error.to_string();
    if error.is_instance_of::<pyo3::exceptions::PyKeyboardInterrupt>(py) {
        // If it can't come again, the reader's own exception is what is left.
        let _ = py.import("_thread").and_then(|thread| thread.call_method0("interrupt_main"));
    }
    message
}

pub(crate) fn stream_capsule(
    py: Python<'_>,
    batches: impl RecordBatchReader + Send + 'static,
) -> PyResult<Bound<'_, PyCapsule>> {
    const NAME: &CStr = c"arrow_array_stream";
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), NAME)
}

fn schema_capsule<'py>(py: Python<'py>, schema: &SchemaRef) -> PyResult<Bound<'py, PyCapsule>> {
    const NAME: &CStr = c"arrow_schema";
    let exported = FFI_ArrowSchema::try_from(&**schema)
        .map_err(|error| PyValueError::new_err(format!("cannot export the schema: {error}")))?;
    PyCapsule::new_with_value(py, exported, NAME)
}
