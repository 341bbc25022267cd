//! Reads what a test expects.

use serde_json::Value;

use super::{Expectation, Expected, Recipient, error, read::TEST_KEYS, request::write_plain};
use crate::{
    diag::Collector,
    yaml::{Entry, KeyReader, Node},
};

/// What stands under `expect`: outcomes, in order.
pub(super) fn read(node: &Node, out: &mut Collector) -> Option<Vec<Expectation>> {
    let Some(nodes) = node.as_list().filter(|nodes| !nodes.is_empty()) else {
        error(out, node.span, "`expect` is a list of outcomes", FORMS);
        return None;
    };
    let read: Vec<Option<Expectation>> = nodes
        .iter()
        .map(|node| read_expectation(node, out))
        .collect();
    read.into_iter().collect()
}

/// What stands behind each outcome's `-`.
const FORMS: &str = "write `- customer: …` with `patch: …`, `- create: …`, `- drop: reason`, `- fail: reason` or `- retry: reason`";

fn read_expectation(node: &Node, out: &mut Collector) -> Option<Expectation> {
    if node.as_map().is_none() {
        let message = format!("an outcome is a map of keys, but here is {}", node.shape());
        error(out, node.span, &message, FORMS);
        return None;
    }
    let mut keys = KeyReader::new(node, "an outcome", TEST_KEYS, out)?;
    let customer = keys.take_text("customer", out);
    let patches = ["patch", "patch_includes"].map(|key| keys.take(key));
    let creations = ["create", "create_includes"].map(|key| keys.take(key));
    let warnings = keys.take("warnings");
    let drop = keys.take_text("drop", out);
    let fail = keys.take_text("fail", out);
    let retry = keys.take_text("retry", out);
    keys.finish(out);

    let creates = creations.iter().any(Option::is_some);
    let kind = match (customer, creates, drop, fail, retry) {
        (Some((customer, _)), false, None, None, None) => {
            Ok((Recipient::Known(customer.to_owned()), patches))
        }
        (None, true, None, None, None) => Ok((Recipient::New, creations)),
        (None, false, Some((reason, _)), None, None) => Err(Expected::Drop(reason.to_owned())),
        (None, false, None, Some((reason, _)), None) => Err(Expected::Fail(reason.to_owned())),
        (None, false, None, None, Some((reason, _))) => Err(Expected::Retry(reason.to_owned())),
        _ => {
            error(
                out,
                node.span,
                "an outcome is one of `customer`, `create`, `drop`, `fail` and `retry`",
                "write each outcome behind a `-` of its own",
            );
            return None;
        }
    };
    let (stray, belongs_to) = match &kind {
        Ok((Recipient::Known(_), _)) => (None, ""),
        Ok((Recipient::New, _)) => (patches.into_iter().flatten().next(), "`customer`"),
        Err(_) => {
            let strays = patches.into_iter().chain([warnings]).flatten().next();
            (strays, "an update")
        }
    };
    if let Some(stray) = stray {
        error(
            out,
            stray.key_span,
            &format!("`{}` belongs to {belongs_to}", stray.key),
            "remove it",
        );
        return None;
    }
    let written = node.as_map().unwrap_or_default();
    let mut places: Vec<_> = written.iter().collect();
    let kind = match kind {
        Err(end) => end,
        Ok((customer, fields)) => {
            let (fields, is_whole) = match fields {
                [Some(whole), None] => (whole, true),
                [None, Some(part)] => (part, false),
                _ => {
                    let message = match customer {
                        Recipient::Known(_) => "an update has one of `patch` and `patch_includes`",
                        Recipient::New => {
                            "a new customer has one of `create` and `create_includes`"
                        }
                    };
                    error(
                        out,
                        node.span,
                        message,
                        "the first compares all fields, the second only those that it names",
                    );
                    return None;
                }
            };
            places.extend(fields.value.as_map().unwrap_or_default());
            Expected::Update {
                customer,
                patch: json(fields, out)?,
                is_whole,
                warnings: match warnings {
                    Some(entry) => texts(&entry.value, out)?,
                    None => Vec::new(),
                },
            }
        }
    };
    Some(Expectation {
        span: written.first().map_or(node.span, |entry| entry.key_span),
        places: places
            .into_iter()
            .map(|entry| (entry.key.clone(), entry.key_span))
            .collect(),
        kind,
    })
}

fn texts(node: &Node, out: &mut Collector) -> Option<Vec<String>> {
    let read = node.as_list().and_then(|nodes| {
        nodes
            .iter()
            .map(|node| node.as_text().map(ToOwned::to_owned))
            .collect()
    });
    if read.is_none() {
        error(
            out,
            node.span,
            "`warnings` is a list of texts",
            "write `warnings: [\"phoneNumber: …\"]`",
        );
    }
    read
}

fn json(fields: &Entry, out: &mut Collector) -> Option<Value> {
    let mut text = String::new();
    write_plain(&fields.value, &mut text);
    let read: Option<Value> = serde_json::from_str(&text).ok().filter(Value::is_object);
    if read.is_none() {
        let message = format!("`{}` is a map of fields and values", fields.key);
        error(out, fields.value.span, &message, "write `{name: Ana}`");
    }
    read
}
