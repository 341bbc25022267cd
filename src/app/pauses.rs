//! What people paused in an earlier run stays paused.

use std::collections::BTreeMap;

use crate::{
    delivery::Handle,
    event::OrganisationName,
    store::{Hands, PauseScope, StoreError},
    telemetry::Metrics,
};

/// Tells the dispatchers, before they begin, what is paused, and from when time counts of what was.
pub(super) async fn restore(
    hands: &dyn Hands,
    organisations: &BTreeMap<OrganisationName, Handle>,
    metrics: &Metrics,
) -> Result<(), StoreError> {
    for pause in hands.pauses().await? {
        if pause.ended_at.is_none() {
            tracing::warn!(
                since = %pause.at,
                by = pause.by,
                "the {} is paused since an earlier run: what it has waiting is kept and not sent until somebody resumes it",
                pause.scope
            );
        }
        match (&pause.scope, pause.ended_at) {
            (PauseScope::Organisation(name), ended_at) => {
                let Some(handle) = organisations.get(name) else {
                    continue;
                };
                match ended_at {
                    None => handle.pause(pause.at),
                    Some(at) => handle.resumed_before(at),
                }
            }
            (PauseScope::Source(name), None) => {
                metrics.source_paused(name, true);
                for handle in organisations.values() {
                    handle.pause_source(name);
                }
            }
            (PauseScope::Source(name), Some(at)) => {
                for handle in organisations.values() {
                    handle.resume_source(name, at);
                }
            }
        }
    }
    Ok(())
}
