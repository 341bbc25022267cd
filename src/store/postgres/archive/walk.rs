//! A page of deliveries: candidates from the index that fits the filter best, conditions, and the end of a page.

use super::{
    FIRST, LARGEST, causes, events, hours, next_chunk,
    streams::{Seen, Stream},
};
use crate::{
    customer::CustomerId,
    event::SourceName,
    store::{
        ArchiveFilter, DeliveryPlace, ListedDelivery, MOST_LOOKED_AT, Order, Page,
        archive::walk::{Candidate, Drive, FETCH, Stretch, Walked, is_within},
        postgres::{fault::Fault, look, session::Session},
    },
};

/// The organisations that have customers with a history, one seek for each.
pub(super) const ORGANISATIONS: &str = "
    WITH RECURSIVE name AS (
      (SELECT organisation FROM history WHERE customer IS NOT NULL ORDER BY organisation LIMIT 1)
      UNION ALL
      SELECT next.* FROM name, LATERAL (
        SELECT organisation FROM history WHERE customer IS NOT NULL AND history.organisation > name.organisation
        ORDER BY organisation LIMIT 1) AS next
    )
    SELECT organisation FROM name";

/// A page of deliveries.
pub(super) async fn page(
    session: &Session,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> Result<Page<ListedDelivery>, Fault> {
    let mut entries = Vec::new();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut take = |found| {
        entries.push(found);
        entries.len() >= most
    };
    let walked = walk(session, filter, order, after, limit, &mut take).await?;
    Ok(Page {
        entries,
        next: walked.next,
        looked_at: walked.looked_at,
    })
}

/// Gives what passes the filter to `take`, until that says it is enough, all is seen, or enough was looked at. About so many
/// are likely to be taken.
pub(super) async fn walk(
    session: &Session,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    likely: u32,
    take: &mut (dyn FnMut(ListedDelivery) -> bool + Send),
) -> Result<Walked, Fault> {
    let mut walked = Walked {
        next: None,
        looked_at: 0,
    };
    let Some(range) = numbers(session, filter).await? else {
        return Ok(walked);
    };
    let likely = usize::try_from(likely).unwrap_or(usize::MAX);
    let stream = stream(session, filter).await?;
    let mut looking = Looking {
        session,
        filter,
        batch: likely.clamp(1, LARGEST),
        looked_at: 0,
        last: after,
    };
    let mut chunk = likely.clamp(FIRST, LARGEST);
    loop {
        let stretch = Stretch::new(order, range, looking.last);
        // One more, to know whether there are more.
        let mut seen = stream.chunk(session, stretch, chunk + 1).await?;
        let has_more = seen.len() > chunk;
        seen.truncate(chunk);
        let stop = looking.through(seen, has_more, take).await?;
        walked.looked_at = looking.looked_at;
        match stop {
            Stop::End if has_more => chunk = next_chunk(chunk),
            Stop::End | Stop::Enough { is_end: true } => return Ok(walked),
            Stop::Enough { is_end: false } | Stop::Tired => {
                walked.next = looking.last;
                return Ok(walked);
            }
        }
    }
}

/// The first and last number of the events that can pass. `None`: there is none.
pub(super) async fn numbers(
    session: &Session,
    filter: &ArchiveFilter,
) -> Result<Option<(i64, i64)>, Fault> {
    if let Some(event) = filter.event {
        return Ok(Some((event.0, event.0)));
    }
    if filter.since.is_none() && filter.until.is_none() {
        return Ok(Some((i64::MIN, i64::MAX)));
    }
    hours::range(session, filter.since, filter.until).await
}

/// What is read to find the deliveries of a filter.
async fn stream(session: &Session, filter: &ArchiveFilter) -> Result<Stream, Fault> {
    let source = filter.source.as_ref().map(SourceName::to_string);
    let customer = filter.customer.as_ref().map(CustomerId::to_string);
    Ok(match (Drive::of(filter), source, customer) {
        (Drive::Open, ..) => Stream::Open,
        (Drive::Looking, ..) => Stream::Looking,
        (Drive::Ended, ..) => Stream::Ended,
        (Drive::Dead, ..) => {
            let (sources, codes) = causes::of(session, filter).await?;
            Stream::Dead(sources, codes)
        }
        (Drive::Customer, _, Some(customer)) => {
            let organisations = match &filter.organisation {
                Some(name) => vec![name.to_string()],
                None => organisations(session).await?,
            };
            Stream::OfCustomer(customer, organisations)
        }
        (Drive::EventsOfSource, Some(source), _) => Stream::OfSource(source),
        (Drive::All | Drive::Customer | Drive::EventsOfSource, ..) => Stream::All,
    })
}

async fn organisations(session: &Session) -> Result<Vec<String>, Fault> {
    let rows = session.query(ORGANISATIONS, &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Why a walk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// All was seen.
    End,
    /// Nobody wants more.
    Enough { is_end: bool },
    /// Enough was looked at for a page.
    Tired,
}

/// A walk under way.
struct Looking<'a> {
    session: &'a Session,
    filter: &'a ArchiveFilter,
    /// How many candidates are judged at once.
    batch: usize,
    looked_at: u64,
    /// The last place that was looked at, or behind which it began.
    last: Option<DeliveryPlace>,
}

impl Looking<'_> {
    /// Looks at a chunk; `has_more` says whether there is anything behind it.
    async fn through(
        &mut self,
        seen: Vec<Seen>,
        has_more: bool,
        take: &mut (dyn FnMut(ListedDelivery) -> bool + Send),
    ) -> Result<Stop, Fault> {
        let end = seen.last().map(|seen| seen.place);
        let mut pending: Vec<Candidate> = Vec::new();
        let mut rows = seen.into_iter().peekable();
        while let Some(seen) = rows.next() {
            let is_tired = self.looked_at >= MOST_LOOKED_AT;
            if !is_tired {
                self.looked_at += 1;
                let candidate = seen.candidate;
                pending.extend(candidate.filter(|candidate| candidate.passes(self.filter)));
            }
            if is_tired || pending.len() >= self.batch || rows.peek().is_none() {
                for (place, found) in self.judged(&pending).await? {
                    if let Some(found) = found
                        && take(found)
                    {
                        self.last = Some(place);
                        let is_end = !has_more && end == Some(place);
                        return Ok(Stop::Enough { is_end });
                    }
                }
                pending.clear();
            }
            if is_tired {
                return Ok(Stop::Tired);
            }
            self.last = Some(seen.place);
        }
        Ok(Stop::End)
    }

    /// The places of these, each with the whole delivery where it passes the filter.
    async fn judged(
        &mut self,
        candidates: &[Candidate],
    ) -> Result<Vec<(DeliveryPlace, Option<ListedDelivery>)>, Fault> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let count = u64::try_from(candidates.len()).unwrap_or(u64::MAX);
        self.looked_at = self.looked_at.saturating_add(FETCH.saturating_mul(count));
        let (places, ended): (Vec<&Candidate>, Vec<&Candidate>) =
            candidates.iter().partition(|candidate| candidate.is_open());
        let place = |candidates: Vec<&Candidate>| {
            let places = candidates.into_iter().map(|candidate| candidate.place);
            places.collect::<Vec<_>>()
        };
        let mut records = look::at_places(self.session, &place(places), &place(ended)).await?;
        let received = events::received_at(self.session, candidates).await?;
        let customer = self.filter.customer.as_ref();
        let judged = candidates.iter().map(|candidate| {
            let place = candidate.place;
            let received_at = received.get(&place.event).copied();
            let record = records
                .remove(&place)
                .filter(|_| is_within(self.filter, received_at))
                .filter(|record| customer.is_none() || record.customer.as_ref() == customer);
            let found = record.map(|record| ListedDelivery {
                record,
                received_at,
            });
            (place, found)
        });
        Ok(judged.collect())
    }
}
