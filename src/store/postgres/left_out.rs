//! Fields of a delivery that Quentli did not take, while it took the others: they stay behind for a person, as a dead
//! delivery of their own in the place of the first.

use super::{ends::Opened, fault::Fault, insert::text, session::Step};
use crate::{
    event::{DeliveryState, End},
    store::{Finish, LeftOut, decode, rows},
};

const READ: &str = "SELECT fields, warnings, organisation, lane FROM delivery WHERE pos = $1";

// Beyond those that the mapping made of the item.
const NEXT_NUMBER: &str = "
    SELECT 1 + greatest((SELECT coalesce(max(number), 0) FROM delivery WHERE event = $1 AND item = $2),
                        (SELECT coalesce(max(number), 0) FROM history WHERE event = $1 AND item = $2))";

const UPDATE_ENDED: &str = "
    UPDATE history SET fields = $4, warnings = $5 WHERE event = $1 AND item = $2 AND number = $3";

const UPDATE_LEFT: &str = "
    UPDATE delivery SET state = 'dead', number = $2, code = $3, trouble = $4, fields = $5, patch = $6,
                        attempts = 0, spent = 0, warnings = NULL, revision = revision + 1
    WHERE pos = $1";

const EARLIER: &str = "
    SELECT pos, fields FROM delivery
    WHERE organisation = $1 AND lane = $2 AND code = 'conflict' AND state = 'dead' AND source = $3 AND pos < $4
    ORDER BY pos LIMIT 100 FOR UPDATE SKIP LOCKED";

impl Step {
    /// Turns a delivery whose history is written already into what is left of it.
    pub(super) async fn leave_out(
        &mut self,
        opened: &Opened,
        finish: &Finish,
        left_out: &LeftOut,
    ) -> Result<(), Fault> {
        let Some(row) = self.query_opt(READ, &[&finish.pos.0]).await? else {
            return Ok(());
        };
        let organisation: String = row.try_get(2)?;
        let lane: Option<Vec<u8>> = row.try_get(3)?;
        let left: Vec<String> = left_out
            .patch
            .parts()
            .into_iter()
            .map(|(part, _)| part.to_string())
            .collect();
        let mut fields = decode::list(row.try_get(0)?, "fields")?;
        fields.retain(|field| !left.contains(field));
        let mut warnings = decode::list(row.try_get(1)?, "warnings")?;
        warnings.push(left_out.warning.clone());
        let json = |list: &[String]| {
            rows::json(list).map_err(|_| Fault::Call("a list that cannot be written".to_owned()))
        };
        self.execute(
            UPDATE_ENDED,
            &[
                &opened.event,
                &opened.item,
                &opened.number,
                &json(&fields)?,
                &json(&warnings)?,
            ],
        )
        .await?;
        let number: i64 = self
            .query_opt(NEXT_NUMBER, &[&opened.event, &opened.item])
            .await?
            .ok_or_else(|| Fault::Call("an aggregate gave no row".to_owned()))?
            .try_get(0)?;
        let patch = rows::json(&left_out.patch)
            .map_err(|_| Fault::Call("a patch that cannot be written".to_owned()))?;
        self.execute(
            UPDATE_LEFT,
            &[
                &finish.pos.0,
                &number,
                &left_out.reason.code,
                &text(&left_out.reason.message),
                &json(&left)?,
                &patch,
            ],
        )
        .await?;
        let tally = self.of_source(&opened.source);
        tally.created += 1;
        tally.enters(DeliveryState::Dead);
        if let Some(lane) = lane {
            self.supersede_earlier(opened, finish, &organisation, &lane, &left)
                .await?;
        }
        Ok(())
    }

    /// A person needs to see the newest only: earlier ones of the same customer and source end where it has all of their
    /// fields.
    async fn supersede_earlier(
        &mut self,
        opened: &Opened,
        finish: &Finish,
        organisation: &str,
        lane: &[u8],
        left: &[String],
    ) -> Result<(), Fault> {
        let earlier = self
            .query(
                EARLIER,
                &[&organisation, &lane, &opened.source, &finish.pos.0],
            )
            .await?;
        for row in &earlier {
            let pos: i64 = row.try_get(0)?;
            let fields = decode::list(row.try_get(1)?, "fields")?;
            if fields.iter().all(|field| left.contains(field)) {
                let reason = format!("left out again with event {}", opened.event);
                self.end(finish, pos, End::Superseded, Some(&reason), 0)
                    .await?;
                let tally = self.of_source(&opened.source);
                tally.leaves(DeliveryState::Dead);
                tally.ends(End::Superseded);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 2] = [NEXT_NUMBER, EARLIER];
