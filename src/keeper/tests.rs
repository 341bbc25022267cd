//! The keeper on a driven clock, with leases in memory.

mod double;
mod plan;

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::double::{Cluster, Member, Noted};
use super::{Duty, Keeper};
use crate::{
    clock::Clock,
    event::OrganisationName,
    store::{LeaseName, Leases as _, StoreError},
};

const SECOND: Duration = Duration::from_secs(1);

/// Some replicas that run, by number.
struct World {
    clock: Clock,
    cluster: Cluster,
    organisations: Vec<OrganisationName>,
    running: Vec<Running>,
}

struct Running {
    member: Member,
    work: Vec<(LeaseName, Arc<Noted>)>,
    soft: CancellationToken,
    task: JoinSet<Result<(), StoreError>>,
}

impl World {
    fn new(organisations: usize) -> Self {
        let clock = Clock::manual("2026-03-02T12:00:00Z".parse().unwrap());
        Self {
            cluster: Cluster::new(clock.clone()),
            clock,
            organisations: (0..organisations)
                .map(|number| format!("school-{number}").parse().unwrap())
                .collect(),
            running: Vec::new(),
        }
    }

    /// Starts another replica; leases last 30 s, and what is begun takes up to 12.
    fn start(&mut self) {
        let member = self.cluster.member();
        let names = self.organisations.iter().cloned();
        let names = names
            .map(LeaseName::Organisation)
            .chain([LeaseName::Upkeep]);
        let work: Vec<_> = names
            .map(|name| (name, Arc::new(Noted::new(self.clock.clone()))))
            .collect();
        let duties = work.iter().map(|(lease, work)| Duty {
            lease: lease.clone(),
            lasts: SECOND * 30,
            reserve: SECOND * 12,
            work: work.clone(),
        });
        let name = format!("r{}", self.running.len()).parse().unwrap();
        let keeper = Keeper::new(Arc::new(member.clone()), self.clock.clone(), name, duties);
        let soft = CancellationToken::new();
        let mut task = JoinSet::new();
        let (retire, hard) = (soft.clone(), CancellationToken::new());
        task.spawn(keeper.run(retire, soft.clone(), hard));
        self.running.push(Running {
            member,
            work,
            soft,
            task,
        });
    }

    /// Lets time pass in small steps, in each of which everybody does all it can; nothing is ever done by two.
    async fn pass(&self, time: Duration) {
        let step = Duration::from_millis(100);
        let end = self.clock.elapsed() + time;
        while self.clock.elapsed() < end {
            self.clock.advance(step);
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            for name in &self.organisations {
                let doing = self.doing(&LeaseName::Organisation(name.clone()));
                assert!(doing.len() <= 1, "{name} is done by {doing:?}");
            }
        }
    }

    /// Who does it.
    fn doing(&self, name: &LeaseName) -> Vec<usize> {
        let replicas = self.running.iter().enumerate();
        let does = |running: &Running| {
            let mut work = running.work.iter();
            work.any(|(lease, work)| lease == name && work.is_running())
        };
        replicas
            .filter(|(_, running)| does(running))
            .map(|(number, _)| number)
            .collect()
    }

    /// How many organisations each replica delivers for.
    fn shares(&self) -> Vec<usize> {
        let mut shares = vec![0; self.running.len()];
        for name in &self.organisations {
            for number in self.doing(&LeaseName::Organisation(name.clone())) {
                shares[number] += 1;
            }
        }
        shares
    }
}

#[tokio::test]
async fn whoever_is_alone_has_everything_within_a_second() {
    let mut world = World::new(3);
    world.start();
    world.pass(SECOND).await;
    assert_eq!(world.shares(), [3]);
    assert_eq!(world.doing(&LeaseName::Upkeep), [0]);
}

#[tokio::test]
async fn who_joins_is_given_its_share_one_by_one() {
    let mut world = World::new(4);
    world.start();
    world.pass(SECOND).await;
    world.start();
    world.pass(SECOND * 20).await;
    assert_eq!(world.shares(), [2, 2]);
    world.start();
    world.pass(SECOND * 30).await;
    let mut shares = world.shares();
    shares.sort_unstable();
    assert_eq!(shares, [1, 1, 2]);
    // Nobody takes anything from anybody any more.
    let taken = world.cluster.claims();
    world.pass(SECOND * 60).await;
    assert_eq!(world.cluster.claims(), taken);
}

#[tokio::test]
async fn an_orderly_end_hands_over_within_seconds() {
    let mut world = World::new(2);
    world.start();
    world.start();
    world.pass(SECOND * 20).await;
    assert_eq!(world.shares(), [1, 1]);
    world.running[0].soft.cancel();
    world.pass(SECOND * 2).await;
    assert_eq!(world.shares(), [0, 2]);
    assert_eq!(world.doing(&LeaseName::Upkeep), [1]);
    let ended = world.running[0].task.join_next().await;
    assert!(matches!(ended, Some(Ok(Ok(())))), "{ended:?}");
}

#[tokio::test]
async fn who_is_cut_off_stops_before_its_lease_ends_and_begins_nothing_long_before() {
    let mut world = World::new(1);
    world.start();
    world.pass(SECOND).await;
    let name = LeaseName::Organisation(world.organisations[0].clone());
    assert_eq!(world.doing(&name), [0]);
    world.start();
    world.pass(SECOND * 9).await;
    world.running[0].member.cut(true);
    let cut_at = world.clock.elapsed();
    let work = Arc::clone(&world.running[0].work[0].1);
    while work.covers() {
        world.pass(SECOND / 10).await;
    }
    let quiet_after = world.clock.elapsed().saturating_sub(cut_at);
    assert!(
        quiet_after <= SECOND * 18 && quiet_after >= SECOND * 8,
        "{quiet_after:?}"
    );
    assert!(work.is_running(), "what is under way may end");
    while work.is_running() {
        world.pass(SECOND / 10).await;
    }
    assert!(world.clock.elapsed().saturating_sub(cut_at) <= SECOND * 30);
    // `pass` sees to it that there were never two.
    world.pass(SECOND * 3).await;
    assert_eq!(world.doing(&name), [1]);
    world.running[0].member.cut(false);
    world.pass(SECOND * 30).await;
    assert_eq!(world.doing(&name), [1], "it is not taken back");
}

#[tokio::test]
async fn a_renewal_that_fails_once_costs_nothing() {
    let mut world = World::new(1);
    world.start();
    world.pass(SECOND * 9).await;
    world.running[0].member.cut(true);
    world.pass(SECOND * 5).await;
    world.running[0].member.cut(false);
    world.pass(SECOND * 60).await;
    assert_eq!((world.shares(), world.cluster.claims()), (vec![1], 2));
}

#[tokio::test]
async fn a_look_that_hangs_leaves_time_to_renew_once_more() {
    let mut world = World::new(1);
    world.start();
    world.pass(SECOND).await;
    for (_, work) in &world.running[0].work {
        work.deafen();
    }
    // The renewal that is due after ten seconds gets no answer, and the next one does.
    world.running[0].member.slow_down(SECOND * 60);
    world.pass(SECOND * 39 / 2).await;
    world.running[0].member.slow_down(Duration::ZERO);
    world.pass(SECOND * 60).await;
    assert_eq!((world.shares(), world.cluster.claims()), (vec![1], 2));
}

#[tokio::test]
async fn what_people_did_elsewhere_is_looked_at_within_seconds_and_told() {
    let mut world = World::new(2);
    world.start();
    world.pass(SECOND).await;
    let asked = world.cluster.member();
    let acted = |world: &World, place: usize| world.running[0].work[place].1.acted();
    asked.raise(&world.organisations[..1]).await.unwrap();
    world.pass(SECOND * 2).await;
    assert_eq!((acted(&world, 0), acted(&world, 1)), (1, 0));
    let leases = asked.leases().await.unwrap();
    let seen: Vec<_> = leases.iter().map(|lease| lease.seen).collect();
    assert_eq!(seen, [0, 1, 0], "of @upkeep and the two schools");
    world.pass(SECOND * 40).await;
    assert_eq!(acted(&world, 0), 1, "it is told once");
}

#[tokio::test]
async fn how_the_work_stands_is_told_at_once_and_when_it_changes() {
    let mut world = World::new(1);
    world.start();
    world.pass(SECOND).await;
    let asked = world.cluster.member();
    let status = async || {
        let leases = asked.leases().await.unwrap();
        leases.last().unwrap().status.clone()
    };
    assert_eq!(status().await.as_deref(), Some("well"));
    world.running[0].work[0].1.stir("tired");
    world.pass(SECOND * 2).await;
    assert_eq!(status().await.as_deref(), Some("tired"));
}
