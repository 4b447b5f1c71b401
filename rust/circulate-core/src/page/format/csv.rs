//! Rows of text below a row of names (RFC 4180), as objects of strings.
//!
//! What the RFC does not allow is refused, since it may be read in more than one way: a quote inside of an unquoted value, or
//! something between a closing quote and the next comma. Lines may also end with a mere line feed.

use std::collections::HashSet;

use super::document::{BodyError, Document};
use crate::page::record::{BYTE_ORDER_MARK, Problem};
use crate::page::watch::Watch;

#[derive(Debug)]
pub(super) struct CsvReader<'w> {
    watch: &'w Watch,
    max_row: u64,
    state: CsvState,
    /// The number of the line, from 1 on, and that of the one in which the row began.
    line: u64,
    row_line: u64,
    /// What has come of a value.
    value: Vec<u8>,
    /// Values of the row before it.
    values: usize,
    /// The row so far, as JSON.
    row: Vec<u8>,
    /// The names, each as a key in JSON; none before their row has ended.
    names: Vec<Vec<u8>>,
    /// Bytes of these, while their row has not ended.
    names_size: usize,
    unique: HashSet<String>,
    has_names: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CsvState {
    /// Nothing of a row has come.
    RowStart,
    /// After a comma.
    ValueStart,
    Plain,
    Quoted,
    /// After a quote in a quoted value: it ends there, or another quote follows.
    Quote,
    /// After a carriage return, which a line feed must follow.
    Return {
        blank: bool,
    },
}

impl<'w> CsvReader<'w> {
    pub(super) fn new(watch: &'w Watch, max_row: u64) -> Self {
        Self {
            watch,
            max_row,
            state: CsvState::RowStart,
            line: 1,
            row_line: 1,
            value: Vec::new(),
            values: 0,
            row: Vec::new(),
            names: Vec::new(),
            names_size: 0,
            unique: HashSet::new(),
            has_names: false,
        }
    }

    pub(super) fn feed(&mut self, piece: &[u8], document: &mut Document<'_>) -> Result<(), BodyError> {
        for byte in piece {
            self.state = self.step(*byte, document)?;
            self.line += u64::from(*byte == b'\n');
            if self.state == CsvState::RowStart {
                self.row_line = self.line;
            }
        }
        self.check_size()
    }

    fn step(&mut self, byte: u8, document: &mut Document<'_>) -> Result<CsvState, BodyError> {
        use CsvState::{Plain, Quote, Quoted, Return, RowStart, ValueStart};
        match (self.state, byte) {
            (Quoted, b'"') => Ok(Quote),
            (Quoted, _) | (Quote, b'"') => {
                self.value.push(byte);
                Ok(Quoted)
            }
            (Return { blank: true } | RowStart, b'\n') => self.blank_line(),
            (Return { blank: false }, b'\n') => self.end_row(document),
            (Return { .. }, _) => {
                Err(self.wrong("a carriage return is neither in quotes nor before a line feed"))
            }
            (RowStart, b'\r') => Ok(Return { blank: true }),
            (_, b',') => self.end_value().map(|()| ValueStart),
            (_, b'\n') => {
                self.end_value()?;
                self.end_row(document)
            }
            (_, b'\r') => self.end_value().map(|()| Return { blank: false }),
            (RowStart, b'<' | b'{' | b'[') if !self.has_names => {
                let json = Problem::NotCsv("it begins like JSON".to_owned());
                Err(BodyError::in_line(self.line, if byte == b'<' { Problem::Markup } else { json }))
            }
            (RowStart | ValueStart, b'"') => Ok(Quoted),
            (Quote, _) => Err(self.wrong("something stands between a closing quote and the next comma")),
            (_, b'"') => Err(self.wrong("a quote stands in a value that does not begin with one")),
            (RowStart | ValueStart | Plain, _) => {
                self.value.push(byte);
                if self.line == 1
                    && !self.has_names
                    && self.values == 0
                    && self.value == BYTE_ORDER_MARK.as_slice()
                {
                    self.value.clear();
                    return Ok(RowStart);
                }
                Ok(Plain)
            }
        }
    }

    pub(super) fn end(&mut self, document: &mut Document<'_>) -> Result<(), BodyError> {
        match self.state {
            CsvState::RowStart | CsvState::Return { blank: true } => {}
            CsvState::Quoted => return Err(BodyError::in_line(self.row_line, Problem::Truncated)),
            CsvState::Return { blank: false } => drop(self.end_row(document)?),
            CsvState::ValueStart | CsvState::Plain | CsvState::Quote => {
                self.end_value()?;
                if self.has_names && self.values < self.names.len() {
                    return Err(BodyError::in_line(self.row_line, Problem::Truncated));
                }
                self.end_row(document)?;
            }
        }
        match (document.has_begun(), self.has_names) {
            (true, _) => Ok(document.write(&[b"]"])?),
            (false, true) => Ok(document.write(&[b"[]"])?),
            (false, false) => Ok(()),
        }
    }

    fn end_value(&mut self) -> Result<(), BodyError> {
        self.check_size()?;
        let Ok(value) = std::str::from_utf8(&self.value) else {
            return Err(BodyError::in_line(self.line, Problem::Utf8));
        };
        if self.has_names {
            let Some(name) = self.names.get(self.values) else {
                let why = format!(
                    "the row has more values than the first row has names, which are {}",
                    self.names.len()
                );
                return Err(self.wrong_row(why));
            };
            self.row.push(if self.values == 0 { b'{' } else { b',' });
            self.row.extend_from_slice(name);
            write_string(value, &mut self.row);
        } else {
            if value.is_empty() {
                return Err(self.wrong_row(format!("the name of column {} is empty", self.values + 1)));
            }
            if !self.unique.insert(value.to_owned()) {
                return Err(
                    self.wrong_row(format!("column {} has the name of one before it", self.values + 1))
                );
            }
            let mut name = Vec::new();
            write_string(value, &mut name);
            name.push(b':');
            self.names_size += name.len();
            self.names.push(name);
        }
        self.values += 1;
        self.value.clear();
        Ok(())
    }

    fn end_row(&mut self, document: &mut Document<'_>) -> Result<CsvState, BodyError> {
        if !self.has_names {
            self.check_names()?;
            (self.has_names, self.names_size) = (true, 0);
        } else if self.values < self.names.len() {
            let (values, names) = (self.values, self.names.len());
            return Err(
                self.wrong_row(format!("the row has {values} values, and the first row {names} names"))
            );
        } else {
            self.row.push(b'}');
            let written = document.write_record(b"[", &self.row);
            written.map_err(|error| BodyError::in_line(self.row_line, error.problem))?;
            self.row.clear();
        }
        self.values = 0;
        Ok(CsvState::RowStart)
    }

    /// A line without anything in it is no row, unless a row may be so.
    fn blank_line(&self) -> Result<CsvState, BodyError> {
        if self.has_names && self.names.len() == 1 {
            return Err(self.wrong(
                "a blank line may be a row with an empty value, which is written as `\"\"` where there is one column",
            ));
        }
        Ok(CsvState::RowStart)
    }

    /// Any text is a CSV, such as an error in words: it is the one that was meant if it has the primary key.
    fn check_names(&self) -> Result<(), BodyError> {
        for member in self.watch.key_in_records() {
            if !matches!(member.segments(), [name] if self.unique.contains(name)) {
                return Err(self.wrong_row(format!(
                    "the first row does not name the column `{member}` of the primary key"
                )));
            }
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), BodyError> {
        if (self.row.len() + self.value.len() + self.names_size) as u64 > self.max_row {
            return Err(BodyError::in_line(self.row_line, Problem::RecordTooLarge));
        }
        Ok(())
    }

    fn wrong(&self, why: &str) -> BodyError {
        BodyError::in_line(self.line, Problem::NotCsv(why.to_owned()))
    }

    fn wrong_row(&self, why: String) -> BodyError {
        BodyError::in_line(self.row_line, Problem::NotCsv(why))
    }
}

/// Writes a text as JSON.
fn write_string(text: &str, json: &mut Vec<u8>) {
    json.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => json.extend_from_slice(&[b'\\', byte]),
            b'\n' => json.extend_from_slice(b"\\n"),
            b'\r' => json.extend_from_slice(b"\\r"),
            b'\t' => json.extend_from_slice(b"\\t"),
            0..0x20 => json.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => json.push(byte),
        }
    }
    json.push(b'"');
}
