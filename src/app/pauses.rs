//! What people paused stays paused: over a restart, and whichever replica they asked.

use std::collections::BTreeMap;

use crate::{
    delivery::Handle,
    event::OrganisationName,
    store::{Hands, Pause, PauseScope, StoreError},
    telemetry::Metrics,
};

/// Tells the handles, before anything is delivered, what is paused, and from when time counts of what was.
pub(super) async fn restore(
    hands: &dyn Hands,
    organisations: &BTreeMap<OrganisationName, Handle>,
    metrics: &Metrics,
) -> Result<(), StoreError> {
    let pauses = hands.pauses().await?;
    for pause in pauses.iter().filter(|pause| pause.ended_at.is_none()) {
        tracing::warn!(
            since = %pause.at,
            by = pause.by,
            "the {} is paused since an earlier run: what it has waiting is kept and not sent until somebody resumes it",
            pause.scope
        );
    }
    for (name, handle) in organisations {
        follow(&pauses, name, handle);
    }
    show(&pauses, metrics);
    Ok(())
}

/// Tells a handle what of the last pauses of everything concerns its organisation.
pub(super) fn follow(pauses: &[Pause], organisation: &OrganisationName, handle: &Handle) {
    for pause in pauses {
        match (&pause.scope, pause.ended_at) {
            (PauseScope::Organisation(name), _) if name != organisation => {}
            (PauseScope::Organisation(_), None) => {
                if !handle.is_paused(None) {
                    handle.pause(pause.at);
                }
            }
            (PauseScope::Organisation(_), Some(at)) => {
                if handle.is_paused(None) {
                    handle.resume();
                }
                handle.resumed_before(at);
            }
            (PauseScope::Source(name), None) => handle.pause_source(name),
            (PauseScope::Source(name), Some(at)) => handle.resume_source(name, at),
        }
    }
}

/// Shows in metrics which sources are paused.
pub(super) fn show(pauses: &[Pause], metrics: &Metrics) {
    for pause in pauses {
        if let PauseScope::Source(name) = &pause.scope {
            metrics.source_paused(name, pause.ended_at.is_none());
        }
    }
}
