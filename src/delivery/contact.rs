//! A change that Quentli refuses while somebody else may have its user name, e-mail address or telephone number: where the
//! source says so, it is sent once more without the three, and these wait for a person.
//!
//! The API does not say which field was refused, so all three are left out. A creation keeps those by which nobody was found
//! just now: they cannot be the reason, and without them the next event would create another customer.

use super::{
    attempt::Attempt,
    decision::Outcome,
    effort::{Effort, Stop},
};
use crate::{
    customer::{CustomerId, Field, FieldValue, OnConflict, Patch},
    dedup::Selection,
    event::{DeadReason, Delivery},
    quentli::{CallError, CallErrorKind},
    store::LeftOut,
};

/// Whether a refusal may come from contact fields that are to be left out then.
pub(super) fn may_be_conflict(delivery: &Delivery, refusal: &CallError) -> bool {
    delivery.customer.on_conflict == OnConflict::DropContact
        && refusal.kind == CallErrorKind::Refused
        && refusal.status == Some(400)
}

/// What a person finds of the fields that were left out. Nothing is sent of the rest where Quentli has it already.
pub(super) fn left_out(patch: Patch, refusal: &CallError, is_rest_sent: bool) -> LeftOut {
    let fields: Vec<&str> = patch.fields().map(|(field, _)| field.as_str()).collect();
    let fields = fields.join(", ");
    let (message, warning) = if is_rest_sent {
        (
            format!("Quentli took the update without {fields} only; with them it said: {refusal}"),
            format!("sent without {fields}, which Quentli did not take; they wait for a person"),
        )
    } else {
        (
            format!("Quentli has all of the update but {fields}; of them it said: {refusal}"),
            format!("Quentli did not take {fields}; they wait for a person"),
        )
    };
    LeftOut {
        reason: DeadReason {
            code: "conflict",
            message,
        },
        warning,
        patch,
    }
}

/// The contact fields of a newcomer by which nobody was looked for.
pub(super) fn not_looked_for(delivery: &Delivery, newcomer: &Patch) -> Vec<Field> {
    let is_looked_for = |field: Field| {
        delivery.customer.find.iter().any(|line| {
            line.as_field()
                .is_some_and(|(of, value)| of == field && newcomer.get(field) == Some(&value))
        })
    };
    // Nulls are not sent to create somebody.
    let is_sent = |field| {
        newcomer
            .get(field)
            .is_some_and(|value| *value != FieldValue::Null)
    };
    Field::CONTACT
        .into_iter()
        .filter(|field| is_sent(*field) && !is_looked_for(*field))
        .collect()
}

impl Attempt {
    /// Sends a change that was refused once more without its contact fields.
    pub(super) async fn change_without_contact(
        &mut self,
        delivery: &Delivery,
        customer: &CustomerId,
        mut selection: Selection,
        refusal: CallError,
    ) -> Result<Effort, Stop> {
        let taken = selection.leave_out(&Field::CONTACT);
        let mut fields = delivery.patch.fields();
        let is_contact_only = fields.all(|(field, _)| Field::CONTACT.contains(&field));
        if taken.is_empty() || is_contact_only {
            return Ok(Effort::Came(Outcome::Failed(refusal)));
        }
        let is_sent = !selection.patch.is_empty();
        if is_sent && let Err(error) = self.change(customer, &selection.patch).await? {
            return Ok(Effort::Came(self.of_failure(error).await?));
        }
        Ok(Effort::Done {
            is_sent,
            shares: std::mem::take(&mut selection.shares),
            confirmed: selection.confirmed(self.context.clock.now()),
            left_out: Some(left_out(taken, &refusal, is_sent)),
        })
    }
}
