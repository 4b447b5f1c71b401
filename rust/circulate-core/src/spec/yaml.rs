//! YAML in, checked definitions out, with errors that show the line; and the JSON Schemas editors complete by.

use std::path::Path;

use schemars::schema_for;
use serde::de::DeserializeOwned;

use super::source::{Auth, Source};
use super::stream::{Endpoint, StreamSpec};
use crate::error::{Error, ErrorKind, Result};

/// Reads and checks a `source.yaml`; `file` is for messages.
pub fn source_from_yaml(text: &str, file: &Path) -> Result<Source> {
    let source: Source = parse(text, file)?;
    check_source(&source).map_err(|message| definition_error(message, file))?;
    Ok(source)
}

/// Reads and checks an endpoint's file; `file` is for messages.
pub fn endpoint_from_yaml(text: &str, file: &Path) -> Result<Endpoint> {
    let endpoint: Endpoint = parse(text, file)?;
    check_stream(&endpoint.list).map_err(|message| definition_error(message, file))?;
    Ok(endpoint)
}

/// The JSON Schemas of the two kinds of file, by file name, for editors.
pub fn json_schemas() -> [(&'static str, serde_json::Value); 2] {
    [
        ("source.schema.json", schema_for!(Source).into()),
        ("endpoint.schema.json", schema_for!(Endpoint).into()),
    ]
}

fn parse<T: DeserializeOwned>(text: &str, file: &Path) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|error| {
        let name = file.display().to_string();
        let mut options = serde_saphyr::RenderOptions::default();
        options.source_name = Some(&name);
        definition_error(error.render_with_options(options), file)
            .hint("the JSON Schemas beside the catalog complete and check definitions in an editor")
    })
}

fn definition_error(message: impl Into<String>, file: &Path) -> Error {
    Error::new(ErrorKind::Definition, "read definition", message).with("file", file.display())
}

fn check_source(source: &Source) -> Result<(), String> {
    for name in source.base_url.placeholders() {
        match source.settings.iter().find(|(key, _)| key.as_str() == name) {
            None => return Err(format!("base_url uses `{{{name}}}`, which is not among the settings")),
            Some((_, setting)) if setting.secret => {
                return Err(format!("base_url uses `{{{name}}}`, a secret: secrets never go into a URL"));
            }
            Some(_) => {}
        }
    }
    let Auth::Header(header) = &source.auth;
    match source.settings.get(&header.secret) {
        None => Err(format!("auth uses `{}`, which is not among the settings", header.secret)),
        Some(setting) if !setting.secret => {
            Err(format!("auth uses `{}`, which must be marked `secret: true`", header.secret))
        }
        Some(_) => check_path("check.path", &source.check.path),
    }
}

fn check_stream(stream: &StreamSpec) -> Result<(), String> {
    check_path("list.path", &stream.path)?;
    if stream.primary_key.is_empty() {
        return Err("list.primary_key is empty: name the members that identify a record".to_owned());
    }
    if let Some(size) = &stream.page_size
        && (size.min == 0 || size.min > size.max)
    {
        return Err(format!("list.page_size: min is {} and max is {}", size.min, size.max));
    }
    if let Some(incremental) = &stream.incremental {
        for (name, template) in [("since", &incremental.since), ("until", &incremental.until)] {
            if !template.placeholders().eq([name]) {
                return Err(format!("list.incremental.{name} must use `{{{name}}}` once, and nothing else"));
            }
        }
    }
    Ok(())
}

fn check_path(field: &str, path: &str) -> Result<(), String> {
    if path.starts_with('/') && !path.starts_with("//") && !path.contains(['?', '#']) {
        Ok(())
    } else {
        Err(format!("{field} `{path}` is not a path: it starts with one `/` and holds no `?` or `#`"))
    }
}
