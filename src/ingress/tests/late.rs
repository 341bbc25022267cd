//! Accepting later what was refused by a mistake.

use super::*;

/// The numbers of what is kept, oldest first.
async fn kept(world: &World) -> Vec<RefusedId> {
    world.ingress.finish_rejected().await;
    let (store, school) = (&world.store, school());
    store.kept_of(&school, RefusedId(0), 1000).await.unwrap()
}

#[tokio::test]
async fn after_the_secret_is_mended_a_kept_request_is_accepted_hours_later_and_once() {
    let world = World::new();
    world.set_secret("mistyped");
    assert_eq!(world.post("e1", "{\"a\":1}", SECRET).await, 401);
    let ids = kept(&world).await;
    assert_eq!(ids.len(), 1);
    let (id, came) = (ids[0], world.clock.now());

    // Long after the signed time has passed its tolerance of five minutes.
    world.clock.advance(Duration::from_hours(9));
    let late = world.ingress.accept_later(id).await.unwrap();
    assert_eq!(late, Late::Refused("no-match"), "nothing was mended yet");
    world.set_secret(SECRET);
    let Late::Accepted(event) = world.ingress.accept_later(id).await.unwrap() else {
        panic!("it was not accepted");
    };
    let body = world.store.file.body_of(event).await.unwrap();
    assert_eq!(body.as_deref(), Some(b"{\"a\":1}".as_slice()));
    let deliveries = world.store.file.deliveries_of(event).await.unwrap();
    let crate::store::Standing::Ended { at, .. } = deliveries[0].standing else {
        panic!("{deliveries:?}");
    };
    assert_eq!(at, came, "it counts as received when it came");

    let again = world.ingress.accept_later(id).await.unwrap_err();
    assert!(
        matches!(again, NotTried::Accepted(seq) if seq == event),
        "{again}"
    );
    let record = world.records().await.remove(0);
    assert_eq!((record.accepted, record.kept_until), (Some(event), None));
    assert_eq!(world.totals().await.accepted, 1);
}

#[tokio::test]
async fn a_signed_time_that_was_wrong_when_it_came_stays_wrong() {
    let world = World::new();
    let old = world.clock.now() - SignedDuration::from_mins(6);
    assert_eq!(world.post_signed_at(old, "e1", "{}", SECRET).await, 401);
    let ids = kept(&world).await;
    let late = world.ingress.accept_later(ids[0]).await.unwrap();
    assert_eq!(late, Late::Refused("timestamp-too-old"));
    assert_eq!(kept(&world).await, ids, "it stays");
    assert_eq!(world.totals().await.accepted, 0);
}

#[tokio::test]
async fn a_crash_between_storing_and_forgetting_makes_nothing_twice() {
    let world = World::new();
    world.set_secret("mistyped");
    world.post("e1", "{}", SECRET).await;
    let id = kept(&world).await[0];
    world.set_secret(SECRET);
    world.store.is_cut.store(true, Ordering::Relaxed);
    let cut = world.ingress.accept_later(id).await.unwrap_err();
    assert!(matches!(cut, NotTried::Store(_)), "{cut}");
    assert_eq!(world.totals().await.accepted, 1);
    world.store.is_cut.store(false, Ordering::Relaxed);
    let late = world.ingress.accept_later(id).await.unwrap();
    assert!(matches!(late, Late::Duplicate(_)), "{late:?}");
    let totals = world.totals().await;
    assert_eq!((totals.accepted, totals.created), (1, 1));
    assert_eq!(kept(&world).await, []);
}

#[tokio::test]
async fn all_of_a_source_are_accepted_in_the_order_in_which_they_came() {
    let world = World::new();
    world.set_secret("mistyped");
    for number in 0..5 {
        let body = format!("{{\"number\":{number}}}");
        assert_eq!(world.post(&format!("e{number}"), &body, SECRET).await, 401);
    }
    world.post("forged", "{}", "never-a-secret").await;
    assert_eq!(kept(&world).await.len(), 6);
    world.set_secret(SECRET);
    // The sender sent one of them once more, and it was accepted live.
    assert_eq!(world.post("e3", "{\"number\":3}", SECRET).await, 200);

    let all = async |after: RefusedId| {
        let counts = world.ingress.accept_all_later(&school(), after, 4).await;
        counts.unwrap()
    };
    let first = all(RefusedId(0)).await;
    assert_eq!((first.accepted, first.duplicate, first.refused), (3, 1, 0));
    assert!(first.more);
    let second = all(first.last.unwrap()).await;
    assert_eq!(
        (second.accepted, second.duplicate, second.refused),
        (1, 0, 1)
    );
    assert!(!second.more);
    let mut bodies = Vec::new();
    for seq in 2..=5 {
        let body = world.store.file.body_of(EventSeq(seq)).await.unwrap();
        bodies.push(String::from_utf8(body.unwrap().to_vec()).unwrap());
    }
    assert_eq!(
        bodies,
        [
            "{\"number\":0}",
            "{\"number\":1}",
            "{\"number\":2}",
            "{\"number\":4}"
        ]
    );
    assert_eq!(kept(&world).await.len(), 1, "the forged one is still there");
}

#[tokio::test]
async fn what_is_kept_goes_at_its_time() {
    let world = World::new();
    world.post("e1", "{}", "wrong").await;
    let id = kept(&world).await[0];
    let gone_by_now = async || {
        let limits = world.ingress.rejected.limits();
        let now = world.clock.now();
        world.store.tidy_refused(now, limits).await.unwrap();
        kept(&world).await.is_empty()
    };
    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert!(!gone_by_now().await);
    world.clock.advance(Duration::from_secs(1));
    // The recorder sees to it by itself.
    let ingress = Arc::clone(&world.ingress);
    let mut recorder = JoinSet::new();
    recorder.spawn(async move { ingress.write_down_rejected().await });
    let gone = async {
        while !kept(&world).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone)
        .await
        .unwrap();
    let gone = world.ingress.accept_later(id).await.unwrap_err();
    assert!(matches!(gone, NotTried::NotKept), "{gone}");
}

#[tokio::test]
async fn what_is_too_large_is_written_down_and_not_kept() {
    let world = World::new();
    world.post("e1", &"x".repeat((1 << 20) + 1), "wrong").await;
    world.post("e2", &"x".repeat(1 << 10), "wrong").await;
    let records = world.records().await;
    let kept: Vec<_> = records
        .iter()
        .map(|record| record.kept_until.is_some())
        .collect();
    assert_eq!(kept, [false, true]);
    assert_eq!(
        world.metric("quentli_gateway_rejected_left_out_total{source=\"school\",cause=\"body\""),
        1
    );
}

#[tokio::test]
async fn nothing_is_tried_without_a_request_or_a_source() {
    let world = World::new();
    world.post("e1", "{}", "wrong").await;
    let id = kept(&world).await[0];
    let unknown = world.ingress.accept_later(RefusedId(99)).await;
    assert!(matches!(unknown, Err(NotTried::Unknown)));
    world.ingress.sources.swap(Arc::new(Set::default()));
    let without = world.ingress.accept_later(id).await;
    assert!(matches!(without, Err(NotTried::NoSource)));
    assert_eq!(kept(&world).await, [id]);
}

/// The source with a client certificate in the place of the signature.
fn certified(allowed: char) -> String {
    let (before, rest) = FILE.split_once("  verify:\n").unwrap();
    let (_, after) = rest.split_once("  dedup:").unwrap();
    let allowed = allowed.to_string().repeat(64);
    let verify = format!(
        "{{type: client-certificate, header: X-Hash, format: sha256, allowed: \"{allowed}\"}}"
    );
    format!("{before}  verify: {verify}\n  dedup:{after}")
}

#[tokio::test]
async fn a_client_certificate_counts_later_where_a_trusted_proxy_had_handed_it_on() {
    let proxies = iter::once("10.0.0.0/8".parse().unwrap()).collect();
    let world = World::behind(proxies, &certified('a'), 1000);
    let shown = "b".repeat(64);
    for (from, id) in [([10, 0, 0, 7], "e1"), ([192, 0, 2, 7], "e2")] {
        let request = Request::post("/webhooks/school")
            .header("x-forwarded-for", "203.0.113.5")
            .header("x-event-id", id)
            .header("x-hash", &shown)
            .body(Body::from("{}"))
            .unwrap();
        assert_eq!(world.answer_from(from.into(), request).await, 401);
    }
    let ids = kept(&world).await;
    // The settings were wrong, and everybody's refusal has had another reason since.
    world.set_file(&certified('c'));
    for id in &ids {
        world.ingress.accept_later(*id).await.unwrap();
    }
    world.set_file(&certified('b'));
    let mut late = Vec::new();
    for id in ids {
        late.push(world.ingress.accept_later(id).await.unwrap());
    }
    assert!(
        matches!(
            late[..],
            [Late::Accepted(_), Late::Refused("untrusted-proxy")]
        ),
        "{late:?}"
    );
}

#[tokio::test]
async fn who_may_not_call_any_more_is_not_let_in_later() {
    let world = World::new();
    world.set_secret("mistyped");
    assert_eq!(world.post("e1", "{}", SECRET).await, 401);
    let id = kept(&world).await[0];
    std::fs::write(world.folder.path().join("secret"), SECRET).unwrap();
    let allowing =
        |from: &str| FILE.replace("  dedup:", &format!("  allow_from: [{from}]\n  dedup:"));
    world.set_file(&allowing("192.0.2.0/24"));
    let late = world.ingress.accept_later(id).await.unwrap();
    assert_eq!(late, Late::Refused("not-allowed"));
    world.set_file(&allowing("127.0.0.1"));
    let late = world.ingress.accept_later(id).await.unwrap();
    assert!(matches!(late, Late::Accepted(_)), "{late:?}");
}
