//! `"observed": true`: what a source only observed is sent, now that it is live.

use axum::response::Response;
use http::StatusCode;

use super::{Answer, Expected, Obstacle, Wish};
use crate::{
    admin::{Admin, answer::misread, guard::problem, operator::Operator, selection::Stretch},
    event::{DeliveryPos, DeliveryState, Redelivery, SourceName},
    source::{Lookup, Mode},
    store::StoreError,
};

impl Admin {
    /// Which source is meant.
    ///
    /// # Errors
    /// Something else is asked for as well, or the source is not live; as it is answered.
    #[expect(
        clippy::result_large_err,
        reason = "the answer is made once and goes out at once"
    )]
    pub(super) fn live_again(&self, wish: &Wish) -> Result<SourceName, Response> {
        let name = wish.which.only_source().filter(|_| !wish.remap);
        let name = name.ok_or_else(|| {
            misread("`observed` goes with one `source`, and neither with another filter nor with `remap`")
        })?;
        let name: SourceName = name
            .parse()
            .map_err(|_| misread("`source` is not a name"))?;
        match self.sources.get(&name) {
            Lookup::Ready(source) if source.mode() == Mode::Live => Ok(name),
            Lookup::Ready(_) => Err(problem(
                StatusCode::CONFLICT,
                "The source still observes",
                "what it observed is sent once it is live: take `mode: observe` out of its file, have the file read, and ask again",
            )),
            Lookup::Broken => Err(problem(
                StatusCode::CONFLICT,
                "The source's file cannot be used",
                "so it is not known whether the source is live; `quentli-gateway check` says what is wrong with the file",
            )),
            Lookup::Unknown => Err(problem(
                StatusCode::NOT_FOUND,
                "There is no such source",
                "what was observed is sent for a source that has a file; the status lists them",
            )),
        }
    }

    /// A page of it, oldest first.
    pub(super) async fn observed_sent(
        &self,
        wish: &Wish,
        stretch: Stretch,
        source: SourceName,
        operator: Operator,
    ) -> Result<Answer, StoreError> {
        let how = Redelivery {
            at: self.clock.now(),
            newer: wish.newer(),
        };
        let up_to = match stretch.up_to {
            Some(up_to) => DeliveryPos(up_to),
            None => self.hands.newest().await?,
        };
        let limit = stretch.limit();
        let after = DeliveryPos(stretch.after);
        let hands = &self.hands;
        let page = hands.observed_deliveries(source.clone(), after, up_to, limit);
        let page = page.await?;
        let found = u64::try_from(page.len()).unwrap_or(u64::MAX);
        let last = page.last().map(|last| last.pos.0);
        let mut answer = Answer {
            dry_run: wish.dry_run,
            found,
            next: last.filter(|_| found >= u64::from(limit)),
            up_to: up_to.0,
            ..Answer::default()
        };
        let mut expected = Expected::default();
        let mut positions = Vec::new();
        let paused = self.paused().await?;
        for delivery in &page {
            if !self.organisations.contains_key(&delivery.organisation) {
                answer.cannot(Obstacle::NoOrganisation);
                continue;
            }
            positions.push(delivery.pos);
            answer.paused += u64::from(paused.holds(&source, &delivery.organisation));
            if wish.dry_run {
                let customer = delivery.customer.id.as_ref();
                let state = DeliveryState::Dead;
                expected.add(self.judge(delivery, customer, state, how.newer).await?);
            }
        }
        if wish.dry_run {
            answer.redelivered = u64::try_from(positions.len()).unwrap_or(u64::MAX);
            answer.expected = Some(expected);
            return Ok(answer);
        }
        if positions.is_empty() {
            return Ok(answer);
        }
        let what = vec![
            ("source", source.to_string()),
            ("observed", "sent".to_owned()),
        ];
        self.about_to_send_again();
        let asked = positions.len();
        let heads = self.hands.send_observed(source, positions, how).await?;
        answer.ended_meanwhile(asked, &heads);
        self.sent_again(&mut answer, heads, how.newer, operator, what)
            .await;
        Ok(answer)
    }
}
