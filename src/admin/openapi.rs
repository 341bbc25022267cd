//! `GET /api/v1/openapi.json`: what can be asked of the operators' port, in the form of OpenAPI 3.1.
//!
//! The document is written by hand, a part for each group of pages in `openapi/*.json`. Tests look for every route of
//! the port in it, and compare real answers with its schemas.

use std::sync::LazyLock;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

/// The whole frame first; of the others, `paths` and `schemas`.
const PARTS: [&str; 9] = [
    include_str!("openapi/frame.json"),
    include_str!("openapi/status.json"),
    include_str!("openapi/events.json"),
    include_str!("openapi/audit.json"),
    include_str!("openapi/rejected.json"),
    include_str!("openapi/files.json"),
    include_str!("openapi/hands.json"),
    include_str!("openapi/trials.json"),
    include_str!("openapi/erase.json"),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| put_together(&PARTS));

pub(super) async fn page() -> Response {
    Json(&*DOCUMENT).into_response()
}

fn put_together(parts: &[&str]) -> Value {
    let mut parts = parts.iter().map(|text| {
        serde_json::from_str::<Value>(text).expect("the parts are JSON, as a test sees")
    });
    let mut whole = parts.next().unwrap_or_default();
    for mut part in parts {
        if let Some(version) = whole.pointer_mut("/info/version") {
            *version = env!("CARGO_PKG_VERSION").into();
        }
        for (of, to) in [("paths", "/paths"), ("schemas", "/components/schemas")] {
            let entries = part.get_mut(of).and_then(Value::as_object_mut);
            let into = whole.pointer_mut(to).and_then(Value::as_object_mut);
            if let (Some(entries), Some(into)) = (entries, into) {
                into.append(entries);
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The routes as they are written where the router is built: method and path.
    fn routes() -> Vec<(String, String)> {
        let text = include_str!("../admin.rs");
        let mut routes = Vec::new();
        for piece in text.split(".route(").skip(1) {
            let path = piece.split('"').nth(1).unwrap();
            let methods = piece.split_once(',').unwrap().1;
            for method in ["get", "post", "put", "delete"] {
                if methods.trim_start().starts_with(&format!("{method}(")) {
                    routes.push((method.to_owned(), path.to_owned()));
                }
            }
        }
        routes
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let mut described = Vec::new();
        for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                described.push((method.clone(), path.clone()));
            }
        }
        let mut routes = routes();
        assert!(routes.len() > 10);
        routes.sort();
        described.sort();
        assert_eq!(described, routes, "described, and routes of src/admin.rs");
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_says_what_it_does() {
        fn visit(value: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(to)) = members.get("$ref") {
                        let pointer = to.strip_prefix('#').unwrap();
                        assert!(DOCUMENT.pointer(pointer).is_some(), "{to}");
                    }
                    members.values().for_each(visit);
                }
                Value::Array(entries) => entries.iter().for_each(visit),
                _ => {}
            }
        }
        visit(&DOCUMENT);
        let mut names = std::collections::BTreeSet::new();
        for methods in DOCUMENT["paths"].as_object().unwrap().values() {
            for operation in methods.as_object().unwrap().values() {
                assert!(operation["summary"].is_string(), "{operation}");
                assert!(operation["responses"].is_object(), "{operation}");
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name), "{name} is there twice");
            }
        }
        assert_eq!(DOCUMENT["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
