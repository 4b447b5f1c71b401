use super::json_of_yaml;

#[test]
fn a_document_is_json_with_its_members_in_their_order() {
    let yaml =
        "openapi: 3.0.0\n200: {b: no, a: 2026-01-31}\nlist: [1, 1.5, ~, 'x']\nbig: 99999999999999999999999\n";
    let json =
        r#"{"openapi":"3.0.0","200":{"b":false,"a":"2026-01-31"},"list":[1,1.5,null,"x"],"big":1e+23}"#;
    assert_eq!(json_of_yaml(yaml).unwrap(), json);
}

#[test]
fn of_a_key_that_is_given_twice_the_last_value_counts_as_in_json() {
    let json: serde_json::Value = serde_json::from_str(&json_of_yaml("a: 1\nb: 2\na: 3\n").unwrap()).unwrap();
    assert_eq!(json, serde_json::json!({"a": 3, "b": 2}));
}

#[test]
fn a_mistake_has_its_line_and_column() {
    let error = json_of_yaml("a: 1\nb: [1,\n").unwrap_err();
    assert!(error.starts_with("line 2, column 4: "), "{error}");
}

#[test]
fn a_document_that_multiplies_itself_is_refused() {
    let line = |level: usize| {
        let below = if level == 0 { "x".to_owned() } else { format!("*a{}", level - 1) };
        format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", "))
    };
    json_of_yaml(&(0..12).map(line).collect::<String>()).unwrap_err();
}
