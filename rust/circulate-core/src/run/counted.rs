//! Lists whose requests count: which request comes next, and whether there is one.
//!
//! Nothing on a page of such a list names the next one, so an end is believed only where the API counts records or pages, says
//! by a flag that there is no more, or has a page without a record; and a page that is full although it should be the last is
//! looked behind. Lists may change while they are read. Offsets overlap by a record, by which it is found where to go on;
//! where pages have numbers, a total that changes shows it.

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
        if let Some(ListEnd { contradicted: Some(_), .. }) = end {
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
            return Ok(Step {
                page: found.page,
                next: None,
                end: Some(end),
                total,
                guard: self.guard.clone(),
            });
        }
        let next = self.next_counted(counting, request, read, &found)?;
        self.client.check_next(&next.address)?;
        Ok(Step { page: found.page, next: Some(next.address), end: None, total, guard: self.guard.clone() })
    }

    /// Looks for what the page before has shown, leaves it out, and counts what is new.
    async fn counted(
        &self,
        counting: &Counting,
        request: &mut PageRequest,
        read: &mut ReadSoFar,
        mut page: Page,
    ) -> Result<JudgedPage> {
        let mut digests = digests(&page)?;
        if read.overlaps {
            match behind_known(&read.tail, &digests) {
                Some(known) => page.skip(known),
                None => match self.step_back(counting, request, &read.tail).await? {
                    // All in front of the end of the list is known.
                    Some(earlier) if digests.is_empty() && earlier.known == earlier.digests.len() => {}
                    Some(earlier) => {
                        *request = earlier.request;
                        (page, digests) = (earlier.page, earlier.digests);
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
        Ok(JudgedPage { page, number, is_first, received: digests.len() as u64, digests, counts })
    }

    /// How many records of a page were on the one before: what identifies them is the same, byte for byte.
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
            let digests = digests(&page)?;
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
        let pages_left = counts.pages.is_some_and(|pages| number - counting.first().min(*number) + 1 < pages);
        // Where the list moves, the API counts from its front, and so does an offset in records.
        let so_far = if counting.by_records() {
            number + received - counting.first().min(*number)
        } else {
            read.records
        };
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
        let pages_reached = counts.pages.is_some() && !pages_left;
        let is_short =
            self.ends_at_short_page() && found.page.record_count() > 0 && self.is_shorter(*received, request);
        let end = match counts.more {
            Some(false) => Some(EndKind::Flag),
            None if pages_reached || total == Some(so_far) => Some(EndKind::Total),
            None if is_short => Some(EndKind::ShortPage),
            Some(true) | None => None,
        };
        let Some(end) = end else { return self.end_at_cap(counting, request, read, found) };
        if let Some(total) = missing {
            return Ok(Some(ListEnd::contradicted(end, less_than(counting, total, so_far))));
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
            Some(restart) if read.behind == self.last_value(restart, found)? => format!(
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

    /// What the last record of a page has where a list starts over.
    fn last_value(&self, restart: &Restart, found: &JudgedPage) -> Result<Option<String>> {
        let last = self.last_fields(&found.page)?;
        let value = last.first().and_then(Option::as_ref).and_then(|json| serde_json::from_slice(json).ok());
        if let Some(value @ (Value::String(_) | Value::Number(_))) = value {
            return Ok(Some(text(&value)));
        }
        let what = format!("the page's last record has no text or number at `{}`", restart.from);
        Err(Error::new(ErrorKind::Data, "read page", what)
            .hint("behind `cap` the list starts over at it: correct `restart` in the endpoint's definition"))
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
        let last = self.last_value(restart, found)?.unwrap_or_default();
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
        match self.fetch(&mut counting.at(request, number)?).await {
            Ok(page) => {
                let digests = digests(&page)?;
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
        let number = counting.after(found.number, found.received, requested) - u64::from(overlaps);
        let mut next = counting.at(request, number)?;
        if let (Some(cap), Some(requested)) = (counting.cap(), requested)
            && number + requested as u64 > cap
        {
            next.set_size(u32::try_from(cap - number).unwrap_or(u32::MAX));
        }
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

fn tail_of(digests: &[u64]) -> &[u64] {
    &digests[digests.len().saturating_sub(TAIL)..]
}

/// How many records of a page were read before: up to the newest one that is known.
fn behind_known(tail: &[u64], digests: &[u64]) -> Option<usize> {
    let found = |known: &u64| digests.iter().position(|digest| digest == known);
    tail.iter().rev().find_map(found).map(|index| index + 1)
}

/// Short digests of the records of a page, as they were received.
fn digests(page: &Page) -> Result<Vec<u64>> {
    let mut digests = Vec::with_capacity(page.record_count());
    let mut records = page.records();
    while let Some(record) = records.next()? {
        let digest: [u8; 32] = Sha256::digest(record.bytes).into();
        digests.push(digest.iter().take(8).fold(0, |short, byte| short << 8 | u64::from(*byte)));
    }
    Ok(digests)
}
