//! Finds an event by what its sender calls it.

use crate::{
    event::{DedupKey, DedupKeyBuilder, SourceName},
    source::receive::DedupRule,
};

/// The key of an event or item whose sender numbers it by these parts, in the order of the source's `dedup`. `None`
/// where the source has no numbers, or another count of them.
pub fn key_of_parts(source: &SourceName, rule: &DedupRule, parts: &[&str]) -> Option<DedupKey> {
    let mut key = DedupKeyBuilder::composite(source);
    match rule {
        DedupRule::Header(name) if parts.len() == 1 => key.part(Some(name.as_str().as_bytes())),
        DedupRule::Expressions(expressions) if parts.len() == expressions.len() => {}
        DedupRule::Body | DedupRule::Header(_) | DedupRule::Expressions(_) => return None,
    }
    for part in parts {
        key.part(Some(part.as_bytes()));
    }
    Some(key.finish())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::{
        dedup::{Keys, StandIn, item_keys, request_key},
        event::MappedItem,
        source::{SourceFile, UnreadableSamples},
    };

    fn stand_in(source: &SourceName) -> StandIn<'_> {
        StandIn {
            source,
            body: b"{}",
            telling: &[],
        }
    }

    #[test]
    fn the_key_of_a_header_is_the_one_under_which_requests_are_stored() {
        let source = "crm".parse().unwrap();
        let rule = DedupRule::Header(HeaderName::from_static("webhook-id"));
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("webhook-id"),
            HeaderValue::from_static("msg_1"),
        )]);
        let stored = request_key(&rule, &headers, stand_in(&source)).unwrap();
        let found = key_of_parts(&source, &rule, &["msg_1"]).map(Keys::Request);
        assert_eq!(found, Some(stored.keys));
        assert_eq!(key_of_parts(&source, &rule, &["msg_1", "2"]), None);
        assert_eq!(key_of_parts(&source, &DedupRule::Body, &["msg_1"]), None);
    }

    #[test]
    fn the_key_of_an_item_is_made_of_all_its_parts() {
        let text = "mapping: 1\nsource: crm\nreceive: {verify: none, dedup: [id, kind]}\notherwise: drop\nrules:\n  - {name: all, drop: no}\ntests:\n  - {name: all, event: {a: 1}, expect: [{drop: no}]}\n";
        let no_samples = |_: &str| Err(std::io::Error::other("there are no samples"));
        let file = SourceFile::check(
            "crm.yaml",
            "crm",
            text.to_owned(),
            &no_samples,
            UnreadableSamples::Warn,
        );
        let (receive, _) = file.parts().unwrap();
        let source = "crm".parse().unwrap();
        let item = MappedItem {
            dedup: vec![Some("7".into()), Some("email".into())],
            outcomes: Vec::new(),
        };
        let stored = item_keys(&[item], stand_in(&source)).keys;
        let found = key_of_parts(&source, &receive.dedup, &["7", "email"]);
        assert_eq!(found, Some(stored.of_item(0)));
        assert_eq!(key_of_parts(&source, &receive.dedup, &["7"]), None);
    }
}
