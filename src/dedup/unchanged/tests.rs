//! What is sent of one delivery, and of several at once.

use proptest::prelude::*;

use super::*;
use crate::{
    customer::{CustomerReference, OnConflict, OnMissing},
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
            on_conflict: OnConflict::Fail,
        },
        patch: serde_json::from_str(patch).unwrap(),
        order_by: order_by.map(OrderBy),
        accepted_at: noon(),
        attempts: 0,
        earlier_attempts: 0,
        spent: Duration::ZERO,
        redelivery: None,
        revision: 0,
        counts_as_of: None,
    }
}

/// What is known after `patch` was confirmed for `source`, `ago` before noon, as the delivery at position 1.
fn applied(source: &str, patch: &str, order_by: Option<i64>, ago: Duration) -> Vec<AppliedPart> {
    let delivery = delivery(source, patch, order_by);
    confirmed(&delivery, &delivery.patch, &KEY, noon() - ago)
}

fn select_at_noon(delivery: &Delivery, applied: &[AppliedPart], possibly_sent: bool) -> Selection {
    let known = Known {
        applied,
        value_key: &KEY,
        max_age: DAY,
    };
    let candidate = Candidate {
        delivery,
        possibly_sent,
    };
    select(&[candidate], &known, noon())
}

/// The end, or the JSON that would be sent.
fn word(selection: &Selection) -> String {
    if selection.patch.is_empty() {
        return selection.shares[0].end().as_str().to_owned();
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
    let candidate = Candidate {
        delivery: &same,
        possibly_sent: false,
    };
    assert!(!select(&[candidate], &known, noon()).patch.is_empty());
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
fn what_a_person_wants_sent_over_newer_data_is_never_stale() {
    let mut old = delivery("sis", r#"{"name":"Old"}"#, Some(3));
    let mut newer = applied("sis", r#"{"name":"New"}"#, Some(10), DAY);
    newer[0].pos = DeliveryPos(9);
    for (newer_data, expected) in [
        (NewerData::Kept, "stale"),
        (NewerData::Overwritten, r#"{"name":"Old"}"#),
    ] {
        old.redelivery = Some(Redelivery {
            at: noon(),
            newer: newer_data,
        });
        assert_eq!(word(&select_at_noon(&old, &newer, false)), expected);
    }
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

/// What is sent of these together, and what each has to do with it.
fn together(deliveries: &[Delivery], applied: &[AppliedPart]) -> (String, Vec<&'static str>) {
    let candidates: Vec<Candidate<'_>> = deliveries
        .iter()
        .map(|delivery| Candidate {
            delivery,
            possibly_sent: false,
        })
        .collect();
    let known = Known {
        applied,
        value_key: &KEY,
        max_age: DAY,
    };
    let selection = select(&candidates, &known, noon());
    let word = |share: &Share| match (share.counts, share.is_stale) {
        (true, false) => "counts",
        (true, true) => "counts in part",
        (false, true) => "stale",
        (false, false) => "nothing",
    };
    let sent = serde_json::to_string(&selection.patch).unwrap();
    (sent, selection.shares.iter().map(word).collect())
}

/// Deliveries one after the other.
fn row(each: &[(&str, &str, Option<i64>)]) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for (place, (source, patch, order_by)) in (1..).zip(each) {
        let mut delivery = delivery(source, patch, *order_by);
        delivery.pos = DeliveryPos(place);
        deliveries.push(delivery);
    }
    deliveries
}

#[test]
fn the_later_value_wins_and_metadata_is_joined_by_key() {
    let waiting = row(&[
        (
            "sis",
            r#"{"name":"A","tags":["a"],"metadata":[{"key":"g","value":"1"},{"key":"h","value":"1"}]}"#,
            None,
        ),
        (
            "crm",
            r#"{"name":"B","email":null,"metadata":[{"key":"i","value":"2"},{"key":"g","value":null}]}"#,
            None,
        ),
        ("sis", r#"{"tags":["b","c"]}"#, None),
    ]);
    assert_eq!(
        together(&waiting, &[]).0,
        r#"{"name":"B","email":null,"tags":["b","c"],"metadata":[{"key":"g","value":null},{"key":"h","value":"1"},{"key":"i","value":"2"}]}"#
    );
}

#[test]
fn of_one_source_the_greater_version_wins_in_each_part() {
    let waiting = row(&[
        ("sis", r#"{"name":"New","email":null}"#, Some(10)),
        ("crm", r#"{"name":"Hers"}"#, Some(1)),
        ("sis", r#"{"name":"Old","skipTaxInvoice":true}"#, Some(9)),
        ("sis", r#"{"email":null}"#, Some(8)),
    ]);
    assert_eq!(
        together(&waiting, &[]),
        (
            r#"{"name":"Hers","email":null,"skipTaxInvoice":true}"#.to_owned(),
            vec!["counts", "counts", "counts in part", "stale"]
        )
    );
}

#[test]
fn what_goes_there_and_back_again_is_unchanged_unless_it_was_possibly_sent() {
    let known = applied("sis", r#"{"name":"A"}"#, None, Duration::ZERO);
    let waiting = row(&[
        ("sis", r#"{"name":"B"}"#, None),
        ("sis", r#"{"name":"A"}"#, None),
    ]);
    assert_eq!(together(&waiting, &known).0, "{}");
    let candidates = [(0, true), (1, false)].map(|(place, possibly_sent)| Candidate {
        delivery: &waiting[place],
        possibly_sent,
    });
    let known = Known {
        applied: &known,
        value_key: &KEY,
        max_age: DAY,
    };
    let selection = select(&candidates, &known, noon());
    assert_eq!(word(&selection), r#"{"name":"A"}"#, "Quentli may have B");
}

/// What is known after a selection was confirmed, as the store keeps it.
fn learn(known: &mut BTreeMap<PartKey, AppliedPart>, confirmed: Vec<AppliedPart>) {
    for mut part in confirmed {
        if let Some(there) = known.get(&part.part) {
            part.pos = part.pos.max(there.pos);
            for (source, version) in &there.versions {
                match part.versions.iter_mut().find(|(of, _)| of == source) {
                    Some((_, mine)) => *mine = (*mine).max(*version),
                    None => part.versions.push((source.clone(), *version)),
                }
            }
        }
        part.versions.sort();
        known.insert(part.part.clone(), part);
    }
}

/// What Quentli has, by part.
fn write(quentli: &mut BTreeMap<PartKey, String>, patch: &Patch) {
    quentli.extend(patch.parts());
}

proptest! {
    #[test]
    fn together_leaves_what_one_after_the_other_leaves(
        updates in prop::collection::vec(
            (0..2_usize, prop::option::of(0..6_i64), prop::collection::vec((0..4_usize, 0..3_u8), 1..4)),
            1..12,
        ),
        cut in 0..12_usize,
    ) {
        let mut deliveries = Vec::new();
        for (place, (source, order_by, parts)) in (1..).zip(&updates) {
            let mut patch = Patch::new();
            let mut entries: BTreeMap<String, crate::customer::MetadataEntry> = BTreeMap::new();
            for (part, value) in parts {
                let value = value.to_string();
                match part {
                    0 => set(&mut patch, Field::Name, FieldValue::Text(value)),
                    1 => set(&mut patch, Field::Email, FieldValue::Null),
                    _ => {
                        let key = format!("k{part}");
                        let entry = crate::customer::MetadataEntry { key: key.clone(), value: Some(value) };
                        entries.insert(key, entry);
                    }
                }
            }
            if !entries.is_empty() {
                let entries = entries.into_values().collect();
                set(&mut patch, Field::Metadata, FieldValue::Metadata(entries));
            }
            let mut one = delivery(["sis", "crm"][*source], "{}", *order_by);
            one.pos = DeliveryPos(place);
            one.patch = patch;
            deliveries.push(one);
        }
        // One after the other; then a part first, and the others together.
        let (mut known, mut quentli) = (BTreeMap::new(), BTreeMap::new());
        let (mut known_too, mut quentli_too) = (BTreeMap::new(), BTreeMap::new());
        let send = |batch: &[Delivery], known: &mut BTreeMap<PartKey, AppliedPart>, quentli: &mut BTreeMap<PartKey, String>| {
            let applied: Vec<AppliedPart> = known.values().cloned().collect();
            let candidates: Vec<Candidate<'_>> =
                batch.iter().map(|delivery| Candidate { delivery, possibly_sent: false }).collect();
            let about = Known { applied: &applied, value_key: &KEY, max_age: DAY };
            let selection = select(&candidates, &about, noon());
            write(quentli, &selection.patch);
            learn(known, selection.confirmed(noon()));
        };
        for one in &deliveries {
            send(std::slice::from_ref(one), &mut known, &mut quentli);
        }
        let cut = cut.min(deliveries.len());
        for one in &deliveries[..cut] {
            send(std::slice::from_ref(one), &mut known_too, &mut quentli_too);
        }
        send(&deliveries[cut..], &mut known_too, &mut quentli_too);
        prop_assert_eq!(quentli, quentli_too);
        prop_assert_eq!(known, known_too);
    }
}
