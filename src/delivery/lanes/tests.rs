//! What the index of lanes promises, move by move and against a simple model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::SourceName;

const NOW: Duration = Duration::from_secs(100);
const MINUTE: Duration = Duration::from_mins(1);

fn lane(name: &str) -> LaneKey {
    LaneKey::of("username", name)
}

fn id(text: &str) -> CustomerId {
    text.parse().unwrap()
}

fn lanes(open: &[(&str, i64)]) -> Lanes {
    let mut lanes = Lanes::default();
    for (name, pos) in open {
        lanes.open(lane(name), DeliveryPos(*pos), Duration::ZERO, Queue::Send);
    }
    lanes
}

fn heads(lanes: &mut Lanes, turns: usize, now: Duration) -> Vec<i64> {
    (0..turns)
        .map_while(|_| lanes.next(now))
        .map(|turn| turn.head.0)
        .collect()
}

#[test]
fn lanes_are_served_in_the_order_in_which_they_became_due() {
    let mut lanes = lanes(&[("c", 3), ("a", 1), ("b", 2)]);
    lanes.open(
        lane("early"),
        DeliveryPos(9),
        NOW.saturating_sub(MINUTE),
        Queue::Send,
    );
    lanes.open(lane("now"), DeliveryPos(4), NOW, Queue::Send);
    lanes.open(lane("not yet"), DeliveryPos(0), NOW + MINUTE, Queue::Send);
    assert_eq!(heads(&mut lanes, 10, NOW), [1, 2, 3, 9, 4]);
    assert_eq!(lanes.next_due(), Some(NOW + MINUTE));
}

#[test]
fn a_long_lane_goes_behind_the_others_after_each_of_its_deliveries() {
    let mut lanes = lanes(&[("long", 1), ("short", 1000)]);
    assert_eq!(lanes.next(NOW).unwrap().lane, lane("long"));
    lanes.ended(lane("long"), Some(DeliveryPos(2)), NOW);
    assert_eq!(lanes.next(NOW).unwrap().lane, lane("short"));
    assert_eq!(lanes.next(NOW).unwrap().lane, lane("long"));
}

#[test]
fn one_lane_has_one_turn_at_a_time() {
    let mut lanes = lanes(&[("a", 1)]);
    assert!(lanes.next(NOW).is_some());
    lanes.open(lane("a"), DeliveryPos(2), NOW, Queue::Send);
    assert_eq!(lanes.next(NOW), None);
}

#[test]
fn what_arrives_while_the_last_one_is_in_flight_is_not_lost() {
    let mut lanes = lanes(&[("a", 1)]);
    lanes.next(NOW);
    lanes.open(lane("a"), DeliveryPos(2), NOW, Queue::Send);
    lanes.open(lane("a"), DeliveryPos(3), NOW, Queue::Send);
    lanes.ended(lane("a"), None, NOW);
    assert_eq!(heads(&mut lanes, 2, NOW), [2]);
    lanes.ended(lane("a"), None, NOW);
    assert_eq!(lanes.len(), 0);
}

#[test]
fn a_retry_waits_for_its_time_and_keeps_its_place_in_the_lane() {
    let mut lanes = lanes(&[("a", 1)]);
    lanes.next(NOW);
    lanes.later(lane("a"), NOW + MINUTE, false, NOW);
    lanes.open(lane("a"), DeliveryPos(2), NOW, Queue::Send);
    assert_eq!(lanes.next(NOW), None);
    assert_eq!(heads(&mut lanes, 1, NOW + MINUTE), [1]);
}

#[test]
fn looks_and_repeated_looks_get_their_share_and_no_more_while_others_wait() {
    let mut lanes = Lanes::default();
    let named = |kind: &str, number| lane(&format!("{kind}{number}"));
    for number in 0..100 {
        let pos = DeliveryPos(number);
        lanes.open(named("first", number), pos, Duration::ZERO, Queue::Send);
        let turn = lanes.next(NOW).unwrap();
        lanes.needs_look(turn.lane);
    }
    for number in 0..100 {
        let pos = DeliveryPos(number);
        lanes.open(
            named("again", number),
            pos,
            Duration::ZERO,
            Queue::LookAgain,
        );
        lanes.open(named("send", number), pos, Duration::ZERO, Queue::Send);
    }
    let mut turns = BTreeMap::<_, u32>::new();
    for _ in 0..100 {
        let turn = lanes.next(NOW).unwrap();
        let queue = format!("{:?}", lanes.by_key[&turn.lane].queue);
        *turns.entry(queue).or_default() += 1;
    }
    let expected = [("Look", 16), ("LookAgain", 4), ("Send", 80)];
    assert_eq!(
        turns,
        expected
            .map(|(queue, turns)| (queue.to_owned(), turns))
            .into()
    );
}

#[test]
fn only_the_last_of_the_lanes_that_can_be_sent_may_look() {
    let mut lanes = lanes(&[("a", 1), ("b", 2)]);
    assert!(!lanes.next(NOW).unwrap().may_look);
    assert!(lanes.next(NOW).unwrap().may_look);
}

#[test]
fn a_customer_is_claimed_by_one_lane_at_a_time_and_the_earliest_goes_first() {
    let mut lanes = lanes(&[("late", 7), ("early", 5)]);
    lanes.next(NOW);
    lanes.next(NOW);
    let ana = id("cus_ana");
    assert!(lanes.claim(lane("late"), DeliveryPos(7), &ana, &[], NOW));
    assert!(
        !lanes.claim(lane("early"), DeliveryPos(5), &ana, &[], NOW),
        "claimed twice"
    );
    lanes.hold(lane("early"));
    assert_eq!(lanes.next(NOW), None);
    lanes.ended(lane("late"), Some(DeliveryPos(8)), NOW);
    assert_eq!(heads(&mut lanes, 5, NOW), [5, 8]);
    assert!(
        !lanes.claim(lane("late"), DeliveryPos(8), &ana, &[], NOW),
        "the earlier one waits"
    );
    assert!(lanes.claim(lane("early"), DeliveryPos(5), &ana, &[], NOW));
    lanes.hold(lane("late"));
    lanes.ended(lane("early"), None, NOW);
    assert_eq!(heads(&mut lanes, 5, NOW), [8]);
}

#[test]
fn a_lane_that_claims_once_more_and_is_held_gives_up_what_it_had_claimed() {
    let mut lanes = lanes(&[("early", 5), ("late", 7)]);
    lanes.next(NOW);
    lanes.next(NOW);
    let ana = id("cus_ana");
    assert!(lanes.claim(lane("late"), DeliveryPos(7), &ana, &[], NOW));
    assert!(!lanes.claim(lane("early"), DeliveryPos(5), &ana, &[], NOW));
    lanes.hold(lane("early"));
    assert!(!lanes.claim(lane("late"), DeliveryPos(7), &ana, &[], NOW));
    lanes.hold(lane("late"));
    assert_eq!(heads(&mut lanes, 5, NOW), [5]);
}

#[test]
fn an_earlier_delivery_that_waits_for_its_retry_holds_the_other_lanes_of_its_customer() {
    let mut lanes = lanes(&[("early", 5), ("late", 7)]);
    let ana = id("cus_ana");
    lanes.next(NOW);
    assert!(lanes.claim(lane("early"), DeliveryPos(5), &ana, &[], NOW));
    lanes.later(lane("early"), NOW + MINUTE, false, NOW);
    lanes.next(NOW);
    assert!(!lanes.claim(lane("late"), DeliveryPos(7), &ana, &[], NOW));
    lanes.hold(lane("late"));
    assert_eq!(lanes.next(NOW), None);
    assert_eq!(heads(&mut lanes, 5, NOW + MINUTE), [5]);
}

#[test]
fn a_lane_that_a_look_up_shows_to_be_the_same_customers_goes_first_where_it_is_earlier() {
    let mut lanes = lanes(&[("by-username", 5)]);
    lanes.next(NOW);
    lanes.later(lane("by-username"), NOW + MINUTE, true, NOW);
    lanes.open(lane("by-email"), DeliveryPos(7), NOW, Queue::Send);
    lanes.next(NOW);
    let siblings = [lane("by-username"), lane("unknown")];
    assert!(!lanes.claim(
        lane("by-email"),
        DeliveryPos(7),
        &id("cus_ana"),
        &siblings,
        NOW
    ));
    lanes.hold(lane("by-email"));
    assert_eq!(
        heads(&mut lanes, 5, NOW),
        [5],
        "it is there now, so it need not wait"
    );
}

#[test]
fn a_lane_whose_customer_vanished_holds_nobody() {
    let mut lanes = lanes(&[("early", 5), ("late", 7)]);
    let ana = id("cus_ana");
    lanes.next(NOW);
    lanes.next(NOW);
    assert!(lanes.claim(lane("early"), DeliveryPos(5), &ana, &[], NOW));
    assert!(!lanes.claim(lane("late"), DeliveryPos(7), &ana, &[], NOW));
    lanes.hold(lane("late"));
    lanes.later(lane("early"), NOW + MINUTE, true, NOW);
    assert_eq!(heads(&mut lanes, 5, NOW), [7]);
    assert_eq!(lanes.looking(), 1);
}

#[test]
fn a_lane_that_awaits_a_scan_holds_nobody_and_comes_back_after_it() {
    let mut lanes = lanes(&[("by-folio", 1), ("by-id", 2)]);
    assert_eq!(heads(&mut lanes, 1, NOW), [1]);
    lanes.park(lane("by-folio"), ScanNumber(2), NOW);
    assert_eq!(
        (lanes.parked(), lanes.next_due()),
        (1, Some(Duration::ZERO))
    );
    assert_eq!(heads(&mut lanes, 5, NOW), [2]);
    let siblings = [lane("by-folio")];
    assert!(
        lanes.claim(lane("by-id"), DeliveryPos(2), &id("cus_1"), &siblings, NOW),
        "the other lane is known to be the customer's, and cannot be served now"
    );
    lanes.ended(lane("by-id"), None, NOW);
    lanes.scanned(ScanNumber(1), NOW);
    assert_eq!(lanes.parked(), 1, "an earlier scan says nothing");
    lanes.scanned(ScanNumber(3), NOW);
    assert_eq!((lanes.parked(), heads(&mut lanes, 5, NOW)), (0, vec![1]));
}

#[test]
fn whoever_turns_up_frees_the_lanes_that_miss_somebody_and_no_others() {
    let mut lanes = lanes(&[("parked", 1), ("looking", 2), ("retried", 3), ("flying", 4)]);
    assert_eq!(heads(&mut lanes, 4, NOW), [1, 2, 3, 4]);
    lanes.park(lane("parked"), ScanNumber(1), NOW);
    lanes.later(lane("looking"), NOW + MINUTE, true, NOW);
    lanes.later(lane("retried"), NOW + MINUTE, false, NOW);
    for name in ["parked", "looking", "retried", "flying", "unknown"] {
        lanes.appeared(lane(name), NOW);
    }
    assert_eq!(heads(&mut lanes, 5, NOW), [1, 2]);
    // It turned up after the attempt had looked.
    lanes.later(lane("flying"), NOW + MINUTE, true, NOW);
    assert_eq!(heads(&mut lanes, 5, NOW), [4]);
}

#[test]
fn what_is_sent_again_gets_a_turn_in_five_while_others_wait_and_all_else() {
    let mut lanes = Lanes::default();
    for number in 0..40 {
        let again = lane(&format!("again{number}"));
        lanes.open(again, DeliveryPos(number), Duration::ZERO, Queue::Redeliver);
    }
    for number in 100..116 {
        let new = lane(&format!("new{number}"));
        lanes.open(new, DeliveryPos(number), Duration::ZERO, Queue::Send);
    }
    let served = heads(&mut lanes, 20, NOW);
    let again = served.iter().filter(|head| **head < 100).count();
    assert_eq!((served.len(), again), (20, 4));
    assert_eq!(heads(&mut lanes, 50, NOW).len(), 36, "nobody else waits");
}

#[test]
fn something_new_lifts_a_lane_out_of_those_that_are_sent_again() {
    let mut lanes = Lanes::default();
    for number in 0..40 {
        let again = lane(&format!("again{number}"));
        lanes.open(again, DeliveryPos(number), Duration::ZERO, Queue::Redeliver);
    }
    lanes.open(lane("again30"), DeliveryPos(100), NOW, Queue::Send);
    assert_eq!(lanes.redelivering(), 39);
    assert_eq!(heads(&mut lanes, 1, NOW), [30]);
    lanes.ended(lane("again30"), Some(DeliveryPos(100)), NOW);
    assert_eq!(heads(&mut lanes, 2, NOW), [100, 0]);
}

#[test]
fn a_lane_that_is_held_lifts_the_one_it_waits_for() {
    let mut lanes = Lanes::default();
    let ana = id("cus_ana");
    for number in 0..40 {
        let again = lane(&format!("again{number}"));
        lanes.open(again, DeliveryPos(number), Duration::ZERO, Queue::Redeliver);
    }
    lanes.open(lane("new"), DeliveryPos(100), Duration::ZERO, Queue::Send);
    assert_eq!(heads(&mut lanes, 1, NOW), [100]);
    let siblings = [lane("again30")];
    assert!(!lanes.claim(lane("new"), DeliveryPos(100), &ana, &siblings, NOW));
    lanes.hold(lane("new"));
    assert_eq!(heads(&mut lanes, 1, NOW), [30]);
}

#[test]
fn what_is_sent_again_overtakes_whatever_its_lane_waits_for() {
    let again = |lanes: &mut Lanes| {
        lanes.open(lane("a"), DeliveryPos(1), NOW, Queue::Redeliver);
    };
    let mut lanes = lanes(&[("a", 5)]);
    lanes.next(NOW);
    lanes.later(lane("a"), NOW + MINUTE, true, NOW);
    again(&mut lanes);
    assert_eq!(heads(&mut lanes, 2, NOW), [1], "a customer who is missing");
    lanes.ended(lane("a"), Some(DeliveryPos(5)), NOW);
    lanes.next(NOW);
    lanes.park(lane("a"), ScanNumber(1), NOW);
    again(&mut lanes);
    assert_eq!((lanes.parked(), heads(&mut lanes, 2, NOW)), (0, vec![1]));
    lanes.ended(lane("a"), Some(DeliveryPos(5)), NOW);
    lanes.next(NOW);
    again(&mut lanes);
    lanes.later(lane("a"), NOW + MINUTE, false, NOW);
    assert_eq!(heads(&mut lanes, 2, NOW), [1], "an attempt on its way");
}

#[test]
fn a_head_that_is_sent_again_waits_no_more() {
    let waiting = || {
        let mut lanes = lanes(&[("a", 1)]);
        lanes.next(NOW);
        lanes
    };
    let again = |lanes: &mut Lanes| lanes.revived(lane("a"), DeliveryPos(1), NOW, Queue::Send);
    for looking in [false, true] {
        let mut lanes = waiting();
        lanes.later(lane("a"), NOW + MINUTE, looking, NOW);
        again(&mut lanes);
        assert_eq!(heads(&mut lanes, 2, NOW), [1], "looking: {looking}");
    }
    let mut lanes = waiting();
    again(&mut lanes);
    lanes.later(lane("a"), NOW + MINUTE, false, NOW);
    assert_eq!(heads(&mut lanes, 2, NOW), [1], "while it was being tried");
    let mut lanes = waiting();
    lanes.open(lane("a"), DeliveryPos(1), NOW, Queue::Send);
    lanes.later(lane("a"), NOW + MINUTE, false, NOW);
    assert_eq!(lanes.next(NOW), None, "a sweep alone changes nothing");
}

#[test]
fn a_waiting_one_that_is_sent_again_keeps_nothing_new_waiting() {
    let mut lanes = lanes(&[("a", 1), ("b", 2), ("c", 3)]);
    for (name, pos) in [("a", 1), ("b", 2)] {
        lanes.revived(lane(name), DeliveryPos(pos), NOW, Queue::Redeliver);
    }
    assert_eq!(lanes.redelivering(), 2);
    assert_eq!(heads(&mut lanes, 3, NOW), [3, 1, 2]);
    lanes.ended(lane("a"), Some(DeliveryPos(9)), NOW);
    lanes.revived(lane("a"), DeliveryPos(9), NOW, Queue::Send);
    assert_eq!(lanes.redelivering(), 0, "something new waits behind it");
}

#[test]
fn a_stopped_lane_has_no_turn_and_holds_its_customer_only() {
    let (sis, crm): (SourceName, SourceName) = ("sis".parse().unwrap(), "crm".parse().unwrap());
    let mut lanes = lanes(&[("a", 1), ("also-a", 2), ("b", 3)]);
    let ana = id("cus_ana");
    lanes.next(NOW);
    assert!(lanes.claim(lane("a"), DeliveryPos(1), &ana, &[lane("also-a")], NOW));
    lanes.stop(lane("a"), sis.clone(), NOW);
    lanes.next(NOW);
    assert!(!lanes.claim(lane("also-a"), DeliveryPos(2), &ana, &[], NOW));
    lanes.hold(lane("also-a"));
    assert_eq!(heads(&mut lanes, 5, NOW), [3]);
    lanes.started(&crm, NOW);
    assert_eq!((lanes.stopped(), heads(&mut lanes, 5, NOW)), (1, vec![]));
    lanes.started(&sis, NOW);
    assert_eq!((lanes.stopped(), heads(&mut lanes, 5, NOW)), (0, vec![1]));
    lanes.ended(lane("a"), None, NOW);
    assert_eq!(heads(&mut lanes, 5, NOW), [2]);
}

#[test]
fn a_lane_takes_some_tens_of_bytes() {
    let bytes = size_of::<(LaneKey, Lane)>() + size_of::<Place>();
    assert!(bytes <= 80, "{bytes} bytes");
}

/// One thing that may happen to a lane in a simulated run.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Ends,
    IsRetried,
    IsMissing,
    NeedsLook,
    IsGivenBack,
    AwaitsScan,
    AppearsMeanwhile,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        5 => Just(Happens::Ends),
        2 => Just(Happens::IsRetried),
        1 => Just(Happens::IsMissing),
        1 => Just(Happens::NeedsLook),
        1 => Just(Happens::IsGivenBack),
        1 => Just(Happens::AwaitsScan),
        1 => Just(Happens::AppearsMeanwhile),
    ]
}

proptest! {
    /// Plays deliveries of six lanes that lead to two customers, several in flight at once: none is lost, no
    /// customer is ever claimed twice, and each lane keeps its order. Nothing may be left held at the end.
    #[test]
    fn whatever_happens_every_delivery_ends_once_in_order_with_its_customer_to_itself(
        arrivals in proptest::collection::vec(0_usize..6, 1..40),
        fates in proptest::collection::vec((happens(), 0_usize..4), 1..200),
    ) {
        let names = ["a", "b", "c", "d", "e", "f"].map(lane);
        let mut store: BTreeMap<LaneKey, Vec<i64>> = BTreeMap::new();
        let mut lanes = Lanes::default();
        let mut fates = fates.into_iter().chain(std::iter::repeat((Happens::Ends, 0)));
        let mut arrivals = arrivals.into_iter().zip(1_i64..);
        let mut flying: Vec<(LaneKey, Option<CustomerId>)> = Vec::new();
        let mut now = NOW;
        loop {
            let arrival = arrivals.next();
            if let Some((number, pos)) = arrival {
                store.entry(names[number]).or_default().push(pos);
                lanes.open(names[number], DeliveryPos(pos), now, Queue::Send);
            }
            while flying.len() < 3 && let Some(turn) = lanes.next(now) {
                let head = store[&turn.lane][0];
                let customer = id(if names[..3].contains(&turn.lane) { "cus_1" } else { "cus_2" });
                if lanes.claim(turn.lane, DeliveryPos(head), &customer, &[], now) {
                    let claimed = Some(customer);
                    prop_assert!(!flying.iter().any(|(_, other)| *other == claimed));
                    flying.push((turn.lane, claimed));
                } else {
                    lanes.hold(turn.lane);
                }
            }
            let (fate, which) = fates.next().expect("it goes on for ever");
            if !flying.is_empty() {
                let (lane, _) = flying.remove(which % flying.len());
                match fate {
                    Happens::Ends => {
                        let waiting = store.get_mut(&lane).expect("the lane has something");
                        waiting.remove(0);
                        lanes.ended(lane, waiting.first().map(|pos| DeliveryPos(*pos)), now);
                    }
                    Happens::IsRetried => lanes.later(lane, now + MINUTE, false, now),
                    Happens::IsMissing => lanes.later(lane, now + MINUTE, true, now),
                    Happens::NeedsLook => lanes.needs_look(lane),
                    Happens::IsGivenBack => lanes.given_back(lane),
                    Happens::AwaitsScan => lanes.park(lane, ScanNumber(1), now),
                    Happens::AppearsMeanwhile => {
                        lanes.appeared(lane, now);
                        lanes.park(lane, ScanNumber(1), now);
                    }
                }
            } else if arrival.is_none() {
                match lanes.next_due() {
                    Some(due) => now = now.max(due),
                    None if lanes.parked() > 0 => lanes.scanned(ScanNumber(1), now),
                    None => break,
                }
            }
        }
        prop_assert!(store.values().all(Vec::is_empty), "left in the store: {store:?}");
        prop_assert_eq!(lanes.len(), 0);
        prop_assert!(lanes.customers.is_empty());
    }
}
