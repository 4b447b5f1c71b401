//! Time and memory of the current table, to be run by hand: `LAKE` is a folder, `KEYS` how many records, `LOOK` json or parquet.
//!
//! `cargo test --lib -- --ignored --exact read::lake::measure::writes` makes the lake, and `...::reads` reads it, in another
//! process, so that its peak is of reading alone.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::model::{Look, TestLake, TestRun, by_id};
use crate::encode::Compression;
use crate::lake::sink::LocalFolder;
use crate::stop::Stop;
use crate::table::Nested;

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is to be set"))
}

fn lake() -> TestLake {
    let mut lake = TestLake::new(by_id());
    lake.place = Arc::new(LocalFolder::new(setting("LAKE").into()));
    lake.memory = 256_000_000;
    lake
}

fn record(n: u64, version: u64) -> Value {
    json!({
        "id": format!("00u{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        "status": if n.is_multiple_of(3) { "ACTIVE" } else { "SUSPENDED" },
        "created": "2026-01-02T03:04:05.000Z",
        "lastUpdated": format!("2026-02-03T04:05:{:02}.000Z", version % 60),
        "profile": {"login": format!("user.{n}@example.com"), "firstName": "Ada", "lastName": format!("Lovelace {n}")},
        "n": n + version,
    })
}

#[tokio::test]
#[ignore = "it measures, and is to be told what"]
async fn writes() {
    let keys: u64 = setting("KEYS").parse().unwrap();
    let (look, size) = match setting("LOOK").as_str() {
        "json" => (Look::Json(Compression::Gzip), 1_000),
        "ndjson" => (Look::Ndjson(Compression::Gzip), 100_000),
        _ => (Look::Parquet(Nested::Struct), 500_000),
    };
    let mut lake = lake();
    let run = TestRun::of(look, &[]);
    let objects = |from: u64, to: u64, version: u64| {
        (from..to).step_by(size).map(move |start| {
            (start..to.min(start + size as u64)).map(|n| record(n, version)).collect::<Vec<_>>()
        })
    };
    lake.write_objects(&run, objects(0, keys, 0)).await;
    lake.write_objects(&TestRun { full: false, ..run }, objects(keys / 2, keys / 2 + keys / 10, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures, and is to be told what"]
async fn reads() {
    let columns = std::env::var("COLUMNS").ok().map(|names| names.split(',').map(str::to_owned).collect());
    let began = Instant::now();
    let plan = Arc::new(super::LakeTable { columns, ..lake().table() }.plan().await.unwrap());
    let planned = began.elapsed();
    let spilled = plan.report().spilled_bytes;
    let mut reading = plan.read(Stop::new(None));
    let mut rows = 0;
    while let Some(batch) = reading.next().await.unwrap() {
        rows += batch.num_rows();
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kb = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let peak = (kb("VmHWM:") - kb("RssFile:")) / 1000;
    println!(
        "{rows} rows, keys {planned:?}, in all {:?}, peak {peak} MB, spilled {spilled} B",
        began.elapsed()
    );
}
