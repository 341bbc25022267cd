//! An explanation for programs.

use serde_json::{Value, json};

use super::{Shown, patch};
use crate::{
    customer::Patch,
    mapping::{Element, Ending, Explanation, IfNobody, Item, Recipient, Tally},
    quentli::Creation,
};

pub(super) fn json(shown: &Shown<'_>, explanation: &Explanation) -> Value {
    json!({
        "file": shown.file,
        "event": shown.event,
        "split": explanation.split,
        "items": explanation.items.iter().map(item).collect::<Vec<_>>(),
        "others": others(&explanation.others),
        "ending": explanation.ending.as_ref().map(ending),
    })
}

fn item(item: &Item) -> Value {
    json!({
        "number": item.number,
        "dedup": item.dedup,
        "dedupKey": item.dedup_key,
        "rules": item.rules,
        "each": item.each,
        "elements": item.elements.iter().map(element).collect::<Vec<_>>(),
        "others": others(&item.others),
        "ending": item.ending.as_ref().map(ending),
    })
}

fn element(element: &Element) -> Value {
    json!({
        "number": element.number,
        "only": element.only,
        "orderBy": element.order_by,
        "customer": element.customer,
        "create": element.create,
        "fields": element.fields,
        "unseenFields": element.unseen,
        "ending": element.ending.as_ref().map(ending),
    })
}

fn others(tally: &Tally) -> Value {
    json!({
        "count": tally.count,
        "updates": tally.updates,
        "drops": tally.drops,
        "leftOut": tally.left_out,
        "failures": tally.failures,
        "failing": tally.failing,
    })
}

fn ending(ending: &Ending) -> Value {
    match ending {
        Ending::Update {
            recipient,
            patch: changes,
            order_by,
            warnings,
        } => {
            let sent = match recipient {
                Recipient::Known(id) => json!({"requests": [update(&patch::path(id), changes)]}),
                Recipient::New(all) => json!({"requests": creation(all)}),
                Recipient::Asked { keys, if_nobody } => {
                    let asks: Vec<Value> = keys
                        .iter()
                        .map(|(key, value)| json!({"key": key, "value": value}))
                        .collect();
                    json!({
                        "asks": asks,
                        "requests": [update(ANYBODY, changes)],
                        "ifNobody": nobody(if_nobody),
                    })
                }
            };
            let mut shown = json!({
                "outcome": "update",
                "orderBy": order_by.map(|order| order.0),
                "warnings": warnings,
            });
            if let (Value::Object(shown), Value::Object(sent)) = (&mut shown, sent) {
                shown.extend(sent);
            }
            shown
        }
        Ending::Drop(reason) => json!({"outcome": "drop", "reason": reason}),
        Ending::Retry(reason) => json!({"outcome": "retry", "reason": reason}),
        Ending::Fail { reason, line } => {
            json!({"outcome": "fail", "reason": reason, "line": line})
        }
    }
}

/// The path of somebody who is not known yet.
const ANYBODY: &str = "/v1/customers/<id>";

fn update(path: &str, changes: &Patch) -> Value {
    json!({"method": "PATCH", "path": path, "body": patch::update(changes)})
}

fn creation(all: &Patch) -> Vec<Value> {
    let creation = Creation::of(all);
    let mut requests = vec![json!({"method": "POST", "path": "/v1/customers", "body": creation})];
    if !creation.rest().is_empty() {
        requests.push(update(ANYBODY, creation.rest()));
    }
    requests
}

fn nobody(if_nobody: &IfNobody) -> Value {
    match if_nobody {
        IfNobody::Retry => json!({"outcome": "retry"}),
        IfNobody::Fail => json!({"outcome": "fail"}),
        IfNobody::Drop => json!({"outcome": "drop"}),
        IfNobody::Create(all) => json!({"outcome": "create", "requests": creation(all)}),
        IfNobody::CannotCreate(why) => json!({"outcome": "fail", "reason": why}),
    }
}
