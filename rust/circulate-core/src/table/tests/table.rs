//! Tables from records: what each rule says, and that no value is ever lost.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_select::concat::concat_batches;
use serde_json::json;

use super::*;
use crate::catalog::{Endpoint, endpoint_from_yaml};
use crate::error::ErrorKind;

#[path = "rebuild.rs"]
mod rebuild;

const NONE: [&str; 0] = [];

/// A schema from `columns:` of a definition.
fn declared(columns: &str) -> TableSchema {
    TableSchema::of(&endpoint(columns), [] as [&str; 0])
}

fn endpoint(columns: &str) -> Endpoint {
    let indented = columns.replace('\n', "\n  ");
    let yaml = format!(
        "endpoint: things\nabout: Things.\nlist: {{path: /things, primary_key: [/id], paginator: none}}\ncolumns:\n  {indented}\n"
    );
    endpoint_from_yaml(&yaml, std::path::Path::new("things.yaml")).unwrap()
}

fn nothing_declared() -> TableSchema {
    TableSchema::declared(&crate::catalog::Columns::default(), NONE)
}

fn array(records: &[&str]) -> Vec<u8> {
    format!("[{}]", records.join(",")).into_bytes()
}

fn observed(records: &[&str]) -> Observed {
    let mut observed = Observed::default();
    observed.observe_array(&array(records), usize::MAX).unwrap();
    observed
}

fn inferred(records: &[&str]) -> TableSchema {
    nothing_declared().inferred(&observed(records))
}

/// The types of a schema as JSON, without what was declared.
fn types(schema: &TableSchema) -> serde_json::Value {
    fn kind(member: &MemberType) -> serde_json::Value {
        match member {
            MemberType::Struct(members) => object(members),
            MemberType::List(element) => json!([kind(element)]),
            other => serde_json::to_value(other).unwrap(),
        }
    }
    fn object(members: &[Member]) -> serde_json::Value {
        members.iter().map(|member| (member.name.clone(), kind(&member.kind))).collect()
    }
    object(schema.members())
}

fn convert(schema: TableSchema, records: &[&str]) -> (RecordBatch, Drift) {
    convert_as(schema, TableOptions::default(), records)
}

fn convert_as(schema: TableSchema, options: TableOptions, records: &[&str]) -> (RecordBatch, Drift) {
    let mut builder = TableBuilder::new(schema, options);
    builder.push_array(&array(records)).unwrap();
    assert_eq!(builder.rows(), records.len());
    (builder.finish().unwrap(), builder.take_drift())
}

fn strings<'b>(batch: &'b RecordBatch, name: &str) -> Vec<Option<&'b str>> {
    batch.column_by_name(name).unwrap().as_string::<i32>().iter().collect()
}

fn rescued(batch: &RecordBatch) -> Vec<Option<&str>> {
    strings(batch, "_rescued")
}

fn kinds(drift: &Drift) -> Vec<(String, String, u64)> {
    drift.entries().map(|entry| (entry.path, entry.kind.to_string(), entry.count)).collect()
}

fn names(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

#[test]
fn values_go_to_columns_of_their_types() {
    let schema = declared(
        "s: string\ni: integer\nn: number\nb: boolean\nt: timestamp\nj: json\np:\n  x: string\nl: [integer]\no:\n  - y: boolean",
    );
    let record = r#" { "s" : "a\u00e9\n" ,"i":-7,"n":1e5,"b":true,"t":"2026-01-01T01:00:00.5+01:00","j": {"k" : 1.0},
        "p":{"x":"in"},"l":[1,null,3],"o":[{"y":false},{}]}"#;
    let (batch, drift) = convert(schema, &[record, "{}"]);
    assert!(drift.is_empty(), "{drift:?}");
    assert_eq!(strings(&batch, "s"), [Some("aé\n"), None]);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(-7), None]);
    assert_eq!(batch.column(2).as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(1e5), None]);
    assert!(batch.column(3).as_boolean().value(0));
    let times = batch.column(4).as_primitive::<TimestampMicrosecondType>();
    assert_eq!((times.value(0), times.timezone()), (1_767_225_600_500_000, Some("UTC")));
    assert_eq!(strings(&batch, "j"), [Some(r#"{"k" : 1.0}"#), None]);
    assert_eq!(batch.column(6).as_struct().column(0).as_string::<i32>().value(0), "in");
    assert!(batch.column(6).is_null(1));
    let list = batch.column(7).as_list::<i32>();
    assert_eq!(
        list.value(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(),
        [Some(1), None, Some(3)]
    );
    assert_eq!(batch.column(8).as_list::<i32>().value(0).len(), 2);
    assert_eq!(rescued(&batch), [None, None]);
}

#[test]
fn what_does_not_fit_its_column_is_null_there_and_rescued_as_received() {
    let schema =
        declared("i: integer\nn: number\nb: boolean\nt: timestamp\ns: string\np:\n  x: string\nl: [integer]");
    for (record, expected, kind) in [
        (r#"{"i":"7"}"#, r#"{"/i":"7"}"#, "expected integer, found string"),
        (r#"{"i":1.0}"#, r#"{"/i":1.0}"#, "expected integer, found number"),
        (r#"{"i":9223372036854775808}"#, r#"{"/i":9223372036854775808}"#, "number out of range"),
        (r#"{"n":1e400}"#, r#"{"/n":1e400}"#, "number out of range"),
        (r#"{"n":2.5E-324}"#, r#"{"/n":2.5E-324}"#, "number out of range"),
        (r#"{"n":9007199254740993}"#, r#"{"/n":9007199254740993}"#, "number with too many digits"),
        (r#"{"n":0.123456789012345678}"#, r#"{"/n":0.123456789012345678}"#, "number with too many digits"),
        (r#"{"b":1}"#, r#"{"/b":1}"#, "expected boolean, found number"),
        (r#"{"t":"yesterday"}"#, r#"{"/t":"yesterday"}"#, "not a time with offset (RFC 3339)"),
        (
            r#"{"t":"2026-01-01T00:00:00.1234567Z"}"#,
            r#"{"/t":"2026-01-01T00:00:00.1234567Z"}"#,
            "not a time with offset (RFC 3339)",
        ),
        (r#"{"s":{ "a" : 1 }}"#, r#"{"/s":{ "a" : 1 }}"#, "expected string, found object"),
        (r#"{"s":"\ud800 x"}"#, r#"{"/s":"\ud800 x"}"#, "not unicode"),
        (r#"{"p":{"x":[]}}"#, r#"{"/p/x":[]}"#, "expected string, found list"),
        (r#"{"p":true}"#, r#"{"/p":true}"#, "expected object, found boolean"),
        (r#"{"l":[1,{},"x"]}"#, r#"{"/l/1":{},"/l/2":"x"}"#, "expected integer, found object"),
        (r#"{"l":{}}"#, r#"{"/l":{}}"#, "expected list, found object"),
        (r#"{"new":1}"#, r#"{"/new":1}"#, "new member"),
        (r#"{"a/b~":1,"\"\u00e9":2}"#, r#"{"/a~1b~0":1,"/\"é":2}"#, "new member"),
        (r#"{"\ud800/":1}"#, r#"{"/\ud800~1":1}"#, "not unicode"),
        (r#"{"":1}"#, r#"{"/":1}"#, "name taken"),
        (r#"{"S":1}"#, r#"{"/S":1}"#, "name differs only in case"),
        (r#"{"_rescued":1}"#, r#"{"/_rescued":1}"#, "name taken"),
        (r#"{"Circulate_date":1}"#, r#"{"/Circulate_date":1}"#, "name taken"),
    ] {
        let (batch, drift) = convert(schema.clone(), &[record]);
        assert_eq!(rescued(&batch), [Some(expected)], "{record}");
        assert_eq!(drift.entries().next().unwrap().kind.to_string(), kind, "{record}");
    }
}

#[test]
fn of_a_repeated_key_the_last_value_counts_and_the_earlier_ones_are_rescued() {
    let schema = declared("a: integer\np:\n  x: string");
    for (record, expected) in [
        (r#"{"a":1,"a":2}"#, r#"{"/a":1}"#),
        (r#"{"a":1,"a":3,"\u0061":2}"#, r#"{"/a":1,"/a":3}"#),
        (r#"{"a":"x","a":2}"#, r#"{"/a":"x"}"#),
        (r#"{"a":1,"p":{"x":1,"x":"v"},"p":{"x":"w"},"a":2}"#, r#"{"/a":1,"/p":{"x":1,"x":"v"}}"#),
        (r#"{"a":2,"p":{"x":"u","x":"w"}}"#, r#"{"/p/x":"u"}"#),
    ] {
        let (batch, drift) = convert(schema.clone(), &[r#"{"a":5}"#, record]);
        assert_eq!(rescued(&batch), [None, Some(expected)], "{record}");
        assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(1), 2, "{record}");
        assert!(kinds(&drift).iter().all(|(_, kind, _)| kind == "repeated key"), "{drift:?}");
    }
    let (batch, _) = convert(schema, &[r#"{"a":1,"a":null}"#, r#"{"new":1,"new":null}"#]);
    assert_eq!(rescued(&batch), [Some(r#"{"/a":1,"/a":null}"#), Some(r#"{"/new":1,"/new":null}"#)]);
}

#[test]
fn types_follow_from_what_a_sample_holds() {
    for (values, expected) in [
        ("1 -5 9223372036854775807", json!("integer")),
        ("1 2.5", json!("number")),
        ("1 18446744073709551616", json!("number")),
        ("9007199254740993 2.5", json!("json")),
        ("1 18446744073709551615", json!("json")),
        ("1.5 1e400", json!("json")),
        (r#""2026-01-01T00:00:00Z" "2026-01-01T00:00:00.123456+02:00""#, json!("timestamp")),
        (r#""2026-01-01T00:00:00Z" "soon""#, json!("string")),
        (r#""2026-01-01T00:00:00.0000001Z""#, json!("string")),
        (r#""2026-01-01T00:00:00""#, json!("string")),
        ("true null", json!("boolean")),
        ("null", json!("string")),
        ("{}", json!("json")),
        (r#"{} {"a":1}"#, json!({"a": "integer"})),
        (r#"{"a":1} {"a":0.5,"b":null}"#, json!({"a": "number", "b": "string"})),
        ("[]", json!("json")),
        ("[[]] [null]", json!(["json"])),
        ("[] [1] [2.5,null]", json!(["number"])),
        (r#"[{"a":1}] [{"b":[]}]"#, json!([{"a": "integer", "b": "json"}])),
        ("[1,true]", json!(["json"])),
        ("1 true", json!("json")),
        ("{} []", json!("json")),
        (r#""a" 1"#, json!("json")),
    ] {
        let records: Vec<_> = values.split(' ').map(|value| format!(r#"{{"v":{value}}}"#)).collect();
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        assert_eq!(types(&inferred(&records)), json!({"v": expected}), "{values}");
    }
}

#[test]
fn a_list_that_was_always_empty_stays_what_readers_know() {
    let schema = inferred(&[r#"{"l":[]}"#]);
    assert_eq!(types(&schema.evolved(&observed(&[r#"{"l":[1]}"#]))), json!({"l": "json"}));
    let (batch, drift) = convert(schema, &[r#"{"l":[]}"#, r#"{"l":[{"a":1}]}"#]);
    assert_eq!(drift.total(), 0);
    assert_eq!(
        batch.column(0).as_string::<i32>().iter().collect::<Vec<_>>(),
        [Some("[]"), Some(r#"[{"a":1}]"#)]
    );
}

#[test]
fn a_known_column_never_changes_its_type() {
    let schema = inferred(&[r#"{"a":1,"p":{"x":1},"l":[1],"j":{}}"#]);
    let seen = observed(&[r#"{"a":"x","p":[1],"l":["x"],"j":{"y":1},"n":1}"#, r#"{"p":{"x":"s","y":2}}"#]);
    let expected = json!({"a": "integer", "p": {"x": "integer", "y": "integer"}, "l": ["integer"], "j": "json", "n": "integer"});
    assert_eq!(types(&schema.inferred(&seen)), expected);
}

#[test]
fn members_that_differ_only_in_case_become_one_column() {
    let records = [r#"{"id":1,"ID":2,"p":{"A":1,"a":2}}"#];
    let schema = inferred(&records);
    assert_eq!(types(&schema), json!({"id": "integer", "p": {"A": "integer"}}));
    let (batch, drift) = convert(schema, &records);
    assert_eq!(rescued(&batch), [Some(r#"{"/ID":2,"/p/a":2}"#)]);
    assert_eq!(drift.total(), 2);
}

#[test]
fn an_object_whose_keys_are_data_stays_json() {
    let map: Vec<_> = (0..150).map(|number| format!(r#"{{"m":{{"id{number}":1}},"s":{{"a":1}}}}"#)).collect();
    let map: Vec<_> = map.iter().map(String::as_str).collect();
    assert_eq!(types(&inferred(&map)), json!({"m": "json", "s": {"a": "integer"}}));
    let wide: Vec<_> = (0..150).map(|number| format!(r#","k{number}":1"#)).collect();
    let wide = wide.concat();
    let wide = inferred(&[&format!(r#"{{"m":{{"x":1{wide}}}}}"#)]);
    assert_eq!(types(&wide)["m"].as_object().unwrap().len(), 151);
}

#[test]
fn keys_that_are_data_become_no_columns_later_either() {
    let mut converter =
        Converter::new(inferred(&[r#"{"m":{"a":1}}"#]), TableOptions::default(), Contract::Evolve);
    for batch in 0..30 {
        let record = |number| format!(r#"{{"m":{{"id{batch}_{number}":1}}}}"#);
        let records: Vec<_> = (0..10).map(record).collect();
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        let table = converter.convert_array(&array(&records)).unwrap();
        assert_eq!(rescued(&table)[0].is_some(), batch > 8, "{batch}");
    }
    assert_eq!(converter.schema().leaves(), 91);
}

#[test]
fn what_is_nested_deeper_than_eight_levels_stays_json() {
    let record = format!(r#"{{"v":{}1{}}}"#, r#"{"o":["#.repeat(512), "]}".repeat(512));
    let schema = inferred(&[&record]);
    let mut kind = &schema.members()[0].kind;
    let mut levels = 0;
    loop {
        kind = match kind {
            MemberType::Struct(members) => &members[0].kind,
            MemberType::List(element) => element,
            other => break assert_eq!(*other, MemberType::Json),
        };
        levels += 1;
    }
    assert_eq!(levels, 8);
    let (batch, drift) = convert(schema, &[&record]);
    assert!(drift.is_empty() && rescued(&batch) == [None]);
}

#[test]
fn a_table_has_up_to_a_thousand_columns_and_the_rest_is_rescued() {
    let members: Vec<_> = (0..1_200).map(|number| format!(r#""k{number}":{number}"#)).collect();
    let record = format!("{{{}}}", members.join(","));
    let schema = inferred(&[&record]);
    assert_eq!(schema.members().len(), 1_000);
    let (batch, drift) = convert(schema, &[&record]);
    assert_eq!(drift.total(), 200);
    assert!(rescued(&batch)[0].unwrap().starts_with(r#"{"/k1000":1000,"/k1001":1001,"#));
}

#[test]
fn undeclared_members_of_a_declared_object_stand_beside_the_declared_ones() {
    let schema =
        declared("p:\n  x: string\nz: json").inferred(&observed(&[r#"{"y":1,"p":{"w":1,"x":2},"z":3}"#]));
    assert_eq!(types(&schema), json!({"p": {"x": "string", "w": "integer"}, "z": "json", "y": "integer"}));
    assert!(schema.members()[0].declared && !schema.members()[2].declared);
}

#[test]
fn a_schema_travels_as_compact_json() {
    let schema = declared("p:\n  x: string\nl: [timestamp]").inferred(&observed(&[r#"{"n":1,"e":[]}"#]));
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(
        json,
        r#"{"schema":1,"columns":[{"name":"p","type":{"struct":[{"name":"x","type":"string","declared":true}]},"declared":true},{"name":"l","type":{"list":"timestamp"},"declared":true},{"name":"n","type":"integer"},{"name":"e","type":"json"}]}"#
    );
    assert_eq!(serde_json::from_str::<TableSchema>(&json).unwrap(), schema);
    let later = json.replace(r#""schema":1"#, r#""schema":2"#);
    assert!(serde_json::from_str::<TableSchema>(&later).unwrap_err().to_string().contains("version 2"));
}

#[test]
fn what_identifies_a_parent_comes_first_and_the_raw_record_is_as_received() {
    let columns = crate::catalog::Columns::default();
    let schema = TableSchema::declared(&columns, ["id"]);
    let records = [
        r#"{"_circulate":{"parent":{"id":"0oa\"1"}}, "id" : 1}"#,
        r#"{"_circulate":{"parent":{"id":"2"}}  }"#,
        r#"{"id":3,"_circulate":4,"_parent_id":5}"#,
        r#"{"_circulate":{"parent":{"id":"6"}},"id":6,"id":7}"#,
        r#"{"_circulate":7}"#,
        r#"{"_circulate":{"parent":8}, "id":8}"#,
    ];
    let schema = schema.inferred(&observed(&records));
    let (batch, _) = convert_as(schema, TableOptions { raw: true, ..TableOptions::default() }, &records);
    assert_eq!(names(&batch), ["_parent_id", "id", "_rescued", "_raw"]);
    assert_eq!(strings(&batch, "_parent_id"), [Some("0oa\"1"), Some("2"), None, Some("6"), None, None]);
    assert_eq!(
        strings(&batch, "_raw"),
        [
            Some(r#"{ "id" : 1}"#),
            Some("{  }"),
            Some(records[2]),
            Some(r#"{"id":6,"id":7}"#),
            Some(records[4]),
            Some(records[5])
        ]
    );
    let expected = [
        r#"{"/_circulate":4,"/_parent_id":5}"#,
        r#"{"/id":6}"#,
        r#"{"/_circulate":7}"#,
        r#"{"/_circulate":{"parent":8}}"#,
    ];
    assert_eq!(rescued(&batch)[..2], [None, None]);
    assert_eq!(rescued(&batch)[2..], expected.map(Some));
}

#[test]
fn flattened_members_are_columns_joined_with_two_underscores() {
    let options = TableOptions { nested: Nested::Flatten, raw: false };
    let records = [r#"{"p":{"x":{"y":1},"l":[{"z":1}]},"p__x__Y":2,"q":{}}"#];
    let (batch, drift) = convert_as(inferred(&records), options, &records);
    assert_eq!(names(&batch), ["p__x__y", "p__l", "q", "_rescued"]);
    assert_eq!(rescued(&batch), [Some(r#"{"/p__x__Y":2}"#)]);
    assert_eq!(kinds(&drift), [("/p__x__Y".to_owned(), "name taken".to_owned(), 1)]);
}

#[test]
fn nested_values_as_json_are_as_received() {
    let options = TableOptions { nested: Nested::Json, raw: false };
    let records = [r#"{"p":{"x": 1.0},"l":[1, 2],"s":"a"}"#];
    let (batch, drift) = convert_as(inferred(&records), options, &records);
    assert_eq!(strings(&batch, "p"), [Some(r#"{"x": 1.0}"#)]);
    assert_eq!(strings(&batch, "l"), [Some("[1, 2]")]);
    assert!(drift.is_empty());
}

#[test]
fn no_records_make_a_batch_with_every_column() {
    for nested in [Nested::Struct, Nested::Flatten, Nested::Json] {
        let schema = declared("a: string\np:\n  x: integer\nl:\n  - y: timestamp");
        let options = TableOptions { nested, raw: true };
        let (batch, _) = convert_as(schema.clone(), options, &[]);
        assert_eq!((batch.num_rows(), batch.schema()), (0, schema.arrow(options)));
        let (batch, _) = convert_as(nothing_declared(), options, &["{}", "{}"]);
        assert_eq!((batch.num_rows(), names(&batch)), (2, vec!["_rescued".to_owned(), "_raw".to_owned()]));
    }
}

#[test]
fn evolving_adds_columns_and_earlier_batches_conform_to_them() {
    let schema = inferred(&[r#"{"a":1,"p":{"x":1},"l":[{"k":1}],"e":[]}"#]);
    let mut converter = Converter::new(schema, TableOptions::default(), Contract::Evolve);
    let first = converter
        .convert_array(&array(&[r#"{"a":1,"p":{"x":1},"l":[{"k":1},null],"e":[null]}"#, "{}"]))
        .unwrap();
    let drifted = [
        r#"{"a":"x","p":{"x":1,"new":true},"l":[{"k":1,"new":[1]}],"e":[{"z":1}],"later":{"t":"2026-01-01T00:00:00Z"},"nothing":null}"#,
        r#"{"a":2}"#,
    ];
    let second = converter.convert_array(&array(&drifted)).unwrap();
    assert_eq!(
        types(converter.schema()),
        json!({"a": "integer", "p": {"x": "integer", "new": "boolean"}, "l": [{"k": "integer", "new": ["integer"]}],
            "e": "json", "later": {"t": "timestamp"}})
    );
    assert_eq!(rescued(&second), [Some(r#"{"/a":"x"}"#), None]);
    let counted: Vec<_> = converter.drift().entries().map(|entry| (entry.path, entry.count)).collect();
    let expected = [("/a", 1), ("/l/*/new", 1), ("/later", 1), ("/p/new", 1)];
    assert_eq!(counted, expected.map(|(path, count)| (path.to_owned(), count)));

    let later = converter.arrow();
    let first = conform(&first, &later).unwrap();
    let all = concat_batches(&later, [&first, &second]).unwrap();
    assert_eq!(all.num_rows(), 4);
    assert!(all.column_by_name("later").unwrap().is_null(0));
    assert_eq!(first.column_by_name("l").unwrap().as_list::<i32>().value(0).len(), 2);
    assert!(conform(&second, &nothing_declared().arrow(TableOptions::default())).is_err());
}

#[test]
fn what_is_declared_later_is_added_at_every_depth_and_changes_no_column() {
    let known = inferred(&[r#"{"a":1,"É":1,"p":{"x":1},"empty":[],"l":[{"x":1}],"m":[1]}"#]);
    let later =
        "a: string\né: string\np:\n  y: string\nempty: [integer]\nl:\n  - y: string\nm: [string]\nz: string";
    assert_eq!(
        types(&known.with_declared(&endpoint(later))),
        json!({
            "a": "integer",
            "É": "integer",
            "p": {"x": "integer", "y": "string"},
            "empty": "json",
            "l": [{"x": "integer", "y": "string"}],
            "m": ["integer"],
            "z": "string",
        })
    );
}

#[test]
fn a_member_that_is_only_null_later_on_waits_for_its_first_value() {
    let mut converter = Converter::new(nothing_declared(), TableOptions::default(), Contract::Evolve);
    converter.convert_array(br#"[{"a":null}]"#).unwrap();
    assert_eq!(types(converter.schema()), json!({}));
    assert!(converter.drift().is_empty());
    converter.convert_array(br#"[{"a":1,"b":null}]"#).unwrap();
    assert_eq!(types(converter.schema()), json!({"a": "integer"}));
}

#[test]
fn rescuing_keeps_the_columns_whatever_comes() {
    for converter in [
        Converter::new(declared("a: integer"), TableOptions::default(), Contract::Rescue),
        Converter::new(declared("a: integer"), TableOptions::default(), Contract::Evolve).fixed(),
    ] {
        let mut converter = converter;
        let before = converter.arrow();
        let batch = converter.convert_array(br#"[{"a":1,"b":[1]},{"b":2}]"#).unwrap();
        assert_eq!((batch.schema(), converter.arrow()), (Arc::clone(&before), before));
        assert_eq!(rescued(&batch), [Some(r#"{"/b":[1]}"#), Some(r#"{"/b":2}"#)]);
        assert_eq!(kinds(converter.drift()), [("/b".to_owned(), "new member".to_owned(), 2)]);
    }
}

#[test]
fn a_frozen_table_refuses_drift_and_reports_what_and_how_to_go_on() {
    let mut converter = Converter::new(declared("a: integer"), TableOptions::default(), Contract::Freeze);
    converter.convert_array(br#"[{"a":1}]"#).unwrap();
    let error = converter.convert_array(br#"[{"a":1},{"a":"x"},{"a":"y"},{"b":1}]"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(
        error.to_string(),
        "records are not what the table's schema says: `/a`: expected integer, found string, 2 times; \
         `/b`: new member, once"
    );
    assert!(error.hint_text().unwrap().contains("declare the columns"), "{error:?}");
    assert_eq!(
        converter.convert_array(br#"[{"a":2}]"#).unwrap().num_rows(),
        1,
        "nothing of the refused batch stays"
    );
}

#[test]
fn what_is_no_json_is_an_error_and_leaves_nothing_behind() {
    let schema = declared("a: integer\np:\n  l: [string]");
    for body in [
        "",
        "[",
        "[{",
        "{}",
        "[1]",
        r#"[{"a":1},{"a":2]"#,
        "[{}]x",
        r#"[{"a":1}{"a":2}]"#,
        r#"[{"p":{"l":["a"#,
        r#"[{"a":nul}]"#,
        r#"[{"p":{"l":["x",}]"#,
    ] {
        let mut builder = TableBuilder::new(schema.clone(), TableOptions::default());
        builder.push(br#"{"a":7}"#).unwrap();
        let error = builder.push_array(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{body}");
        builder.push(br#"{"a":8}"#).unwrap();
        let batch = builder.finish().unwrap();
        let values: Vec<_> = batch.column(0).as_primitive::<Int64Type>().values().to_vec();
        assert_eq!(values, [7, 8], "{body}");
    }
    let mut builder = TableBuilder::new(declared("a: string"), TableOptions::default());
    builder.push(b"{\"a\":\"\xff\"}").unwrap();
    assert_eq!(builder.finish().unwrap_err().kind(), ErrorKind::Data);
    builder.push(br#"{"a":"x"}"#).unwrap();
    assert_eq!(strings(&builder.finish().unwrap(), "a"), [Some("x")]);
}

#[test]
fn a_builder_starts_over_after_each_batch() {
    let mut builder = TableBuilder::new(
        declared("a: string\np:\n  x: string"),
        TableOptions { nested: Nested::Flatten, raw: true },
    );
    for _ in 0..3 {
        builder.push_array(br#"[{"a":"x","p":{"x":"y"}},{}]"#).unwrap();
        assert!(builder.bytes() > 30 && builder.rows() == 2);
        let batch = builder.finish().unwrap();
        assert_eq!(strings(&batch, "p__x"), [Some("y"), None]);
        assert_eq!((builder.rows(), batch.num_rows()), (0, 2));
    }
}

#[test]
fn records_in_another_order_fill_the_same_columns() {
    let schema = declared("a: integer\nb: integer\nc: integer\n'q\"é': integer");
    let (batch, drift) = convert(
        schema,
        &[
            r#"{"c":3,"q\"é":4,"a":1,"b":2}"#,
            r#"{"b":2,"x":null,"a":1,"q\"\u00e9":4,"c":3}"#,
            r#"{"a":1,"b":2,"c":3,"q\"é":4}"#,
        ],
    );
    assert!(drift.is_empty());
    for (index, expected) in [1, 2, 3, 4].into_iter().enumerate() {
        assert_eq!(batch.column(index).as_primitive::<Int64Type>().values().to_vec(), [expected; 3]);
    }
}

#[test]
fn examples_are_short_and_paths_have_stars_for_elements() {
    let long = format!(r#"{{"l":[{{"m":1}},{{"m":"{}"}}]}}"#, "é".repeat(200));
    let (_, drift) = convert(declared("l:\n  - m: integer"), &[&long]);
    let entry = drift.entries().next().unwrap();
    assert_eq!((entry.path.as_str(), entry.example.chars().count()), ("/l/*/m", 100));
}

/// All batches that an array is converted to when each may take `limit` bytes.
fn pieces(converter: &mut Converter, body: &[u8], limit: usize) -> Vec<RecordBatch> {
    let (mut batches, mut from) = (Vec::new(), 0);
    while from < body.len() {
        let (batch, next) = converter.convert_some(body, from, limit).unwrap();
        assert!(next > from && (batch.num_rows() > 0 || body == b"[]"));
        batches.push(batch);
        from = next;
    }
    batches
}

#[test]
fn batches_are_closed_by_what_records_become_and_not_by_their_bytes() {
    let members: Vec<_> = (0..900).map(|number| format!("\"m{number}\":1")).collect();
    let wide = format!("{{{}}}", members.join(","));
    let body = array(&[&[wide.as_str()][..], &vec!["{}"; 5_000]].concat());
    let mut converter =
        Converter::from_sample(&nothing_declared(), TableOptions::default(), Contract::Evolve, &body)
            .unwrap();
    let batches = pieces(&mut converter, &body, 1_000_000);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!((rows, converter.drift().is_empty()), (5_001, true));
    for batch in &batches {
        // Buffers that grew may have twice the room.
        assert!(batch.get_array_memory_size() < 2_400_000, "{}", batch.get_array_memory_size());
    }
    assert!(batches.len() < 60, "{}", batches.len());
}

#[test]
fn elements_of_lists_count_as_what_they_become() {
    let members: Vec<_> = (0..500).map(|number| format!("\"m{number}\":1")).collect();
    let wide = format!("{{\"list\":[{{{}}}]}}", members.join(","));
    let empty = format!("{{\"list\":[{}]}}", ["{}"; 20].join(","));
    let body = array(&[&vec![wide.as_str(); 200][..], &vec![empty.as_str(); 20]].concat());
    let mut converter =
        Converter::from_sample(&nothing_declared(), TableOptions::default(), Contract::Evolve, &body)
            .unwrap();
    assert_eq!(types(converter.schema())["list"][0].as_object().unwrap().len(), 500);
    for batch in pieces(&mut converter, &body, 1_000_000) {
        assert!(batch.get_array_memory_size() < 2_400_000, "{}", batch.get_array_memory_size());
    }
}

#[test]
fn a_record_that_becomes_far_too_much_is_rescued_as_a_whole() {
    let members: Vec<_> = (0..500).map(|number| format!("\"m{number}\":1")).collect();
    let wide = format!("{{\"list\":[{{{}}}]}}", members.join(","));
    let huge = format!("{{\"id\":1,\"list\":[{}]}}", vec!["{}"; 5_000].join(","));
    let unknown: Vec<_> = (0..150_000).map(|number| format!("\"x{number}\":1")).collect();
    let many = format!("{{{}}}", unknown.join(","));
    let repeats = format!("{{\"id\":1,\"id\":2,{}}}", unknown.join(","));
    let schema = inferred(&[&wide, r#"{"id":7}"#]);
    let body = array(&[&wide, &huge, &many, &repeats, r#"{"id":7}"#]);
    let mut converter =
        Converter::new(schema, TableOptions { raw: true, ..TableOptions::default() }, Contract::Rescue);
    let batches = pieces(&mut converter, &body, usize::MAX);
    let rescued: Vec<_> = rescued(&batches[0]).into_iter().map(|text| text.map(str::to_owned)).collect();
    let whole = |record: &str| Some(format!("{{\"\":{record}}}"));
    assert_eq!(rescued, [None, whole(&huge), whole(&many), whole(&repeats), None]);
    let ids = batches[0].column_by_name("id").unwrap();
    assert_eq!(ids.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [None, None, None, None, Some(7)]);
    assert_eq!(batches[0].column_by_name("_raw").unwrap().as_string::<i32>().value(1), huge);
    let drift: Vec<_> =
        converter.drift().entries().map(|entry| (entry.path, entry.kind, entry.count)).collect();
    assert_eq!(drift, [(String::new(), DriftKind::TooWide, 3)]);
}

#[test]
fn a_key_longer_than_a_column_may_be_called_is_rescued() {
    let (longest, longer) = ("k".repeat(255), "k".repeat(256));
    let record = format!("{{\"{longest}\":1,\"{longer}\":2}}");
    let mut converter = Converter::from_sample(
        &nothing_declared(),
        TableOptions::default(),
        Contract::Evolve,
        &array(&[&record]),
    )
    .unwrap();
    let batch = converter.convert_array(&array(&[&record])).unwrap();
    assert_eq!(
        converter.schema().members().iter().map(|member| &*member.name).collect::<Vec<_>>(),
        [&longest]
    );
    assert_eq!(rescued(&batch)[0], Some(&*format!("{{\"/{longer}\":2}}")));
}

#[test]
fn records_that_each_have_another_key_fill_a_bounded_schema_and_lose_nothing() {
    let records: Vec<_> = (0..5_000).map(|number| format!("{{\"key_{number}\":{number}}}")).collect();
    let body = array(&records.iter().map(String::as_str).collect::<Vec<_>>());
    let mut converter =
        Converter::from_sample(&nothing_declared(), TableOptions::default(), Contract::Evolve, b"[]")
            .unwrap();
    let batches = pieces(&mut converter, &body, 500_000);
    assert_eq!(converter.schema().members().len(), 1_000);
    assert!(converter.drift().entries().count() <= 1_000);
    let later = converter.arrow();
    let mut found = 0;
    for batch in &batches {
        let batch = conform(batch, &later).unwrap();
        let rescued = rescued(&batch);
        for row in 0..batch.num_rows() {
            let key = format!("key_{found}");
            let column = batch.column_by_name(&key).filter(|column| column.is_valid(row));
            let value = column.map(|column| column.as_primitive::<Int64Type>().value(row).to_string());
            let kept = value.or_else(|| {
                let rescued: serde_json::Value = serde_json::from_str(rescued[row]?).unwrap();
                rescued.get(format!("/{key}")).map(ToString::to_string)
            });
            assert_eq!(kept, Some(found.to_string()));
            found += 1;
        }
    }
    assert_eq!(found, 5_000);
}
