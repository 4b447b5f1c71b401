use std::collections::{BTreeMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::table::{Contract, Converter, TableOptions, TableSchema};

fn key(values: &[KeyValue<'_>]) -> Option<RecordKey> {
    let mut builder = KeyBuilder::default();
    for value in values {
        builder.value(*value);
    }
    builder.finish()
}

fn key_of(json: &str) -> Option<RecordKey> {
    key(&[KeyValue::Json(json.as_bytes())])
}

#[test]
fn a_value_counts_by_what_it_is_and_not_by_how_it_is_written() {
    let same: [&[&str]; 13] = [
        &["1", "1.0", "1e0", "10e-1", "0.1e1", " 1 "],
        &["0", "-0", "0.0", "-0.0", "0e5"],
        &["-12", "-12.00", "-1.2E1", "-1.2e+1"],
        &["123456789012345678901234567890", "123456789012345678901234567890.0"],
        &["18446744073709551616", "18446744073709551616.0"],
        &["0.5", "5e-1", "0.50"],
        &["3.14159265358979323846264338327950288", "0.314159265358979323846264338327950288e1"],
        &[r#""abc""#, r#""a\u0062c""#],
        &[r#""😀é/""#, r#""\ud83d\ude00\u00e9\/""#],
        &[r#""\ud800x""#, r#""\uD800\u0078""#],
        &[r#""2026-01-02T03:04:05Z""#, r#""2026-01-02 04:04:05.000+01:00""#],
        &[r#"{"a":1,"b":[true,null]}"#, r#"{ "b" : [ true , null ], "a":9, "c":null, "a":1.0 }"#],
        &["true", " true"],
    ];
    let keys: Vec<_> =
        same.iter().map(|written| written.iter().map(|text| key_of(text)).collect::<Vec<_>>()).collect();
    for (keys, written) in keys.iter().zip(same) {
        assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "{written:?}");
    }
    let different: HashSet<_> = keys.iter().map(|keys| keys[0]).collect();
    assert_eq!(different.len(), same.len());
}

#[test]
fn what_is_not_the_same_has_another_key() {
    let all = [
        "1",
        "-1",
        "10",
        "0",
        "0.1",
        "1e400",
        "1e-400",
        "\"1\"",
        "true",
        "\"true\"",
        "false",
        "\"\"",
        "{}",
        "[]",
        "[null]",
        "[[]]",
        "9007199254740992",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709552000",
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\\ud800""#,
        r#""\u00ed""#,
        r#""2026-01-02T03:04:05Z""#,
        r#""2026-01-02T03:04:05.0000001Z""#,
        r#"["a","b"]"#,
        r#"["ab"]"#,
        r#"{"a":"b"}"#,
        r#"{"a":{"b":1}}"#,
        "1e99999999999999999999",
        "1e99999999999999999998",
    ];
    let mut seen = BTreeMap::new();
    for text in all {
        let other = seen.insert(key_of(text), text);
        assert_eq!(other, None, "{text}");
    }
    // Values do not run into each other.
    let json = |text: &'static str| KeyValue::Json(text.as_bytes());
    assert_ne!(key(&[json(r#""a""#), json(r#""bc""#)]), key(&[json(r#""ab""#), json(r#""c""#)]));
    assert_ne!(key(&[json("1"), json("2")]), key(&[json("2"), json("1")]));
}

#[test]
fn a_key_with_a_missing_value_is_none_and_the_next_one_is_whole() {
    let mut builder = KeyBuilder::default();
    for missing in [KeyValue::Missing, KeyValue::Json(b"null"), KeyValue::Json(b" null ")] {
        builder.value(KeyValue::Text("a"));
        builder.value(missing);
        assert_eq!(builder.finish(), None);
        builder.value(KeyValue::Integer(1));
        assert_eq!(builder.finish(), key_of("1"));
    }
}

#[test]
fn a_scope_is_that_of_the_parents_alone() {
    let mut builder = KeyBuilder::default();
    assert_eq!(builder.scope(), ScopeKey::default());
    builder.parent(KeyValue::Json(br#""app""#));
    builder.parent(KeyValue::Text("7"));
    assert_eq!(builder.scope(), scope_of([Some("app"), Some("7")]));
    assert_ne!(builder.scope(), scope_of([Some("7"), Some("app")]));
    builder.value(KeyValue::Text("user"));
    let of_child = builder.finish();
    assert!(of_child.is_some());
    assert_ne!(of_child, key(&[KeyValue::Text("user")]));
}

/// Keys are in lakes: that they stay the same is a promise.
#[test]
fn keys_are_those_of_earlier_versions() {
    let keys = [r#""00u1""#, "17", "0.25", r#""2026-01-02T03:04:05Z""#, r#"{"a":[1,null]}"#].map(key_of);
    let shown: Vec<_> = keys.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(shown, KEYS);
    assert_eq!(scope_of([Some("0oa1")]).to_string(), SCOPE);
}

/// The key of a row of a table whose column `id` is declared as `word`: as a reader of a lake makes it.
fn of_row(batch: &RecordBatch, row: usize, word: &str) -> Option<RecordKey> {
    let column = batch.column_by_name("id").unwrap();
    if column.is_null(row) {
        let rescued = batch.column_by_name("_rescued").unwrap().as_string::<i32>();
        let value = (!rescued.is_null(row)).then(|| {
            let rescued = rescued.value(row);
            rescued.strip_prefix(r#"{"/id":"#).unwrap().strip_suffix('}').unwrap()
        });
        return value.and_then(key_of);
    }
    key(&[match column.data_type() {
        DataType::Utf8 if word == "json" => KeyValue::Json(column.as_string::<i32>().value(row).as_bytes()),
        DataType::Utf8 => KeyValue::Text(column.as_string::<i32>().value(row)),
        DataType::Int64 => KeyValue::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => KeyValue::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => KeyValue::Boolean(column.as_boolean().value(row)),
        DataType::Timestamp(..) => {
            KeyValue::Time(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        other => panic!("{other}"),
    }])
}

fn a_number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-100_i64..100).prop_map(|number| number.to_string()),
        any::<i128>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(|n| format!("{n:e}")),
        ("-?(0|[1-9][0-9]{0,24})", "(\\.[0-9]{1,24})?", "([eE][-+]?[0-9]{1,3})?")
            .prop_map(|(whole, fraction, power)| format!("{whole}{fraction}{power}")),
    ]
}

fn a_value() -> impl Strategy<Value = String> {
    let time = (
        "20[0-9]{2}-[01][0-9]-[0-3][0-9]",
        "[T ]",
        "[0-2][0-9]:[0-5][0-9](:[0-6][0-9](\\.[0-9]{1,9})?)?",
        "Z|\\+01:00",
    );
    prop_oneof![
        3 => a_number(),
        2 => "\\PC{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        2 => time.prop_map(|(day, mark, time, zone)| format!("\"{day}{mark}{time}{zone}\"")),
        1 => r#""(\\u[0-9a-f]{4}|\\n|\\/|x){0,4}""#,
        1 => Just("true".to_owned()),
        1 => Just("null".to_owned()),
        1 => Just(r#"{"a":[1,{"b":null}]}"#.to_owned()),
    ]
}

proptest! {
    #[test]
    fn a_key_is_the_same_from_a_record_and_from_a_table_of_any_type(
        values in proptest::collection::vec(a_value(), 1..20),
    ) {
        let records: Vec<_> = values.iter().map(|value| format!(r#"{{"id":{value}}}"#)).collect();
        let body = format!("[{}]", records.join(","));
        for word in ["string", "integer", "number", "boolean", "timestamp", "json"] {
            let columns = serde_json::from_value(json!({"id": word})).unwrap();
            let schema = TableSchema::declared(&columns, [] as [&str; 0]);
            let mut converter = Converter::new(schema, TableOptions::default(), Contract::Evolve);
            let batch = converter.convert_array(body.as_bytes()).unwrap();
            for (row, value) in values.iter().enumerate() {
                prop_assert_eq!(of_row(&batch, row, word), key_of(value), "{} as {}", value, word);
            }
        }
    }

    #[test]
    fn numbers_have_one_key_only_if_they_are_one_number(one in -2000_i64..2000, other in -2000_i64..2000, zeros in 0_i32..4) {
        let text = |number: i64, power: i32| format!("{number}{}e{power}", "0".repeat(zeros.unsigned_abs() as usize));
        for power in [-3, -zeros, 0] {
            let equal = key_of(&text(one, power)) == key_of(&text(other, power));
            prop_assert_eq!(equal, one == other);
        }
        prop_assert_eq!(key_of(&text(one, -zeros)), key_of(&one.to_string()));
    }

    #[test]
    fn anything_at_all_has_a_key_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let first = key(&[KeyValue::Json(&bytes)]);
        prop_assert_eq!(first, key(&[KeyValue::Json(&bytes)]));
        prop_assert_eq!(first.is_none(), bytes.trim_ascii() == b"null");
    }
}

const KEYS: [&str; 5] = [
    "ca6a1528bcb29bf39b73c9475f031010",
    "56614d596a77eb96b8e4b5720d3ab2f0",
    "09cc43b005a137af4aed3c5698771459",
    "5122917534287d34975d3e169dff89be",
    "7a8a9d75a35698f4fd47f7f8b25deebb",
];
const SCOPE: &str = "153666b14536281b8317effbaf1c8b03";
