//! The keys under which events and items are recognised when they come again.

use http::HeaderMap;

use crate::{
    event::{DedupKey, DedupKeyBuilder, MappedItem, SourceName},
    source::receive::DedupRule,
};

/// The keys of one request, and how well they tell it apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub keys: Keys,
    /// How many of them are made of the body because the header or a part that the source names was missing.
    pub by_body: u32,
}

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

/// What stands in for the numbers that a sender did not give: the body, so that only an identical request is recognised
/// and different events are never made equal. `telling` are the headers that take part in what a body means: the same body
/// under another topic or another event id is another event.
#[derive(Clone, Copy, Debug)]
pub struct StandIn<'a> {
    pub source: &'a SourceName,
    pub body: &'a [u8],
    pub telling: &'a [(&'a str, &'a str)],
}

impl StandIn<'_> {
    fn key(&self, item: Option<u32>) -> DedupKey {
        DedupKey::of_body(self.source, self.body, self.telling.iter().copied(), item)
    }
}

/// The key of a request as a whole, before it is mapped; `None` where its items are told apart.
pub fn request_key(rule: &DedupRule, headers: &HeaderMap, stand_in: StandIn<'_>) -> Option<Found> {
    let (key, by_body) = match rule {
        DedupRule::Body => (stand_in.key(None), 0),
        DedupRule::Header(name) => match headers.get(name) {
            Some(value) if !value.is_empty() => {
                let mut key = DedupKeyBuilder::composite(stand_in.source);
                key.part(Some(name.as_str().as_bytes()));
                key.part(Some(value.as_bytes()));
                (key.finish(), 0)
            }
            _ => (stand_in.key(None), 1),
        },
        DedupRule::Expressions(_) => return None,
    };
    Some(Found {
        keys: Keys::Request(key),
        by_body,
    })
}

/// The keys of the items of a request, by what the source's expressions gave. With a part missing, the body and the item's
/// place in it stand in; so they do, uncounted, for what could not be read at all, which is dead for that.
pub fn item_keys(items: &[MappedItem], stand_in: StandIn<'_>) -> Found {
    let mut by_body = 0;
    let key = |(index, item): (usize, &MappedItem)| {
        if item.dedup.is_empty() || item.dedup.iter().any(Option::is_none) {
            by_body += u32::from(!item.dedup.is_empty());
            return stand_in.key(Some(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        let mut key = DedupKeyBuilder::composite(stand_in.source);
        for part in &item.dedup {
            key.part(part.as_deref().map(str::as_bytes));
        }
        key.finish()
    };
    let keys = items.iter().enumerate().map(key).collect();
    Found {
        keys: Keys::Items(keys),
        by_body,
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
        found(rule, headers, body, telling, items).keys
    }

    fn found(
        rule: &DedupRule,
        headers: &[(&'static str, &str)],
        body: &str,
        telling: &[(&str, &str)],
        items: &[&[Option<&str>]],
    ) -> Found {
        let source = "s".parse().unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let items = items.iter().map(|parts| MappedItem {
            dedup: parts.iter().map(|part| part.map(str::to_owned)).collect(),
            outcomes: Vec::new(),
        });
        let items: Vec<MappedItem> = items.collect();
        let stand_in = StandIn {
            source: &source,
            body: body.as_bytes(),
            telling,
        };
        request_key(rule, &headers.collect(), stand_in)
            .unwrap_or_else(|| item_keys(&items, stand_in))
    }

    #[test]
    fn what_the_body_stands_in_for_is_counted() {
        let header = DedupRule::Header(HeaderName::from_static("webhook-id"));
        let expressions = DedupRule::Expressions(Vec::new());
        let whole: &[Option<&str>] = &[Some("7"), Some("email")];
        let part: &[Option<&str>] = &[Some("7"), None];
        let count = |rule, headers: &[_], items: &[&[Option<&str>]]| {
            found(rule, headers, "a", &[], items).by_body
        };
        assert_eq!(count(&DedupRule::Body, &[], &[]), 0);
        assert_eq!(count(&header, &[("webhook-id", "1")], &[]), 0);
        assert_eq!(count(&header, &[("webhook-id", "")], &[]), 1);
        assert_eq!(count(&header, &[], &[]), 1);
        assert_eq!(count(&expressions, &[], &[whole, whole]), 0);
        assert_eq!(count(&expressions, &[], &[part, whole, part]), 2);
        // It could not be read: no part is missing.
        assert_eq!(count(&expressions, &[], &[&[]]), 0);
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
