//! Which events or deliveries are asked for, and which page of them.

use crate::{
    admin::query::{Misread, Parameters, list},
    diag::did_you_mean,
    event::{DEAD_REASONS, DeliveryState, EventSeq, OBSERVED},
    store::{ArchiveFilter, DeliveryPlace, Order, StandingFilter},
};

/// The parameters of both lists.
pub(in crate::admin) const PARAMETERS: [&str; 11] = [
    "event",
    "source",
    "organisation",
    "state",
    "reason",
    "customer",
    "since",
    "until",
    "order",
    "after",
    "limit",
];

const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 200;

/// A page of a list.
#[derive(Debug)]
pub(in crate::admin) struct Wish {
    pub(in crate::admin) filter: ArchiveFilter,
    pub(in crate::admin) order: Order,
    pub(in crate::admin) after: Option<DeliveryPlace>,
    pub(in crate::admin) limit: u32,
}

impl Wish {
    /// # Errors
    /// What is not written right.
    pub(in crate::admin) fn read(parameters: &Parameters) -> Result<Self, Misread> {
        let name = "the name of one: lower-case letters, digits and `-`";
        let time = "a time such as `2026-03-02T08:00:00Z` or `2026-03-02T08:00:00-06:00`";
        let standing = parameters.word("state", StandingFilter::all(), StandingFilter::as_str)?;
        let filter = ArchiveFilter {
            event: event(parameters)?,
            source: parameters.parsed("source", name)?,
            organisation: parameters.parsed("organisation", name)?,
            standing,
            reason: reason(parameters, standing)?,
            customer: parameters.parsed("customer", "an identifier of Quentli's")?,
            since: parameters.parsed("since", time)?,
            until: parameters.parsed("until", time)?,
        };
        let orders = [Order::NewestFirst, Order::OldestFirst].into_iter();
        let order = parameters.word("order", orders, word)?;
        let after = parameters.one("after")?.map(place).transpose()?;
        Ok(Self {
            filter,
            order: order.unwrap_or_default(),
            after,
            limit: parameters.limit(PAGE, LARGEST_PAGE)?,
        })
    }
}

fn event(parameters: &Parameters) -> Result<Option<EventSeq>, Misread> {
    let number = parameters.parsed("event", "the number of an event")?;
    Ok(number.map(EventSeq))
}

/// Why they are dead, or ended. The reasons of dead ones are known; others may be words of a source's file, so that only
/// what is nearly one of the known counts as a slip.
fn reason(
    parameters: &Parameters,
    standing: Option<StandingFilter>,
) -> Result<Option<String>, Misread> {
    let Some(written) = parameters.one("reason")? else {
        return Ok(None);
    };
    let meant = did_you_mean(written, DEAD_REASONS);
    let is_dead = standing == Some(StandingFilter::Open(DeliveryState::Dead));
    let is_known = DEAD_REASONS.contains(&written) || (written == OBSERVED && !is_dead);
    if is_known || (meant.is_none() && !is_dead) {
        return Ok(Some(written.to_owned()));
    }
    let help = meant.unwrap_or_else(|| format!("it is one of {}", list(&DEAD_REASONS)));
    Err(Misread(format!(
        "`reason` is no reason of dead deliveries; {help}"
    )))
}

fn word(order: Order) -> &'static str {
    match order {
        Order::NewestFirst => "newest-first",
        Order::OldestFirst => "oldest-first",
    }
}

/// Where a page begins: what the page before gave as `next`.
pub(in crate::admin) fn place(text: &str) -> Result<DeliveryPlace, Misread> {
    parsed(text)
        .ok_or_else(|| Misread("`after` is not what another page gave as `next`".to_owned()))
}

fn parsed(text: &str) -> Option<DeliveryPlace> {
    let mut parts = text.splitn(3, '.');
    Some(DeliveryPlace {
        event: EventSeq(parts.next()?.parse().ok()?),
        item: parts.next()?.parse().ok()?,
        number: parts.next()?.parse().ok()?,
    })
}

/// The opposite of [`place`].
pub(in crate::admin) fn cursor(place: DeliveryPlace) -> String {
    format!("{}.{}.{}", place.event, place.item, place.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_taken_for_one() {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let end = DeliveryPlace::end_of(EventSeq(i64::MAX), order);
            assert_eq!(place(&cursor(end)).unwrap(), end);
        }
        for wrong in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.-3",
            "a.b.c",
            "1.2.4294967296",
        ] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
