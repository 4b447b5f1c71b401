//! Columns of the members of objects: those of the records, and those of objects in them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use arrow_schema::{FieldRef, Fields};

use super::column::Values;
use super::drift::DriftKind;
use super::drift_recorder::{self, DriftRecorder};
use super::json_reader::{ConversionError, JsonReader, Quoted, unescape};
use super::schema::{MAX_NAME, Taken};

/// A member with its column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) field: FieldRef,
    pub(super) values: Values,
    /// The key as JSON writes it, with its quotes.
    quoted: Vec<u8>,
    /// The key as a segment of a JSON Pointer, within a JSON string.
    segment: Vec<u8>,
    /// Where it stands, for the drift report.
    path: String,
}

impl Column {
    pub(super) fn new(name: &str, path: String, field: FieldRef, values: Values) -> Self {
        Self {
            field,
            values,
            quoted: drift_recorder::json_text(name).into_bytes(),
            segment: drift_recorder::segment(name),
            path,
        }
    }
}

/// The columns of the members of objects in one place.
#[derive(Debug)]
pub(super) struct StructColumn {
    pub(super) columns: Vec<Column>,
    /// By the key's bytes.
    places: HashMap<Vec<u8>, usize, ahash::RandomState>,
    /// Which column came after which one last time, for it is likely to do so again; first the one that came first.
    followers: Vec<usize>,
    /// Members that have no column since another one has their name, or one that readers can't tell from it.
    refused: HashSet<String>,
    folded: Taken,
    /// Names of columns of our own.
    ours: Taken,
    valid: Vec<bool>,
    path: String,
}

/// Where a key was found.
enum KeyMatch<'j> {
    Column(usize),
    Unknown(Quoted<'j>),
}

impl StructColumn {
    pub(super) fn new(path: String, columns: Vec<(String, Column)>, refused: HashSet<String>) -> Self {
        let folded = columns.iter().map(|(name, _)| name.as_str()).collect();
        let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let places = names.into_iter().enumerate().map(|(place, name)| (name.into_bytes(), place)).collect();
        let followers = (0..=columns.len()).collect();
        Self { columns, places, followers, refused, folded, ours: Taken::default(), valid: Vec::new(), path }
    }

    /// Keeps names for columns of our own.
    pub(super) fn reserve(&mut self, ours: Taken) {
        self.ours = ours;
    }

    /// Appends the object that comes next.
    pub(super) fn append(
        &mut self,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        if notes.careful {
            return self.append_carefully(cursor, notes);
        }
        cursor.expect(b'{')?;
        if !cursor.take(b'}')? {
            self.append_members(cursor, notes)?;
        }
        self.end_row();
        Ok(())
    }

    /// Appends members up to and with the end of their object.
    pub(super) fn append_members(
        &mut self,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        let mut before = 0;
        loop {
            match self.find(cursor, before)? {
                KeyMatch::Column(place) => {
                    self.append_member(place, cursor, notes)?;
                    before = place + 1;
                }
                KeyMatch::Unknown(key) => self.rescue_unknown(key, cursor.skip()?, notes),
            }
            if !cursor.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// The object has come to its end.
    pub(super) fn end_row(&mut self) {
        self.valid.push(true);
    }

    /// Finds the column of the key that comes next, first where it was found last time.
    #[inline]
    fn find<'j>(
        &mut self,
        cursor: &mut JsonReader<'j>,
        before: usize,
    ) -> Result<KeyMatch<'j>, ConversionError> {
        cursor.peek()?;
        let likely = self.followers.get(before).copied().unwrap_or_default();
        if let Some(column) = self.columns.get(likely)
            && cursor.take_bytes(&column.quoted)
        {
            cursor.expect(b':')?;
            return Ok(KeyMatch::Column(likely));
        }
        let key = cursor.key()?;
        let place = self.place(key);
        Ok(match place {
            Some(place) => {
                if let Some(follower) = self.followers.get_mut(before) {
                    *follower = place;
                }
                KeyMatch::Column(place)
            }
            None => KeyMatch::Unknown(key),
        })
    }

    #[inline]
    fn place(&self, key: Quoted<'_>) -> Option<usize> {
        if key.escaped {
            return name_of(key).and_then(|name| self.places.get(name.as_bytes()).copied());
        }
        self.places.get(key.raw).copied()
    }

    #[inline]
    fn append_member(
        &mut self,
        place: usize,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        let row = self.valid.len();
        let column = &mut self.columns[place];
        if column.values.len() > row {
            return Err(ConversionError::Repeated);
        }
        column.values.pad(row);
        cursor.peek()?;
        let start = cursor.at();
        let inside = matches!(column.values, Values::Object(_) | Values::List(_))
            .then(|| notes.enter(&column.segment));
        let misfit = column.values.append(cursor, notes)?;
        if let Some(mark) = inside {
            notes.leave(mark);
        }
        if let Some(misfit) = misfit {
            let mark = notes.enter(&column.segment);
            notes.misfit(misfit, &column.path, column.values.word(), cursor.since(start));
            notes.leave(mark);
        }
        Ok(())
    }

    /// A member without a column goes to the rescue column. Null is nothing that could be lost.
    fn rescue_unknown(&self, key: Quoted<'_>, value: &[u8], notes: &mut DriftRecorder) {
        let name = name_of(key);
        if value == b"null" {
            // Unless it takes back what came before it.
            let mark = notes.enter(&segment_of(key, name.as_deref()));
            if notes.has_rescued_here() {
                notes.rescue(value);
            }
            notes.leave(mark);
            return;
        }
        let kind = match name.as_deref() {
            None => DriftKind::NotUnicode,
            Some(name) if name.is_empty() || self.refused.contains(name) || self.ours.has(name) => {
                DriftKind::NameTaken
            }
            Some(name) if self.folded.has(name) => DriftKind::CaseOnly,
            Some(_) => DriftKind::NewMember,
        };
        let can_be_column = name.as_deref().is_some_and(|name| name.len() <= MAX_NAME);
        notes.fresh |= kind == DriftKind::NewMember && can_be_column;
        self.rescue(key, value, kind, notes);
    }

    fn rescue(&self, key: Quoted<'_>, value: &[u8], kind: DriftKind, notes: &mut DriftRecorder) {
        let name = name_of(key);
        let mark = notes.enter(&segment_of(key, name.as_deref()));
        notes.rescue(value);
        notes.leave(mark);
        let shown = name.unwrap_or_else(|| String::from_utf8_lossy(key.raw));
        notes.note(drift_recorder::path(&self.path, &shown), kind, value);
    }

    /// Appends an object that may have a key twice: the last value counts, the earlier ones are rescued.
    fn append_carefully(
        &mut self,
        cursor: &mut JsonReader<'_>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        self.append_texts(members(cursor)?, notes)?;
        self.end_row();
        Ok(())
    }

    pub(super) fn append_texts(
        &mut self,
        members: Vec<MemberText<'_>>,
        notes: &mut DriftRecorder,
    ) -> Result<(), ConversionError> {
        for MemberText { key, name, value, repeats } in members {
            let place = name.and_then(|name| self.places.get(name.as_bytes()).copied());
            match (repeats, place) {
                (Repeats::Later, _) => self.rescue(key, value, DriftKind::RepeatedKey, notes),
                (_, Some(place)) => {
                    let shows_as_null = value == b"null" || (notes.flatten && value.starts_with(b"{"));
                    if repeats == Repeats::Earlier && shows_as_null {
                        // Otherwise an earlier value would seem to be the last one.
                        let mark = notes.enter(&self.columns[place].segment);
                        notes.rescue(value);
                        notes.leave(mark);
                    }
                    self.append_member(place, &mut JsonReader::new(value), notes)?;
                }
                (_, None) => self.rescue_unknown(key, value, notes),
            }
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    pub(super) fn pad(&mut self, rows: usize) {
        self.valid.resize(rows, false);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.valid.truncate(rows);
        self.columns.iter_mut().for_each(|column| column.values.truncate(rows));
    }

    /// Bytes that an object takes, whatever it holds, beside those of texts and of elements of lists.
    pub(super) fn null_bytes(&self) -> usize {
        1 + self.columns.iter().map(|column| column.values.null_bytes()).sum::<usize>()
    }

    pub(super) fn bytes(&self) -> usize {
        self.valid.len() + self.columns.iter().map(|column| column.values.bytes()).sum::<usize>()
    }

    /// Begins anew where the arrays of members were taken one by one.
    pub(super) fn restart(&mut self) {
        self.valid.clear();
    }

    pub(super) fn fields(&self) -> Fields {
        self.columns.iter().map(|column| Arc::clone(&column.field)).collect()
    }

    /// The arrays of its members, and where there was an object at all; begins anew.
    pub(super) fn finish(&mut self, rows: usize) -> Result<(Vec<bool>, Vec<ArrayRef>), ArrowError> {
        self.pad(rows);
        let arrays =
            self.columns.iter_mut().map(|column| column.values.finish(rows)).collect::<Result<_, _>>()?;
        Ok((std::mem::take(&mut self.valid), arrays))
    }
}

/// The text of a key; `None` if UTF-8 has no bytes for it.
fn name_of(key: Quoted<'_>) -> Option<Cow<'_, str>> {
    if !key.escaped {
        return std::str::from_utf8(key.raw).ok().map(Cow::Borrowed);
    }
    let mut text = Vec::new();
    if unescape(key.raw, &mut text) { String::from_utf8(text).ok().map(Cow::Owned) } else { None }
}

fn segment_of(key: Quoted<'_>, name: Option<&str>) -> Vec<u8> {
    name.map_or_else(|| drift_recorder::raw_segment(key.raw), drift_recorder::segment)
}

/// A member as it stands in the text.
pub(super) struct MemberText<'j> {
    pub(super) key: Quoted<'j>,
    pub(super) name: Option<Cow<'j, str>>,
    pub(super) value: &'j [u8],
    pub(super) repeats: Repeats,
}

/// Whether an object has the key more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// Only here.
    No,
    /// Here last.
    Earlier,
    /// It comes again.
    Later,
}

/// Members of one object that are taken one by one.
const MOST_MEMBERS: usize = 100_000;

/// The members of the object that comes next.
pub(super) fn members<'j>(cursor: &mut JsonReader<'j>) -> Result<Vec<MemberText<'j>>, ConversionError> {
    let mut members = Vec::new();
    cursor.expect(b'{')?;
    if !cursor.take(b'}')? {
        loop {
            if members.len() == MOST_MEMBERS {
                return Err(ConversionError::TooWide);
            }
            let key = cursor.key()?;
            members.push(MemberText { key, name: name_of(key), value: cursor.skip()?, repeats: Repeats::No });
            if !cursor.another(b'}')? {
                break;
            }
        }
    }
    mark_repeats(&mut members);
    Ok(members)
}

fn mark_repeats(members: &mut [MemberText<'_>]) {
    let mut latest: HashMap<String, usize> = HashMap::with_capacity(members.len());
    for place in 0..members.len() {
        let Some(name) = members[place].name.as_deref().map(str::to_owned) else { continue };
        if let Some(earlier) = latest.insert(name, place) {
            members[earlier].repeats = Repeats::Later;
            members[place].repeats = Repeats::Earlier;
        }
    }
}

/// A member by its name, and its value as JSON text.
pub(super) type NamedValue<'j> = (Cow<'j, str>, &'j [u8]);

/// The first `most` members of the object that comes next, each with the value that counts, which is the last one of its key;
/// and how many there are in all.
pub(super) fn first_members<'j>(
    cursor: &mut JsonReader<'j>,
    most: usize,
) -> Result<(Vec<NamedValue<'j>>, u64), ConversionError> {
    let (mut members, mut all) = (Vec::new(), 0);
    let mut places: HashMap<Cow<'j, str>, usize, ahash::RandomState> = HashMap::default();
    cursor.expect(b'{')?;
    if cursor.take(b'}')? {
        return Ok((members, all));
    }
    loop {
        let (name, value) = (name_of(cursor.key()?), cursor.skip()?);
        let place = name.as_ref().and_then(|name| places.get(name).copied());
        if let Some((_, there)) = place.and_then(|place| members.get_mut(place)) {
            *there = value;
        } else {
            all += 1;
            if let Some(name) = name.filter(|_| members.len() < most) {
                places.insert(name.clone(), members.len());
                members.push((name, value));
            }
        }
        if !cursor.another(b'}')? {
            return Ok((members, all));
        }
    }
}
