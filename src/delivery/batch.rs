//! Which deliveries go together in one change: the head of a lane, and what waits behind it for the same customer.
//!
//! Only what needs no request to be known as the customer's goes along, and the first that cannot ends the batch, so the
//! order of acceptance holds. What was refused together is sent one by one from there, so that a bad one does not kill its
//! neighbours: each has an attempt written down that used nothing of its budget, and companions have none. A batch that met
//! trouble is tried again as a batch, so that Quentli does not go back to the first of its values for a moment; but only a
//! few times, since one of it may be to blame for the trouble, too. From then on its last goes by itself, again a few times,
//! and then the last but one: each leaves what the batch would have left, so no older value comes after a newer one. What is
//! to blame stays behind, and the others follow.

use std::{sync::Arc, time::Duration};

use super::{
    attempt::{Attempt, TurnEnd},
    bindings::{Bindings, moves},
    by_hand::ByHand,
    effort::Stop,
};
use crate::{
    customer::{CustomerId, CustomerReference, FindBy, Patch},
    dedup::Share,
    event::{Delivery, End, LaneKey, NewerData},
    store::StoreError,
};

/// About how many bytes the changes of a batch may have together, as they are sent.
const MOST_BYTES: usize = 64 * 1024;

/// Attempts of a head until the last of its batch goes by itself, and of that until it is left behind: some two minutes of
/// trouble each.
const MOST_TRIES: u32 = 8;

impl Attempt {
    /// The head and what goes with it.
    pub(super) fn batch<'a>(&'a self, head: &'a Delivery) -> impl Iterator<Item = &'a Delivery> {
        std::iter::once(head).chain(&self.companions)
    }

    pub(super) fn goes_alone(&self) -> bool {
        self.companions.is_empty()
    }

    /// The last of a batch that met trouble again and again, which may go by itself before the others: what it leaves must
    /// then stay, so none of them is to overwrite what is newer.
    pub(super) fn last_of_troubled(&self, head: &Delivery) -> Option<&Delivery> {
        let overwrites = |delivery: &Delivery| {
            let again = delivery.redelivery;
            again.is_some_and(|again| again.newer == NewerData::Overwritten)
        };
        let last = self.companions.last()?;
        (!self.batch(head).any(overwrites)).then_some(last)
    }

    /// The last of the batch goes by itself; the attempt is at work on that from here on.
    pub(super) fn last_goes_first(&mut self, head: &Delivery) -> Option<Delivery> {
        let last = self.companions.pop()?;
        self.companions.clear();
        self.is_ahead = true;
        self.next = Some(head.pos);
        Some(last)
    }

    /// From here on the head goes by itself.
    pub(super) fn part(&mut self) {
        if let Some(first) = self.companions.first() {
            self.next = self
                .next
                .map(|next| next.min(first.pos))
                .or(Some(first.pos));
            self.companions.clear();
        }
    }

    /// Takes along what waits for the customer behind the head, here and in `others`. Reads anew what heads the lane:
    /// before the customer was this attempt's alone, another one may have taken the head along.
    pub(super) async fn gather(
        &mut self,
        head: &Delivery,
        customer: &CustomerId,
        others: Vec<LaneKey>,
    ) -> Result<(), Stop> {
        if self.is_ahead {
            return self.is_still_behind(head).await;
        }
        let context = Arc::clone(&self.context);
        let most = context.settings.merge_most.get();
        let take = async |lane, limit| {
            let taken = context.store.take(&context.organisation, lane, limit).await;
            match taken {
                // What cannot be read holds up nobody before it.
                Err(StoreError::Broken { .. }) if limit > 1 => {
                    context.store.take(&context.organisation, lane, 1).await
                }
                taken => taken,
            }
        };
        let mut lane = take(self.turn.lane, most.saturating_add(1)).await?;
        if lane.first().is_none_or(|first| first.pos != head.pos) {
            return Err(Stop::End(TurnEnd::GivenBack));
        }
        let mut waiting = lane.clone();
        for other in others {
            waiting.append(&mut take(other, most).await?);
        }
        let paused = waiting
            .iter()
            .filter(|delivery| context.by_hand.is_paused(&delivery.source))
            .map(|delivery| delivery.pos)
            .min();
        waiting.retain(|delivery| paused.is_none_or(|paused| delivery.pos < paused));
        let now = context.clock.elapsed();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.companions = {
            let bindings = context.bindings();
            companions(
                head,
                customer,
                waiting,
                most,
                (&bindings, &context.by_hand),
                now,
            )
        };
        lane.retain(|delivery| self.batch(head).all(|gone| gone.pos != delivery.pos));
        self.next = lane.first().map(|next| next.pos);
        Ok(())
    }
}

/// The deliveries that go with a head, in the order of acceptance. `waiting` is what waits in the lanes of the
/// customer; `most` counts the head.
fn companions(
    head: &Delivery,
    customer: &CustomerId,
    mut waiting: Vec<Delivery>,
    most: usize,
    known: (&Bindings, &ByHand),
    now: Duration,
) -> Vec<Delivery> {
    let mut companions = Vec::new();
    if !may_lead(head) {
        return companions;
    }
    waiting.retain(|delivery| delivery.pos > head.pos);
    waiting.sort_by_key(|delivery| delivery.pos);
    let mut bytes = size(head);
    for delivery in waiting.into_iter().take(most.saturating_sub(1)) {
        bytes = bytes.saturating_add(size(&delivery));
        let way = match way_to(customer, &delivery, known, now) {
            Some(way) if may_follow(&delivery) && bytes <= MOST_BYTES => way,
            _ => break,
        };
        // What an earlier one changes about the customer may make another line lead to somebody else.
        let before = std::iter::once(head).chain(&companions);
        if let Way::Line(line) = way
            && before.into_iter().any(|before| moves(&before.patch, line))
        {
            break;
        }
        companions.push(delivery);
    }
    companions
}

/// Whether others may go along with a head. What was refused together has an attempt that used nothing of its budget.
fn may_lead(head: &Delivery) -> bool {
    head.attempts == 0 || !head.spent.is_zero()
}

/// Whether it may go along with a head.
fn may_follow(delivery: &Delivery) -> bool {
    let met_trouble = !delivery.spent.is_zero() && delivery.attempts < MOST_TRIES;
    delivery.attempts == 0 || met_trouble
}

/// Whether a batch with this head has been tried often enough.
pub(super) const fn met_trouble_enough(head: &Delivery) -> bool {
    head.attempts >= MOST_TRIES
}

/// Whether all that one changes is what the batch changes.
pub(super) fn is_part_of(one: &Patch, batch: &Patch) -> bool {
    let of_batch = batch.parts();
    one.parts().iter().all(|part| of_batch.contains(part))
}

/// How a delivery leads to a customer.
enum Way<'a> {
    Identifier,
    Line(&'a FindBy),
}

/// How the delivery leads to this customer, where that is known.
fn way_to<'a>(
    customer: &CustomerId,
    delivery: &'a Delivery,
    (bindings, by_hand): (&Bindings, &ByHand),
    now: Duration,
) -> Option<Way<'a>> {
    let CustomerReference { id, find, .. } = &delivery.customer;
    if let Some(id) = id {
        return (id == customer).then_some(Way::Identifier);
    }
    for line in find {
        if let Some(found) = bindings.customer(line, now) {
            return (found == *customer).then_some(Way::Line(line));
        }
        if !bindings.is_missing(line, by_hand.asks_since(delivery), now) {
            return None;
        }
    }
    None
}

fn size(delivery: &Delivery) -> usize {
    serde_json::to_vec(&delivery.patch).map_or(usize::MAX, |json| json.len())
}

/// How the deliveries of a batch end.
pub(super) struct Ends<'a> {
    /// The last that has a part in the change: it carries the others.
    pub(super) carrier: &'a Delivery,
    pub(super) end: End,
    pub(super) others: Vec<(&'a Delivery, End)>,
}

/// The ends of a head and its companions, when their change was confirmed or nothing of it needed sending. `shares` has
/// one for each, the head's first.
pub(super) fn ends<'a>(
    head: &'a Delivery,
    companions: &'a [Delivery],
    shares: &[Share],
    is_sent: bool,
) -> Ends<'a> {
    let mut shares = shares.iter().copied();
    let mut carrier = (head, shares.next().unwrap_or_default());
    let mut others = Vec::with_capacity(companions.len());
    for later in companions.iter().zip(shares) {
        if later.1.counts || !carrier.1.counts {
            others.push(std::mem::replace(&mut carrier, later));
        } else {
            others.push(later);
        }
    }
    let others = others.into_iter().map(|(delivery, share)| {
        let end = if share.counts {
            End::Superseded
        } else {
            share.end()
        };
        (delivery, end)
    });
    let (carrier, share) = carrier;
    Ends {
        carrier,
        end: if is_sent { End::Delivered } else { share.end() },
        others: others.collect(),
    }
}
