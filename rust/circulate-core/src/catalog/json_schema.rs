//! JSON Schemas of parameters: compiled once, and what is wrong with a value in words.

use std::fmt;

use boon::{CompileError, Compiler, Draft, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use serde_json::Value;

use crate::nearest::nearest;

/// A JSON Schema (draft 2020-12) that values are checked by. It refers to nothing outside of itself.
pub struct ValueSchema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl fmt::Debug for ValueSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValueSchema")
    }
}

/// What is wrong at a place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaMistake {
    /// Where in the value, as a JSON Pointer; empty for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

const ADDRESS: &str = "circulate:/schema";

/// Loads nothing: a definition reads no file but its own, and requests no address.
struct Nothing;

impl UrlLoader for Nothing {
    fn load(&self, url: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err(format!("`{url}` is outside of the schema").into())
    }
}

impl ValueSchema {
    /// Compiles a schema; the error says why it is none.
    pub fn new(schema: &Value) -> Result<Self, String> {
        if let Some(unknown) = unknown_keyword(schema) {
            return Err(unknown);
        }
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.use_loader(Box::new(Nothing));
        compiler.add_resource(ADDRESS, schema.clone()).map_err(|error| in_words(&error))?;
        let index = compiler.compile(ADDRESS, &mut schemas).map_err(|error| in_words(&error))?;
        Ok(Self { schemas, index })
    }

    /// All that is wrong with a value.
    pub fn mistakes(&self, value: &Value) -> Vec<SchemaMistake> {
        let mut mistakes = Vec::new();
        if let Err(error) = self.schemas.validate(value, self.index) {
            collect(&error, &mut mistakes);
        }
        mistakes.dedup();
        mistakes
    }
}

/// The innermost errors say what is wrong, those around them only where.
fn collect(error: &ValidationError<'_, '_>, mistakes: &mut Vec<SchemaMistake>) {
    if error.causes.is_empty() {
        let message = match &error.kind {
            ErrorKind::Not | ErrorKind::FalseSchema => "this value is not allowed".to_owned(),
            kind => kind.to_string(),
        };
        mistakes.push(SchemaMistake { pointer: error.instance_location.to_string(), message });
    }
    for cause in &error.causes {
        collect(cause, mistakes);
    }
}

fn in_words(error: &CompileError) -> String {
    if let CompileError::ValidationError { src, .. } = error {
        let mut mistakes = Vec::new();
        collect(src, &mut mistakes);
        let said: Vec<_> =
            mistakes.iter().map(|mistake| format!("`{}`: {}", mistake.pointer, mistake.message)).collect();
        return format!("not a JSON Schema: {}", said.join("; "));
    }
    if let CompileError::LoadUrlError { url, .. } = error {
        return format!("it refers to `{url}`, which is outside of the schema");
    }
    format!("not a JSON Schema that can be used: {error}")
}

/// Keywords of draft 2020-12 that say something about values.
const KEYWORDS: [&str; 49] = [
    "$comment",
    "$defs",
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "then",
    "title",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// A word that no schema has, which JSON Schema itself would pass over.
fn unknown_keyword(schema: &Value) -> Option<String> {
    let members = schema.as_object()?;
    for (keyword, value) in members {
        if !KEYWORDS.contains(&keyword.as_str()) {
            let meant = nearest(keyword, KEYWORDS.iter().copied());
            let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
            return Some(format!("`{keyword}` is not a keyword of JSON Schema{meant}"));
        }
        let mut below: Box<dyn Iterator<Item = &Value>> = match keyword.as_str() {
            "properties" | "patternProperties" | "$defs" | "dependentSchemas" => {
                Box::new(value.as_object().into_iter().flat_map(|named| named.values()))
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => Box::new(value.as_array().into_iter().flatten()),
            "items"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else"
            | "additionalProperties"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties" => Box::new(std::iter::once(value)),
            _ => continue,
        };
        if let Some(unknown) = below.find_map(unknown_keyword) {
            return Some(unknown);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_mistakes_of_a_value_are_named_with_their_pointers() {
        let schema = ValueSchema::new(&json!({
            "type": "object",
            "required": ["login", "email"],
            "additionalProperties": false,
            "properties": {
                "login": {"type": "string", "minLength": 5},
                "email": {"type": "string", "format": "email"},
                "tags": {"type": "array", "items": {"type": "string"}}
            }
        }))
        .unwrap();
        let mistakes = schema.mistakes(&json!({"login": "ab", "tags": ["a", 2], "emial": "x"}));
        let at: Vec<_> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
        assert!(at.contains(&"/login") && at.contains(&"/tags/1") && at.contains(&""), "{mistakes:?}");
        let said = format!("{mistakes:?}");
        assert!(said.contains("emial") && said.contains("'email'"), "{said}");
        assert_eq!(schema.mistakes(&json!({"login": "abcde", "email": "a@b.example"})), []);
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        for (schema, what) in [
            (json!({"type": "strnig"}), "not a JSON Schema"),
            (json!({"tpye": "string"}), "did you mean `type`"),
            (json!({"type": "object", "properties": {"a": {"minlength": 1}}}), "did you mean `minLength`"),
            (json!({"$ref": "file:///etc/passwd"}), "outside of the schema"),
            (json!({"$ref": "https://example.com/schema.json"}), "outside of the schema"),
            (json!({"pattern": "("}), "not a JSON Schema"),
        ] {
            let error = ValueSchema::new(&schema).unwrap_err();
            assert!(error.contains(what), "{schema}: {error}");
        }
    }
}
