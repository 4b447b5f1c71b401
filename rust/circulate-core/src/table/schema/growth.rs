//! Schemas that grow by what records hold, and the types that follow from it.

use super::member::{Member, MemberType, flat_names};
use super::observed::{Observed, ObservedObject, ValueKinds};
use super::table_schema::{MAX_LEAVES, TableSchema};
use crate::table::columns::{JOIN, Taken};

/// An object with more different members than this, of which each record has few, is a map and no struct.
const MANY: usize = 100;
const FEW: u64 = 5;

impl TableSchema {
    /// The schema with what a sample of records holds beside what is known. Members that are always null become text.
    pub fn inferred(&self, sample: &Observed) -> Self {
        self.grown(sample, Growth::of_sample(self))
    }

    /// The schema with members that came later. One that is only ever null can still become anything, so it waits. One
    /// whose flattened name is a column's is left out, whatever the layout, so that no column changes in any of them.
    pub fn evolved(&self, seen: &Observed) -> Self {
        self.grown(seen, Growth::of_later(self))
    }

    fn grown(&self, observed: &Observed, mut growth: Growth) -> Self {
        let mut grown = self.clone();
        if let Some(record) = observed.object() {
            record.add_to(&mut grown.members, Some(""), &mut growth);
        }
        grown
    }
}

/// How a schema grows.
#[derive(Debug)]
struct Growth {
    /// Members that are only ever null become columns.
    nulls: bool,
    /// How many more columns without parts there may be.
    room: usize,
    /// Flattened names that are taken; any may be used again before there is a first batch.
    flat: Taken,
    /// Names of columns of our own.
    ours: Taken,
    /// What stands in front of records is no member of theirs.
    marked: bool,
}

impl Growth {
    fn of_sample(schema: &TableSchema) -> Self {
        let room = MAX_LEAVES.saturating_sub(schema.leaves());
        Self {
            nulls: true,
            room,
            flat: Taken::default(),
            ours: schema.own_names(),
            marked: schema.is_marked(),
        }
    }

    fn of_later(schema: &TableSchema) -> Self {
        let mut flat = Taken::default();
        flat_names(schema.members(), "", &mut |name| flat.add(name));
        Self { nulls: false, flat, ..Self::of_sample(schema) }
    }

    /// Whether a column of that name and type would take another one's name.
    fn clashes(&self, joined: &str, member: &Member) -> bool {
        let mut clashes = false;
        match &member.kind {
            MemberType::Struct(members) => {
                flat_names(members, &format!("{joined}{JOIN}"), &mut |name| clashes |= self.flat.has(name));
            }
            _ => clashes = self.flat.has(joined),
        }
        clashes
    }
}

impl Observed {
    /// The type that holds everything found; `None` if it was only ever null.
    fn kind(&self, growth: &mut Growth) -> Option<MemberType> {
        let only = |kinds: &[ValueKinds]| {
            self.found.only(kinds.iter().copied().fold(ValueKinds::default(), ValueKinds::and))
        };
        Some(match () {
            () if only(&[]) => return None,
            () if only(&[ValueKinds::TIME]) => MemberType::Timestamp,
            () if only(&[ValueKinds::TIME, ValueKinds::TEXT]) => MemberType::String,
            () if only(&[ValueKinds::WHOLE, ValueKinds::WIDE]) => MemberType::Integer,
            () if only(&[ValueKinds::WHOLE, ValueKinds::FLOAT]) => MemberType::Number,
            () if only(&[ValueKinds::BOOLEAN]) => MemberType::Boolean,
            () if only(&[ValueKinds::OBJECT]) => {
                self.object().map_or(MemberType::Json, |object| object.kind(growth))
            }
            () if only(&[ValueKinds::LIST]) => self.list_kind(growth),
            () => MemberType::Json,
        })
    }

    fn list_kind(&self, growth: &mut Growth) -> MemberType {
        // Of lists that were always empty nobody knows what will be in them.
        let element = self.element.as_ref().and_then(|element| element.kind(growth));
        element.map_or(MemberType::Json, |element| MemberType::List(Box::new(element)))
    }

    /// Adds what is new to a type that is known. `prefix` is in front of its columns when they are flattened.
    fn add_to(&self, known: &mut MemberType, prefix: Option<&str>, growth: &mut Growth) {
        match (known, &self.object, &self.element) {
            (MemberType::Struct(members), Some(object), _) => object.add_to(members, prefix, growth),
            (MemberType::List(known), _, Some(element)) => element.add_to(known, None, growth),
            _ => {}
        }
    }

    fn as_member(&self, name: &str, growth: &mut Growth) -> Option<Member> {
        let before = growth.room;
        let if_null = growth.nulls.then_some(MemberType::String);
        let kind = self.kind(growth).or(if_null)?;
        // Parts took their room one by one.
        growth.room = before.saturating_sub(kind.leaves());
        Some(Member { name: name.to_owned(), kind, declared: false })
    }
}

impl ObservedObject {
    /// Its members are data, such as ids: beside those that are known, a struct would get a column for each of them.
    fn is_map(&self, known: &[Member]) -> bool {
        let is_new = |name: &str| !known.iter().any(|member| member.name == name);
        if known.len() + self.members.len() <= MANY {
            return false;
        }
        let different = known.len() + self.members.iter().filter(|(name, _)| is_new(name)).count();
        different > MANY && self.members_of_all * FEW < self.objects * different as u64
    }

    fn kind(&self, growth: &mut Growth) -> MemberType {
        let mut members = Vec::new();
        let nulls = std::mem::replace(&mut growth.nulls, true);
        self.add_to(&mut members, None, growth);
        growth.nulls = nulls;
        // Parquet has no group without members.
        if members.is_empty() { MemberType::Json } else { MemberType::Struct(members) }
    }

    /// Adds members that are not there yet, and looks for new ones in those that are.
    fn add_to(&self, known: &mut Vec<Member>, prefix: Option<&str>, growth: &mut Growth) {
        let is_record = prefix == Some("");
        let adds = is_record || !self.is_map(known);
        let mut taken = if is_record { growth.ours.clone() } else { Taken::default() };
        for member in known.iter() {
            taken.add(&member.name);
        }
        for (name, seen) in &self.members {
            let joined = prefix.map(|prefix| format!("{prefix}{name}"));
            if let Some(member) = known.iter_mut().find(|member| member.name == *name) {
                let prefix = joined.map(|joined| format!("{joined}{JOIN}"));
                seen.add_to(&mut member.kind, prefix.as_deref(), growth);
                continue;
            }
            let ours = name.is_empty() || (is_record && growth.marked && name == "_circulate");
            if !adds || ours || growth.room == 0 || taken.has(name) {
                continue;
            }
            let before = growth.room;
            match seen.as_member(name, growth) {
                Some(member) if joined.is_some_and(|joined| growth.clashes(&joined, &member)) => {
                    growth.room = before;
                }
                member => known.extend(member.inspect(|_| taken.add(name))),
            }
        }
    }
}
