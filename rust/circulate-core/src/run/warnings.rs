//! What a person must know of a run that does not show in its records.

use jiff::Timestamp;

use super::bound::is_lost;
use super::pull::Pull;
use crate::page::EndKind;
use crate::state::{LeasedRun, Mode, Position};

impl Pull {
    /// What a person must know of a run that does not show in its records.
    pub(super) fn warnings(
        &self,
        held: &LeasedRun,
        position: &Position,
        since: Option<Timestamp>,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        let assumed = position.ends.counts.get(&EndKind::Assumed).copied().unwrap_or(0);
        if assumed > 0 {
            let lists = if assumed == 1 { "a list".to_owned() } else { format!("{assumed} lists") };
            warnings.push(format!(
                "{lists} came in one page, and no next page was ever seen: it is assumed to be the whole list. If the API \
                 is known to return one page, say `single: certain` in the definition; if not, correct `paginator`"
            ));
        }
        for (list, why) in position.ends.moved() {
            warnings.push(format!(
                "{list} changed while it was read: {why}. What was read is complete; what is not in it may be there all the same"
            ));
        }
        if self.stream().polling().is_some() && held.run.mode != Mode::Window && is_lost(position) {
            warnings.push(
                "no cursor is kept, since no record has a time and no next page is named: the next pull requests the same \
                 again. Correct `paginator`, or `cursor` of `incremental`"
                    .to_owned(),
            );
        }
        if let Some(restart) = &position.restart {
            let what = match (restart.since, self.stream().incremental().is_some_and(|rule| rule.since.is_some())) {
                (Some(since), _) => format!("it was read on from {since}, and nothing is missing"),
                (None, true) => "it was read from the run's lower bound on: what was deleted meanwhile may not be among it".to_owned(),
                (None, false) => "all of it was read again: what was deleted meanwhile is not among it".to_owned(),
            };
            warnings.push(format!("the list started over, and {what}. {}", restart.why));
        }
        let rule = self.stream().incremental();
        if position.order.is_broken
            && let Some(rule) = rule
        {
            warnings.push(format!(
                "records came in another order than the definition declares (`order: {}`): it was not relied on, and all                  was read",
                rule.order
            ));
        }
        let condition = rule.and_then(|rule| rule.durable.as_ref()?.condition());
        let is_read =
            held.run.mode != Mode::Window && position.unavailable.is_none() && !position.is_unchanged();
        if let Some(name) = condition.filter(|_| is_read && position.durable.is_none()) {
            warnings.push(format!(
                "the first response has nothing that the next request could name in `{name}`: the next pull reads all again"
            ));
        }
        let rule = self.stream().cursor_rule().filter(|_| held.run.mode != Mode::Window);
        if let Some(rule) =
            rule.filter(|rule| !rule.times().is_empty() && self.stream().polling().is_none() && is_read)
        {
            let next = since.map_or("everything".to_owned(), |since| format!("what changed since {since}"));
            if position.dated && position.first_server_date.is_none() {
                warnings.push(format!(
                    "the cursor cannot move, since the API's first response has no usable `Date`: the next pull requests \
                     {next} again. Declare in the definition how far records may be behind our clock, such as \
                     `incremental: {{lag: 5m}}`"
                ));
            } else if position.watermark.greatest().is_none() && position.watermark.without_time > 0 {
                let members: Vec<_> = rule.times().iter().map(|member| format!("`{member}`")).collect();
                warnings.push(format!(
                    "the cursor cannot move, since no record has a time in {}: the next pull requests {next} again",
                    members.join(" or ")
                ));
            }
        }
        warnings
    }
}
