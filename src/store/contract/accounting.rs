//! Accounting: after any history of calls, the store says what a plain model says, and its counters add up.

use std::{collections::BTreeMap, sync::Arc};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{Home, samples::*};
use crate::{
    event::{
        DedupKey, DeliveryPos, DeliveryState, End, EventSeq, NewerData, OrganisationName,
        Redelivery,
    },
    store::{
        Acceptance, Bury, Finish, Hands, NewDelivery, NewGroup, Retry, Standing, Store, Totals,
    },
};

/// What a store must hold, without files, indexes or groups.
#[derive(Default)]
struct Model {
    keys: BTreeMap<DedupKey, EventSeq>,
    open: BTreeMap<DeliveryPos, Opened>,
    ended: BTreeMap<(i64, u32, u32), End>,
    accepted: u64,
    duplicate: u64,
    known_groups: u64,
    created: u64,
}

#[derive(Clone)]
struct Opened {
    event: EventSeq,
    place: (u32, u32),
    organisation: OrganisationName,
    who: String,
    state: DeliveryState,
    revision: u32,
}

/// A group to be sent, with what the model must know of its deliveries: a lane, a death or an end.
type Sketch = (u64, Vec<(u32, u32, Start)>);

#[derive(Clone)]
enum Start {
    Waiting(String),
    Dead,
    Dropped,
}

impl Model {
    fn totals(&self) -> Totals {
        let count = |state| {
            let standing = self.open.values().filter(|opened| opened.state == state);
            u64::try_from(standing.count()).unwrap()
        };
        Totals {
            accepted: self.accepted,
            duplicate: self.duplicate,
            known_groups: self.known_groups,
            created: self.created,
            waiting: count(DeliveryState::Waiting),
            looking: count(DeliveryState::Looking),
            dead: count(DeliveryState::Dead),
            ended: End::ALL.map(|end| {
                let same = self.ended.values().filter(|each| **each == end);
                u64::try_from(same.count()).unwrap()
            }),
        }
    }

    /// The positions of a lane, or of all lanes, that are waiting or looking.
    fn lane(&self, organisation: &OrganisationName, who: &str) -> Vec<DeliveryPos> {
        self.open
            .iter()
            .filter(|(_, opened)| {
                opened.organisation == *organisation
                    && opened.who == who
                    && opened.state != DeliveryState::Dead
            })
            .map(|(pos, _)| *pos)
            .collect()
    }
}

struct Run<'a> {
    home: &'a dyn Home,
    store: Arc<dyn Store>,
    hands: Arc<dyn Hands>,
    model: Model,
    random: StdRng,
}

fn organisations() -> [OrganisationName; 2] {
    [organisation(), "norte".parse().unwrap()]
}

const CUSTOMERS: [&str; 4] = ["u1", "u2", "u3", "u4"];

impl Run<'_> {
    async fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..40 => self.accept().await,
            40..58 => self.finish().await,
            58..72 => self.retry().await,
            72..87 => self.bury().await,
            87..92 => self.redeliver().await,
            92..97 => self.discard().await,
            _ => self.reopen().await,
        }
        let totals = self.store.totals().await.unwrap();
        assert_eq!(totals, self.model.totals());
        let sum = totals.waiting + totals.looking + totals.dead + totals.ended.iter().sum::<u64>();
        assert_eq!(totals.created, sum);
    }

    async fn reopen(&mut self) {
        self.store.close().await;
        (self.store, self.hands) = self.home.open_hands().await;
    }

    async fn accept(&mut self) {
        let mut sketches: Vec<Sketch> = Vec::new();
        for item in 0..self.random.random_range(1..4) {
            let mut deliveries = Vec::new();
            for number in 0..self.random.random_range(1..3) {
                let start = match self.random.random_range(0..10) {
                    0 => Start::Dead,
                    1 => Start::Dropped,
                    _ => Start::Waiting(CUSTOMERS[self.random.random_range(0..4)].to_owned()),
                };
                deliveries.push((item, number, start));
            }
            sketches.push((self.random.random_range(0..150), deliveries));
        }
        let which = self.random.random_range(0..2);
        let owner = organisations()[which].clone();
        let mut sent = event(sketches.iter().map(sent_group).collect());
        sent.source = source(["crm", "sis", "lms"][self.random.random_range(0..3)]);
        sent.organisation = owner.clone();
        let answer = self.store.accept(sent).await.unwrap();
        self.told_to_accept(&sketches, &owner, answer).await;
    }

    async fn told_to_accept(
        &mut self,
        sketches: &[Sketch],
        owner: &OrganisationName,
        answer: Acceptance,
    ) {
        let model = &mut self.model;
        let first = model.keys.get(&key(sketches[0].0)).copied();
        let Acceptance::Accepted {
            event: seq,
            new,
            known,
            dead,
            dropped,
        } = answer
        else {
            let all_known = sketches
                .iter()
                .all(|(k, _)| model.keys.contains_key(&key(*k)));
            assert!(all_known);
            assert_eq!(
                answer,
                duplicate_of(first.unwrap(), u32::try_from(sketches.len()).unwrap())
            );
            model.duplicate += 1;
            model.known_groups += u64::try_from(sketches.len()).unwrap();
            return;
        };
        let mut fresh = Vec::new();
        for (number, deliveries) in sketches {
            if model.keys.contains_key(&key(*number)) {
                continue;
            }
            model.keys.insert(key(*number), seq);
            fresh.push(deliveries);
        }
        let left_out = sketches.len() - fresh.len();
        assert_eq!(usize::try_from(new).unwrap(), fresh.len());
        assert_eq!(usize::try_from(known).unwrap(), left_out);
        model.accepted += 1;
        model.known_groups += u64::from(known);
        let records = self.store.deliveries_of(seq).await.unwrap();
        let starts: Vec<_> = fresh.into_iter().flatten().collect();
        let count = |is_such: fn(&Start) -> bool| {
            let such = starts.iter().filter(|(_, _, start)| is_such(start)).count();
            u32::try_from(such).unwrap()
        };
        assert_eq!(dead, count(|start| matches!(start, Start::Dead)));
        assert_eq!(dropped, count(|start| matches!(start, Start::Dropped)));
        assert_eq!(records.len(), starts.len());
        for (record, (item, number, start)) in records.iter().zip(starts) {
            assert_eq!((record.item, record.number), (*item, *number));
            model.created += 1;
            let (who, state) = match start {
                Start::Dropped => {
                    model.ended.insert((seq.0, *item, *number), End::Dropped);
                    continue;
                }
                Start::Dead => (String::new(), DeliveryState::Dead),
                Start::Waiting(who) => (who.clone(), DeliveryState::Waiting),
            };
            let pos = pos_of(record);
            assert!(model.open.keys().all(|earlier| *earlier < pos));
            let opened = Opened {
                event: seq,
                place: (*item, *number),
                organisation: owner.clone(),
                who,
                state,
                revision: 0,
            };
            model.open.insert(pos, opened);
        }
    }

    /// Mostly an open delivery with its own organisation, sometimes neither.
    fn pick(&mut self) -> (DeliveryPos, OrganisationName, Option<Opened>) {
        let organisations = organisations();
        let at_random = organisations[self.random.random_range(0..2)].clone();
        let nothing = self.random.random_range(0..8) == 0 || self.model.open.is_empty();
        if nothing {
            let pos = DeliveryPos(self.random.random_range(0..500));
            let opened = self.model.open.get(&pos).cloned();
            let opened = opened.filter(|opened| opened.organisation == at_random);
            return (pos, at_random, opened);
        }
        let nth = self.random.random_range(0..self.model.open.len());
        let (pos, opened) = self.model.open.iter().nth(nth).unwrap();
        (*pos, opened.organisation.clone(), Some(opened.clone()))
    }

    async fn finish(&mut self) {
        let (pos, owner, opened) = self.pick();
        let end = End::ALL[self.random.random_range(0..7)];
        let finish = Finish {
            revision: opened.as_ref().map_or(0, |opened| opened.revision),
            ..finish(pos, end)
        };
        let answer = self.store.finish(&owner, finish).await.unwrap();
        assert_eq!(answer, opened.is_some());
        if let Some(opened) = opened {
            self.model.open.remove(&pos);
            let (item, number) = opened.place;
            self.model.ended.insert((opened.event.0, item, number), end);
        }
    }

    async fn retry(&mut self) {
        let (pos, owner, opened) = self.pick();
        let opened = opened.filter(|opened| opened.state != DeliveryState::Dead);
        let state =
            [DeliveryState::Waiting, DeliveryState::Looking][self.random.random_range(0..2)];
        let retry = Retry {
            revision: opened.as_ref().map_or(0, |opened| opened.revision),
            ..retry(pos, state)
        };
        let answer = self.store.retry(&owner, retry).await.unwrap();
        assert_eq!(answer, opened.is_some());
        if answer {
            self.model.open.get_mut(&pos).unwrap().state = state;
        }
    }

    async fn bury(&mut self) {
        let (pos, owner, opened) = self.pick();
        let opened = opened.filter(|opened| opened.state != DeliveryState::Dead);
        let bury = Bury {
            revision: opened.as_ref().map_or(0, |opened| opened.revision),
            ..bury(pos)
        };
        let answer = self.store.bury(&owner, bury).await.unwrap();
        assert_eq!(answer, opened.is_some());
        if answer {
            self.model.open.get_mut(&pos).unwrap().state = DeliveryState::Dead;
        }
    }

    /// Up to five positions, open or not.
    fn pick_some(&mut self) -> Vec<DeliveryPos> {
        let some = self.random.random_range(0..5);
        let mut positions: Vec<_> = (0..some).map(|_| self.pick().0).collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    async fn redeliver(&mut self) {
        let positions = self.pick_some();
        let how = Redelivery {
            at: time(90),
            newer: NewerData::Kept,
        };
        let answer = self.hands.redeliver(positions.clone(), how).await.unwrap();
        let mut expected = Vec::new();
        for pos in positions {
            let Some(opened) = self.model.open.get_mut(&pos) else {
                continue;
            };
            if !opened.who.is_empty() {
                opened.state = DeliveryState::Waiting;
                opened.revision += 1;
                expected.push((pos, lane(&opened.who)));
            }
        }
        let answer: Vec<_> = answer.iter().map(|head| (head.pos, head.lane)).collect();
        assert_eq!(answer, expected);
    }

    async fn discard(&mut self) {
        let positions = self.pick_some();
        let answer = self.hands.discard(positions.clone(), None, time(90)).await;
        let mut expected = Vec::new();
        for pos in positions {
            if let Some(opened) = self.model.open.remove(&pos) {
                let (item, number) = opened.place;
                let place = (opened.event.0, item, number);
                self.model.ended.insert(place, End::Discarded);
                expected.push(pos);
            }
        }
        assert_eq!(answer.unwrap(), expected);
    }

    /// Compares everything that can be seen.
    async fn compare(&self) {
        for owner in organisations() {
            let mut heads = Vec::new();
            for who in CUSTOMERS {
                let expected = self.model.lane(&owner, who);
                let taken = self.store.take(&owner, lane(who), 1000).await.unwrap();
                let taken: Vec<_> = taken.iter().map(|delivery| delivery.pos).collect();
                assert_eq!(taken, expected);
                heads.extend(expected.first().map(|pos| (lane(who), *pos)));
            }
            heads.sort_unstable();
            let lanes = self.store.lanes(&owner, None, 100).await.unwrap();
            let lanes: Vec<_> = lanes.iter().map(|head| (head.lane, head.pos)).collect();
            assert_eq!(lanes, heads);
            let arrived = self
                .store
                .arrived(&owner, DeliveryPos(0), 1000)
                .await
                .unwrap();
            let waiting = self.model.open.iter().filter(|(_, opened)| {
                opened.organisation == owner && opened.state == DeliveryState::Waiting
            });
            let waiting: Vec<_> = waiting.map(|(pos, _)| *pos).collect();
            let arrived: Vec<_> = arrived.iter().map(|head| head.pos).collect();
            assert_eq!(arrived, waiting);
        }
        let dead = self.store.dead(None, 1000).await.unwrap();
        assert_eq!(u64::try_from(dead.len()).unwrap(), self.model.totals().dead);
        for ((event, item, number), end) in &self.model.ended {
            let records = self.store.deliveries_of(EventSeq(*event)).await.unwrap();
            let same = |r: &&crate::store::DeliveryRecord| (r.item, r.number) == (*item, *number);
            let record = records.iter().find(same).unwrap();
            let Standing::Ended { end: found, .. } = &record.standing else {
                panic!("{record:?} should have ended");
            };
            assert_eq!(found, end);
        }
    }
}

fn sent_group(sketch: &Sketch) -> NewGroup {
    let (key, deliveries) = sketch;
    let made = deliveries
        .iter()
        .map(|(item, number, start)| -> NewDelivery {
            match start {
                Start::Waiting(who) => waiting(*item, *number, who),
                Start::Dead => dead(*item, *number),
                Start::Dropped => dropped(*item, *number),
            }
        });
    group(*key, made.collect())
}

pub(in crate::store) async fn counters_add_up_through_any_history(home: &dyn Home) {
    // Put a seed here to repeat a failure.
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (store, hands) = home.open_hands().await;
    let mut run = Run {
        home,
        store,
        hands,
        model: Model::default(),
        random: StdRng::seed_from_u64(seed),
    };
    for step in 0..400 {
        run.step().await;
        if step % 50 == 49 {
            run.compare().await;
        }
    }
    run.reopen().await;
    assert_eq!(run.store.totals().await.unwrap(), run.model.totals());
    run.compare().await;
}
