//! `GET /metrics`.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, extract::State};
use http::{HeaderValue, Response, header};

use super::Admin;
use crate::{event::DeliveryState, telemetry::DirectoryState};

pub(super) async fn page(State(admin): State<Arc<Admin>>) -> Response<Body> {
    admin
        .metrics
        .store_writable(admin.store.is_writable().is_ok());
    // A store that cannot be read leaves the last figures; the error counter and `store_writable` tell of it.
    if let Ok(totals) = admin.store.totals().await {
        admin
            .metrics
            .open_deliveries(DeliveryState::Waiting, totals.waiting);
        admin
            .metrics
            .open_deliveries(DeliveryState::Looking, totals.looking);
        admin
            .metrics
            .open_deliveries(DeliveryState::Dead, totals.dead);
    }
    if let Ok(sources) = admin.refused.refused_figures().await {
        for (name, figures) in sources {
            admin
                .metrics
                .rejected(&name, figures.rows, figures.kept_bytes);
        }
    }
    for (name, handle) in &admin.organisations {
        let status = handle.delivers().then(|| handle.status());
        admin.metrics.organisation_held(name, status.is_some());
        let state = status.map(|status| status.state.kind());
        admin.metrics.organisation_state(name, state);
        // It was forgotten while another one delivered.
        if let Some(directory) = status.map(|status| status.directory)
            && directory.state != DirectoryState::Unused
        {
            admin.metrics.directory(
                name,
                directory.state,
                directory.entries,
                directory.ambiguous,
                directory.waiting,
            );
            if let Some(complete) = directory.complete {
                admin.metrics.directory_complete(name, complete);
            }
        }
        if let Ok(oldest) = admin.store.oldest_waiting(name).await {
            let age = oldest.map_or(Duration::ZERO, |oldest| {
                Duration::try_from(admin.clock.now().duration_since(oldest)).unwrap_or_default()
            });
            admin.metrics.oldest_waiting(name, age);
        }
    }
    let mut response = Response::new(Body::from(admin.metrics.encode()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
