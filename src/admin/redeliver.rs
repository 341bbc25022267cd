//! `POST /api/v1/redeliver`: has open deliveries sent again, or what a source only observed sent at last, a page at a time,
//! each page in one step. What is dead waits again; what waits, or is looked for, is tried now.
//!
//! A dry run changes nothing and counts what would become of them as things are. What really becomes of each is
//! decided when its turn comes, by the same rules.

mod judge;
mod observed;
mod paused;
mod remap;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};

use self::judge::{Obstacle, Verdict};
use super::{
    Admin,
    answer::unavailable,
    operator::Operator,
    selection::{self, Page, Selection, Stretch, Which},
};
use crate::{
    event::{DeliveryPos, DeliveryState, NewerData, Redelivery},
    store::{Act, LaneHead, StoreError},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member of the request"
)]
pub(super) struct Wish {
    which: Which,
    #[serde(default)]
    stretch: Stretch,
    /// Change nothing; say what would be.
    #[serde(default)]
    dry_run: bool,
    /// Send also what something newer was applied over.
    #[serde(default)]
    overwrite: bool,
    /// Map the events of these deliveries again, by the mapping of now.
    #[serde(default)]
    remap: bool,
    /// Send what the source only observed, now that it is live.
    #[serde(default)]
    observed: bool,
}

/// What became of a page, or would.
#[derive(Debug, Default, Serialize)]
struct Answer {
    dry_run: bool,
    /// Deliveries that were looked at.
    found: u64,
    /// Back in their lanes; in a dry run those that would be.
    redelivered: u64,
    /// Of these: those that are only tried when the pause of their source or organisation ends.
    paused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Expected>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remapped: Option<remap::Counts>,
    /// Those that stay as they are, by why.
    cannot: BTreeMap<&'static str, u64>,
    /// Go on with this as `stretch.after`; nothing when that was all.
    next: Option<i64>,
    /// To be said as `stretch.up_to` with all further pages.
    up_to: i64,
}

/// What would become of those that can be sent, as things are: each is in one of the first five.
#[derive(Debug, Default, Serialize)]
struct Expected {
    /// Sent, or as far as can be said: who has to be looked for first may turn out to have it all.
    send: u64,
    /// The same, but for what something newer was applied to.
    send_in_part: u64,
    /// Sent, also over something newer.
    overwrite: u64,
    /// Nothing of it would change anything.
    unchanged: u64,
    /// Something newer was applied to all of it.
    stale: u64,
    /// Of all these: those that wait already, and would be tried without waiting longer; not where they are paused.
    waiting: u64,
    /// Of all these: those whose customer is looked for, and would be looked for now; not where they are paused.
    looking: u64,
}

impl Expected {
    fn add(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Send => &mut self.send,
            Verdict::SendInPart => &mut self.send_in_part,
            Verdict::Overwrite => &mut self.overwrite,
            Verdict::Unchanged => &mut self.unchanged,
            Verdict::Stale => &mut self.stale,
        };
        *count += 1;
    }
}

impl Wish {
    const fn newer(&self) -> NewerData {
        if self.overwrite {
            NewerData::Overwritten
        } else {
            NewerData::Kept
        }
    }
}

pub(super) async fn redeliver(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    match admin.sent_as_wished(wish, operator).await {
        Ok(answer) => Json(answer).into_response(),
        Err(answer) => answer,
    }
}

impl Answer {
    fn of(page: &Page, dry_run: bool) -> Self {
        let found = u64::try_from(page.found.len()).unwrap_or(u64::MAX);
        let mut answer = Self {
            dry_run,
            found,
            next: page.next.map(|next| next.0),
            up_to: page.up_to.0,
            ..Self::default()
        };
        if page.not_open > 0 {
            answer
                .cannot
                .insert(Obstacle::NotOpen.as_str(), page.not_open);
        }
        answer
    }

    fn cannot(&mut self, obstacle: Obstacle) {
        *self.cannot.entry(obstacle.as_str()).or_default() += 1;
    }

    /// Counts those that ended, or were ended, after they were found.
    fn ended_meanwhile(&mut self, asked: usize, heads: &[LaneHead]) {
        for _ in heads.len()..asked {
            self.cannot(Obstacle::NotOpen);
        }
    }
}

impl Admin {
    async fn sent_as_wished(
        &self,
        wish: Result<Json<Wish>, JsonRejection>,
        operator: Operator,
    ) -> Result<Answer, Response> {
        let wish = selection::read(wish)?;
        let done = if wish.observed {
            let source = self.live_again(&wish)?;
            let stretch = wish.stretch.understood()?;
            self.observed_sent(&wish, stretch, source, operator).await
        } else {
            let (newer, which) = (wish.newer(), wish.which);
            let selection = which.understood(self, wish.stretch).await?;
            let page = selection.page(self).await;
            let page = page.map_err(|error| unavailable(&error))?;
            if wish.remap {
                let operator = (!wish.dry_run).then_some(operator);
                self.remapped(page, newer, operator, &selection).await
            } else if wish.dry_run {
                self.expected(page, newer).await
            } else {
                self.redelivered(page, newer, operator, &selection).await
            }
        };
        done.map_err(|error| unavailable(&error))
    }

    async fn expected(&self, page: Page, newer: NewerData) -> Result<Answer, StoreError> {
        let mut answer = Answer::of(&page, true);
        let mut expected = Expected::default();
        let paused = self.paused().await?;
        for open in &page.found {
            let delivery = match self.sendable(open) {
                Ok(delivery) => delivery,
                Err(obstacle) => {
                    answer.cannot(obstacle);
                    continue;
                }
            };
            answer.redelivered += 1;
            let customer = open.customer.as_ref();
            let verdict = self.judge(delivery, customer, open.state, newer).await?;
            expected.add(verdict);
            match open.state {
                _ if paused.holds(&open.source, &open.organisation) => answer.paused += 1,
                DeliveryState::Waiting => expected.waiting += 1,
                DeliveryState::Looking => expected.looking += 1,
                DeliveryState::Dead => {}
            }
        }
        answer.expected = Some(expected);
        Ok(answer)
    }

    async fn redelivered(
        &self,
        page: Page,
        newer: NewerData,
        operator: Operator,
        selection: &Selection,
    ) -> Result<Answer, StoreError> {
        let mut answer = Answer::of(&page, false);
        let mut positions = Vec::new();
        for open in &page.found {
            match self.sendable(open) {
                Ok(_) => positions.push(open.pos),
                Err(obstacle) => answer.cannot(obstacle),
            }
        }
        if positions.is_empty() {
            return Ok(answer);
        }
        let how = Redelivery {
            at: self.clock.now(),
            newer,
        };
        self.about_to_send_again();
        let asked = positions.len();
        let heads = self.hands.redeliver(positions, how).await?;
        answer.ended_meanwhile(asked, &heads);
        let paused = self.paused().await?;
        let sent: BTreeSet<DeliveryPos> = heads.iter().map(|head| head.pos).collect();
        for open in page.found.iter().filter(|open| sent.contains(&open.pos)) {
            answer.paused += u64::from(paused.holds(&open.source, &open.organisation));
        }
        self.sent_again(&mut answer, heads, newer, operator, selection.said())
            .await;
        Ok(answer)
    }

    /// Counts what is back in its lanes, tells the dispatchers, and writes down what was done.
    async fn sent_again(
        &self,
        answer: &mut Answer,
        heads: Vec<LaneHead>,
        newer: NewerData,
        operator: Operator,
        mut what: Vec<(&'static str, String)>,
    ) {
        answer.redelivered = u64::try_from(heads.len()).unwrap_or(u64::MAX);
        if newer == NewerData::Overwritten {
            what.push(("newer data", "overwritten".to_owned()));
        }
        tracing::info!(
            deliveries = answer.redelivered,
            overwrite = newer == NewerData::Overwritten,
            "a person had deliveries sent again"
        );
        self.revived(heads).await;
        self.write_down_done(operator, Act::Redeliver, what, answer.redelivered)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::event::{DeliveryPos, LaneKey, OrganisationName};

    #[test]
    fn what_ends_between_being_found_and_being_sent_again_is_counted() {
        let head = LaneHead {
            organisation: OrganisationName::default_name(),
            lane: LaneKey::of("id", "cus_1"),
            pos: DeliveryPos(1),
            state: DeliveryState::Waiting,
            next_attempt: Timestamp::UNIX_EPOCH,
            redelivered: true,
            is_untried_again: false,
        };
        let mut answer = Answer::default();
        answer.cannot(Obstacle::NotOpen);
        answer.ended_meanwhile(3, &[head]);
        assert_eq!(answer.cannot, BTreeMap::from([("not-open", 3)]));
    }
}
