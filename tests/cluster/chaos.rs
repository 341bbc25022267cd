//! What befalls replicas and their database, at random.

use std::time::{Duration, Instant};

use quentli_gateway::sandbox::{Action, Fault, RetryAfter};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use crate::{
    cluster::{Cluster, LEASE},
    flow::Flow,
    people::ORGANISATIONS,
};

/// What happened, for people who read of a failure.
pub(crate) type Diary = Vec<String>;

#[derive(Clone, Copy, Debug)]
enum Act {
    Kill,
    Freeze,
    Alone,
    End,
    DatabaseAway,
    Cut,
    Trouble,
}

/// What happens in a round of half a minute or so, in any order.
const ROUND: [Act; 12] = [
    Act::Freeze,
    Act::Freeze,
    Act::Freeze,
    Act::Kill,
    Act::Kill,
    Act::Alone,
    Act::End,
    Act::DatabaseAway,
    Act::Cut,
    Act::Cut,
    Act::Trouble,
    Act::Trouble,
];

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Up,
    /// `SIGSTOP`, until then.
    Frozen(Instant),
    /// Its way to the database is cut, until then.
    Alone(Instant),
    /// Until then.
    Gone(Instant),
}

/// Lets things happen until `end`; then everybody is well again.
pub(crate) async fn reign(cluster: &mut Cluster, flow: &Flow, seed: u64, end: Instant) -> Diary {
    let mut random = StdRng::seed_from_u64(seed);
    let mut standing = vec![Standing::Up; cluster.replicas.len()];
    let mut diary = Diary::new();
    let began = Instant::now();
    let mut note = |what: String| {
        let line = format!("{:6.1} s  {what}", began.elapsed().as_secs_f32());
        diary.push(line);
    };
    let mut acts = Vec::new();
    while Instant::now() < end {
        if acts.is_empty() {
            acts = ROUND.to_vec();
            acts.shuffle(&mut random);
        }
        come_back(cluster, &mut standing, Instant::now(), &mut note);
        let up: Vec<usize> = (0..standing.len())
            .filter(|replica| standing[*replica] == Standing::Up)
            .collect();
        // The last one stays, so that something goes on.
        let owner = owner(cluster, &up, random.random_range(0..ORGANISATIONS.len())).await;
        let any = (up.len() > 1).then(|| up[random.random_range(0..up.len())]);
        // Mostly one with something to lose.
        let chosen = any.map(|any| owner.filter(|_| random.random_ratio(3, 4)).unwrap_or(any));
        let back = Instant::now() + Duration::from_millis(random.random_range(500..4000));
        match (acts.pop().unwrap(), chosen) {
            (Act::Kill, Some(replica)) => {
                note(format!("replica-{} is killed", replica + 1));
                cluster.replicas[replica].kill();
                standing[replica] = Standing::Gone(back);
            }
            (Act::Freeze, Some(replica)) => {
                let during = LEASE + Duration::from_millis(random.random_range(500..4000));
                note(format!("replica-{} stops for {during:?}", replica + 1));
                cluster.replicas[replica].gateway().signal("STOP");
                standing[replica] = Standing::Frozen(Instant::now() + during);
            }
            (Act::Alone, Some(replica)) => {
                let during = LEASE * random.random_range(1..16) / 10;
                note(format!(
                    "replica-{} cannot reach the database for {during:?}",
                    replica + 1
                ));
                cluster.replicas[replica].wire.cut();
                standing[replica] = Standing::Alone(Instant::now() + during);
            }
            (Act::End, Some(replica)) => {
                note(format!("replica-{} is told to end", replica + 1));
                cluster.replicas[replica].terminate();
                standing[replica] = Standing::Gone(back);
            }
            (Act::DatabaseAway, _) => {
                let mode = ["fast", "immediate"][random.random_range(0..2)];
                let during = Duration::from_millis(random.random_range(0..2500));
                note(format!("the database is away for {during:?} ({mode})"));
                cluster.database.is_away(mode, during).await;
                flow.database_is_back();
            }
            (Act::Cut, _) => {
                let one_in = random.random_range(1..4);
                note(format!("one connection in {one_in} is cut"));
                cluster.database.cut(one_in).await;
            }
            _ => {
                let organisation = random.random_range(0..ORGANISATIONS.len());
                let fault = trouble(&mut random);
                note(format!("{}: {fault:?}", ORGANISATIONS[organisation]));
                cluster.sandbox(organisation).fault(fault).unwrap();
            }
        }
        let pause = Duration::from_millis(random.random_range(300..2500));
        tokio::time::sleep(pause).await;
    }
    for organisation in 0..ORGANISATIONS.len() {
        cluster.sandbox(organisation).lift_faults();
    }
    // Whoever stopped for longer than its lease does so to the end.
    while standing.iter().any(|standing| *standing != Standing::Up) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        come_back(cluster, &mut standing, Instant::now(), &mut note);
    }
    diary
}

/// Who of these delivers for an organisation.
async fn owner(cluster: &Cluster, up: &[usize], organisation: usize) -> Option<usize> {
    for replica in up {
        let status = cluster.replicas[*replica].gateway().status().await;
        if status["organisations"][ORGANISATIONS[organisation]]["held"]["here"] == true {
            return Some(*replica);
        }
    }
    None
}

/// Those whose time has come are there again.
fn come_back(
    cluster: &mut Cluster,
    standing: &mut [Standing],
    now: Instant,
    note: &mut impl FnMut(String),
) {
    for (replica, standing) in cluster.replicas.iter_mut().zip(standing) {
        match *standing {
            Standing::Frozen(until) if until <= now => {
                note(format!("{} goes on", replica.name));
                replica.gateway().signal("CONT");
            }
            Standing::Alone(until) if until <= now => {
                note(format!("{} reaches the database", replica.name));
                replica.wire.heal();
            }
            Standing::Gone(until) if until <= now => {
                replica.start();
                note(format!("{} starts{}", replica.name, replica.release()));
            }
            _ => continue,
        }
        *standing = Standing::Up;
    }
}

fn trouble(random: &mut StdRng) -> Fault {
    let status = |status, retry_after| Action::Status {
        status,
        retry_after,
        message: None,
    };
    let action = match random.random_range(0..6) {
        0 => status(429, Some(RetryAfter::Seconds(1))),
        1 => status(503, None),
        2 => Action::CutAfter,
        3 => Action::CutBefore,
        _ => Action::Slow {
            milliseconds: random.random_range(20..600),
        },
    };
    Fault::times(random.random_range(1..8), action).on_method("PATCH")
}
