//! Lists whose requests count: which request comes next, and whether there is one.
//!
//! Nothing on a page of such a list names the next one, so an end is believed only where the API counts records or pages, says
//! by a flag that there is no more, or has a page without a record; and a page that is full although it should be the last is
//! looked behind. Lists may change while they are read. Offsets overlap by a record, by which it is found where to go on;
//! where pages have numbers, a total that changes shows it.

use std::ops::Range;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fetch::Step;
use super::fetcher::Fetcher;
use crate::api::page_address::ReadSoFar;
use crate::api::page_request::{PageRequest, text};
use crate::catalog::Restart;
use crate::error::{Error, ErrorKind, Result};
use crate::page::{Counting, EndKind, ListEnd, Page, PageCounts};

/// Records of a page that are known again on the next one.
const TAIL: usize = 16;
/// Requests that look for known records in front of where they should be.
const STEPS_BACK: u32 = 100;
/// Pages without a record, in a row, that are passed over where the API says that there is more.
const MAX_EMPTY_PAGES: u32 = 100;

/// A page of a counted list, judged.
struct JudgedPage {
    /// Its records that are new.
    page: Page,
    /// The number that it was requested with.
    number: u64,
    /// It is the first one of a list, or of one that starts over.
    is_first: bool,
    /// All of its records.
    received: u64,
    /// Digests of these.
    digests: Vec<u64>,
    /// What the paginator looks at in the last of them.
    last: Vec<Option<Vec<u8>>>,
    /// What it says of the list.
    counts: PageCounts,
}

/// A page in front of where a list should go on, on which something is known.
struct Earlier {
    request: PageRequest,
    page: Page,
    /// Up to where it was read before.
    known: usize,
    digests: Vec<u64>,
}

impl Fetcher {
    /// Judges a page, and says where it leads.
    pub(super) async fn counted_step(
        &mut self,
        counting: &Counting,
        request: &mut PageRequest,
        page: Page,
    ) -> Result<Step> {
        let mut read = request.address.read.clone().unwrap_or_default();
        let mut found = self.counted(counting, request, &mut read, page).await?;
        let mut end = self.end_of_counted(counting, request, &read, &found).await?;
        let is_doubtful = end.as_ref().is_some_and(|end| {
            // Behind the first page a status may be about the request.
            end.contradicted.is_some() || (end.end == EndKind::Status && !found.is_first)
        });
        if is_doubtful {
            // Once more: what came may have been cut short on its way.
            let page = self.fetch(request).await?;
            let mut read_again = request.address.read.clone().unwrap_or_default();
            found = self.counted(counting, request, &mut read_again, page).await?;
            end = self.end_of_counted(counting, request, &read_again, &found).await?;
            read = read_again;
        }
        let total = found.counts.total.filter(|_| self.at_start && end.is_none());
        self.at_start = false;
        if let Some(end) = end {
            if is_repeated(request.address.read.as_ref(), &found) {
                found.page.skip(found.digests.len());
            }
            let end = ListEnd { moved: read.moved.take(), ..end };
            let capped = end.contradicted.is_some() && self.reached_cap(counting, request, &found).is_some();
            return Ok(Step {
                page: found.page,
                next: None,
                end: Some(end),
                total,
                capped,
                durable: None,
                guard: self.guard.clone(),
                key: self.key.clone(),
            });
        }
        let next = self.next_counted(counting, request, read, &found)?;
        self.client.check_next(&next.address)?;
        Ok(Step {
            page: found.page,
            next: Some(next.address),
            end: None,
            total,
            capped: false,
            durable: None,
            guard: self.guard.clone(),
            key: self.key.clone(),
        })
    }

    /// Looks for what the page before has shown, leaves it out, and counts what is new.
    async fn counted(
        &self,
        counting: &Counting,
        request: &mut PageRequest,
        read: &mut ReadSoFar,
        mut page: Page,
    ) -> Result<JudgedPage> {
        let mut digests = digests(&page, &self.key)?;
        if read.overlaps {
            match behind_known(&read.tail, &digests) {
                // What is not known in front of it came there while the list was read.
                Some(known) => page.skip(leading_known(&read.tail, &digests[..known])),
                // One that has moved is not looked through for every page.
                None if read.moved.is_some() => {}
                None => match self.step_back(counting, request, &read.tail).await? {
                    // All in front of the end of the list is known, and was so before.
                    Some(earlier)
                        if digests.is_empty()
                            && earlier.known == earlier.digests.len()
                            && read.empty_pages > 0 =>
                    {
                        read.moved.get_or_insert_with(|| "its end came nearer".to_owned());
                    }
                    Some(earlier) => {
                        *request = earlier.request;
                        (page, digests) = (earlier.page, earlier.digests);
                        if leading_known(&read.tail, &digests[..earlier.known]) < earlier.known {
                            let why = "records are missing from in front of what was read";
                            read.moved.get_or_insert_with(|| why.to_owned());
                        }
                        page.skip(earlier.known);
                    }
                    None => {
                        let why = "none of the records that were read last was found again";
                        read.moved.get_or_insert_with(|| why.to_owned());
                    }
                },
            }
        }
        let counts = counting.counts(&page.headers, &page.fields)?;
        if let (Some(first), Some(now)) = (read.total, counts.total)
            && first != now
            && !counting.by_records()
        {
            let why = format!("it had {first} records at first, and {now} later");
            read.moved.get_or_insert(why);
        }
        read.total = read.total.or(counts.total);
        read.records += (page.record_count() - self.repeats(read, &page, &digests)) as u64;
        read.empty_pages = if page.record_count() == 0 { read.empty_pages + 1 } else { 0 };
        let number = counting.number_of(request)?;
        let is_first = number == counting.first();
        let last = self.last_fields(&page)?;
        Ok(JudgedPage { page, number, is_first, received: digests.len() as u64, digests, last, counts })
    }

    /// How many records of a page were on the one before, by what identifies them.
    fn repeats(&self, read: &ReadSoFar, page: &Page, digests: &[u64]) -> usize {
        if self.stream.primary_key.members().is_empty() {
            return 0;
        }
        let new = &digests[digests.len() - page.record_count()..];
        new.iter().filter(|digest| read.tail.contains(digest)).count()
    }

    /// Records have gone: looks in front for one that is known.
    async fn step_back(
        &self,
        counting: &Counting,
        request: &PageRequest,
        tail: &[u64],
    ) -> Result<Option<Earlier>> {
        let mut number = counting.number_of(request)?;
        let step = self.requested(request).map_or(TAIL as u64, |size| size as u64).max(1);
        for _ in 0..STEPS_BACK {
            if number <= counting.first() {
                break;
            }
            number = number.saturating_sub(step).max(counting.first());
            let mut request = counting.at(request, number)?;
            let page = self.fetch(&mut request).await?;
            let digests = digests(&page, &self.key)?;
            if let Some(known) = behind_known(tail, &digests) {
                return Ok(Some(Earlier { request, page, known, digests }));
            }
        }
        Ok(None)
    }

    /// How the list ends at a page, if it does.
    async fn end_of_counted(
        &self,
        counting: &Counting,
        request: &PageRequest,
        read: &ReadSoFar,
        found: &JudgedPage,
    ) -> Result<Option<ListEnd>> {
        let JudgedPage { counts, number, received, .. } = found;
        if *received > 0 && read.empty_pages > MAX_EMPTY_PAGES {
            let why = format!("{MAX_EMPTY_PAGES} pages in a row have no record that was not read before");
            return Ok(Some(ListEnd::contradicted(EndKind::NoNext, why)));
        }
        if is_repeated(request.address.read.as_ref(), found) {
            let why = "the page is the one before it once more: the API does not know the parameter, or returns its last \
                       page for every number behind that";
            return Ok(Some(ListEnd::contradicted(EndKind::NoNext, why.to_owned())));
        }
        let before = number.saturating_sub(counting.first());
        let pages_left = counts.pages.is_some_and(|pages| before.saturating_add(1) < pages);
        // Where the list moves, the API counts from its front, and so does an offset in records.
        let so_far = if counting.by_records() { before.saturating_add(*received) } else { read.records };
        let exact = self.stream.total.as_ref().is_none_or(|total| total.exact);
        let total = counts.total.or(read.total);
        // Of a list that has moved nobody knows what its total counts.
        let exact = exact && read.moved.is_none();
        let missing = total.filter(|total| exact && *total > so_far);
        if *received == 0 {
            let says_more = counts.more == Some(true) || pages_left;
            if says_more && matches!(counting, Counting::Page(_)) && read.empty_pages <= MAX_EMPTY_PAGES {
                return Ok(None);
            }
            let by_status = found.page.declared_empty.is_some() && found.page.bytes == 0;
            let end = if by_status { EndKind::Status } else { EndKind::EmptyPage };
            return Ok(Some(match (says_more, missing) {
                (true, _) => ListEnd::contradicted(
                    end,
                    "the page has no record, and the API says that there is more".to_owned(),
                ),
                (false, Some(total)) => ListEnd::contradicted(end, less_than(counting, total, so_far)),
                (false, None) => end.into(),
            }));
        }
        let pages_reached = counts.pages == Some(before.saturating_add(1));
        let is_short =
            self.ends_at_short_page() && found.page.record_count() > 0 && self.is_shorter(*received, request);
        let end = match counts.more {
            Some(false) => Some(EndKind::Flag),
            None if pages_reached || (exact && total == Some(so_far)) => Some(EndKind::Total),
            None if is_short => Some(EndKind::ShortPage),
            Some(true) | None => None,
        };
        let Some(end) = end else { return self.end_at_cap(counting, request, read, found) };
        if let Some(total) = missing {
            return Ok(Some(ListEnd::contradicted(end, less_than(counting, total, so_far))));
        }
        // At its cap an API may count, and flag, what it gives instead of what there is.
        let counts_what_it_gives = total.is_none_or(|total| counting.cap().is_some_and(|cap| total >= cap));
        if end != EndKind::ShortPage
            && counts_what_it_gives
            && self.reached_cap(counting, request, found).is_some()
        {
            return self.end_at_cap(counting, request, read, found);
        }
        let is_full = self.requested(request) == Some(found.digests.len());
        if is_full && end != EndKind::ShortPage && self.goes_on_behind(counting, request, found).await? {
            return Ok(None);
        }
        Ok(Some(end.into()))
    }

    /// A list whose API gives no more of it, unless it can start over.
    fn end_at_cap(
        &self,
        counting: &Counting,
        request: &PageRequest,
        read: &ReadSoFar,
        found: &JudgedPage,
    ) -> Result<Option<ListEnd>> {
        let Some(cap) = self.reached_cap(counting, request, found) else { return Ok(None) };
        let why = match counting.restart() {
            None => format!(
                "the API gives no more than {cap} records of a list (`cap`), and nothing says that these are all"
            ),
            Some(restart) if read.behind == last_value(restart, found)? => format!(
                "more records have the same `{}` than the API gives of a list (`cap`: {cap})",
                restart.from
            ),
            Some(_) => return Ok(None),
        };
        Ok(Some(ListEnd::contradicted(EndKind::NoNext, why)))
    }

    /// The cap, if what lies behind a page is beyond it.
    fn reached_cap(&self, counting: &Counting, request: &PageRequest, found: &JudgedPage) -> Option<u64> {
        let next = counting.after(found.number, found.received, self.requested(request));
        counting.cap().filter(|cap| next >= *cap)
    }

    /// The request by which a list starts over behind a page.
    fn restarted(
        &self,
        counting: &Counting,
        restart: &Restart,
        request: &PageRequest,
        read: ReadSoFar,
        found: &JudgedPage,
    ) -> Result<PageRequest> {
        let last = last_value(restart, found)?.unwrap_or_default();
        let quoted = restart.quote.map_or_else(|| last.clone(), |quote| quote.apply(&last));
        let bound = restart.text.fill(|_| Some(&quoted)).map_err(|name| {
            Error::new(ErrorKind::Definition, "build request", format!("no value for `{{{name}}}`"))
        })?;
        let mut next = counting.at(request, counting.first())?;
        next.set(&restart.to, &Value::String(bound))?;
        if let Some(size) = self.page_size {
            next.set_size(u32::try_from(size).unwrap_or(u32::MAX));
        }
        let tail = tail_of(&found.digests).to_vec();
        next.address.read = Some(ReadSoFar { tail, overlaps: true, total: None, behind: Some(last), ..read });
        Ok(next)
    }

    fn is_shorter(&self, received: u64, request: &PageRequest) -> bool {
        self.requested(request).is_some_and(|requested| received < requested as u64)
    }

    /// Looks behind a full page that is said to be the last.
    async fn goes_on_behind(
        &self,
        counting: &Counting,
        request: &PageRequest,
        found: &JudgedPage,
    ) -> Result<bool> {
        let number = counting.after(found.number, found.received, self.requested(request));
        if counting.cap().is_some_and(|cap| number >= cap) {
            return Ok(false);
        }
        let mut behind = counting.at(request, number)?;
        self.keep_below_cap(counting, &mut behind, number);
        match self.fetch(&mut behind).await {
            Ok(page) => {
                let digests = digests(&page, &self.key)?;
                Ok(!digests.is_empty() && tail_of(&digests) != tail_of(&found.digests))
            }
            // There is nothing, as some say it.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::Api | ErrorKind::Forbidden
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Requests no more than the API gives of a list.
    fn keep_below_cap(&self, counting: &Counting, request: &mut PageRequest, number: u64) {
        if let (Some(cap), Some(requested)) = (counting.cap(), self.requested(request))
            && number.saturating_add(requested as u64) > cap
        {
            request.set_size(u32::try_from(cap.saturating_sub(number)).unwrap_or(u32::MAX));
        }
    }

    /// The request behind a page.
    fn next_counted(
        &self,
        counting: &Counting,
        request: &PageRequest,
        read: ReadSoFar,
        found: &JudgedPage,
    ) -> Result<PageRequest> {
        if let Some(restart) = counting.restart()
            && self.reached_cap(counting, request, found).is_some()
        {
            return self.restarted(counting, restart, request, read, found);
        }
        let requested = self.requested(request);
        let is_full = requested.is_none_or(|requested| found.received >= requested as u64);
        // A page of one record would be nothing but that.
        let overlaps = counting.by_records() && is_full && found.received > 1 && requested != Some(1);
        let number =
            counting.after(found.number, found.received, requested).saturating_sub(u64::from(overlaps));
        let mut next = counting.at(request, number)?;
        self.keep_below_cap(counting, &mut next, number);
        // Of a page without anything new, those of the page before may come still.
        let nothing_new = found.page.record_count() == 0;
        let tail = if nothing_new { read.tail } else { tail_of(&found.digests).to_vec() };
        next.address.read = Some(ReadSoFar { tail, overlaps, ..read });
        Ok(next)
    }
}

/// Whether a page that should follow another one is that one.
fn is_repeated(read: Option<&ReadSoFar>, found: &JudgedPage) -> bool {
    // One that starts over begins with what was read last.
    let restarts = |read: &ReadSoFar| read.behind.is_some() && found.is_first;
    read.is_some_and(|read| !read.tail.is_empty() && !restarts(read) && tail_of(&found.digests) == read.tail)
}

fn less_than(counting: &Counting, total: u64, so_far: u64) -> String {
    format!("{} is `{total}`, and {so_far} records were read", counting.name_of_total())
}

/// What the last record of a page has where a list starts over.
fn last_value(restart: &Restart, found: &JudgedPage) -> Result<Option<String>> {
    let value =
        found.last.first().and_then(Option::as_ref).and_then(|json| serde_json::from_slice(json).ok());
    if let Some(value @ (Value::String(_) | Value::Number(_))) = value {
        return Ok(Some(text(&value)));
    }
    let what = format!("the page's last record has no text or number at `{}`", restart.from);
    Err(Error::new(ErrorKind::Data, "read page", what)
        .hint("behind `cap` the list starts over at it: correct `restart` in the endpoint's definition"))
}

fn tail_of(digests: &[u64]) -> &[u64] {
    &digests[digests.len().saturating_sub(TAIL)..]
}

/// How many records of a page were read before: up to the newest one that is known.
fn behind_known(tail: &[u64], digests: &[u64]) -> Option<usize> {
    let found = |known: &u64| digests.iter().position(|digest| digest == known);
    tail.iter().rev().find_map(found).map(|index| index + 1)
}

/// How many records at the start of a page were on the one before.
fn leading_known(tail: &[u64], digests: &[u64]) -> usize {
    digests.iter().take_while(|digest| tail.contains(digest)).count()
}

/// Short digests of the records of a page: of what identifies them, or of a whole record that lacks some of that.
fn digests(page: &Page, key: &Range<usize>) -> Result<Vec<u64>> {
    let mut digests = Vec::with_capacity(page.record_count());
    let mut records = page.records();
    while let Some(record) = records.next()? {
        let members: Option<Vec<_>> = key.clone().map(|number| record.field(number)).collect();
        let identity = members.filter(|members| !members.is_empty()).map(|members| members.join(&b','));
        let digest: [u8; 32] = Sha256::digest(identity.as_deref().unwrap_or(record.bytes)).into();
        digests.push(digest.iter().take(8).fold(0, |short, byte| short << 8 | u64::from(*byte)));
    }
    Ok(digests)
}
