//! `POST /api/v1/discard`: gives open deliveries up, a page at a time, each page in one step.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Admin,
    answer::{misread, unavailable},
    operator::Operator,
    selection::{self, Page, Selection, Stretch, Which},
};
use crate::{
    event::{DeliveryPos, End},
    store::{Act, StoreError},
};

/// Characters of what a person gives as a reason.
pub(super) const LONGEST_WHY: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    which: Which,
    #[serde(default)]
    stretch: Stretch,
    /// Change nothing; say how many it would be.
    #[serde(default)]
    dry_run: bool,
    /// Why, for whoever looks at them later.
    why: Option<String>,
}

pub(super) async fn discard(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    match admin.discarded_as_wished(wish, operator).await {
        Ok(answer) => Json(answer).into_response(),
        Err(answer) => answer,
    }
}

impl Admin {
    async fn discarded_as_wished(
        &self,
        wish: Result<Json<Wish>, JsonRejection>,
        operator: Operator,
    ) -> Result<Value, Response> {
        let wish = selection::read(wish)?;
        let why = understood_why(wish.why)?;
        let selection = wish.which.understood(self, wish.stretch).await?;
        let page = selection.page(self).await;
        let page = page.map_err(|error| unavailable(&error))?;
        let found = page.found.len();
        let discarded = if wish.dry_run || found == 0 {
            found
        } else {
            let discarded = self.discarded(&page, why, operator, &selection).await;
            discarded.map_err(|error| unavailable(&error))?
        };
        Ok(json!({
            "dry_run": wish.dry_run,
            "found": found,
            "discarded": discarded,
            "not_open": page.not_open,
            "next": page.next.map(|next| next.0),
            "up_to": page.up_to.0,
        }))
    }

    /// Gives up a page, and says how many.
    async fn discarded(
        &self,
        page: &Page,
        why: Option<String>,
        operator: Operator,
        selection: &Selection,
    ) -> Result<usize, StoreError> {
        let positions: Vec<DeliveryPos> = page.found.iter().map(|open| open.pos).collect();
        let at = self.clock.now();
        let discarded = self.hands.discard(positions, why.clone(), at).await?;
        for pos in &discarded {
            let of = page.found.iter().find(|open| open.pos == *pos);
            if let Some(open) = of {
                self.metrics.ended(&open.source, End::Discarded, 1);
            }
        }
        let count = u64::try_from(discarded.len()).unwrap_or(u64::MAX);
        tracing::warn!(deliveries = count, "a person discarded deliveries");
        let mut what = selection.said();
        what.extend(why.map(|why| ("why", why)));
        self.write_down_done(operator, Act::Discard, what, count)
            .await;
        Ok(discarded.len())
    }
}

/// A reason that can be kept and shown.
#[expect(
    clippy::result_large_err,
    reason = "the answer to a person, made once for a request and given on at once"
)]
pub(super) fn understood_why(why: Option<String>) -> Result<Option<String>, Response> {
    let Some(why) = why else {
        return Ok(None);
    };
    let why = why.trim();
    if why.chars().count() > LONGEST_WHY || why.chars().any(char::is_control) {
        return Err(misread(&format!(
            "`why` is one line with {LONGEST_WHY} characters at most"
        )));
    }
    Ok((!why.is_empty()).then(|| why.to_owned()))
}
