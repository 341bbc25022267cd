//! Statements stay cheap however much is stored: by the plans that the server makes of them for any values, on tables that are
//! well filled.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::{
    Database, accept, applied, archive, audit, ends, erase, hands, left_out, look, observed, queue,
    refused, requests, server, upkeep,
};
use crate::{
    event::End,
    store::{Archive as _, ArchiveFilter, MOST_LOOKED_AT, Order, StandingFilter},
};

/// Tables that grow with what is accepted, or with what people do. Refused requests are bounded for each source.
const GROWING: [&str; 9] = [
    "event",
    "dedup",
    "delivery",
    "history",
    "attempt",
    "applied",
    "applied_version",
    "observed",
    "audit",
];

/// A school's year: events of three sources, of which one has next to none; most deliveries have ended.
const FILL: &str = r#"
    CREATE TEMP TABLE n AS
      SELECT i, 1700000000000 + i * 1000 AS at,
             CASE WHEN i % 5000 = 17 THEN 'sis' WHEN i % 3 = 0 THEN 'erp' ELSE 'crm' END AS source,
             decode(md5(i::text), 'hex') AS key, 'cus_' || (i % 2000) AS customer
      FROM generate_series(1, 40000) AS i;
    INSERT INTO event (seq, received_at, source, organisation, mapping, dedup_keys, body_hash, body)
      SELECT i, at, source, 'default', key, key, key, repeat('x', 200)::bytea FROM n;
    INSERT INTO event_hour SELECT min(i), at / 3600000 FROM n GROUP BY at / 3600000;
    INSERT INTO dedup SELECT key, i FROM n;
    INSERT INTO history (event, item, number, source, organisation, "end", at, attempts, customer)
      SELECT i, 0, 0, source, 'default', CASE WHEN i % 2000 = 1 THEN 'discarded' ELSE 'delivered' END, at, 1, customer
      FROM n WHERE i % 4 > 0;
    INSERT INTO delivery (pos, organisation, lane, state, next_attempt, event, item, number, source, accepted_at, code,
                          customer, patch)
      SELECT i, 'default', decode(md5(customer), 'hex'),
             CASE i % 40 WHEN 0 THEN 'looking' WHEN 4 THEN 'dead' ELSE 'waiting' END, 0, i, 0, 0, source, at,
             CASE WHEN i % 40 = 4 THEN CASE WHEN i % 7 = 0 THEN 'refused' WHEN i % 7 = 1 THEN 'conflict' ELSE 'mapping' END END,
             '{}', repeat('y', 200)
      FROM n WHERE i % 4 = 0;
    INSERT INTO attempt (event, item, number, attempt, at, took, outcome, customer)
      SELECT i, 0, 0, 1, at, 100, 'delivered', customer FROM n;
    INSERT INTO applied (organisation, customer, part, value, source, at, in_doubt, pos)
      SELECT DISTINCT ON (customer, part) 'default', customer, part, key, source, at, false, i
      FROM n, unnest(ARRAY['email', 'phoneNumber', 'metadata.grade']) AS part ORDER BY customer, part;
    INSERT INTO applied_version SELECT organisation, customer, part, source, 7 FROM applied;
    INSERT INTO observed (source, event, item, number, customer, patch, pos)
      SELECT source, i, 1, 0, '{}', '{}', 100000 + i FROM n WHERE i % 2 = 0;
    INSERT INTO refused (source, mark, first_at, last_at, times, reason, status, kept, facts)
      SELECT source, key, at, at, 1, CASE WHEN i % 3 = 0 THEN 'signature' ELSE 'time' END, 401, i % 2 = 0, '{}' FROM n
      WHERE i % 4 = 0;
    INSERT INTO refused_request (id, source, received_at, expires_at, bytes, method, target, client, by_proxy, headers, body)
      SELECT i, source, at, at, 100, 'POST', '/', '::1', false, '[]', key FROM n WHERE i % 4 = 0;
    INSERT INTO reused_id SELECT i, source, 1, at, at FROM n WHERE i % 10 = 0;
    INSERT INTO audit (at, act, what, count) SELECT at, 'looked', '{}', 1 FROM n WHERE i % 4 = 0;
    INSERT INTO upkeep_mark SELECT at, i FROM n WHERE i % 100 = 0;
    INSERT INTO upkeep_later SELECT 'bodies', at, i FROM n WHERE i % 10 = 0;
    DROP TABLE n;
    ANALYZE;
"#;

/// A connection to a database that is well filled, on which plans are made for any values.
async fn filled(database: &Database) -> Client {
    drop(database.open().await);
    let client = server::client(&database.server.url(&database.name)).await;
    let settings =
        "SET search_path = quentli_gateway, pg_temp; SET plan_cache_mode = force_generic_plan";
    client.batch_execute(settings).await.unwrap();
    client.batch_execute(FILL).await.unwrap();
    client
}

/// How the server would run a statement.
async fn plan(client: &Client, sql: &str) -> String {
    let statement = client.prepare(sql).await.unwrap();
    let values = vec!["NULL"; statement.params().len()].join(", ");
    let values = if values.is_empty() {
        values
    } else {
        format!("({values})")
    };
    let explain = format!("PREPARE planned AS {sql}; EXPLAIN EXECUTE planned{values}");
    let answers = client.simple_query(&explain).await.unwrap();
    client.batch_execute("DEALLOCATE planned").await.unwrap();
    let lines = answers.iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn planned() -> Vec<&'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    all.extend(accept::PLANNED);
    all.extend(applied::PLANNED);
    all.extend(archive::planned());
    all.extend(audit::PLANNED);
    all.extend(ends::PLANNED);
    all.extend(erase::PLANNED);
    all.extend(hands::planned());
    all.extend(left_out::PLANNED);
    all.extend(look::PLANNED);
    all.extend(observed::PLANNED);
    all.extend(queue::PLANNED);
    all.extend(refused::PLANNED);
    all.extend(requests::PLANNED);
    all.extend(upkeep::PLANNED);
    all
}

/// The growing tables that a plan reads whole.
fn read_whole(plan: &str) -> Vec<&'static str> {
    let scanned = plan.lines().filter_map(|line| {
        let (_, of) = line.split_once("Seq Scan on ")?;
        of.split_whitespace().next()
    });
    let scanned: Vec<&str> = scanned.collect();
    let growing = GROWING.into_iter();
    growing.filter(|table| scanned.contains(table)).collect()
}

#[tokio::test]
async fn no_statement_reads_a_table_that_grows_from_end_to_end() {
    let Some(database) = Database::new().await else {
        return;
    };
    let client = filled(&database).await;
    // It can fail.
    let whole = plan(&client, "SELECT count(*) FROM event WHERE body IS NULL").await;
    assert_eq!(read_whole(&whole), ["event"], "{whole}");
    let statements = planned();
    assert!(statements.len() > 50);
    let mut found = Vec::new();
    for sql in statements {
        let plan = plan(&client, sql).await;
        if !read_whole(&plan).is_empty() {
            found.push(format!("{sql}\n{plan}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn no_plan_that_was_made_while_tables_were_empty_reads_them_whole_later_or_is_compiled() {
    let Some(database) = Database::new().await else {
        return;
    };
    let database = Database {
        server: database.server,
        // Nobody ever counted its rows.
        name: database.server.create_database().await,
    };
    let store = database.open().await;
    let client = store.pools.accepting.get().await.unwrap();
    let settings = "SET plan_cache_mode = force_generic_plan";
    client.batch_execute(settings).await.unwrap();
    let mut found = Vec::new();
    for sql in planned() {
        let plan = plan(&client, sql).await;
        if !read_whole(&plan).is_empty() || plan.contains("JIT") {
            found.push(format!("{sql}\n{plan}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn what_is_rare_is_found_by_its_index_and_not_by_a_walk_past_the_others() {
    let Some(database) = Database::new().await else {
        return;
    };
    let client = filled(&database).await;
    // What a statement says, and the index that must serve it.
    let table = [
        ("(source, seq)", "event_source"),
        ("customer = $7", "history_customer"),
        ("state = 'looking' AND (event", "delivery_looking"),
        ("source = cause.source", "delivery_dead_cause"),
        ("observed.pos > $2", "observed_pos"),
        ("organisation >= $1", "delivery_dead_organisation"),
        ("organisation >= $1", "history_customer"),
    ];
    for (words, index) in table {
        let such = planned().into_iter().filter(|sql| sql.contains(words));
        let such: Vec<_> = such.collect();
        assert!(!such.is_empty(), "{words}");
        for sql in such {
            let plan = plan(&client, sql).await;
            assert!(plan.contains(index), "{sql}\n{plan}");
        }
    }
}

#[tokio::test]
async fn a_long_walk_ends_its_page_and_goes_on_in_the_next() {
    let Some(database) = Database::new().await else {
        return;
    };
    drop(filled(&database).await);
    let store = database.open().await;
    let ended = |end| ArchiveFilter {
        standing: Some(StandingFilter::Ended(end)),
        ..ArchiveFilter::default()
    };
    // How many there are, and on how many pages they come at least.
    let table = [
        (ended(End::Discarded), 20, 2),
        (ended(End::Stale), 0, 2),
        (
            ArchiveFilter {
                source: Some("erp".parse().unwrap()),
                ..ended(End::Discarded)
            },
            7,
            1,
        ),
        (
            ArchiveFilter {
                organisation: Some("north".parse().unwrap()),
                ..ArchiveFilter::default()
            },
            0,
            2,
        ),
    ];
    for (filter, expected, least) in table {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let (mut found, mut pages, mut after) = (0, 0, None);
            loop {
                let page = store.deliveries(filter.clone(), order, after, 50);
                let page = page.await.unwrap();
                assert!(page.looked_at <= MOST_LOOKED_AT + 300, "{page:?}");
                found += page.entries.len();
                pages += 1;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "{filter:?}, {order:?}");
            assert!(
                (least..10).contains(&pages),
                "{pages}: {filter:?}, {order:?}"
            );
        }
    }
}
