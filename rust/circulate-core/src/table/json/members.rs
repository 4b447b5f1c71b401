//! The members of objects, with what is to be known of keys that repeat.

use std::borrow::Cow;
use std::collections::HashMap;

use super::reader::{ConversionError, JsonReader, Quoted, unescape};

/// The text of a key; `None` if UTF-8 has no bytes for it.
pub(crate) fn name_of(key: Quoted<'_>) -> Option<Cow<'_, str>> {
    if !key.escaped {
        return std::str::from_utf8(key.raw).ok().map(Cow::Borrowed);
    }
    let mut text = Vec::new();
    if unescape(key.raw, &mut text) { String::from_utf8(text).ok().map(Cow::Owned) } else { None }
}

/// A member as it stands in the text.
pub(crate) struct MemberText<'j> {
    pub(crate) key: Quoted<'j>,
    pub(crate) name: Option<Cow<'j, str>>,
    pub(crate) value: &'j [u8],
    pub(crate) repeats: Repeats,
}

/// Whether an object has the key more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// Only here.
    No,
    /// Here last.
    Earlier,
    /// It comes again.
    Later,
}

/// Members of one object that are taken one by one.
const MAX_MEMBERS: usize = 100_000;

/// The members of the object that comes next.
pub(crate) fn members<'j>(cursor: &mut JsonReader<'j>) -> Result<Vec<MemberText<'j>>, ConversionError> {
    let mut members = Vec::new();
    cursor.expect(b'{')?;
    if !cursor.take(b'}')? {
        loop {
            if members.len() == MAX_MEMBERS {
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
    for index in 0..members.len() {
        let Some(name) = members[index].name.as_deref().map(str::to_owned) else { continue };
        if let Some(earlier) = latest.insert(name, index) {
            members[earlier].repeats = Repeats::Later;
            members[index].repeats = Repeats::Earlier;
        }
    }
}

/// A member by its name, and its value as JSON text.
pub(crate) type NamedValue<'j> = (Cow<'j, str>, &'j [u8]);

/// The first `limit` members of the object that comes next, each with the value that counts, which is the last one of its key;
/// and how many there are in all.
pub(crate) fn first_members<'j>(
    cursor: &mut JsonReader<'j>,
    limit: usize,
) -> Result<(Vec<NamedValue<'j>>, u64), ConversionError> {
    let (mut members, mut all) = (Vec::new(), 0);
    let mut indices: HashMap<Cow<'j, str>, usize, ahash::RandomState> = HashMap::default();
    cursor.expect(b'{')?;
    if cursor.take(b'}')? {
        return Ok((members, all));
    }
    loop {
        let (name, value) = (name_of(cursor.key()?), cursor.skip()?);
        let index = name.as_ref().and_then(|name| indices.get(name).copied());
        if let Some((_, there)) = index.and_then(|index| members.get_mut(index)) {
            *there = value;
        } else {
            all += 1;
            if let Some(name) = name.filter(|_| members.len() < limit) {
                indices.insert(name.clone(), members.len());
                members.push((name, value));
            }
        }
        if !cursor.another(b'}')? {
            return Ok((members, all));
        }
    }
}
