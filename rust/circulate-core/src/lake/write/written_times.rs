//! The times of records on their way into objects. Records stay in order, and which object gets which is known when it is
//! complete.

use std::collections::VecDeque;

use crate::extract::cursor::TimeRange;
use crate::lake::manifest::{ObjectEntry, ObjectTimes};

/// Records whose times are kept together, so that they take little room.
const TOGETHER: u64 = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct WrittenTimes {
    pieces: VecDeque<TimedPiece>,
}

#[derive(Debug, Clone, Copy)]
struct TimedPiece {
    records: u64,
    times: Option<ObjectTimes>,
    is_closed: bool,
}

impl WrittenTimes {
    /// Notes the time of the next record.
    pub(super) fn push(&mut self, time: Option<TimeRange>) {
        let time = time.map(ObjectTimes::from);
        match self.pieces.back_mut().filter(|piece| !piece.is_closed && piece.records < TOGETHER) {
            Some(piece) => {
                piece.records += 1;
                piece.times = both(piece.times, time);
            }
            None => self.pieces.push_back(TimedPiece { records: 1, times: time, is_closed: false }),
        }
    }

    /// An object ends here.
    pub(super) fn close(&mut self) {
        if let Some(piece) = self.pieces.back_mut() {
            piece.is_closed = true;
        }
    }

    /// Gives complete objects, which come in order, their times. Where an object ends within records that are kept together, it
    /// may seem to have those of all of them.
    pub(super) fn give(&mut self, objects: &mut [ObjectEntry]) {
        for object in objects {
            let mut left = object.records;
            while left > 0 {
                let Some(piece) = self.pieces.front_mut() else { return };
                let taken = piece.records.min(left);
                object.times = both(object.times, piece.times);
                piece.records -= taken;
                left -= taken;
                if piece.records == 0 {
                    self.pieces.pop_front();
                }
            }
        }
    }
}

fn both(one: Option<ObjectTimes>, other: Option<ObjectTimes>) -> Option<ObjectTimes> {
    one.into_iter().chain(other).reduce(ObjectTimes::and)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn object(records: u64) -> ObjectEntry {
        let (key, sha256, body_sha256) = (String::new(), String::new(), String::new());
        ObjectEntry { key, records, bytes: 0, sha256, body_bytes: 0, body_sha256, times: None }
    }

    proptest! {
            #[test]
            fn no_record_lies_outside_of_its_objects_times(
                objects in proptest::collection::vec(proptest::collection::vec(proptest::option::of(0i64..100), 1..1500), 1..5),
                is_cut in any::<bool>(),
            ) {
                let mut times = WrittenTimes::default();
                for records in &objects {
                    for second in records {
     times.push(second.map(|second| at(second).into()));
    }
                    if is_cut {
                        times.close();
                    }
                }
                let mut written: Vec<_> = objects.iter().map(|records| object(records.len() as u64)).collect();
                times.give(&mut written);
                prop_assert!(times.pieces.is_empty());
                for (records, object) in objects.iter().zip(written) {
                    let seconds = || records.iter().flatten().copied();
                    let exact = seconds().min().zip(seconds().max());
                    let exact = exact.map(|(min, max)| ObjectTimes { min: at(min), max: at(max) });
                    if is_cut {
                        prop_assert_eq!(object.times, exact);
                    } else if let Some(exact) = exact {
                        let times = object.times.unwrap();
                        prop_assert!(times.min <= exact.min && times.max >= exact.max);
                    }
                }
            }
        }
}
