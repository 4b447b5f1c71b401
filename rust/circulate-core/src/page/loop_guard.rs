//! Notices a list that leads back to a page it has shown before.

use serde::{Deserialize, Serialize};

/// Brent's cycle detection over page URLs: constant memory whatever the length of the list, and small enough to be
/// part of every checkpoint. A page that leads to itself is noticed at once, a longer cycle within a few rounds of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopGuard {
    /// The page others are compared with.
    mark: Option<String>,
    /// Steps since the mark was set, and how many it stays for.
    steps: u64,
    stay: u64,
}

impl LoopGuard {
    /// Takes the step from the page `from` to the page `to`; `false` if the list runs in a circle.
    pub fn step(&mut self, from: &str, to: &str) -> bool {
        if from == to || self.mark.as_deref() == Some(to) {
            return false;
        }
        if self.mark.is_none() || self.steps == self.stay {
            self.mark = Some(from.to_owned());
            self.stay = (self.stay * 2).max(1);
            self.steps = 0;
        }
        self.steps += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Steps taken until the circle is noticed, on a list of `tail` pages that leads into a circle of `cycle`.
    fn steps_until_noticed(tail: u32, cycle: u32, limit: u32) -> Option<u32> {
        let page = |n: u32| if n < tail { n } else { tail + (n - tail) % cycle };
        let mut guard = LoopGuard::default();
        (0..limit).find(|n| !guard.step(&page(*n).to_string(), &page(n + 1).to_string()))
    }

    #[test]
    fn a_page_that_leads_to_itself_is_noticed_at_once() {
        assert_eq!(steps_until_noticed(5, 1, 100), Some(5));
    }

    proptest! {
        #[test]
        fn every_circle_is_noticed_within_a_few_rounds(tail in 0u32..200, cycle in 1u32..50) {
            let bound = 4 * (tail + cycle) + 4;
            prop_assert!(steps_until_noticed(tail, cycle, bound).is_some());
        }

        #[test]
        fn a_list_that_ends_is_never_stopped(pages in 1u32..2000) {
            let mut guard = LoopGuard::default();
            for n in 0..pages {
                let from = n.to_string();
                let to = (n + 1).to_string();
                prop_assert!(guard.step(&from, &to));
            }
        }
    }
}
