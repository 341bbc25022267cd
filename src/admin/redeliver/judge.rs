//! What would become of a delivery if it were sent again now.

use crate::{
    admin::Admin,
    customer::CustomerId,
    dedup::{self, Candidate, Known, Selection},
    event::{Delivery, DeliveryState, End, NewerData, Redelivery},
    source::{Lookup, Mode},
    store::{OpenDelivery, StoreError},
};

/// What would become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Send,
    /// Some of it, since something newer was applied to the rest.
    SendInPart,
    /// All of it, also over something newer.
    Overwrite,
    Unchanged,
    Stale,
}

/// Why it cannot be sent again as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// There is no open delivery of the number.
    NotOpen,
    /// The mapping failed, so there is nothing to send.
    NotMapped,
    /// The mapping gave nothing to find the customer by.
    NoCustomer,
    /// Its organisation is not in the settings (any more).
    NoOrganisation,
    /// It cannot be mapped again: the body of its event is not kept any more.
    BodyGone,
    /// It cannot be mapped again: its source has no file, or one with mistakes.
    NoSource,
    /// It is dead and its source only observes, so it is not sent again.
    Observes,
}

impl Obstacle {
    /// The word used in answers.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NotOpen => "not-open",
            Self::NotMapped => "mapping",
            Self::NoCustomer => "no-customer-reference",
            Self::NoOrganisation => "no-organisation",
            Self::BodyGone => "body-gone",
            Self::NoSource => "no-source",
            Self::Observes => "observes",
        }
    }
}

impl Admin {
    /// What would be sent of an open delivery.
    pub(super) fn sendable<'o>(&self, open: &'o OpenDelivery) -> Result<&'o Delivery, Obstacle> {
        let Some(delivery) = &open.delivery else {
            let is_unaddressed = open.code.as_deref() == Some("no-customer-reference");
            return Err(if is_unaddressed {
                Obstacle::NoCustomer
            } else {
                Obstacle::NotMapped
            });
        };
        if !self.organisations.contains_key(&open.organisation) {
            return Err(Obstacle::NoOrganisation);
        }
        match self.sources.get(&open.source) {
            // What waits since before the source observed is sent all the same.
            Lookup::Ready(source)
                if source.mode() == Mode::Observe && open.state == DeliveryState::Dead =>
            {
                Err(Obstacle::Observes)
            }
            _ => Ok(delivery),
        }
    }

    /// What would become of it, by what is known of the customer; of one who is not known yet, that it would be sent.
    pub(super) async fn judge(
        &self,
        delivery: &Delivery,
        customer: Option<&CustomerId>,
        state: DeliveryState,
        newer: NewerData,
    ) -> Result<Verdict, StoreError> {
        let Some(customer) = customer else {
            return Ok(Verdict::Send);
        };
        let applied = self.store.applied(&delivery.organisation, customer).await?;
        let known = Known {
            applied: &applied,
            value_key: self.store.value_key(),
            max_age: self.unchanged_for,
        };
        let now = self.clock.now();
        let again = |newer| Delivery {
            redelivery: Some(Redelivery { at: now, newer }),
            ..delivery.clone()
        };
        let select = |newer| {
            let candidate = Candidate {
                delivery: &again(newer),
                // As the store has it from then on: in doubt.
                possibly_sent: state != DeliveryState::Dead,
            };
            dedup::select(&[candidate], &known, now)
        };
        let share = |selection: &Selection| selection.shares.first().copied().unwrap_or_default();
        let selection = select(newer);
        if selection.patch.is_empty() {
            return Ok(match share(&selection).end() {
                End::Stale => Verdict::Stale,
                _ => Verdict::Unchanged,
            });
        }
        let would_be_stale = share(&select(NewerData::Kept)).is_stale;
        Ok(match (would_be_stale, newer) {
            (false, _) => Verdict::Send,
            (true, NewerData::Kept) => Verdict::SendInPart,
            (true, NewerData::Overwritten) => Verdict::Overwrite,
        })
    }
}
