//! Kinds of values that options take, in Python and as text on the command line.

use std::time::Duration;

use circulate_core::catalog::{Share, Span};
use circulate_core::clock::Clock;
use circulate_core::encode::{Compression, Format};
use circulate_core::human::{parse_size, parse_time};
use circulate_core::state::Mode;
use circulate_core::table::{Contract, Nested};
use jiff::Timestamp;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBoolMethods, PyString};
use serde::Deserialize;
use serde::de::value::{Error as NoChoice, StrDeserializer};
use tokio::time::Instant;

/// A kind of value.
pub(crate) trait Value: Sized {
    /// Its name in help.
    const KIND: &'static str;
    /// All values there are, if these are few.
    const CHOICES: &'static [&'static str] = &[];

    /// The value that was given, or why it is none.
    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String>;

    /// The value of an option that is left out, if it may be.
    fn left_out() -> Option<Self> {
        None
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: &'static str = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        T::read(given).map(Some)
    }

    fn left_out() -> Option<Self> {
        Some(None)
    }
}

impl Value for bool {
    const KIND: &'static str = "FLAG";

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        given.cast::<PyBool>().map(PyBoolMethods::is_true).map_err(|_| expected("True or False", given))
    }

    fn left_out() -> Option<Self> {
        Some(false)
    }
}

impl Value for String {
    const KIND: &'static str = "NAME";

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        text_of(given).ok_or_else(|| expected("a string", given))
    }
}

/// A number of 1 or more.
pub(crate) struct Count(pub(crate) usize);

impl Value for Count {
    const KIND: &'static str = "N";

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        let number = match text_of(given) {
            Some(text) => text.parse().ok(),
            None => whole_number(given),
        };
        let number = number.and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0);
        number.map(Self).ok_or_else(|| expected("a whole number of 1 or more", given))
    }
}

/// A share of the API's quota.
pub(crate) struct Headroom(pub(crate) Share);

impl Value for Headroom {
    const KIND: &'static str = "SHARE";

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        let number = match text_of(given) {
            Some(text) => text.trim().parse().ok(),
            None => given.extract().ok().filter(|_| !given.is_instance_of::<PyBool>()),
        };
        let share = number.and_then(|number: f64| Share::try_from(number).ok());
        share
            .map(Self)
            .ok_or_else(|| expected("a number from 0 up to, but not including, 1, such as 0.3", given))
    }
}

/// A number of bytes, 1 or more.
pub(crate) struct Size(pub(crate) u64);

impl Value for Size {
    const KIND: &'static str = "SIZE";

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        let bytes = match text_of(given) {
            Some(text) => parse_size(&text)?,
            None => {
                whole_number(given).ok_or_else(|| expected("bytes, or a size such as \"64MB\"", given))?
            }
        };
        Some(bytes).filter(|bytes| *bytes > 0).map(Self).ok_or_else(|| "it must be 1 byte or more".to_owned())
    }
}

/// A length of time.
pub(crate) struct Length(pub(crate) Duration);

impl Value for Length {
    const KIND: &'static str = "SPAN";

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        if let Some(text) = text_of(given) {
            return Span::try_from(text).map(|span| Self(span.get()));
        }
        let seconds = seconds_of(given)?;
        let why = |_| format!("{seconds} seconds is not a length of time");
        Duration::try_from_secs_f64(seconds).map(Self).map_err(why)
    }
}

/// A length of time that is not zero: with it no run would be held.
pub(crate) struct LeaseTime(pub(crate) Duration);

impl Value for LeaseTime {
    const KIND: &'static str = Length::KIND;

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        let Length(length) = Length::read(given)?;
        Some(length)
            .filter(|length| !length.is_zero())
            .map(Self)
            .ok_or_else(|| "it must be more than 0".to_owned())
    }
}

/// A length of time from now on. One that is over already is now.
pub(crate) struct Deadline(pub(crate) Instant);

impl Value for Deadline {
    const KIND: &'static str = "SPAN";

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        let is_over = text_of(given).is_none() && seconds_of(given)? < 0.0;
        let Length(left) = if is_over { Length(Duration::ZERO) } else { Length::read(given)? };
        Instant::now().checked_add(left).map(Self).ok_or_else(|| "it is too far off".to_owned())
    }
}

/// An instant.
pub(crate) struct Time(pub(crate) Timestamp);

impl Value for Time {
    const KIND: &'static str = "TIME";

    fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
        let now = Clock::system().now();
        if of_datetime(given, "timedelta", "total_seconds").is_some() {
            let Length(ago) = Length::read(given)?;
            return now.checked_sub(ago).map(Self).map_err(|_| "it is too long ago".to_owned());
        }
        let text = match of_datetime(given, "date", "isoformat") {
            Some(text) => text.extract().ok(),
            None => text_of(given),
        };
        let text = text.ok_or_else(|| expected("a string, a date, a datetime or a timedelta", given))?;
        parse_time(&text, now).map(Self)
    }
}

/// Encryption of objects by S3.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Sse {
    /// By a key of S3.
    #[serde(rename = "AES256")]
    Aes256,
    /// By a key of the Key Management Service.
    #[serde(rename = "aws:kms")]
    Kms,
}

/// A choice of the engine, by the name that it has in stored documents too.
macro_rules! choices {
    ($($Choice:ty: $($name:literal),+;)+) => {
        $(impl Value for $Choice {
            const KIND: &'static str = "CHOICE";
            const CHOICES: &'static [&'static str] = &[$($name),+];

            fn read(given: &Bound<'_, PyAny>) -> Result<Self, String> {
                choice(given, Self::CHOICES)
            }
        })+
    };
}

choices! {
    Mode: "incremental", "full";
    Format: "json", "ndjson", "parquet", "arrow";
    Compression: "gzip", "zstd", "none";
    Nested: "struct", "flatten", "json";
    Contract: "evolve", "rescue", "freeze";
    Sse: "AES256", "aws:kms";
}

fn choice<T: for<'de> Deserialize<'de>>(given: &Bound<'_, PyAny>, choices: &[&str]) -> Result<T, String> {
    let wrong = || format!("{}; it is one of {}", shown(given), choices.join(", "));
    let text = text_of(given).filter(|text| choices.contains(&text.as_str())).ok_or_else(wrong)?;
    T::deserialize(StrDeserializer::<NoChoice>::new(&text)).map_err(|_| wrong())
}

/// A string; none if it is something else, or not Unicode.
fn text_of(given: &Bound<'_, PyAny>) -> Option<String> {
    given.cast::<PyString>().ok()?.extract().ok()
}

/// A whole number that is not negative, also of another library.
fn whole_number(given: &Bound<'_, PyAny>) -> Option<u64> {
    if given.is_instance_of::<PyBool>() { None } else { given.extract().ok() }
}

/// Seconds of a number, or of a `timedelta`.
fn seconds_of(given: &Bound<'_, PyAny>) -> Result<f64, String> {
    let wrong = || expected("seconds, or a length of time such as \"10m\"", given);
    if given.is_instance_of::<PyBool>() || given.is_instance_of::<PyString>() {
        return Err(wrong());
    }
    let number = match of_datetime(given, "timedelta", "total_seconds") {
        Some(seconds) => seconds.extract(),
        None => given.extract(),
    };
    number.map_err(|_| wrong())
}

/// What a method of a class of `datetime` returns; none if the value is of another class.
fn of_datetime<'py>(given: &Bound<'py, PyAny>, class: &str, method: &str) -> Option<Bound<'py, PyAny>> {
    let class = given.py().import("datetime").ok()?.getattr(class).ok()?;
    given.is_instance(&class).ok()?.then(|| given.call_method0(method).ok())?
}

fn expected(what: &str, given: &Bound<'_, PyAny>) -> String {
    format!("expected {what}, given {}", shown(given))
}

/// A value as it was given. What it looks like may be anybody's code.
fn shown(given: &Bound<'_, PyAny>) -> String {
    given.repr().map_or_else(|_| "something that cannot be shown".to_owned(), |text| text.to_string())
}
