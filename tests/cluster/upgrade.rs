//! Two releases on one database: tables that another release changes while this one works, and several that want to change them.

use std::sync::{Arc, atomic::Ordering};

use quentli_gateway::store::Store as _;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::{
    account::{Account, Removed},
    cluster::{Cluster, Replica},
    database::Database,
    judge,
    people::ORGANISATIONS,
    small::rename,
    support::{executable::Gateway, until},
    traffic::Traffic,
};

/// What a later release may do while this one works: it adds to every table, and writes what this one has never heard of.
const LATER: &str = "
    SET LOCAL lock_timeout = '2s';
    SELECT pg_advisory_xact_lock(x'51474154'::bigint);
    LOCK TABLE lease, meta IN ACCESS EXCLUSIVE MODE;
    DO $$ DECLARE name text; BEGIN
      FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'quentli_gateway' ORDER BY tablename LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN later text, ADD COLUMN later_on bigint DEFAULT 7', name);
      END LOOP;
    END $$;
    CREATE TABLE later (id bigint PRIMARY KEY);
    CREATE INDEX later_history ON history (organisation, later);
    INSERT INTO format (number, usable_from, release) VALUES (99, 1, '99.0.0');
    INSERT INTO lease (name, process, replica, epoch, since, renewed, expires_at, status, seen)
      VALUES ('@later', 1, 'later', 1, now(), now(), now() + interval '1 hour', '{\"state\": {\"resting\": 7}}', 0);
    INSERT INTO change (name, number) VALUES ('@later', 3);
    INSERT INTO replica (process, name, version, format, since, expires_at)
      VALUES (1, 'later', '99.0.0', 99, now(), now() + interval '5 s')";

/// Takes the step as a release does: all or none, and again where it would have to wait.
async fn take_later_step(outside: &mut Client) {
    loop {
        let step = outside.transaction().await.unwrap();
        match step.batch_execute(LATER).await {
            Ok(()) => return step.commit().await.unwrap(),
            Err(error) => {
                let code = error.code().unwrap().code();
                assert!(["55P03", "40P01"].contains(&code), "{error:?}");
                step.rollback().await.unwrap();
            }
        }
    }
}

/// Lines of this level in the logs of these gateways.
fn lines<'a>(gateways: impl Iterator<Item = &'a Gateway>, level: &str) -> Vec<String> {
    let level = format!("\"level\":\"{level}\"");
    let lines = gateways.flat_map(Gateway::log);
    lines.filter(|line| line.contains(&level)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_go_on_under_traffic_while_a_later_release_changes_the_tables() {
    let Some(mut cluster) = Cluster::pair().await else {
        return;
    };
    let traffic = Arc::new(Traffic::new());
    for person in &traffic.people {
        let sandbox = cluster.sandbox(person.organisation);
        sandbox.add(&person.record()).unwrap();
    }
    let mut senders = JoinSet::new();
    for sender in 0..4 {
        let (traffic, urls) = (Arc::clone(&traffic), cluster.urls());
        senders.spawn(async move { traffic.send(&urls, sender, sender).await });
    }
    let acknowledged = || {
        let book = traffic.book.lock().unwrap();
        let requests = book.requests.iter();
        requests
            .filter(|request| request.acknowledged.is_some())
            .count()
    };
    let many_more = async || {
        let many = acknowledged() + 200;
        until("more requests to be acknowledged", async || {
            let seen = acknowledged();
            if seen >= many { Ok(()) } else { Err(seen) }
        })
        .await;
    };
    many_more().await;
    let mut outside = cluster.database.outside().await;
    take_later_step(&mut outside).await;
    many_more().await;
    let retries = traffic.retries.lock().unwrap().clone();
    assert!(retries.is_empty(), "senders noticed it: {retries:?}");

    // A gateway of the later release has one of the organisations for a while, and is in a state that only it knows.
    let taken = "UPDATE lease SET process = 1, replica = 'later', epoch = epoch + 1, status = '{\"state\": {\"resting\": 7}}',
                   expires_at = clock_timestamp() + interval '3 s' WHERE name = $1";
    outside.execute(taken, &[&ORGANISATIONS[1]]).await.unwrap();
    for replica in &cluster.replicas {
        until("the later release to be shown", async || {
            let status = replica.gateway().status().await;
            let held = status["organisations"][ORGANISATIONS[1]]["held"]["replica"].clone();
            if held == "later" { Ok(()) } else { Err(held) }
        })
        .await;
    }
    let errors = lines(cluster.replicas.iter().map(Replica::gateway), "ERROR");
    assert!(errors.is_empty(), "{errors:#?}");

    // One that starts now works, too.
    cluster.replicas[0].terminate();
    cluster.replicas[0].start();
    many_more().await;
    traffic.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = senders.join_next().await {
        ended.unwrap();
    }
    for replica in &cluster.replicas {
        replica.gateway().settled().await;
    }
    let errors = lines(cluster.replicas.iter().map(Replica::gateway), "ERROR");
    assert!(errors.is_empty(), "{errors:#?}");
    let store = cluster.database.open().await;
    let account = Account::of(&store, Removed::default()).await;
    store.close().await;
    let problems = judge::problems(&cluster, &traffic, &account);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_no_longer_for_this_release_end_those_that_run_and_are_refused_by_those_that_start()
 {
    let Some(mut cluster) = Cluster::pair().await else {
        return;
    };
    let outside = cluster.database.outside().await;
    let step = "INSERT INTO format (number, usable_from, release) VALUES (99, 99, '99.0.0')";
    outside.batch_execute(step).await.unwrap();
    for replica in &mut cluster.replicas {
        let mut gateway = replica.gateway.take().unwrap();
        let ended = tokio::task::block_in_place(|| gateway.wait());
        assert_eq!(ended.code(), Some(70), "{}", gateway.log().join("\n"));
        gateway.logged("start the newer one here, too").await;
    }
    let started = cluster.replicas[0].setup.begin(&["serve"]);
    let (is_well, log) = tokio::task::block_in_place(|| started.ended());
    let said = log
        .iter()
        .any(|line| line.contains("written by a newer release (format 99"));
    assert!(!is_well && said, "{}", log.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_gateways_that_start_at_once_on_no_tables_or_on_older_ones_one_makes_them() {
    let Some(database) = Database::shared().await else {
        return;
    };
    let mut cluster = Cluster::at_rest(database, 4, "", |setup| setup).await;
    let outside = cluster.database.outside().await;
    let customer = serde_json::json!({"id": crate::small::CUSTOMER, "name": "nobody yet"});
    cluster.sandbox(0).add(&customer).unwrap();
    for (round, missing) in [("i1", 3), ("i2", 2)] {
        let begun: Vec<_> = cluster
            .replicas
            .iter()
            .map(|replica| replica.setup.begin(&["serve"]))
            .collect();
        for (replica, starting) in cluster.replicas.iter_mut().zip(begun) {
            replica.gateway = Some(tokio::task::block_in_place(|| starting.listening()));
        }
        let steps = lines(cluster.replicas.iter().map(Replica::gateway), "INFO");
        let steps = steps
            .iter()
            .filter(|line| line.contains("bringing the tables to a newer format"));
        assert_eq!(steps.count(), missing, "each step is taken once");
        for replica in &cluster.replicas {
            let id = format!("{round}-{}", replica.name);
            let answer = rename(replica.gateway(), &id, "Ana").await;
            assert_eq!(answer.stored().unwrap().status, "accepted");
        }
        cluster.replicas.iter_mut().for_each(Replica::terminate);
        // As the release of the first format left them.
        let back = "ALTER TABLE replica DROP COLUMN format; DROP INDEX delivery_dead_organisation;
                    DELETE FROM format WHERE number > 1";
        outside.batch_execute(back).await.unwrap();
    }
}

/// While there is a row in `hold`, each change of a table takes long.
const SLOWLY: &str = "
    CREATE TABLE public.hold (id int);
    CREATE FUNCTION public.slowly() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      IF EXISTS (SELECT FROM public.hold) THEN PERFORM pg_sleep(0.5); END IF;
    END $$;
    CREATE EVENT TRIGGER slowly ON ddl_command_end EXECUTE FUNCTION public.slowly()";

/// Waits for a session as the condition says, and gives its number at the server.
async fn session(outside: &Client, what: &str, condition: &str) -> i32 {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {condition}"
    );
    until(what, async || {
        let rows = outside.query(&sql, &[]).await.unwrap();
        rows.first().map(|row| row.get(0)).ok_or("nobody")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_or_stopped_in_the_middle_of_a_step_keeps_no_other_waiting_for_ever()
 {
    // To make changes slow takes the rights of somebody whose server it is.
    let Some(database) = Database::alone().await else {
        return;
    };
    let cluster = Cluster::at_rest(database, 2, "", |setup| setup).await;
    let outside = cluster.database.outside().await;
    outside.batch_execute(SLOWLY).await.unwrap();
    for signal in ["KILL", "STOP"] {
        let hold = "INSERT INTO public.hold VALUES (1)";
        outside.batch_execute(hold).await.unwrap();
        let first = cluster.replicas[0].setup.begin(&["serve"]);
        let pid = session(&outside, "a step to begin", "wait_event = 'PgSleep'").await;
        let second = cluster.replicas[1].setup.begin(&["serve"]);
        let waits = "wait_event = 'advisory' AND query_start < now() - interval '3 s'";
        session(&outside, "another one to wait", waits).await;
        first.signal(signal);
        if signal == "KILL" {
            until("the server to notice it", async || {
                let sql = "SELECT FROM pg_stat_activity WHERE pid = $1";
                let rows = outside.query(sql, &[&pid]).await.unwrap();
                if rows.is_empty() {
                    Ok(())
                } else {
                    Err("it is there")
                }
            })
            .await;
        }
        let release = "DELETE FROM public.hold";
        outside.batch_execute(release).await.unwrap();
        let second = tokio::task::block_in_place(|| second.listening());
        let said = second.log();
        let said = said
            .iter()
            .any(|line| line.contains("waiting for another replica"));
        assert!(said, "it waits in silence: {}", second.log().join("\n"));
        if signal == "STOP" {
            first.signal("CONT");
        }
        let (is_well, log) = tokio::task::block_in_place(|| first.ended());
        assert!(!is_well, "{}", log.join("\n"));
        assert!(tokio::task::block_in_place(|| second.terminate()).success());
        let gone = "DROP SCHEMA quentli_gateway CASCADE";
        outside.batch_execute(gone).await.unwrap();
    }
}
