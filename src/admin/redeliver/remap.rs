//! `"remap": true`: the events of the deliveries are mapped again, and what comes out takes the place of what is open.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Answer, Obstacle};
use crate::{
    admin::{
        Admin,
        operator::Operator,
        selection::{Page, Selection},
    },
    event::{End, EventSeq, NewerData, Redelivery},
    ingress::map_again,
    source::Lookup,
    store::{Act, RemapResult, RemapStep, Remapped, StoreError},
};

/// Steps that are shown of a page.
const MOST_SHOWN: usize = 50;

/// What became of the deliveries of events that were mapped again, or would. What ended before stays, and is not counted.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counts {
    events: u64,
    /// Now wait with what the mapping gives.
    waits: u64,
    /// Dead again, since the mapping fails or names nobody.
    dies: u64,
    /// Ended by a rule.
    drops: u64,
    /// Ended, since the mapping gives nothing at their place any more.
    gone: u64,
    /// Of those that wait, are dead or were dropped: where nothing was before.
    new: u64,
    /// The first of them.
    steps: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Shown {
    event: i64,
    item: u32,
    number: u32,
    new: bool,
    result: &'static str,
}

impl Counts {
    fn changed(&self) -> u64 {
        self.waits + self.dies + self.drops + self.gone
    }

    fn add(&mut self, event: EventSeq, remapped: &Remapped) {
        self.events += 1;
        for step in &remapped.steps {
            let count = match step.result {
                RemapResult::Waits => &mut self.waits,
                RemapResult::Dies => &mut self.dies,
                RemapResult::Drops => &mut self.drops,
                RemapResult::Gone => &mut self.gone,
            };
            *count += 1;
            self.new += u64::from(step.is_new);
            if self.steps.len() < MOST_SHOWN {
                self.steps.push(Shown::of(event, step));
            }
        }
    }
}

impl Shown {
    fn of(event: EventSeq, step: &RemapStep) -> Self {
        Self {
            event: event.0,
            item: step.item,
            number: step.number,
            new: step.is_new,
            result: match step.result {
                RemapResult::Waits => "waits",
                RemapResult::Dies => "dies",
                RemapResult::Drops => "drops",
                RemapResult::Gone => "gone",
            },
        }
    }
}

impl Admin {
    /// Maps the events of a page again, one by one; without an operator it is only said what would be.
    pub(super) async fn remapped(
        &self,
        page: Page,
        newer: NewerData,
        operator: Option<Operator>,
        selection: &Selection,
    ) -> Result<Answer, StoreError> {
        let mut answer = Answer::of(&page, operator.is_none());
        let mut counts = Counts::default();
        let events: BTreeSet<EventSeq> = page.found.iter().map(|open| open.event).collect();
        let how = Redelivery {
            at: self.clock.now(),
            newer,
        };
        let paused = self.paused().await?;
        for event in events {
            let Some(stored) = self.hands.stored_event(event).await? else {
                answer.cannot(Obstacle::BodyGone);
                continue;
            };
            let Lookup::Ready(source) = self.sources.get(&stored.source) else {
                answer.cannot(Obstacle::NoSource);
                continue;
            };
            let is_paused = paused.holds(&stored.source, &stored.organisation);
            let waited = counts.waits;
            let Some(remapping) = map_again(&source, stored, how).await else {
                answer.cannot(Obstacle::BodyGone);
                continue;
            };
            if operator.is_none() {
                counts.add(event, &self.hands.would_remap(remapping).await?);
            } else {
                self.about_to_send_again();
                let mut remapped = self.hands.remap(remapping).await?;
                counts.add(event, &remapped);
                self.count(&source, &remapped);
                self.revived(std::mem::take(&mut remapped.heads)).await;
            }
            if is_paused {
                answer.paused += counts.waits - waited;
            }
        }
        answer.redelivered = counts.waits;
        if let Some(operator) = operator {
            tracing::info!(
                events = counts.events,
                deliveries = counts.waits,
                "a person had events mapped again"
            );
            let mut what = selection.said();
            what.push(("mapped", "again".to_owned()));
            if counts.drops + counts.gone > 0 {
                what.push(("given_up", (counts.drops + counts.gone).to_string()));
            }
            self.write_down_done(operator, Act::Redeliver, what, counts.changed())
                .await;
        }
        answer.remapped = Some(counts);
        Ok(answer)
    }

    /// Counts what ended or died by it.
    fn count(&self, source: &crate::source::Source, remapped: &Remapped) {
        for step in &remapped.steps {
            match step.result {
                RemapResult::Drops | RemapResult::Gone => {
                    self.metrics.ended(source.name(), End::Dropped, 1);
                }
                RemapResult::Dies => self.metrics.buried(source.name(), "mapping", 1),
                RemapResult::Waits => {}
            }
        }
    }
}
