//! What is signed: other texts than the configured one, and other schemes altogether.

use serde_json::{Value, json};

use super::{Aspect, Case, Change, Remedy, Settings, header};
use crate::{diag::visible, verify::presets};

/// What stands between the parts of a signed text.
const SEPARATORS: [&str; 10] = [".", "", ":", ",", "\n", "|", "-", "_", " ", "&"];

/// Orders of the parts; `S` stands for a separator.
const ORDERS: [&str; 14] = [
    "{body}",
    "{timestamp}S{body}",
    "{body}S{timestamp}",
    "{id}S{timestamp}S{body}",
    "{timestamp}S{id}S{body}",
    "{id}S{body}",
    "{url}S{body}",
    "{body}S{url}",
    "{method}S{url}S{body}",
    "{url}",
    "{url_decoded}S{body}",
    "{method}S{url}S{timestamp}S{body}",
    "{timestamp}S{method}S{url}S{body}",
    "v0:{timestamp}:{body}",
];

/// The same for plain hashes.
const DIGEST_ORDERS: [&str; 6] = [
    "{secret}S{body}",
    "{body}S{secret}",
    "{timestamp}S{body}S{secret}",
    "{secret}S{timestamp}S{body}",
    "{secret}{method}{url}{body}",
    "{secret}S{timestamp}",
];

pub(super) fn changes(case: &Case<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    if header::is_signature(case.settings) {
        let current = case.settings.text("signed").unwrap_or("{body}");
        let mut texts: Vec<String> = Vec::new();
        let mut add = |text: String| {
            if text != current && !texts.contains(&text) {
                texts.push(text);
            }
        };
        for order in ORDERS.iter().chain(&DIGEST_ORDERS) {
            for separator in SEPARATORS {
                add(order.replace('S', separator));
            }
        }
        for preset in presets::all() {
            let settings = Settings::of_preset(preset);
            if let Some(signed) = settings.text("signed") {
                add(signed.to_owned());
            }
        }
        for text in texts {
            changes.extend(signs(case, &text));
        }
        changes.extend(url_forms(current));
    }
    changes.extend(schemes(case));
    changes
}

/// The change to another signed text, once for each place where its parts may stand.
fn signs(case: &Case<'_>, text: &str) -> Vec<Change> {
    let settings = case.settings;
    let mut base: Vec<(String, Option<Value>)> = Vec::new();
    let is_digest = text.contains("{secret}");
    let has_key = settings.text("type") == Some("public-key");
    let wanted = match (has_key, is_digest) {
        (true, true) => return Vec::new(),
        (true, false) => "public-key",
        (false, true) => "digest",
        (false, false) => "hmac",
    };
    let mut said = format!("what is signed is `{}`", visible(text));
    if settings.text("type") != Some(wanted) {
        base.push(("type".to_owned(), Some(json!(wanted))));
        said.push_str(if is_digest {
            ", as a plain hash with the secret inside"
        } else {
            ", as a keyed hash"
        });
    }
    base.push(("signed".to_owned(), Some(json!(text))));
    let mut variants = vec![base];
    let needs = |part: &str, key: &str| text.contains(part) && settings.get(key).is_none();
    if needs("{timestamp}", "timestamp") {
        let places = header::places_of_time(&case.request.headers);
        variants = places
            .iter()
            .flat_map(|(source, format)| {
                let value = json!({"source": source, "format": format});
                with(&variants, "timestamp", Some(&value))
            })
            .collect();
    } else if !text.contains("{timestamp}") && settings.get("timestamp").is_some() {
        variants = with(&variants, "timestamp", None);
    }
    if needs("{id}", "id_header") {
        variants = header::places_of_id(&case.request.headers)
            .flat_map(|name| with(&variants, "id_header", Some(&json!(name.as_str()))))
            .collect();
    } else if !text.contains("{id}") && settings.get("id_header").is_some() {
        variants = with(&variants, "id_header", None);
    }
    if !text.contains("{url") {
        for key in ["url_port_variants", "body_digest_query"] {
            if settings.get(key).is_some() {
                variants = with(&variants, key, None);
            }
        }
    }
    variants
        .into_iter()
        .map(|settings| Change::of_settings(Aspect::Signed, said.clone(), settings))
        .collect()
}

/// Each variant with one key more.
fn with(
    variants: &[Vec<(String, Option<Value>)>],
    key: &str,
    value: Option<&Value>,
) -> Vec<Vec<(String, Option<Value>)>> {
    variants
        .iter()
        .map(|variant| {
            let mut variant = variant.clone();
            variant.push((key.to_owned(), value.cloned()));
            variant
        })
        .collect()
}

/// The address decoded where it is signed as it stands, and the other way round.
fn url_forms(current: &str) -> Option<Change> {
    let (text, finding) = if current.contains("{url}") {
        (
            current.replace("{url}", "{url_decoded}"),
            "the address is signed with its percent escapes decoded",
        )
    } else if current.contains("{url_decoded}") {
        (
            current.replace("{url_decoded}", "{url}"),
            "the address is signed with its percent escapes as they are",
        )
    } else {
        return None;
    };
    Some(Change::of_settings(
        Aspect::Signed,
        finding,
        vec![("signed".to_owned(), Some(json!(text)))],
    ))
}

/// Whether the request has the header in which a preset's sender proves itself.
fn is_named(settings: &Settings, case: &Case<'_>) -> bool {
    let signature = settings.text("signature_header");
    let token = settings
        .text("token_source")
        .and_then(|source| source.strip_prefix("header:"));
    signature
        .or(token)
        .filter(|name| !name.eq_ignore_ascii_case("authorization"))
        .is_some_and(|name| case.request.headers.contains_key(name))
}

/// Every preset.
fn schemes<'a>(case: &'a Case<'_>) -> impl Iterator<Item = Change> + 'a {
    let current = case.settings.clone();
    presets::all().iter().filter_map(move |preset| {
        let settings = Settings::of_preset(preset);
        (settings != current).then(|| {
            let aspect = if is_named(&settings, case) {
                Aspect::Sender
            } else {
                Aspect::Scheme
            };
            let mut change = Change::new(
                aspect,
                format!(
                    "this is a request as the preset `{}` expects it",
                    preset.name
                ),
                Remedy::Preset(preset.name),
            );
            change.instead = Some(settings);
            change
        })
    })
}
