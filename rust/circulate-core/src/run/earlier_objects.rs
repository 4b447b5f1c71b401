//! Keys of the records of a run that wrote none: read from its objects.

use crate::catalog::Pointer;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::manifest::{Identity, Index, Part, read_body, read_part};
use crate::lake::record_key::{KEY_ENTRY, KeyBuilder, KeyValue, key_entry};
use crate::lake::sink::Sink;
use crate::page::Watch;

/// Shows `push` the key of each record of a run that has one, an object at a time. What can't be read, or is not as it was
/// written, is a mismatch.
pub(super) async fn keys_of_objects(
    sink: &dyn Sink,
    index: &Index,
    identity: &Identity,
    push: &mut (impl FnMut([u8; KEY_ENTRY]) -> Result<()> + Send),
) -> Result<()> {
    let parents = identity.parents.iter().map(|name| {
        let pointer =
            Pointer::try_from(format!("/_circulate/parent/{}", name.replace('~', "~0").replace('/', "~1")));
        pointer.map_err(|why| Error::new(ErrorKind::Data, "read keys", why))
    });
    let mut members = parents.collect::<Result<Vec<_>>>()?;
    let parents = members.len();
    members.extend(identity.primary_key.iter().cloned());
    let watch = Watch::new(Pointer::default(), &members, &[]);
    for reference in &index.parts {
        let part: Part = read_part(sink, reference).await?;
        if part.format.is_columnar() && !part.objects.is_empty() {
            let what = "it is of a version that wrote no keys of tables";
            return Err(Error::new(ErrorKind::Mismatch, "read keys", what));
        }
        for object in &part.objects {
            let body = read_body(sink, part.compression, object).await?;
            let mut builder = KeyBuilder::default();
            part.format.for_each_record(&body, &watch, |record| {
                let mut scope = None;
                for number in 0..members.len() {
                    if number == parents {
                        scope = Some(builder.scope());
                    }
                    builder.value(record.field(number).map_or(KeyValue::Missing, KeyValue::Json));
                }
                match (scope, builder.finish()) {
                    (Some(scope), Some(key)) => push(key_entry(scope, key)),
                    _ => Ok(()),
                }
            })?;
        }
    }
    Ok(())
}
