//! From a request that arrived to one that its source really sent.

use tokio::{sync::SemaphorePermit, time::timeout};

use super::{Ingress, TURN_WAIT, refusal::Refusal};
use crate::{
    problem::Problem,
    source::Source,
    verify::{self, KeySetPlace, Received, Verified},
};

/// Requests that may wait for a sender's keys at once: enough for those of honest senders after a change of keys, too
/// few for a stranger to hold the memory that bodies may take.
pub(super) const MAX_KEY_WAITS: usize = 64;

impl Ingress {
    /// Verifies a request in its turn. One that needs keys that nobody has seen yet gives its turn back, waits a
    /// moment for them, and is verified once more. As long as the sender may have published newer ones, nobody can say
    /// that the request is not genuine: it is to come again.
    pub(super) async fn verified<'a>(
        &'a self,
        source: &Source,
        received: Received,
        turn: SemaphorePermit<'a>,
    ) -> Result<(Verified, SemaphorePermit<'a>), Refusal> {
        let mut turn = turn;
        let mut checked = self.check(source, received);
        let mut is_open = false;
        if let Err((received, refusal)) = &checked
            && source.verifier().may_need_new_keys(received, *refusal)
            && let Some(KeySetPlace::Url(url)) = source.verifier().settings().key_set()
        {
            drop(turn);
            let Ok(_wait) = self.key_waits.try_acquire() else {
                return Err(Problem::Busy.into());
            };
            let is_new = self.key_sets.renew(url).await;
            turn = self.turn().await?;
            if let Err((received, _)) = checked {
                checked = self.check(source, received);
            }
            if let Err((received, refusal)) = &checked {
                is_open = !is_new && source.verifier().may_need_new_keys(received, *refusal);
            }
        }
        match checked {
            Ok(verified) => {
                self.metrics
                    .verified(source.name(), verified.secret_name().unwrap_or("none"));
                if let Some(secret) = verified.secret_name() {
                    let now = verified.received().received_at;
                    self.rotation.matched(source, secret, now);
                }
                Ok((verified, turn))
            }
            Err((received, refusal)) => {
                if refusal == verify::Refusal::NoSecret {
                    self.rotation.none_left(source, received.received_at);
                }
                let mut refused = Refusal::of_event(refusal, received);
                if is_open {
                    refused.problem = Problem::SourceUnavailable;
                }
                Err(refused)
            }
        }
    }

    #[expect(
        clippy::result_large_err,
        reason = "the request moves through either way, as large as it came"
    )]
    fn check(
        &self,
        source: &Source,
        received: Received,
    ) -> Result<Verified, (Received, verify::Refusal)> {
        let now = received.received_at;
        match source.verifier().verify(received, now) {
            Err((received, refusal)) => match self.verifier_of_learned(source) {
                Some(learned) => learned.verify(received, now),
                None => Err((received, refusal)),
            },
            genuine => genuine,
        }
    }

    /// Only whole requests take a turn: a body that dribbles in holds up nobody but itself.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        match timeout(TURN_WAIT, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Problem::Busy.into()),
        }
    }
}

#[cfg(test)]
mod tests;
