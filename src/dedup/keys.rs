//! The keys under which events and items are recognised when they come again.

use http::HeaderMap;

use crate::{
    event::{DedupKey, DedupKeyBuilder, Mapped, MappedItem, SourceName},
    source::receive::DedupRule,
};

/// The keys of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All items stand or fall together.
    Request(DedupKey),
    /// One for each item, in order.
    Items(Vec<DedupKey>),
}

impl Keys {
    /// The key that protects an item.
    pub fn of_item(&self, item: u32) -> DedupKey {
        match self {
            Self::Request(key) => *key,
            Self::Items(keys) => *usize::try_from(item)
                .ok()
                .and_then(|item| keys.get(item))
                .expect("every item of the request has a key"),
        }
    }

    pub const fn is_one_group(&self) -> bool {
        matches!(self, Self::Request(_))
    }
}

/// Finds the keys of a request. A header or a part that is missing never makes different events equal: the body
/// (with the item's place in it) stands in, so that only an identical request is recognised. `telling` are the headers
/// that take part in what a body means: the same body under another topic or another event id is another event.
pub fn group_items(
    source: &SourceName,
    rule: &DedupRule,
    headers: &HeaderMap,
    body: &[u8],
    telling: &[(&str, &str)],
    mapped: &Mapped,
) -> Keys {
    let of_body = |item| DedupKey::of_body(source, body, telling.iter().copied(), item);
    match rule {
        DedupRule::Body => Keys::Request(of_body(None)),
        DedupRule::Header(name) => match headers.get(name) {
            Some(value) if !value.is_empty() => {
                let mut key = DedupKeyBuilder::composite(source);
                key.part(Some(name.as_str().as_bytes()));
                key.part(Some(value.as_bytes()));
                Keys::Request(key.finish())
            }
            _ => Keys::Request(of_body(None)),
        },
        DedupRule::Expressions(_) => {
            let key = |(index, item): (usize, &MappedItem)| {
                let complete = !item.dedup.is_empty() && item.dedup.iter().all(Option::is_some);
                if !complete {
                    let index = u32::try_from(index).unwrap_or(u32::MAX);
                    return of_body(Some(index));
                }
                let mut key = DedupKeyBuilder::composite(source);
                for part in &item.dedup {
                    key.part(part.as_deref().map(str::as_bytes));
                }
                key.finish()
            };
            Keys::Items(mapped.items.iter().enumerate().map(key).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn keys(
        rule: &DedupRule,
        headers: &[(&'static str, &str)],
        body: &str,
        items: &[&[Option<&str>]],
    ) -> Keys {
        told_keys(rule, headers, body, &[], items)
    }

    fn told_keys(
        rule: &DedupRule,
        headers: &[(&'static str, &str)],
        body: &str,
        telling: &[(&str, &str)],
        items: &[&[Option<&str>]],
    ) -> Keys {
        let source = "s".parse().unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let items = items.iter().map(|parts| MappedItem {
            dedup: parts.iter().map(|part| part.map(str::to_owned)).collect(),
            outcomes: Vec::new(),
        });
        group_items(
            &source,
            rule,
            &headers.collect(),
            body.as_bytes(),
            telling,
            &Mapped {
                items: items.collect(),
            },
        )
    }

    #[test]
    fn a_header_numbers_the_request_whatever_its_body() {
        let rule = DedupRule::Header(HeaderName::from_static("webhook-id"));
        let first = keys(&rule, &[("webhook-id", "1")], "a", &[]);
        assert_eq!(first, keys(&rule, &[("webhook-id", "1")], "b", &[]));
        assert_ne!(first, keys(&rule, &[("webhook-id", "2")], "a", &[]));
    }

    #[test]
    fn without_the_header_only_the_same_body_is_the_same_request() {
        let rule = DedupRule::Header(HeaderName::from_static("webhook-id"));
        for missing in [&[][..], &[("webhook-id", "")]] {
            assert_eq!(
                keys(&rule, missing, "a", &[]),
                keys(&DedupRule::Body, &[], "a", &[])
            );
            assert_ne!(
                keys(&rule, missing, "a", &[]),
                keys(&rule, missing, "b", &[])
            );
        }
    }

    #[test]
    fn items_are_recognised_one_by_one_and_a_missing_part_never_makes_them_equal() {
        let rule = DedupRule::Expressions(Vec::new());
        let complete: &[Option<&str>] = &[Some("7"), Some("email")];
        let partial: &[Option<&str>] = &[Some("7"), None];
        let Keys::Items(of_a) = keys(&rule, &[], "a", &[complete, partial, partial, &[]]) else {
            panic!()
        };
        let Keys::Items(of_b) = keys(&rule, &[], "b", &[complete, partial]) else {
            panic!()
        };
        assert_eq!(of_a[0], of_b[0]);
        assert_ne!(of_a[1], of_b[1]);
        assert_ne!(of_a[1], of_a[2]);
        assert_ne!(of_a[2], of_a[3]);
    }

    #[test]
    fn wherever_a_body_stands_for_an_event_its_telling_headers_do_too() {
        let rules = [
            DedupRule::Body,
            DedupRule::Header(HeaderName::from_static("webhook-id")),
            DedupRule::Expressions(Vec::new()),
        ];
        for rule in rules {
            let of_topic =
                |topic| told_keys(&rule, &[], "a", &[("x-topic", topic)], &[&[None], &[None]]);
            assert_eq!(of_topic("updated"), of_topic("updated"));
            for index in 0..2 {
                let of_item = |topic| of_topic(topic).of_item(index);
                assert_ne!(of_item("updated"), of_item("deleted"), "{rule:?}");
            }
        }
        let numbered = |topic| {
            told_keys(
                &DedupRule::Expressions(Vec::new()),
                &[],
                "a",
                &[("x-topic", topic)],
                &[&[Some("7")]],
            )
        };
        assert_eq!(numbered("updated"), numbered("deleted"));
    }
}
