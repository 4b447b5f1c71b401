use std::collections::HashSet;

use arrow_array::{Int64Array, StringArray};
use proptest::prelude::*;

use super::*;

/// Any type of a column of a table of ours.
fn any_type() -> impl Strategy<Value = DataType> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let leaf = prop_oneof![
        Just(DataType::Utf8),
        Just(DataType::Int64),
        Just(DataType::Float64),
        Just(DataType::Boolean),
        Just(time)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            any_fields(inner.clone()).prop_map(DataType::Struct),
            inner.prop_map(|element| {
                DataType::List(Arc::new(Field::new(Field::LIST_FIELD_DEFAULT_NAME, element, true)))
            }),
        ]
    })
}

/// Fields by names of which some are the same but for what needs quotes. Tables have no names that differ by case alone.
fn any_fields(kinds: impl Strategy<Value = DataType>) -> impl Strategy<Value = Fields> {
    proptest::collection::btree_map("a|b|a b|a\\.b|_change|a_string|Ü", kinds, 1..5).prop_map(|fields| {
        fields.into_iter().map(|(name, kind)| Arc::new(Field::new(name, kind, true))).collect()
    })
}

fn names(columns: &[CatalogColumn]) -> Vec<&str> {
    columns.iter().map(|column| column.name.as_str()).collect()
}

/// Whether each name is plain, and none is there twice, at every depth.
fn are_named_well(columns: &[CatalogColumn]) -> bool {
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let distinct: HashSet<_> = names(columns).into_iter().collect();
    distinct.len() == columns.len()
        && columns.iter().all(|column| plain(&column.name) && is_named_well(&column.kind))
}

fn is_named_well(kind: &ColumnKind) -> bool {
    match kind {
        ColumnKind::Struct(members) => are_named_well(members),
        ColumnKind::Array(element) => is_named_well(element),
        _ => true,
    }
}

proptest! {
    #[test]
    fn columns_only_grow_and_hold_whatever_comes(tables in proptest::collection::vec(any_fields(any_type()), 1..6)) {
        let mut columns = Vec::new();
        for fields in &tables {
            let before = columns.clone();
            take_in(&mut columns, fields, &["_change"]).unwrap();
            prop_assert!(cover(&columns, &before), "nothing of before changed");
            prop_assert_eq!(&names(&columns)[..before.len()], &names(&before)[..], "what is new stands at the end");
            prop_assert!(are_named_well(&columns));
            prop_assert!(!names(&columns).contains(&"_change"));
            let grown = columns.clone();
            take_in(&mut columns, fields, &["_change"]).unwrap();
            prop_assert_eq!(&columns, &grown, "what was taken in has its place");
            let arrays: Vec<_> = fields.iter().map(|field| new_null_array(field.data_type(), 3)).collect();
            let conformed = conformed(&columns, fields, &arrays, 3).unwrap();
            let kinds: Vec<_> = conformed.iter().map(|array| array.data_type().clone()).collect();
            let expected: Vec<_> = columns.iter().map(|column| column.kind.data_type()).collect();
            prop_assert_eq!(kinds, expected);
        }
    }

    #[test]
    fn columns_are_read_as_they_were_written(fields in any_fields(any_type())) {
        let mut columns = Vec::new();
        take_in(&mut columns, &fields, &[]).unwrap();
        let text = serde_json::to_string(&columns).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<CatalogColumn>>(&text).unwrap(), columns);
    }
}

#[test]
fn values_stay_in_their_column_or_go_to_one_of_their_type() {
    let numbers = Fields::from(vec![Field::new("age", DataType::Int64, true)]);
    let strings = Fields::from(vec![Field::new("age", DataType::Utf8, true)]);
    let mut columns = Vec::new();
    take_in(&mut columns, &numbers, &[]).unwrap();
    take_in(&mut columns, &strings, &[]).unwrap();
    assert_eq!(names(&columns), ["age", "age_string"]);
    let number: ArrayRef = Arc::new(Int64Array::from(vec![30]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let of_numbers = conformed(&columns, &numbers, std::slice::from_ref(&number), 1).unwrap();
    let of_strings = conformed(&columns, &strings, std::slice::from_ref(&text), 1).unwrap();
    assert_eq!((&of_numbers[0], of_numbers[1].null_count()), (&number, 1));
    assert_eq!((of_strings[0].null_count(), &of_strings[1]), (1, &text));
}

#[test]
fn types_are_written_as_hive_and_athena_read_them() {
    let member = Field::new("At Once", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true);
    let element = Field::new(Field::LIST_FIELD_DEFAULT_NAME, DataType::Struct(vec![member].into()), true);
    let fields = Fields::from(vec![Field::new("l", DataType::List(Arc::new(element)), true)]);
    let mut columns = Vec::new();
    take_in(&mut columns, &fields, &[]).unwrap();
    assert_eq!(columns[0].kind.hive(), "array<struct<at_once:timestamp>>");
    assert_eq!(columns[0].kind.sql(), r#"array(row("at_once" timestamp(3)))"#);
}

#[test]
fn columns_that_no_table_of_ours_has_are_refused() {
    let fields = Fields::from(vec![Field::new("d", DataType::Date32, true)]);
    let error = take_in(&mut Vec::new(), &fields, &[]).unwrap_err();
    assert!(error.to_string().contains("column `d` is Date32"), "{error}");
}
