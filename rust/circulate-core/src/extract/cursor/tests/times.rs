use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A rule, of these keys beside its cursor and its filter.
fn rule(keys: &serde_json::Value) -> Incremental {
    let mut rule = json!({"cursor": "/at", "param": "since", "since": "{since}"});
    for (key, value) in keys.as_object().unwrap() {
        rule[key] = value.clone();
    }
    serde_json::from_value(rule).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn read(keys: &serde_json::Value, json: &str) -> Option<(String, String)> {
    let rule = rule(keys);
    let range = RecordTimes::of(&rule).greatest([Some(json.as_bytes())])?;
    Some((range.from.to_string(), range.to.to_string()))
}

#[test]
fn records_write_times_in_many_ways() {
    for (keys, json, from, to) in [
        (json!({}), r#""2026-11-22T05:30:00+01:00""#, "2026-11-22T04:30:00Z", "2026-11-22T04:30:00Z"),
        (
            json!({"zone": "Europe/Berlin"}),
            r#""2026-11-22T05:30:00""#,
            "2026-11-22T04:30:00Z",
            "2026-11-22T04:30:00Z",
        ),
        (
            json!({"zone": "Europe/Berlin"}),
            r#""2026-11-22T05:30:00Z""#,
            "2026-11-22T05:30:00Z",
            "2026-11-22T05:30:00Z",
        ),
        (
            json!({"format": "date"}),
            r#""2026-11-22""#,
            "2026-11-22T00:00:00Z",
            "2026-11-22T23:59:59.999999999Z",
        ),
        (
            json!({"format": "date", "zone": "+02:00"}),
            r#""2026-11-22""#,
            "2026-11-21T22:00:00Z",
            "2026-11-22T21:59:59.999999999Z",
        ),
        (
            json!({"format": "epoch_s"}),
            "1700000000",
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.999999999Z",
        ),
        (
            json!({"format": "epoch_s"}),
            r#""1700000000""#,
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.999999999Z",
        ),
        (
            json!({"format": "epoch_s"}),
            r#""1700000000.000100""#,
            "2023-11-14T22:13:20.0001Z",
            "2023-11-14T22:13:20.0001Z",
        ),
        (json!({"format": "epoch_s"}), "1.7e9", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"),
        (json!({"format": "epoch_s"}), "-1", "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999999999Z"),
        (
            json!({"format": "epoch_ms"}),
            "1700000000001",
            "2023-11-14T22:13:20.001Z",
            "2023-11-14T22:13:20.001999999Z",
        ),
        (
            json!({"format": "epoch_us"}),
            "1700000000000001",
            "2023-11-14T22:13:20.000001Z",
            "2023-11-14T22:13:20.000001999Z",
        ),
        (
            json!({"format": "%d/%m/%Y %H:%M", "zone": "Europe/Berlin"}),
            r#""22/11/2026 05:30""#,
            "2026-11-22T04:30:00Z",
            "2026-11-22T04:30:59.999999999Z",
        ),
        (
            json!({"format": "%Y-%m-%d %H:%M:%S %z"}),
            r#""2026-11-22 05:30:00 +0100""#,
            "2026-11-22T04:30:00Z",
            "2026-11-22T04:30:00.999999999Z",
        ),
        (
            json!({"format": {"records": "epoch_ms", "filter": "date"}}),
            "0",
            "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00.000999999Z",
        ),
    ] {
        assert_eq!(read(&keys, json), Some((from.to_owned(), to.to_owned())), "{keys} {json}");
    }
}

#[test]
fn a_local_time_that_comes_twice_may_be_either_one() {
    let berlin = json!({"format": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin"});
    let (from, to) = read(&berlin, r#""2026-10-25 02:30""#).unwrap();
    assert_eq!((from.as_str(), to.as_str()), ("2026-10-25T00:30:00Z", "2026-10-25T01:30:59.999999999Z"));
    // And one that never comes is the earlier one of those that it may stand for.
    let (from, _) = read(&berlin, r#""2026-03-29 02:30""#).unwrap();
    assert_eq!(from, "2026-03-29T00:30:00Z");
}

#[test]
fn what_names_no_time_is_none() {
    for (keys, json) in [
        (json!({}), r#""2026-11-22T05:30:00""#),
        (json!({}), "1700000000"),
        (json!({"format": "date"}), r#""2026-11-22T05:30:00Z""#),
        (json!({"format": "date"}), r#""2026-02-30""#),
        (json!({"format": "date"}), "20261122"),
        (json!({"format": "epoch_s"}), r#""soon""#),
        (json!({"format": "epoch_s"}), r#""""#),
        (json!({"format": "epoch_s"}), r#""1.2.3""#),
        (json!({"format": "epoch_s"}), r#""-""#),
        (json!({"format": "epoch_s"}), "null"),
        (json!({"format": "epoch_s"}), "true"),
        (json!({"format": "epoch_s"}), "[1]"),
        (json!({"format": "epoch_s"}), "99999999999999999999999999999999999999999999"),
        (json!({"format": "epoch_s"}), "1e400"),
        (json!({"format": "%d/%m/%Y"}), r#""2026-11-22""#),
        (json!({"format": "%d/%m/%Y"}), r#""22/11/2026 05:30""#),
    ] {
        assert_eq!(read(&keys, json), None, "{keys} {json}");
    }
}

/// What a request takes as its lower and as its upper bound.
fn bounds(keys: &serde_json::Value, at: &str) -> (String, String) {
    let rule = rule(keys);
    let times = FilterTimes::of(&rule);
    let text = |bound| times.text(bound).unwrap();
    (text(times.lower(time(at))), text(times.upper(time(at))))
}

#[test]
fn a_bound_takes_in_all_that_it_stands_for() {
    let at = "2026-11-22T05:30:00.0005Z";
    for (keys, lower, upper) in [
        (json!({}), "2026-11-22T05:30:00.000Z", "2026-11-22T05:30:00.001Z"),
        (json!({"inclusive": false}), "2026-11-22T05:29:59.999Z", "2026-11-22T05:30:00.001Z"),
        (json!({"format": "date"}), "2026-11-22", "2026-11-23"),
        (json!({"format": "date", "inclusive": false}), "2026-11-21", "2026-11-23"),
        (json!({"format": "date", "zone": "-08:00"}), "2026-11-21", "2026-11-22"),
        (json!({"format": "epoch_s"}), "1795325400", "1795325401"),
        (json!({"format": "epoch_s", "inclusive": false}), "1795325399", "1795325401"),
        (json!({"format": "epoch_ms"}), "1795325400000", "1795325400001"),
        (json!({"format": "epoch_us"}), "1795325400000500", "1795325400000500"),
        (
            json!({"format": "%d/%m/%Y %H:%M", "zone": "Europe/Berlin"}),
            "22/11/2026 06:30",
            "22/11/2026 06:31",
        ),
        (
            json!({"format": "%Y-%m-%dT%H:00:00%:z", "zone": "Asia/Kolkata"}),
            "2026-11-22T11:00:00+05:30",
            "2026-11-22T12:00:00+05:30",
        ),
    ] {
        assert_eq!(bounds(&keys, at), (lower.to_owned(), upper.to_owned()), "{keys}");
    }
}

#[test]
fn a_local_bound_lies_around_the_hour_that_comes_twice() {
    let berlin = json!({"format": "%Y-%m-%d %H:%M:%S", "zone": "Europe/Berlin"});
    let around = ("2026-10-25 01:59:59".to_owned(), "2026-10-25 03:00:00".to_owned());
    for at in ["2026-10-25T00:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-10-25T01:59:59Z"]
    {
        assert_eq!(bounds(&berlin, at), around, "{at}");
    }
    assert_eq!(bounds(&berlin, "2026-10-25T02:00:00Z").0, "2026-10-25 03:00:00");
    assert_eq!(bounds(&berlin, "2026-10-24T23:59:59Z").0, "2026-10-25 01:59:59");
}

/// Rules of every kind.
fn rules() -> impl Strategy<Value = serde_json::Value> {
    let formats = [
        "rfc3339",
        "date",
        "epoch_s",
        "epoch_ms",
        "epoch_us",
        "%d/%m/%Y %H:%M",
        "%Y%m%d%H%M%S",
        "%Y-%m-%d %H",
    ];
    let zones = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "-03:30",
        "Asia/Kathmandu",
    ];
    (
        proptest::sample::select(formats.to_vec()),
        proptest::sample::select(formats.to_vec()),
        proptest::sample::select(zones.to_vec()),
        any::<bool>(),
    )
        .prop_map(|(records, filter, zone, inclusive)| {
            json!({"format": {"records": records, "filter": filter}, "zone": zone, "inclusive": inclusive})
        })
}

proptest! {
    /// 2025 to 2027, where clocks are set forth and back.
    #[test]
    fn no_bound_leaves_out_what_it_stands_for(keys in rules(), second in 1_735_689_600_i64..1_830_297_600, nanos in 0i32..1_000_000_000) {
        let rule = rule(&keys);
        let (times, at) = (FilterTimes::of(&rule), Timestamp::new(second, nanos).unwrap());
        let (lower, upper) = (times.lower(at), times.upper(at));
        prop_assert!(lower <= at && at <= upper);
        prop_assert!(rule.inclusive || lower < times.floor(at));
        // It is sent as it is: an API that reads its text takes no later one.
        let (format, zone) = (rule.format_of_filter(), rule.zone_of_filter().cloned());
        let as_record = RecordTimes { format, zone };
        let read = |text: String| as_record.greatest([Some(serde_json::to_vec(&text).unwrap().as_slice())]).unwrap();
        prop_assert_eq!(read(times.text(lower).unwrap()).from, lower);
        prop_assert!(read(times.text(upper).unwrap()).from >= at || times.floor(at) == at);
        // And it is not needlessly early: at most a day, twice an hour, and a unit.
        prop_assert!(at.duration_since(lower) < SignedDuration::from_hours(24 * 2 + 3));
    }

    #[test]
    fn a_later_bound_is_never_sent_as_an_earlier_one(keys in rules(), second in 1_735_689_600_i64..1_830_297_600, step in 0i64..10_000) {
        let rule = rule(&keys);
        let times = FilterTimes::of(&rule);
        let at = |second| Timestamp::from_second(second).unwrap();
        prop_assert!(times.lower(at(second)) <= times.lower(at(second + step)));
        prop_assert!(times.upper(at(second)) <= times.upper(at(second + step)));
    }

    #[test]
    fn a_record_may_have_the_time_that_it_was_written_with(keys in rules(), second in 1_735_689_600_i64..1_830_297_600) {
        let rule = rule(&keys);
        let at = Timestamp::from_second(second).unwrap();
        let writer = FilterTimes { format: rule.format_of_records(), zone: rule.zone_of_records().cloned().unwrap_or(TimeZone::UTC), inclusive: true };
        let written = serde_json::to_vec(&writer.text(at).unwrap()).unwrap();
        let range = RecordTimes::of(&rule).greatest([Some(written.as_slice())]).unwrap();
        prop_assert!(range.from <= at && at <= range.to, "{:?}", range);
    }

    #[test]
    fn nothing_that_a_record_holds_panics(keys in rules(), json in "\\PC{0,20}") {
        let rule = rule(&keys);
        RecordTimes::of(&rule).greatest([Some(json.as_bytes())]);
        RecordTimes::of(&rule).greatest([Some(serde_json::to_vec(&json).unwrap().as_slice())]);
    }
}
