//! Fields of a delivery that Quentli did not take, while it took the others: they stay behind for a person, as a dead
//! delivery of their own in the place of the first.

use rusqlite::{OptionalExtension, params};

use super::{decode, ends::Opened, fault::Fault, group::Group, rows};
use crate::{
    event::{DeliveryState, End},
    store::{Finish, LeftOut},
};

const READ: &str = "SELECT fields, warnings, organisation, lane FROM delivery WHERE pos = ?1";

// Beyond those that the mapping made of the item.
const NEXT_NUMBER: &str = "
    SELECT 1 + max((SELECT coalesce(max(number), 0) FROM delivery WHERE event = ?1 AND item = ?2),
                   (SELECT coalesce(max(number), 0) FROM history WHERE event = ?1 AND item = ?2))";

const UPDATE_ENDED: &str = "
    UPDATE history SET fields = ?4, warnings = ?5 WHERE event = ?1 AND item = ?2 AND number = ?3";

const UPDATE_LEFT: &str = "
    UPDATE delivery SET state = 'dead', number = ?2, code = ?3, trouble = ?4, fields = ?5, patch = ?6,
                        attempts = 0, spent = 0, warnings = NULL
    WHERE pos = ?1";

const EARLIER: &str = "
    SELECT pos, fields FROM delivery INDEXED BY delivery_left_out
    WHERE organisation = ?1 AND lane = ?2 AND code = 'conflict' AND state = 'dead' AND source = ?3 AND pos < ?4
    LIMIT 100";

type Columns = (Option<String>, Option<String>, String, Option<Vec<u8>>);

impl Group<'_> {
    /// Turns a delivery whose history is written already into what is left of it.
    pub(super) fn leave_out(
        &mut self,
        opened: &Opened,
        finish: &Finish,
        left_out: &LeftOut,
    ) -> Result<(), Fault> {
        let columns: Option<Columns> = self
            .connection
            .prepare_cached(READ)?
            .query_row([finish.pos.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((fields, warnings, organisation, lane)) = columns else {
            return Ok(());
        };
        let left: Vec<String> = left_out
            .patch
            .parts()
            .into_iter()
            .map(|(part, _)| part.to_string())
            .collect();
        let mut fields = decode::list(fields, "fields")?;
        fields.retain(|field| !left.contains(field));
        let mut warnings = decode::list(warnings, "warnings")?;
        warnings.push(left_out.warning.clone());
        let json = |list: &[String]| {
            rows::json(list).map_err(|_| Fault::Call("a list that cannot be written".to_owned()))
        };
        self.connection
            .prepare_cached(UPDATE_ENDED)?
            .execute(params![
                opened.event,
                opened.item,
                opened.number,
                json(&fields)?,
                json(&warnings)?,
            ])?;
        let number: i64 = self
            .connection
            .prepare_cached(NEXT_NUMBER)?
            .query_row([opened.event, opened.item], |row| row.get(0))?;
        let patch = rows::json(&left_out.patch)
            .map_err(|_| Fault::Call("a patch that cannot be written".to_owned()))?;
        self.connection
            .prepare_cached(UPDATE_LEFT)?
            .execute(params![
                finish.pos.0,
                number,
                left_out.reason.code,
                left_out.reason.message,
                json(&left)?,
                patch,
            ])?;
        let tally = self.sum.of_source(&opened.source);
        tally.created += 1;
        tally.enters(DeliveryState::Dead);
        if let Some(lane) = lane {
            self.supersede_earlier(opened, finish, &organisation, &lane, &left)?;
        }
        Ok(())
    }

    /// A person needs to see the newest only: earlier ones of the same customer and source end where it has all of their
    /// fields.
    fn supersede_earlier(
        &mut self,
        opened: &Opened,
        finish: &Finish,
        organisation: &str,
        lane: &[u8],
        left: &[String],
    ) -> Result<(), Fault> {
        let earlier: Vec<(i64, Option<String>)> = self
            .connection
            .prepare_cached(EARLIER)?
            .query_map(
                params![organisation, lane, opened.source, finish.pos.0],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .collect::<Result<_, _>>()?;
        for (pos, fields) in earlier {
            let fields = decode::list(fields, "fields")?;
            if fields.iter().all(|field| left.contains(field)) {
                let reason = format!("left out again with event {}", opened.event);
                self.end(finish, pos, End::Superseded, Some(&reason), 0)?;
                let tally = self.sum.of_source(&opened.source);
                tally.leaves(DeliveryState::Dead);
                tally.ends(End::Superseded);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 2] = [NEXT_NUMBER, EARLIER];
