//! What of a change is worth sending, judged by what Quentli confirmed before.
//!
//! A part (a field, or one key of the metadata) is *unchanged* when its value is the one that Quentli last
//! confirmed, not too long ago, since people also edit in Quentli. It is *stale* when the same source already had
//! something newer applied to it. Only confirmed values count: what was sent without an answer is not known.
//!
//! Values are compared by a keyed hash, so that the record of what was applied holds nobody's address.

use std::{cmp::Ordering, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use crate::{
    customer::{Field, FieldValue, PartKey, Patch},
    event::{Delivery, End},
    store::AppliedPart,
};

/// What is known of a customer's record.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The confirmed parts.
    pub applied: &'a [AppliedPart],
    /// The key of their hashes.
    pub value_key: &'a [u8; 32],
    /// Confirmed values older than this are not relied on.
    pub max_age: Duration,
}

/// What is left of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Its patch without the stale parts; never empty.
    Send(Patch),
    /// Nothing needs sending.
    Nothing {
        /// [`End::Unchanged`] or [`End::Stale`].
        end: End,
        /// Parts whose confirmed value stays and whose version is now this delivery's.
        confirmed: Vec<AppliedPart>,
    },
}

/// Chooses what of a delivery is to be sent. One that was possibly sent before is sent again even where nothing
/// seems to change: what Quentli has now is not known.
pub fn select(
    delivery: &Delivery,
    known: &Known<'_>,
    possibly_sent: bool,
    now: Timestamp,
) -> Selection {
    let mut stale = Vec::new();
    let mut confirmed = Vec::new();
    let mut all_unchanged = !possibly_sent;
    for (part, value) in delivery.patch.parts() {
        let Some(applied) = known.applied.iter().find(|applied| applied.part == part) else {
            all_unchanged = false;
            continue;
        };
        let order = order(delivery, applied);
        if order == Some(Ordering::Less) {
            stale.push(part);
        } else if !is_recent(applied, known.max_age, now)
            || applied.value != value_hash(known.value_key, &part, &value)
        {
            all_unchanged = false;
        } else if order == Some(Ordering::Greater) {
            confirmed.push(AppliedPart {
                order_by: delivery.order_by,
                ..applied.clone()
            });
        }
    }
    let patch = without(&delivery.patch, &stale);
    if !patch.is_empty() && !all_unchanged {
        return Selection::Send(patch);
    }
    let end = if stale.is_empty() {
        End::Unchanged
    } else {
        End::Stale
    };
    Selection::Nothing { end, confirmed }
}

/// The parts of a patch of this delivery, as confirmed at `at`.
pub fn confirmed(
    delivery: &Delivery,
    sent: &Patch,
    value_key: &[u8; 32],
    at: Timestamp,
) -> Vec<AppliedPart> {
    sent.parts()
        .into_iter()
        .map(|(part, value)| AppliedPart {
            value: value_hash(value_key, &part, &value),
            part,
            source: delivery.source.clone(),
            order_by: delivery.order_by,
            at,
        })
        .collect()
}

/// How the delivery's version compares with the applied one; none where they cannot be compared.
fn order(delivery: &Delivery, applied: &AppliedPart) -> Option<Ordering> {
    if applied.source != delivery.source {
        return None;
    }
    Some(delivery.order_by?.cmp(&applied.order_by?))
}

/// A time of confirmation in the future, left by a clock that was set back, is not relied on.
fn is_recent(applied: &AppliedPart, max_age: Duration, now: Timestamp) -> bool {
    let age = now.duration_since(applied.at);
    !age.is_negative() && SignedDuration::try_from(max_age).is_ok_and(|max_age| age <= max_age)
}

fn without(patch: &Patch, parts: &[PartKey]) -> Patch {
    let mut rest = Patch::new();
    for (field, value) in patch.fields() {
        let value = match value {
            FieldValue::Metadata(entries) => {
                let kept: Vec<_> = entries
                    .iter()
                    .filter(|entry| {
                        !parts
                            .iter()
                            .any(|part| matches!(part, PartKey::Metadata(key) if *key == entry.key))
                    })
                    .cloned()
                    .collect();
                (!kept.is_empty() || entries.is_empty()).then_some(FieldValue::Metadata(kept))
            }
            value => (!parts.contains(&PartKey::Field(field))).then(|| value.clone()),
        };
        if let Some(value) = value {
            set(&mut rest, field, value);
        }
    }
    rest
}

fn set(patch: &mut Patch, field: Field, value: FieldValue) {
    patch
        .set(field, value)
        .expect("the value came from the same field of another patch");
}

/// A hash of a part's canonical value, the same only for the same part, value and key.
fn value_hash(key: &[u8; 32], part: &PartKey, value: &str) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    let part = part.to_string();
    let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
    mac.update(&length.to_be_bytes());
    mac.update(part.as_bytes());
    mac.update(value.as_bytes());
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(mac.finalize().into_bytes()) {
        *to = from;
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        customer::{CustomerReference, OnMissing},
        event::{DeliveryPos, EventSeq, LaneKey, OrderBy, OrganisationName},
    };

    const KEY: [u8; 32] = [7; 32];
    const DAY: Duration = Duration::from_hours(24);

    fn noon() -> Timestamp {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn delivery(source: &str, patch: &str, order_by: Option<i64>) -> Delivery {
        Delivery {
            pos: DeliveryPos(1),
            event: EventSeq(1),
            item: 0,
            number: 0,
            source: source.parse().unwrap(),
            organisation: OrganisationName::default_name(),
            lane: LaneKey::of("id", "cus_1"),
            customer: CustomerReference {
                id: Some("cus_1".parse().unwrap()),
                find: Vec::new(),
                on_missing: OnMissing::Fail,
            },
            patch: serde_json::from_str(patch).unwrap(),
            order_by: order_by.map(OrderBy),
            accepted_at: noon(),
            attempts: 0,
            spent: Duration::ZERO,
        }
    }

    /// What is known after `patch` was confirmed for `source`, `ago` before noon.
    fn applied(
        source: &str,
        patch: &str,
        order_by: Option<i64>,
        ago: Duration,
    ) -> Vec<AppliedPart> {
        let delivery = delivery(source, patch, order_by);
        confirmed(&delivery, &delivery.patch, &KEY, noon() - ago)
    }

    fn select_at_noon(
        delivery: &Delivery,
        applied: &[AppliedPart],
        possibly_sent: bool,
    ) -> Selection {
        let known = Known {
            applied,
            value_key: &KEY,
            max_age: DAY,
        };
        select(delivery, &known, possibly_sent, noon())
    }

    /// The end, or the JSON that would be sent.
    fn word(selection: &Selection) -> String {
        match selection {
            Selection::Send(patch) => serde_json::to_string(patch).unwrap(),
            Selection::Nothing { end, .. } => end.as_str().to_owned(),
        }
    }

    #[test]
    fn only_what_quentli_confirmed_lately_is_unchanged() {
        let ana = r#"{"name":"Ana","metadata":[{"key":"Grado","value":null}]}"#;
        let known = applied("sis", ana, None, Duration::from_hours(1));
        for (patch, expected) in [
            (ana, "unchanged"),
            (r#"{"name":"Ana"}"#, "unchanged"),
            (
                r#"{"metadata":[{"key":"Grado","value":null}]}"#,
                "unchanged",
            ),
            (r#"{"name":"ana"}"#, r#"{"name":"ana"}"#),
            (
                r#"{"metadata":[{"key":"Grado","value":""}]}"#,
                r#"{"metadata":[{"key":"Grado","value":""}]}"#,
            ),
            (
                r#"{"metadata":[{"key":"grado","value":null}]}"#,
                r#"{"metadata":[{"key":"grado","value":null}]}"#,
            ),
            (
                r#"{"name":"Ana","email":null}"#,
                r#"{"name":"Ana","email":null}"#,
            ),
        ] {
            let delivery = delivery("sis", patch, None);
            assert_eq!(
                word(&select_at_noon(&delivery, &known, false)),
                expected,
                "{patch}"
            );
        }
    }

    #[test]
    fn tags_compare_as_a_set() {
        let known = applied("sis", r#"{"tags":["b","a"]}"#, None, Duration::ZERO);
        let same = delivery("sis", r#"{"tags":["a","b","a"]}"#, None);
        assert_eq!(word(&select_at_noon(&same, &known, false)), "unchanged");
    }

    #[test]
    fn an_old_confirmation_or_one_from_the_future_is_not_relied_on() {
        let ana = r#"{"name":"Ana"}"#;
        for (ago, expected) in [(DAY, "unchanged"), (DAY + Duration::from_millis(1), ana)] {
            let known = applied("sis", ana, None, ago);
            assert_eq!(
                word(&select_at_noon(&delivery("sis", ana, None), &known, false)),
                expected
            );
        }
        let mut known = applied("sis", ana, None, Duration::ZERO);
        known[0].at = noon() + Duration::from_secs(1);
        assert_eq!(
            word(&select_at_noon(&delivery("sis", ana, None), &known, false)),
            ana
        );
    }

    #[test]
    fn what_was_possibly_sent_before_is_sent_again() {
        let ana = r#"{"name":"Ana"}"#;
        let known = applied("sis", ana, None, Duration::ZERO);
        assert_eq!(
            word(&select_at_noon(&delivery("sis", ana, None), &known, true)),
            ana
        );
    }

    #[test]
    fn a_field_of_which_the_same_source_applied_something_newer_is_left_out() {
        let known = applied(
            "sis",
            r#"{"name":"New","metadata":[{"key":"Grado","value":"6"}]}"#,
            Some(10),
            Duration::ZERO,
        );
        let old = r#"{"name":"Old","email":null,"metadata":[{"key":"Grado","value":"5"},{"key":"Beca","value":"x"}]}"#;
        for (source, order_by, expected) in [
            (
                "sis",
                Some(9),
                r#"{"email":null,"metadata":[{"key":"Beca","value":"x"}]}"#,
            ),
            ("sis", Some(10), old),
            ("sis", None, old),
            ("crm", Some(9), old),
        ] {
            let delivery = delivery(source, old, order_by);
            assert_eq!(
                word(&select_at_noon(&delivery, &known, false)),
                expected,
                "{source} {order_by:?}"
            );
        }
    }

    #[test]
    fn staleness_also_holds_for_what_was_possibly_sent_and_for_old_confirmations() {
        let known = applied("sis", r#"{"name":"New"}"#, Some(10), DAY * 30);
        let old = delivery("sis", r#"{"name":"Old"}"#, Some(9));
        assert_eq!(word(&select_at_noon(&old, &known, true)), "stale");
    }

    #[test]
    fn an_unchanged_update_that_is_newer_protects_the_value_from_what_lies_between() {
        let ana = r#"{"name":"Ana"}"#;
        let known = applied("sis", ana, Some(5), Duration::from_hours(1));
        let Selection::Nothing { end, confirmed } =
            select_at_noon(&delivery("sis", ana, Some(9)), &known, false)
        else {
            panic!("it would be sent");
        };
        assert_eq!(end, End::Unchanged);
        assert_eq!(confirmed[0].at, known[0].at, "its age must not change");
        let between = delivery("sis", r#"{"name":"Between"}"#, Some(7));
        assert_eq!(word(&select_at_noon(&between, &confirmed, false)), "stale");
    }

    #[test]
    fn equal_values_of_different_parts_or_keys_have_different_hashes() {
        let name = PartKey::Field(Field::Name);
        let hashes = [
            value_hash(&KEY, &name, "null"),
            value_hash(&KEY, &PartKey::Field(Field::Email), "null"),
            value_hash(&KEY, &PartKey::Metadata("name".into()), "null"),
            value_hash(&[8; 32], &name, "null"),
        ];
        for (place, hash) in hashes.iter().enumerate() {
            assert!(!hashes[place + 1..].contains(hash));
        }
    }
}
