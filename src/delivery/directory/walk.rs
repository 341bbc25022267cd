//! Reads the whole list of customers by pages, so that nobody who is there all the time is missed.
//!
//! Quentli's list knows `skip`, `take` and an order, and no cursor. It is asked for the order of creation, oldest
//! first, and changes while it is read:
//!
//! - Who is **created** stands at the end, where the reading has not been yet. Nobody else moves.
//! - Who is **changed** stays: the date of creation does not change. (By name or by date of change, somebody could
//!   hop from a page that is to come to one that was read.)
//! - Who is **removed** makes everybody behind move up by one. `skip` then leaps over somebody who was not read.
//!
//! So a page begins with the last customer of the page before. If the first of a page is known, the page joins on
//! without a gap, since it is one piece of the list and everybody before its first was read. If not, others have moved
//! up: the page is put aside and the reading steps back, twice as far each time, until a page joins on. The beginning
//! of the list always does. So whenever the last page has been read, everybody who was in the list from the beginning
//! of the walk to its end has been read.
//!
//! **Equal dates.** All that rests on an order that stays the same. Customers that were imported together may have
//! the same date of creation, and a database may give those in another order each time. A second look finds that out:
//! at the end as many different customers must have been read as the list is long. If fewer were, the list is read
//! once more, with pages of another size, and what all readings saw is counted. After three the walk gives up, and
//! nothing is concluded from whom it did not see. (Should Quentli ignore the order and give the newest first, whoever is
//! created pushes the others on instead of standing at the end. That loses nobody, and costs another reading.)

use std::collections::HashMap;

use crate::event::LaneKey;

/// The most that Quentli gives on a page, and other sizes for further readings, which cut the list at other places.
const TAKES: [u8; 3] = [100, 89, 73];
/// Pages are not made smaller than this, and after so many good ones again larger.
const SMALLEST_TAKE: u8 = 10;
const GOOD_PAGES: u8 = 5;
/// Pages that a reading may take beyond the double of what is needed for the customers seen; a list that goes on
/// without bringing anybody new is none.
const SPARE_PAGES: u64 = 50;

/// A walk through the list. Customers are told apart by the hash of their identifier.
#[derive(Debug)]
pub(super) struct Walk {
    /// Everybody seen, with the latest reading in which.
    seen: HashMap<LaneKey, u8>,
    reading: u8,
    skip: u64,
    take: u8,
    /// No page is larger for a while: larger ones met trouble.
    most: u8,
    /// Good pages since.
    good: u8,
    back: u64,
    pages: u64,
}

/// What to ask for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::delivery) struct Page {
    pub(in crate::delivery) skip: u64,
    /// 1 to 100.
    pub(in crate::delivery) take: u8,
}

/// How far a walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    /// There is another page to read.
    On,
    /// Everybody was seen.
    Through,
    /// The list cannot be relied on: it does not end, or shows fewer than it holds.
    Lost,
}

impl Walk {
    pub(super) fn new() -> Self {
        let [take, ..] = TAKES;
        Self {
            seen: HashMap::new(),
            reading: 0,
            skip: 0,
            take,
            most: take,
            good: 0,
            back: 0,
            pages: 0,
        }
    }

    pub(super) const fn next(&self) -> Page {
        Page {
            skip: self.skip,
            take: self.take,
        }
    }

    /// Different customers seen.
    pub(super) fn customers(&self) -> usize {
        self.seen.len()
    }

    /// The page could not be had: too long, or too slow. Some that follow are half as large.
    pub(super) fn take_less(&mut self) {
        self.most = (self.take / 2).max(SMALLEST_TAKE);
        self.take = self.most;
        self.good = 0;
    }

    /// The page that was asked for by [`Walk::next`].
    pub(super) fn read(&mut self, page: &[LaneKey]) -> Walked {
        self.pages = self.pages.saturating_add(1);
        let joins = self.skip == 0
            || page
                .first()
                .is_some_and(|first| self.seen.get(first) == Some(&self.reading));
        if !joins {
            self.back = self.back.saturating_mul(2).max(1);
            self.skip = self.skip.saturating_sub(self.back);
            return self.on();
        }
        self.back = 0;
        for customer in page {
            self.seen.insert(*customer, self.reading);
        }
        let length = u64::try_from(page.len()).unwrap_or(u64::MAX);
        if length < u64::from(self.take) {
            return self.end(self.skip.saturating_add(length));
        }
        self.skip = self.skip.saturating_add(length.saturating_sub(1));
        self.take_more();
        self.on()
    }

    fn take_more(&mut self) {
        let usual = TAKES.get(usize::from(self.reading)).copied();
        let usual = usual.unwrap_or(SMALLEST_TAKE);
        self.good = self.good.saturating_add(1);
        if self.take < usual && self.good >= GOOD_PAGES {
            self.most = self.take.saturating_mul(2).min(usual);
            self.take = self.most;
            self.good = 0;
        }
    }

    /// The end of a list with so many customers.
    fn end(&mut self, length: u64) -> Walked {
        if u64::try_from(self.seen.len()).unwrap_or(u64::MAX) >= length {
            return Walked::Through;
        }
        self.reading = self.reading.saturating_add(1);
        let Some(take) = TAKES.get(usize::from(self.reading)) else {
            return Walked::Lost;
        };
        self.take = self.most.min(*take);
        self.skip = 0;
        self.on()
    }

    fn on(&self) -> Walked {
        let each = u64::from(self.take.saturating_sub(1)).max(1);
        let seen = u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
        let readings = u64::from(self.reading).saturating_add(1);
        let needed = (seen / each).saturating_add(1).saturating_mul(readings);
        let most = needed.saturating_mul(2).saturating_add(SPARE_PAGES);
        if self.pages > most {
            Walked::Lost
        } else {
            Walked::On
        }
    }
}

#[cfg(test)]
mod tests;
