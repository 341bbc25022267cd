//! Finding a customer by metadata: in the directory, and then asking Quentli about whoever stands there.

use std::sync::Arc;

use super::{Afresh, Sought};
use crate::{
    customer::{CustomerId, FindBy},
    delivery::{
        attempt::{Attempt, TurnEnd},
        decision::Outcome,
        directory::Looked,
        effort::Stop,
    },
    event::Delivery,
    quentli::{CallError, CallErrorKind, Customer},
    telemetry::ApiCall,
};

/// Times that the directory is asked in one turn: once, and again for each time that somebody it named turned out not
/// to be meant.
const LOOKS: u32 = 5;

/// What the directory and Quentli say together.
pub(super) enum Listed {
    Nobody,
    Sought(Sought),
}

/// Whether a customer has the value that was looked for.
enum Shown {
    Has(Customer),
    HasNot,
    Trouble(CallError),
}

impl Attempt {
    /// Finds the customer by a line about metadata.
    pub(super) async fn seek_in_directory(
        &mut self,
        delivery: &Delivery,
        line: &FindBy,
        afresh: Afresh,
    ) -> Result<Listed, Stop> {
        let FindBy::Metadata { key, .. } = line else {
            return Ok(Listed::Nobody);
        };
        let context = Arc::clone(&self.context);
        let value = line.lane();
        let since = context.by_hand.asks_since(delivery);
        let is_ambiguous = context
            .bindings()
            .is_ambiguous(line, since, context.clock.elapsed());
        if is_ambiguous {
            return Ok(Listed::Sought(Sought::Not(Outcome::Ambiguous)));
        }
        for _ in 0..LOOKS {
            let looked = {
                let mut directory = context.directory.lock();
                let looked = directory.look(key, value, since);
                match looked {
                    Looked::Held(_) => {}
                    Looked::Wait(_) => directory.wait_for(value, self.turn.lane),
                    Looked::Nobody => {
                        directory.wait_for(value, self.turn.lane);
                        directory.ask_again();
                    }
                }
                looked
            };
            let held = match looked {
                Looked::Nobody => return Ok(Listed::Nobody),
                Looked::Wait(scan) => return Err(Stop::End(TurnEnd::AwaitsScan(scan))),
                Looked::Held(held) => held,
            };
            if !self.turn.may_look && afresh == Afresh::Nothing {
                return Err(Stop::End(TurnEnd::NeedsLook));
            }
            let asked = context.as_of_now();
            let mut having = Vec::new();
            for id in &held {
                match self.shown(id, line).await? {
                    Shown::Has(customer) => having.push(customer),
                    Shown::HasNot => {}
                    Shown::Trouble(error) => {
                        let outcome = self.of_failure(error).await?;
                        return Ok(Listed::Sought(Sought::Not(outcome)));
                    }
                }
                if having.len() > 1 {
                    let now = context.clock.elapsed();
                    context.bindings().is_shared(line, asked, now);
                    return Ok(Listed::Sought(Sought::Not(Outcome::Ambiguous)));
                }
            }
            match having.pop() {
                // Whoever else was named has it no more, so the directory may have others to name.
                Some(_) if held.len() > 1 => {}
                Some(customer) => {
                    let now = context.clock.elapsed();
                    context.bindings().found(line, &customer.id, now);
                    return Ok(Listed::Sought(Sought::Found {
                        siblings: self.lanes_of(&customer),
                        customer: customer.id,
                    }));
                }
                None => context.directory.lock().disprove(value),
            }
        }
        Err(Stop::End(TurnEnd::NeedsLook))
    }

    /// Asks Quentli whether a customer that the directory names has the value.
    async fn shown(&mut self, id: &CustomerId, line: &FindBy) -> Result<Shown, Stop> {
        let context = Arc::clone(&self.context);
        let mark = context.directory.lock().mark();
        let request = context.client.get(id);
        let answer = self.call(ApiCall::Get, self.turn.lane, request).await?;
        let customer = match answer {
            Ok(customer) => customer,
            Err(error) if error.kind == CallErrorKind::NotFound => {
                context.bindings().forget(id);
                context.directory.lock().forget(id);
                return Ok(Shown::HasNot);
            }
            Err(error) => return Ok(Shown::Trouble(error)),
        };
        let Some(metadata) = &customer.metadata else {
            return Ok(Shown::Trouble(CallError {
                kind: CallErrorKind::NotQuentli,
                status: None,
                message: Some("the record of a customer does not show metadata".to_owned()),
                retry_after: None,
            }));
        };
        context.note_record(&customer, mark).await;
        let FindBy::Metadata { key, value } = line else {
            return Ok(Shown::HasNot);
        };
        let is_held = metadata.get(key).is_some_and(|held| held.trim() == value);
        Ok(if is_held {
            Shown::Has(customer)
        } else {
            Shown::HasNot
        })
    }
}
