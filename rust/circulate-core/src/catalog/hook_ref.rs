//! Hooks: functions of the user's own, in Python files beside the definition, for what no key can say.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A function of a Python file that lies beside the definition, such as `hooks.py:decode`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HookRef(Box<str>);

impl HookRef {
    /// The name of the file, which has no folder.
    pub fn file(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(file, _)| file)
    }

    /// The name of the function.
    pub fn function(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, function)| function)
    }
}

impl fmt::Display for HookRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for HookRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let identifier = |text: &str| {
            !text.starts_with(|c: char| c.is_ascii_digit())
                && !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let parts =
            text.split_once(':').and_then(|(file, function)| Some((file.strip_suffix(".py")?, function)));
        match parts {
            Some((stem, function)) if identifier(stem) && identifier(function) => Ok(Self(text.into())),
            _ => Err(format!(
                "`{text}` is not a hook: write a file beside the definition and a function in it, such as \
                 `hooks.py:decode`; the file is in no other folder"
            )),
        }
    }
}

impl From<HookRef> for String {
    fn from(hook: HookRef) -> Self {
        hook.to_string()
    }
}

impl JsonSchema for HookRef {
    fn schema_name() -> Cow<'static, str> {
        "HookRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*\\.py:[A-Za-z_][A-Za-z0-9_]*$",
            "description": "A function of a Python file beside the definition, such as hooks.py:decode"
        })
    }
}

/// Functions of one's own that pages pass through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageHooks {
    /// Makes of the body of a page what `format` says, as a decoder of XML or of an archive does: bytes to bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<HookRef>,
    /// Makes records of the body of a page. With `page` it gets what that has made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<HookRef>,
}

impl PageHooks {
    /// Whether pages are read as they come.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_names_a_file_beside_the_definition_and_a_function() {
        let hook = HookRef::try_from("hooks.py:decode".to_owned()).unwrap();
        assert_eq!(
            (hook.file(), hook.function(), hook.to_string().as_str()),
            ("hooks.py", "decode", "hooks.py:decode")
        );
        for wrong in [
            "",
            "hooks",
            "hooks.py",
            "hooks:decode",
            "../hooks.py:decode",
            "/etc/hooks.py:decode",
            "a/b.py:f",
            "hooks.py:",
            ".py:f",
            "hooks.py:a.b",
            "hooks.py:1f",
            "h\u{f6}oks.py:f",
            "hooks.pyc:f",
            "a b.py:f",
        ] {
            assert!(HookRef::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
