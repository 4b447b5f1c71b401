//! The schemas that editors complete definitions by.

use std::path::Path;

use super::*;
use crate::catalog;

/// Run with `UPDATE_SCHEMAS=1` to write them.
#[test]
fn the_schemas_beside_the_catalog_are_those_of_the_model() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/circulate_core/catalog");
    for (name, schema) in catalog::json_schemas().into_iter().chain(json_schemas()) {
        let file = folder.join(name);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if update {
            std::fs::write(&file, &text).unwrap();
        }
        assert!(
            std::fs::read_to_string(&file).is_ok_and(|there| there == text),
            "{} is not what the model says: run `UPDATE_SCHEMAS=1 cargo test -p circulate-core schemas`",
            file.display()
        );
    }
}
