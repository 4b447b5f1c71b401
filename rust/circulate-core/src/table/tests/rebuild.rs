//! Whatever records hold, and whatever the schema was inferred from: they can be put together again from the columns
//! and the rescue column.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use proptest::prelude::*;

use super::super::json::{JsonReader, Repeats, members};
use super::*;
use crate::timestamp::{Instant, parse_timestamp};

/// A JSON value that loses nothing: numbers and strings as their text.
#[derive(Debug, Clone)]
enum Value {
    Null,
    Literal(bool),
    Number(String),
    /// With its quotes.
    Text(String),
    List(Vec<Self>),
    /// Keys without their quotes, which may repeat.
    Object(Vec<(String, Self)>),
    /// Of an integer, number or timestamp column.
    Integer(i64),
    Float(f64),
    Time(i64),
}

impl Value {
    fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Literal(value) => value.to_string(),
            Self::Number(text) | Self::Text(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::json).collect::<Vec<_>>().join(" ,")),
            Self::Object(members) => {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("\"{key}\": {}", value.json())).collect();
                format!("{{{}}}", members.join(","))
            }
            Self::Integer(_) | Self::Float(_) | Self::Time(_) => unreachable!("only columns hold these"),
        }
    }

    fn parse(json: &[u8]) -> Self {
        let mut cursor = JsonReader::new(json);
        match cursor.peek().unwrap() {
            b'{' => {
                let members = members(&mut cursor).unwrap().into_iter();
                let last = members.filter(|member| member.repeats != Repeats::Later);
                Self::Object(last.map(|m| (text_of(m.key.raw), Self::parse(m.value))).collect())
            }
            b'[' => Self::List(items(&mut cursor)),
            b'"' => Self::Text(String::from_utf8(json.to_vec()).unwrap()),
            b'n' => Self::Null,
            b't' | b'f' => Self::Literal(json == b"true"),
            _ => Self::Number(String::from_utf8(json.to_vec()).unwrap()),
        }
    }

    /// With one value a key, and without members that are null (or, where that can't be distinguished, empty objects).
    fn settled(&self, without_empty: bool) -> Self {
        let dropped = |value: &Self| match value {
            Self::Null => true,
            Self::Object(members) => without_empty && members.is_empty(),
            _ => false,
        };
        match self {
            Self::List(items) => Self::List(items.iter().map(|item| item.settled(without_empty)).collect()),
            Self::Object(members) => {
                let mut settled: Vec<(String, Self)> = Vec::new();
                for (key, value) in members {
                    let key = text_of(key.as_bytes());
                    settled.retain(|(there, _)| *there != key);
                    settled.push((key, value.settled(without_empty)));
                }
                settled.retain(|(_, value)| !dropped(value));
                settled.sort_by(|a, b| a.0.cmp(&b.0));
                Self::Object(settled)
            }
            other => other.clone(),
        }
    }

    fn member(&mut self, name: &str) -> &mut Self {
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(members) = self else { unreachable!() };
        let index = members.iter().position(|(key, _)| key == name).unwrap_or_else(|| {
            members.push((name.to_owned(), Self::Null));
            members.len() - 1
        });
        &mut members[index].1
    }

    fn at(&mut self, pointer: &str) -> &mut Self {
        pointer.split('/').skip(1).fold(self, |value, segment| match value {
            Self::List(items) => &mut items[segment.parse::<usize>().unwrap()],
            value => value.member(&segment.replace("~1", "/").replace("~0", "~")),
        })
    }
}

/// The text of a key, or what stands for it if it has none.
fn text_of(key: &[u8]) -> String {
    let key = std::str::from_utf8(key).unwrap();
    serde_json::from_str(&format!("\"{key}\"")).unwrap_or_else(|_| key.replace("\\/", "/"))
}

fn items(cursor: &mut JsonReader<'_>) -> Vec<Value> {
    let mut items = Vec::new();
    cursor.expect(b'[').unwrap();
    while !cursor.take(b']').unwrap() {
        items.push(Value::parse(cursor.skip().unwrap()));
        cursor.take(b',').unwrap();
    }
    items
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Literal(a), Self::Literal(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Number(text), Self::Integer(value)) => {
                text == "-0" && *value == 0 || *text == value.to_string()
            }
            (Self::Number(text), Self::Float(value)) => text.parse() == Ok(*value),
            (Self::Text(a), Self::Text(b)) => text_of(inner(a)) == text_of(inner(b)),
            (Self::Text(text), Self::Time(micros)) => {
                let time = parse_timestamp(text_of(inner(text)).as_bytes());
                time.and_then(Instant::microseconds) == Some(*micros)
            }
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            _ => false,
        }
    }
}

fn inner(quoted: &str) -> &[u8] {
    &quoted.as_bytes()[1..quoted.len() - 1]
}

fn rebuilt(batch: &RecordBatch, schema: &TableSchema, nested: Nested, row: usize) -> Value {
    let mut columns = Value::Object(Vec::new());
    let mut arrays =
        batch.columns().iter().zip(batch.schema().fields().to_vec()).map(|(a, f)| (f.name().clone(), a));
    take_members(
        &mut columns,
        schema.members(),
        "",
        nested,
        row,
        &mut arrays.by_ref().collect::<Vec<_>>().as_slice(),
    );
    let mut record = columns.clone();
    if let Some(rescued) = super::rescued(batch)[row] {
        let mut cursor = JsonReader::new(rescued.as_bytes());
        for member in members(&mut cursor).unwrap() {
            let pointer = text_of(member.key.raw);
            if pointer.is_empty() {
                return Value::parse(member.value);
            }
            if matches!(columns.clone().at(&pointer), Value::Null) {
                *record.at(&pointer) = Value::parse(member.value);
            }
        }
    }
    record
}

type Columns<'a, 'b> = &'a mut &'b [(String, &'b ArrayRef)];

/// Takes the columns of members in their order; one that isn't there was refused.
fn take_members(
    record: &mut Value,
    members: &[Member],
    prefix: &str,
    nested: Nested,
    row: usize,
    columns: Columns<'_, '_>,
) {
    for Member { name, kind, .. } in members {
        let joined = format!("{prefix}{name}");
        if let (MemberType::Struct(members), Nested::Flatten) = (kind, nested) {
            let mut object = Value::Object(Vec::new());
            take_members(&mut object, members, &format!("{joined}__"), nested, row, columns);
            if !matches!(&object, Value::Object(members) if members.iter().all(|(_, value)| matches!(value, Value::Null)))
            {
                *record.member(name) = object;
            }
            continue;
        }
        let Some(((_, array), rest)) = columns.split_first().filter(|((column, _), _)| *column == joined)
        else {
            continue;
        };
        *columns = rest;
        let is_json = nested == Nested::Json && matches!(kind, MemberType::Struct(_) | MemberType::List(_));
        *record.member(name) = cell(array, if is_json { &MemberType::Json } else { kind }, row);
    }
}

fn cell(array: &ArrayRef, kind: &MemberType, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match kind {
        MemberType::String => {
            Value::Text(serde_json::Value::from(array.as_string::<i32>().value(row)).to_string())
        }
        MemberType::Json => Value::parse(array.as_string::<i32>().value(row).as_bytes()),
        MemberType::Integer => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        MemberType::Number => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        MemberType::Boolean => Value::Literal(array.as_boolean().value(row)),
        MemberType::Timestamp => Value::Time(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        MemberType::Struct(members) => {
            let arrays = array.as_struct();
            let names = arrays.column_names();
            let member = |(name, array): (&&str, _)| {
                let kind = &members.iter().find(|member| member.name == **name).unwrap().kind;
                ((*name).to_owned(), cell(array, kind, row))
            };
            Value::Object(names.iter().zip(arrays.columns()).map(member).collect())
        }
        MemberType::List(element) => {
            let items = array.as_list::<i32>().value(row);
            Value::List((0..items.len()).map(|index| cell(&items, element, index)).collect())
        }
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    let numbers = [
        "0",
        "-0",
        "17",
        "-9223372036854775808",
        "9223372036854775807",
        "9223372036854775808",
        "9007199254740993",
        "18446744073709551616",
        "1.0",
        "-0.0",
        "1e5",
        "1E+2",
        "1e400",
        "2.5E-324",
        "0.1000",
        "3.14159265358979323846264338327950288",
        "12345678901234567890123",
    ];
    let strings = [
        r#""""#,
        r#""a""#,
        r#""caf\u00e9 \uD83D\uDE80 \/\\\"""#,
        r#""\ud800""#,
        r#""\udc00 tail""#,
        r#""a\u0000b""#,
        r#""2026-01-01T00:00:00Z""#,
        r#""2026-01-01T01:00:00.123456+01:00""#,
        r#""2026-01-01T00:00:00.1234567Z""#,
        r#""2026-01-01""#,
        r#""東京都 \n 👩🏽‍💻""#,
        r#""]}{[,:""#,
    ];
    prop_oneof![
        2 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Literal),
        3 => proptest::sample::select(numbers.to_vec()).prop_map(|text| Value::Number(text.to_owned())),
        1 => any::<i64>().prop_map(|number| Value::Number(number.to_string())),
        1 => any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| Value::Number(format!("{f:e}"))),
        3 => proptest::sample::select(strings.to_vec()).prop_map(|text| Value::Text(text.to_owned())),
        1 => "\\PC{0,12}".prop_map(|text| Value::Text(serde_json::Value::from(text).to_string())),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let keys = [
        "a", "b", "c", "\\u0061", "A", "a__b", "b__c", "x/y~z", "x\\/y~z", "q\\\"é", "_links", "_rescued",
        "_RAW", "", "部署",
    ];
    proptest::sample::select(keys.to_vec()).prop_map(str::to_owned)
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    proptest::collection::vec((key(), value), 0..6).prop_map(Value::Object)
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            2 => object(inner.clone()),
            1 => proptest::collection::vec(inner, 0..4).prop_map(Value::List),
        ]
    })
}

fn check(records: &[Value], sample: usize, nested: Nested, contract: Contract) {
    let strings: Vec<_> = records.iter().map(Value::json).collect();
    let strings: Vec<_> = strings.iter().map(String::as_str).collect();
    let mut converter =
        Converter::new(inferred(&strings[..sample]), TableOptions { nested, raw: true }, contract);
    for (records, strings) in
        [(&records[..sample], &strings[..sample]), (&records[sample..], &strings[sample..])]
    {
        let batch = converter.convert_array(&array(strings)).unwrap();
        assert_eq!(
            super::strings(&batch, "_raw"),
            strings.iter().map(|text| Some(*text)).collect::<Vec<_>>()
        );
        for (row, record) in records.iter().enumerate() {
            let without_empty = nested == Nested::Flatten;
            let rebuilt = rebuilt(&batch, converter.schema(), nested, row).settled(without_empty);
            assert_eq!(record.settled(without_empty), rebuilt, "{} as {batch:?}", record.json());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_value_is_ever_lost(
        records in proptest::collection::vec(object(value()), 1..6),
        sample in any::<proptest::sample::Index>(),
        evolve in any::<bool>(),
    ) {
        let contract = if evolve { Contract::Evolve } else { Contract::Rescue };
        for nested in [Nested::Struct, Nested::Flatten, Nested::Json] {
            check(&records, sample.index(records.len() + 1), nested, contract);
        }
    }

    #[test]
    fn batches_of_every_schema_conform_to_the_last_one(
        batches in proptest::collection::vec(proptest::collection::vec(object(value()), 0..4), 1..4),
    ) {
        for nested in [Nested::Struct, Nested::Flatten, Nested::Json] {
            let mut converter =
                Converter::new(nothing_declared(), TableOptions { nested, raw: false }, Contract::Evolve);
            let converted: Vec<_> = batches.iter().map(|records| {
                let strings: Vec<_> = records.iter().map(Value::json).collect();
                converter.convert_array(format!("[{}]", strings.join(",")).as_bytes()).unwrap()
            }).collect();
            let later = converter.arrow();
            let conformed: Vec<_> = converted.iter().map(|batch| conform(batch, &later).unwrap()).collect();
            let rows = concat_batches(&later, &conformed).unwrap().num_rows();
            prop_assert_eq!(rows, batches.iter().map(Vec::len).sum::<usize>());
        }
    }

    #[test]
    fn what_is_no_json_never_panics(text in "[\\[\\]{}:,\"\\\\au0dnultrefs1-9.e ]{0,60}") {
        let schema = inferred(&[r#"{"a":{"a":1},"u":[{"t":"x"}]}"#]);
        let mut builder = TableBuilder::new(schema, TableOptions::default()).learning();
        let _ = builder.push_array(text.as_bytes());
        let _ = builder.push(text.as_bytes());
        let _ = builder.finish();
    }
}
