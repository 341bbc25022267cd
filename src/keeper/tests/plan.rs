//! Who takes and gives what.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    keeper::plan::{Step, View, plan},
    store::{Lease, LeaseName, ProcessId},
};

const NOW: Duration = Duration::from_secs(100);

fn school(number: usize) -> LeaseName {
    LeaseName::Organisation(format!("school-{number}").parse().unwrap())
}

/// Some organisations, each with whoever has it, and the replicas that are there.
struct Scene {
    holders: Vec<Option<i64>>,
    present: Vec<i64>,
    free_for: Duration,
    resting: Vec<usize>,
    is_giving: bool,
}

impl Scene {
    fn new(holders: &[i64], present: &[i64]) -> Self {
        let holders = holders
            .iter()
            .map(|holder| Some(*holder).filter(|holder| *holder > 0));
        Self {
            holders: holders.collect(),
            present: present.to_vec(),
            free_for: Duration::ZERO,
            resting: Vec::new(),
            is_giving: false,
        }
    }

    /// What a replica does, by the numbers of the organisations: taken ones, then given ones.
    fn plan(&self, me: i64) -> (Vec<usize>, Vec<usize>) {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let names: Vec<LeaseName> = (0..self.holders.len()).map(school).collect();
        let leases: Vec<Lease> = std::iter::zip(&names, &self.holders)
            .filter_map(|(name, holder)| {
                Some(Lease {
                    name: name.clone(),
                    process: ProcessId((*holder)?),
                    replica: "r".parse().unwrap(),
                    epoch: 1,
                    since: at,
                    renewed: at,
                    status: None,
                    seen: 0,
                })
            })
            .collect();
        let of = |wanted: Option<i64>| {
            let pairs = std::iter::zip(&names, &self.holders);
            pairs.filter(move |(_, holder)| **holder == wanted)
        };
        let free_since: BTreeMap<LeaseName, Duration> = of(None)
            .map(|(name, _)| (name.clone(), NOW.saturating_sub(self.free_for)))
            .collect();
        let resting = self.resting.iter().map(|number| (school(*number), NOW * 2));
        let steps = plan(&View {
            me: ProcessId(me),
            now: NOW,
            present: self
                .present
                .iter()
                .map(|process| ProcessId(*process))
                .collect(),
            leases: &leases,
            duties: names.iter().collect(),
            running: of(Some(me)).map(|(name, _)| name).collect(),
            is_giving: self.is_giving,
            free_since: &free_since,
            resting: &resting.collect(),
        });
        let place = |name: &LeaseName| names.iter().position(|other| other == name).unwrap();
        let (mut taken, mut given) = (Vec::new(), Vec::new());
        for step in &steps {
            match step {
                Step::Claim(name) => taken.push(place(name)),
                Step::GiveAway(name) => given.push(place(name)),
            }
        }
        taken.sort_unstable();
        (taken, given)
    }
}

#[test]
fn what_is_free_is_taken_up_to_the_fair_share() {
    for (holders, present, taken) in [
        (&[0, 0, 0][..], &[1][..], &[0, 1, 2][..]),
        // Two of three each: the second replica begins elsewhere.
        (&[0, 0, 0], &[1, 2], &[0, 1]),
        (&[0, 0, 0], &[2, 1], &[0, 1]),
        (&[1, 0, 0], &[1, 2], &[1]),
        (&[1, 1, 0], &[1, 2], &[]),
        (&[2, 2, 0, 0], &[1, 2], &[2, 3]),
        (&[], &[1], &[]),
    ] {
        let mut scene = Scene::new(holders, present);
        scene.free_for = Duration::from_secs(2);
        assert_eq!(
            scene.plan(1),
            (taken.to_vec(), vec![]),
            "{holders:?} {present:?}"
        );
    }
    let mut scene = Scene::new(&[0, 0, 0, 0], &[1, 2]);
    scene.free_for = Duration::from_secs(2);
    assert_eq!(scene.plan(2), (vec![2, 3], vec![]));
}

#[test]
fn whoever_has_least_takes_first() {
    let mut scene = Scene::new(&[1, 2, 2, 0, 0], &[1, 2]);
    assert_eq!((scene.plan(1).0, scene.plan(2).0), (vec![3, 4], vec![]));
    scene.free_for = Duration::from_secs(2);
    assert_eq!(scene.plan(2).0.len(), 1, "up to its share");
}

#[test]
fn what_stays_free_is_taken_by_anybody() {
    let mut scene = Scene::new(&[1, 1, 0], &[1, 2]);
    scene.free_for = Duration::from_secs(4);
    assert!(scene.plan(1).0.is_empty());
    scene.free_for = Duration::from_secs(5);
    assert_eq!(scene.plan(1).0, [2]);
}

#[test]
fn what_was_given_away_is_left_alone_until_it_is_free_for_long() {
    let mut scene = Scene::new(&[1, 0, 0, 2], &[1, 2]);
    scene.resting = vec![1];
    assert_eq!(scene.plan(1).0, [2]);
    scene.free_for = Duration::from_secs(5);
    assert_eq!(scene.plan(1).0, [1, 2]);
}

#[test]
fn who_has_most_gives_one_away_and_nobody_else() {
    for (holders, present, given) in [
        (&[1, 1, 1, 2][..], &[1, 2][..], &[2][..]),
        (&[1, 1, 2], &[1, 2], &[]),
        // Within the share, but two more than another.
        (&[1, 1, 2, 2], &[1, 2, 3], &[]),
        (&[1, 1, 1, 2, 2], &[1, 2, 3], &[2]),
        // Not while something is free, or when there is nobody to take it.
        (&[1, 1, 1, 0], &[1, 2], &[]),
        (&[1, 1, 1], &[1], &[]),
    ] {
        let scene = Scene::new(holders, present);
        assert_eq!(scene.plan(1).1, given, "{holders:?} {present:?}");
    }
    let mut scene = Scene::new(&[1, 1, 2, 2], &[1, 2, 3]);
    assert_eq!(scene.plan(2).1, [3], "of equals the last");
    scene.is_giving = true;
    assert!(scene.plan(2).1.is_empty(), "one at a time");
}

#[test]
fn from_whatever_state_all_come_to_an_even_one_and_rest() {
    for organisations in 0..8_usize {
        for replicas in 1..5_i64 {
            for first in 0..=replicas {
                let holders = vec![first; organisations];
                let present: Vec<i64> = (1..=replicas).collect();
                let mut scene = Scene::new(&holders, &present);
                let mut rounds = 0;
                loop {
                    let before = scene.holders.clone();
                    for me in &present {
                        let (taken, given) = scene.plan(*me);
                        for place in taken {
                            scene.holders[place] = Some(*me);
                        }
                        for place in given {
                            scene.holders[place] = None;
                            // Whoever gives it leaves it alone, so the next ones are asked first.
                            let others: BTreeSet<i64> = present
                                .iter()
                                .copied()
                                .filter(|other| other != me)
                                .collect();
                            for other in others {
                                if scene.plan(other).0.contains(&place) {
                                    scene.holders[place] = Some(other);
                                    break;
                                }
                            }
                        }
                    }
                    rounds += 1;
                    if scene.holders == before {
                        break;
                    }
                    assert!(
                        rounds < 50,
                        "{organisations} over {replicas} do not come to rest"
                    );
                }
                let counts = present.iter().map(|me| {
                    let of_me = scene.holders.iter().filter(|holder| **holder == Some(*me));
                    of_me.count()
                });
                let counts: Vec<usize> = counts.collect();
                let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
                assert!(spread <= 1, "{organisations} over {replicas}: {counts:?}");
                assert!(
                    scene.holders.iter().all(Option::is_some),
                    "{:?}",
                    scene.holders
                );
            }
        }
    }
}
