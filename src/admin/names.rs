//! Names and words that people write: refused where nothing has them, with what was perhaps meant. A slip in a filter must
//! not look like an empty list.

use std::collections::BTreeSet;

use axum::response::Response;

use super::{
    Admin,
    answer::{misread, unavailable},
    query::list,
};
use crate::{
    diag::did_you_mean,
    event::{EventSeq, OrganisationName, SourceName},
    store::StoreError,
};

/// Names that are listed where nothing is like what was written.
const MOST_NAMED: usize = 20;

/// What was perhaps meant, or what there is.
pub(super) fn meant<'n>(written: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    did_you_mean(written, names.clone()).unwrap_or_else(|| {
        let names: Vec<_> = names.take(MOST_NAMED).collect();
        format!("there are {}", list(&names))
    })
}

/// What was perhaps meant by a source that has no file, and of which nothing was ever accepted or kept as refused.
pub(super) async fn unknown_source(
    admin: &Admin,
    source: &SourceName,
) -> Result<Option<String>, StoreError> {
    let set = admin.sources.set();
    let mut known: BTreeSet<SourceName> = set.sources().map(|(name, _)| name).collect();
    if known.contains(source) {
        return Ok(None);
    }
    let totals = admin.store.totals_by_source().await?;
    known.extend(totals.into_iter().map(|(name, _)| name));
    let refused = admin.refused.refused_figures().await?;
    known.extend(refused.into_iter().map(|(name, _)| name));
    if known.contains(source) {
        return Ok(None);
    }
    let help = meant(source.as_str(), known.iter().map(SourceName::as_str));
    Ok(Some(format!(
        "no source file, event or rejected request has the name `{source}`; {help}"
    )))
}

/// Refuses a filter by a source that there never was.
pub(super) async fn must_be_a_source(
    admin: &Admin,
    source: Option<&SourceName>,
) -> Result<(), Response> {
    let Some(source) = source else {
        return Ok(());
    };
    match unknown_source(admin, source).await {
        Ok(None) => Ok(()),
        Ok(Some(detail)) => Err(misread(&detail)),
        Err(error) => Err(unavailable(&error)),
    }
}

/// Refuses a filter by an organisation that is not in the settings and of which no delivery is known.
pub(super) async fn must_be_an_organisation(
    admin: &Admin,
    organisation: Option<&OrganisationName>,
) -> Result<(), Response> {
    let Some(organisation) = organisation else {
        return Ok(());
    };
    if admin.organisations.contains_key(organisation) {
        return Ok(());
    }
    match admin.archive.knows(organisation).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let known = admin.organisations.keys().map(OrganisationName::as_str);
            let help = meant(organisation.as_str(), known);
            Err(misread(&format!(
                "no organisation has the name `{organisation}`, and no delivery is known of one; {help}"
            )))
        }
        Err(error) => Err(unavailable(&error)),
    }
}

/// Refuses a filter by an event that there is not.
pub(super) async fn must_be_an_event(
    admin: &Admin,
    event: Option<EventSeq>,
) -> Result<(), Response> {
    let Some(event) = event else {
        return Ok(());
    };
    match admin.archive.event(event).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(misread(&format!(
            "no event has the number {event}, or it is not kept any more; look at the number in the list of events"
        ))),
        Err(error) => Err(unavailable(&error)),
    }
}
