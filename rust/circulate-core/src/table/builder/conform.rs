//! Batches of an earlier schema brought to a later one, so that they can stand in one table.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array};
use arrow_schema::ArrowError;
use arrow_schema::{DataType, FieldRef, Fields, SchemaRef};

use crate::error::{Error, ErrorKind, Result};

/// The batch with the columns of `later`, a schema that its own one evolved into: what it does not have is null, at every depth.
pub fn conform(batch: &RecordBatch, later: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == later {
        return Ok(batch.clone());
    }
    let arrays = columns(batch.schema().fields(), batch.columns(), later.fields(), batch.num_rows());
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let conformed =
        arrays.and_then(|arrays| RecordBatch::try_new_with_options(Arc::clone(later), arrays, &options));
    conformed.map_err(|error| {
        Error::new(ErrorKind::Data, "conform batch", "the batch does not fit the later schema")
            .caused_by(error)
    })
}

fn columns(
    fields: &Fields,
    arrays: &[ArrayRef],
    later: &Fields,
    rows: usize,
) -> Result<Vec<ArrayRef>, ArrowError> {
    if let Some(missing) = fields.iter().find(|field| later.find(field.name()).is_none()) {
        return Err(misfit(missing.name()));
    }
    let column = |field: &FieldRef| match fields.find(field.name()) {
        Some((index, _)) => brought(&arrays[index], field),
        None => Ok(new_null_array(field.data_type(), rows)),
    };
    later.iter().map(column).collect()
}

fn brought(array: &ArrayRef, later: &FieldRef) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), later.data_type()) {
        (there, expected) if there == expected => Ok(Arc::clone(array)),
        (DataType::Struct(fields), DataType::Struct(later)) => {
            let members = array.as_struct();
            let arrays = columns(fields, members.columns(), later, array.len())?;
            Ok(Arc::new(StructArray::try_new(later.clone(), arrays, array.nulls().cloned())?))
        }
        (DataType::List(_), DataType::List(element)) => {
            let list = array.as_list::<i32>();
            let values = brought(list.values(), element)?;
            let nulls = array.nulls().cloned();
            Ok(Arc::new(ListArray::try_new(Arc::clone(element), list.offsets().clone(), values, nulls)?))
        }
        _ => Err(misfit(later.name())),
    }
}

fn misfit(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("column `{name}` of the batch has no place in it"))
}
