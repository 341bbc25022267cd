//! What of a change is worth sending, judged by what Quentli confirmed before.
//!
//! Each part (a field, or one key of the metadata) is judged by itself. It is *unchanged* when its value is the one
//! that Quentli last confirmed, not too long ago, since people also edit in Quentli. What was sent without an answer is
//! in doubt: then nothing is known of the part, and it is sent.
//!
//! It is *stale* when something newer was applied to it already. Of two versions of one source the greater is newer,
//! whatever other sources wrote meanwhile. Where there are no versions, or another source wrote last, what was accepted
//! later is newer: a delivery can come after a later one when its customer was known too late to be the same, or when a
//! person has it sent again.
//!
//! Values are compared by a keyed hash, so that the record of what was applied holds nobody's address.

use std::{cmp::Ordering, collections::BTreeMap, time::Duration};

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
    pub applied: &'a [AppliedPart],
    /// The key of their hashes.
    pub value_key: &'a [u8; 32],
    /// Confirmed values older than this are not relied on; with zero none is.
    pub max_age: Duration,
}

/// What is left of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What is to be sent: the parts that are neither unchanged nor stale. May be empty.
    pub patch: Patch,
    /// Its parts, as they are when Quentli confirms them.
    sent: Vec<AppliedPart>,
    /// Parts whose confirmed value stays, and that are as new as this delivery from now on.
    unchanged: Vec<AppliedPart>,
    is_stale: bool,
}

impl Selection {
    /// How the delivery ends where nothing is to be sent.
    pub const fn end(&self) -> End {
        if self.is_stale {
            End::Stale
        } else {
            End::Unchanged
        }
    }

    /// What is known when Quentli has confirmed the patch at `at`.
    pub fn confirmed(mut self, at: Timestamp) -> Vec<AppliedPart> {
        for part in &mut self.sent {
            part.at = at;
        }
        self.sent.append(&mut self.unchanged);
        self.sent
    }
}

/// Chooses what of a delivery is to be sent. One that was possibly sent before is sent again even where nothing
/// seems to change: what Quentli has now is not known.
pub fn select(
    delivery: &Delivery,
    known: &Known<'_>,
    possibly_sent: bool,
    now: Timestamp,
) -> Selection {
    let applied: BTreeMap<&PartKey, &AppliedPart> = known
        .applied
        .iter()
        .map(|applied| (&applied.part, applied))
        .collect();
    let mut selection = Selection {
        patch: Patch::new(),
        sent: Vec::new(),
        unchanged: Vec::new(),
        is_stale: false,
    };
    let mut left_out = Vec::new();
    for part in confirmed(delivery, &delivery.patch, known.value_key, now) {
        match applied.get(&part.part) {
            Some(applied) if is_overtaken(delivery, applied) => {
                selection.is_stale = true;
                left_out.push(part.part);
            }
            Some(applied)
                if !possibly_sent
                    && applied.value == part.value
                    && is_reliable(applied, known.max_age, now) =>
            {
                left_out.push(part.part.clone());
                selection.unchanged.push(AppliedPart {
                    at: applied.at,
                    ..part
                });
            }
            _ => selection.sent.push(part),
        }
    }
    if !selection.sent.is_empty() {
        selection.patch = without(&delivery.patch, &left_out);
    }
    selection
}

/// The parts of a patch of this delivery, as confirmed at `at`.
pub fn confirmed(
    delivery: &Delivery,
    sent: &Patch,
    value_key: &[u8; 32],
    at: Timestamp,
) -> Vec<AppliedPart> {
    let version = delivery
        .order_by
        .map(|version| (delivery.source.clone(), version));
    sent.parts()
        .into_iter()
        .map(|(part, value)| AppliedPart {
            value: value_hash(value_key, &part, &value),
            part,
            is_in_doubt: false,
            source: delivery.source.clone(),
            at,
            pos: delivery.pos,
            versions: version.iter().cloned().collect(),
        })
        .collect()
}

/// Whether something newer than the delivery was applied to the part.
fn is_overtaken(delivery: &Delivery, applied: &AppliedPart) -> bool {
    let version = applied.version_of(&delivery.source);
    let order = delivery.order_by.zip(version).map(|(a, b)| a.cmp(&b));
    match order {
        Some(Ordering::Less) => true,
        Some(Ordering::Greater) if applied.source == delivery.source => false,
        Some(_) | None => applied.pos > delivery.pos,
    }
}

/// Whether Quentli certainly has the value still. A time of confirmation in the future, left by a clock that was set
/// back, is not relied on.
fn is_reliable(applied: &AppliedPart, max_age: Duration, now: Timestamp) -> bool {
    let age = now.duration_since(applied.at);
    let is_recent =
        !age.is_negative() && SignedDuration::try_from(max_age).is_ok_and(|most| age <= most);
    is_recent && !max_age.is_zero() && !applied.is_in_doubt
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

    /// What is known after `patch` was confirmed for `source`, `ago` before noon, as the delivery at position 1.
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
        if selection.patch.is_empty() {
            return selection.end().as_str().to_owned();
        }
        serde_json::to_string(&selection.patch).unwrap()
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
            (r#"{"name":"Ana","email":null}"#, r#"{"email":null}"#),
            (
                r#"{"name":"Eva","metadata":[{"key":"Grado","value":null},{"key":"Beca","value":"x"}]}"#,
                r#"{"name":"Eva","metadata":[{"key":"Beca","value":"x"}]}"#,
            ),
            (
                r#"{"name":"Eva","metadata":[{"key":"Grado","value":null}]}"#,
                r#"{"name":"Eva"}"#,
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
    fn without_an_age_everything_is_sent() {
        let known = applied("sis", r#"{"name":"Ana"}"#, None, Duration::ZERO);
        let known = Known {
            applied: &known,
            value_key: &KEY,
            max_age: Duration::ZERO,
        };
        let same = delivery("sis", r#"{"name":"Ana"}"#, None);
        assert!(!select(&same, &known, false, noon()).patch.is_empty());
    }

    #[test]
    fn a_part_in_doubt_is_sent_and_the_others_are_not() {
        let both = r#"{"name":"Ana","email":null}"#;
        let mut known = applied("sis", both, None, Duration::ZERO);
        known[1].is_in_doubt = true;
        assert_eq!(
            word(&select_at_noon(&delivery("sis", both, None), &known, false)),
            r#"{"email":null}"#
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
    fn staleness_also_holds_for_what_is_uncertain() {
        let mut known = applied("sis", r#"{"name":"New"}"#, Some(10), DAY * 30);
        let old = delivery("sis", r#"{"name":"Old"}"#, Some(9));
        assert_eq!(word(&select_at_noon(&old, &known, true)), "stale");
        known[0].is_in_doubt = true;
        assert_eq!(word(&select_at_noon(&old, &known, true)), "stale");
    }

    #[test]
    fn versions_stay_with_their_source_when_another_one_writes() {
        let mut known = applied("crm", r#"{"name":"Hers"}"#, Some(500), Duration::ZERO);
        known[0]
            .versions
            .push(("sis".parse().unwrap(), OrderBy(10)));
        for (order_by, expected) in [(Some(9), "stale"), (Some(11), r#"{"name":"Mine"}"#)] {
            let mine = delivery("sis", r#"{"name":"Mine"}"#, order_by);
            assert_eq!(word(&select_at_noon(&mine, &known, false)), expected);
        }
    }

    #[test]
    fn what_was_accepted_before_what_is_there_is_stale_unless_its_version_is_newer() {
        let mine = r#"{"name":"Mine"}"#;
        let there = applied("sis", r#"{"name":"There"}"#, Some(10), Duration::ZERO);
        for (source, order_by, pos, expected) in [
            ("sis", None, 0, "stale"),
            ("sis", Some(10), 0, "stale"),
            ("sis", Some(11), 0, mine),
            ("crm", Some(11), 0, "stale"),
            ("crm", None, 1, mine),
        ] {
            let mut earlier = delivery(source, mine, order_by);
            earlier.pos = DeliveryPos(pos);
            assert_eq!(
                word(&select_at_noon(&earlier, &there, false)),
                expected,
                "{source} {order_by:?} {pos}"
            );
        }
        // Its own version is newer, but what is there came from elsewhere, and later.
        let mut there = applied("crm", r#"{"name":"There"}"#, None, Duration::ZERO);
        there[0]
            .versions
            .push(("sis".parse().unwrap(), OrderBy(10)));
        let mut earlier = delivery("sis", mine, Some(11));
        earlier.pos = DeliveryPos(0);
        assert_eq!(word(&select_at_noon(&earlier, &there, false)), "stale");
    }

    #[test]
    fn an_unchanged_update_that_is_newer_protects_the_value_from_what_lies_between() {
        let ana = r#"{"name":"Ana"}"#;
        let known = applied("sis", ana, Some(5), Duration::from_hours(1));
        let mut same = delivery("sis", ana, Some(9));
        same.pos = DeliveryPos(4);
        let selection = select_at_noon(&same, &known, false);
        assert_eq!(word(&selection), "unchanged");
        let confirmed = selection.confirmed(noon());
        assert_eq!(confirmed[0].at, known[0].at, "its age must not change");
        assert_eq!(confirmed[0].pos, DeliveryPos(4));
        let between = delivery("sis", r#"{"name":"Between"}"#, Some(7));
        assert_eq!(word(&select_at_noon(&between, &confirmed, false)), "stale");
    }

    #[test]
    fn what_was_sent_is_as_old_as_its_confirmation_and_what_was_spared_as_before() {
        let known = applied("sis", r#"{"name":"Ana"}"#, None, Duration::from_hours(1));
        let more = delivery("sis", r#"{"name":"Ana","email":null}"#, None);
        let later = noon() + Duration::from_secs(9);
        let mut confirmed = select_at_noon(&more, &known, false).confirmed(later);
        confirmed.sort_by(|a, b| a.part.cmp(&b.part));
        let times: Vec<Timestamp> = confirmed.iter().map(|part| part.at).collect();
        assert_eq!(times, [known[0].at, later]);
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
