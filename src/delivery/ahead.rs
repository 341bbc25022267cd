//! One that creates its customer is not held by one that waits for the same customer.
//!
//! The head of a lane may wait for days until somebody else adds its customer, while an update behind it says that the
//! gateway itself is to create that customer. Then the creation happens now, and the head follows. The order of
//! acceptance holds for the values all the same: what was accepted earlier and comes later overwrites nothing that was
//! accepted after it, part by part, as for any customer who was known too late
//! ([`dedup::select`](crate::dedup::select)).
//!
//! Only what can create goes ahead. Whatever became of it, it is the head's turn again.

use super::{
    attempt::{Attempt, Context, TurnEnd},
    effort::Stop,
    lanes::Lanes,
};
use crate::{
    customer::OnMissing,
    event::{Delivery, LaneKey},
    store::StoreError,
};

/// How many of a lane are looked through.
const REACH: u32 = 64;

impl Attempt {
    /// The first behind a head whose customer is not there, and is waited for, that can create it; the attempt is at
    /// work on that from here on.
    pub(super) async fn creator_behind(
        &mut self,
        head: &Delivery,
    ) -> Result<Option<Delivery>, StoreError> {
        if !matches!(head.customer.on_missing, OnMissing::Retry) {
            return Ok(None);
        }
        let creator = self.context.creator_in(self.turn.lane).await?;
        if creator.is_some() {
            self.part();
            self.is_ahead = true;
            self.customer = None;
            self.next = Some(head.pos);
        }
        Ok(creator)
    }

    /// Goes on only if the one that went ahead still waits: before the customer was this attempt's alone, another one may
    /// have taken it along. It goes by itself.
    pub(super) async fn is_still_behind(&self, creator: &Delivery) -> Result<(), Stop> {
        let Context {
            store,
            organisation,
            ..
        } = &*self.context;
        let reach = REACH.max(self.context.settings.merge_most.get().saturating_add(1));
        let lane = store.take(organisation, creator.lane, reach).await?;
        if lane.iter().any(|waiting| waiting.pos == creator.pos) {
            Ok(())
        } else {
            Err(Stop::End(TurnEnd::GivenBack))
        }
    }
}

impl Context {
    /// The first in a lane, behind its head, that can create its customer. It overtakes nobody whose source is paused.
    async fn creator_in(&self, lane: LaneKey) -> Result<Option<Delivery>, StoreError> {
        let taken = match self.store.take(&self.organisation, lane, REACH).await {
            // What cannot be read holds up nobody before it.
            Err(StoreError::Broken { .. }) => return Ok(None),
            taken => taken?,
        };
        let mut behind = taken
            .into_iter()
            .skip(1)
            .take_while(|delivery| !self.by_hand.is_paused(&delivery.source));
        Ok(behind.find(can_create))
    }

    /// Has lanes looked at again in which something arrived that can create the customer for whom the head waits.
    ///
    /// # Errors
    /// The store cannot read.
    pub(super) async fn wake_creators(
        &self,
        arrived: impl IntoIterator<Item = LaneKey>,
        lanes: &mut Lanes,
    ) -> Result<(), StoreError> {
        for lane in arrived {
            if lanes.may_miss_somebody(lane) && self.creator_in(lane).await?.is_some() {
                lanes.appeared(lane, self.clock.elapsed());
            }
        }
        Ok(())
    }
}

/// Whether Quentli would have its customer by it. What lacks a name stays where it is: the customer may still come.
fn can_create(delivery: &Delivery) -> bool {
    match &delivery.customer.on_missing {
        OnMissing::Create(fields) => delivery
            .patch
            .for_newcomer(fields, &delivery.customer.find)
            .is_ok(),
        OnMissing::Retry | OnMissing::Fail | OnMissing::Drop => false,
    }
}
