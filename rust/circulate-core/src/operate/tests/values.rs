use serde_json::json;

use super::*;

fn operation() -> Operation {
    serde_json::from_value(json!({
        "about": "Moves one.", "kind": "investigate", "path": "/{id}",
        "parameters": {
            "id": {"about": "Id."},
            "part": {"about": "Part.", "schema": {"type": "object", "properties": {"size": {"type": "integer"}}}, "optional": true},
            "all": {"about": "All.", "schema": {"type": "boolean"}, "default": true},
        },
    }))
    .unwrap()
}

fn checked(given: Value) -> Result<ParameterValues> {
    let Value::Object(given) = given else { unreachable!() };
    ParameterValues::new("acme.things.move", &operation(), given)
}

#[test]
fn defaults_are_filled_in_and_members_are_reached() {
    let values = checked(json!({"id": "a", "part": {"size": 3}})).unwrap();
    assert_eq!(values.get("all"), Some(&json!(true)));
    assert_eq!(values.get("part/size"), Some(&json!(3)));
    assert_eq!((values.get("part/none"), values.get("none"), values.get("id/x")), (None, None, None));
}

#[test]
fn all_mistakes_are_named_with_what_was_given() {
    let error = checked(json!({"part": {"size": "big"}, "al": true, "all": "no"})).unwrap_err().to_string();
    for what in ["`id` is missing", "`part/size`", "given \"big\"", "did you mean `all`?", "invalid `all`"] {
        assert!(error.contains(what), "{error}");
    }
}
