//! Crash points: before and after every write that the commit protocol makes.
//!
//! A process started with `CIRCULATE_CRASH=NAME#N` kills itself with SIGKILL at the N-th time it gets to point NAME; with
//! `CIRCULATE_PAUSE=NAME#N` it stops itself with SIGSTOP there. With `CIRCULATE_CRASH_LOG=FILE` it appends the name of
//! every point it gets to. Only builds with the feature `testing` have this.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use rustix::process::{Signal, getpid, kill_process};

use crate::lake::sink::Sink;
use crate::state::StateStore;
use crate::writes::{self, WriteWatch};

/// Those of what is no write of the commit protocol.
static OTHERS: LazyLock<Points> = LazyLock::new(Points::of_environment);

/// A point beside the commit protocol, such as `refresh-token-granted`.
pub async fn reach(name: &str) {
    OTHERS.at("at", name).await;
}

/// Puts crash points around every write, if the environment names them.
pub fn armed(sink: Arc<dyn Sink>, store: Arc<dyn StateStore>) -> (Arc<dyn Sink>, Arc<dyn StateStore>) {
    let points = Arc::new(Points::of_environment());
    if points.crash.is_none() && points.pause.is_none() && points.log.is_none() {
        return (sink, store);
    }
    writes::watched(sink, store, points, None)
}

fn target(variable: &str) -> Option<(String, u64)> {
    let text = std::env::var(variable).ok()?;
    let (name, number) = text.split_once('#').expect("NAME#N");
    Some((name.to_owned(), number.parse().expect("NAME#N")))
}

#[derive(Debug)]
struct Points {
    crash: Option<(String, u64)>,
    pause: Option<(String, u64)>,
    log: Option<String>,
    hits: Mutex<HashMap<String, u64>>,
    /// Held during every write of state: a process stopped in the middle of one would keep SQLite's lock.
    quiet: tokio::sync::Mutex<()>,
}

impl Points {
    fn of_environment() -> Self {
        Self {
            crash: target("CIRCULATE_CRASH"),
            pause: target("CIRCULATE_PAUSE"),
            log: std::env::var("CIRCULATE_CRASH_LOG").ok(),
            hits: Mutex::default(),
            quiet: tokio::sync::Mutex::default(),
        }
    }

    async fn at(&self, when: &str, what: &str) {
        let name = format!("{when}-{what}");
        let hit = {
            let mut hits = self.hits.lock().unwrap();
            let hit = hits.entry(name.clone()).or_default();
            *hit += 1;
            *hit
        };
        if let Some(log) = &self.log {
            let mut file = OpenOptions::new().append(true).create(true).open(log).unwrap();
            file.write_all(format!("{name}\n").as_bytes()).unwrap();
        }
        let here = (name, hit);
        if self.crash.as_ref() == Some(&here) {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        if self.pause.as_ref() == Some(&here) {
            let _quiet = self.quiet.lock().await;
            kill_process(getpid(), Signal::STOP).unwrap();
            // The signal reaches this thread a little later.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl WriteWatch for Points {
    fn at<'a>(&'a self, when: &'a str, meaning: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.at(when, meaning))
    }

    fn held(&self) -> Option<&tokio::sync::Mutex<()>> {
        Some(&self.quiet)
    }
}
