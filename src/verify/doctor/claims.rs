//! What a JSON web token says, where everything else about it is right.

use serde_json::{Value, json};

use super::{Aspect, Case, Change, Remedy};

/// Keys of `claims` with what they ask for.
const CLAIMS: [(&str, &str); 5] = [
    ("claims.iss", "its issuer (`iss`)"),
    ("claims.aud", "its audience (`aud`)"),
    ("claims.require", "a claim that `require` names"),
    ("claims.url_sha256_claim", "its hash of the address"),
    ("claims.body_sha256_claim", "its hash of the body"),
];

const ALGORITHMS: [&str; 3] = ["HS256", "HS384", "HS512"];

pub(super) fn changes(case: &Case<'_>) -> Vec<Change> {
    if case.settings.text("type") != Some("jwt") {
        return Vec::new();
    }
    let mut changes = Vec::new();
    for (key, what) in CLAIMS {
        if case.settings.get(key).is_none() {
            continue;
        }
        let mut change = Change::new(
            Aspect::Signed,
            format!("the token is signed rightly, and only {what} is not what `{key}` asks for"),
            Remedy::Words(format!(
                "compare `{key}` with what the sender writes; do not take the check away"
            )),
        );
        change.settings = vec![(key.to_owned(), None)];
        changes.push(change);
    }
    let current = case.settings.get("algorithms").and_then(Value::as_array);
    let is_shared = current.is_some_and(|all| {
        all.iter()
            .filter_map(Value::as_str)
            .any(|word| ALGORITHMS.contains(&word))
    });
    for word in ALGORITHMS.into_iter().filter(|_| is_shared) {
        if current.is_some_and(|all| !all.contains(&json!(word))) {
            changes.push(Change::of_settings(
                Aspect::Shape,
                format!("the token is signed with `{word}`"),
                vec![("algorithms".to_owned(), Some(json!([word])))],
            ));
        }
    }
    changes
}
