//! Who the customer of a delivery is: its identifier, or who is found by its lines in their order; and, where the
//! mapping says so, a new one.

mod listed;

use std::sync::Arc;

use self::listed::Listed;
use super::{
    attempt::{Attempt, TurnEnd},
    contact::{left_out, not_looked_for},
    decision::Outcome,
    effort::{Effort, Stop},
};
use crate::{
    customer::{CustomerId, FindBy, Patch},
    dedup::{self, Share},
    event::{Delivery, LaneKey},
    quentli::{CallError, CallErrorKind, Creation, Customer, Found, Search},
    telemetry::ApiCall,
};

/// Who a customer is.
pub(super) enum Sought {
    Found {
        customer: CustomerId,
        /// Other lanes that lead to the same customer.
        siblings: Vec<LaneKey>,
    },
    /// Quentli has nobody who is meant.
    Nobody,
    /// It could not be found out, and this is why.
    Not(Outcome),
}

/// What is not to be relied on any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Afresh {
    Nothing,
    /// The identifier: Quentli does not know it.
    Identifier,
    /// The identifier, and that somebody was not found lately.
    Everything,
}

impl Attempt {
    /// Finds the customer.
    pub(super) async fn seek(
        &mut self,
        delivery: &Delivery,
        afresh: Afresh,
    ) -> Result<Sought, Stop> {
        if let Some(id) = &delivery.customer.id
            && afresh == Afresh::Nothing
        {
            return Ok(self.remembered(id.clone()));
        }
        let context = Arc::clone(&self.context);
        let since = context.by_hand.asks_since(delivery);
        for line in &delivery.customer.find {
            let now = context.clock.elapsed();
            let known = context.bindings().customer(line, now);
            if let Some(customer) = known {
                return Ok(self.remembered(customer));
            }
            let is_missing = context.bindings().is_missing(line, since, now);
            if is_missing && afresh != Afresh::Everything {
                continue;
            }
            let Some(search) = Search::of(line) else {
                match self.seek_in_directory(delivery, line, afresh).await? {
                    Listed::Nobody => continue,
                    Listed::Sought(sought) => return Ok(sought),
                }
            };
            if !self.turn.may_look && afresh == Afresh::Nothing {
                return Err(Stop::End(TurnEnd::NeedsLook));
            }
            let lane = self.turn.lane;
            let asked = context.as_of_now();
            let request = context.client.find(search);
            match self.call(ApiCall::Find, lane, request).await? {
                Ok(Found::One(customer)) => {
                    let now = context.clock.elapsed();
                    // Whoever waits for this customer by another line is looked for now, too.
                    context.bindings().may_exist(&lines_of(&customer));
                    context.bindings().found(line, &customer.id, now);
                    return Ok(Sought::Found {
                        siblings: self.lanes_of(&customer),
                        customer: customer.id,
                    });
                }
                Ok(Found::None) => {
                    let now = context.clock.elapsed();
                    context.bindings().missed(line, asked, now);
                }
                Ok(Found::Several) => return Ok(Sought::Not(Outcome::Ambiguous)),
                Err(error) => return Ok(Sought::Not(self.of_failure(error).await?)),
            }
        }
        Ok(Sought::Nobody)
    }

    /// Creates the customer with what creation takes, and sends the rest after it. After a `refusal` that may come from
    /// contact fields it goes without them. The inner error is a refusal: the
    /// customer may exist after all, known by other means than those looked for.
    ///
    /// A creation whose outcome is not known is not repeated by itself: the next attempt looks for the customer first.
    /// Fields that only a creation carries and only a PATCH can set are lost if that PATCH fails, since the next
    /// attempt finds the customer there.
    pub(super) async fn create(
        &mut self,
        delivery: &Delivery,
        fields: &Patch,
        refusal: Option<&CallError>,
    ) -> Result<Result<Effort, CallError>, Stop> {
        let context = Arc::clone(&self.context);
        let mut newcomer = match delivery.patch.for_newcomer(fields, &delivery.customer.find) {
            Ok(newcomer) => newcomer,
            Err(why) => return Ok(Ok(Effort::Came(Outcome::Uncreatable(why)))),
        };
        let mut left = None;
        if let Some(refusal) = refusal {
            let taken = newcomer.take_out(&not_looked_for(delivery, &newcomer));
            if taken.is_empty() {
                return Ok(Err(refusal.clone()));
            }
            left = Some(left_out(taken, refusal, true));
        }
        let creation = Creation::of(&newcomer);
        let lane = self.turn.lane;
        let request = context.client.create(&creation);
        let answer = self.call(ApiCall::Create, lane, request).await?;
        context.bindings().may_exist(&delivery.customer.find);
        let customer = match answer {
            Ok(customer) => customer,
            Err(error) if error.kind == CallErrorKind::Refused => return Ok(Err(error)),
            Err(error) => return Ok(Ok(Effort::Came(self.of_failure(error).await?))),
        };
        context.bindings().may_exist(&lines_of(&customer));
        context.note_change(&customer.id, creation.fields()).await;
        let siblings = self.lanes_of(&customer);
        self.part();
        self.claim(delivery, &customer.id, siblings).await?;
        if !creation.rest().is_empty()
            && let Err(error) = self.change(&customer.id, creation.rest()).await?
        {
            return Ok(Ok(Effort::Came(self.of_failure(error).await?)));
        }
        // Its nulls were not sent, and hold all the same: a new customer never had what they clear. What only a creation
        // gives is not kept: it must not keep out the values of an update that was accepted before and comes now.
        let (key, now) = (context.store.value_key(), context.clock.now());
        let mut confirmed = dedup::confirmed(delivery, &delivery.patch, key, now);
        if let Some(left) = &left {
            confirmed.retain(|part| left.patch.get(part.part.field()).is_none());
        }
        Ok(Ok(Effort::Done {
            is_sent: true,
            shares: vec![Share {
                counts: true,
                is_stale: false,
            }],
            confirmed,
            left_out: left,
        }))
    }

    fn remembered(&self, customer: CustomerId) -> Sought {
        let now = self.context.clock.elapsed();
        Sought::Found {
            siblings: self.context.bindings().lanes_of(&customer, now),
            customer,
        }
    }

    /// The lanes in which updates of this customer may wait.
    fn lanes_of(&self, customer: &Customer) -> Vec<LaneKey> {
        let keys = self.context.directory.lock().keys();
        let by_id = LaneKey::of("id", customer.id.as_str());
        let lines = lines_of(customer).into_iter().chain(keys.lines(customer));
        std::iter::once(by_id)
            .chain(lines.map(|line| line.lane()))
            .collect()
    }
}

/// The lines by which a search finds this customer.
pub(super) fn lines_of(customer: &Customer) -> Vec<FindBy> {
    let username = customer.username.as_deref().map(str::trim);
    let email = customer.email.as_deref().map(str::trim);
    let lines = [
        username.map(|username| FindBy::Username(username.to_owned())),
        email.map(|email| FindBy::Email(email.to_lowercase())),
    ];
    lines.into_iter().flatten().collect()
}
