//! What is written down of a refusal, and how little many of them cost.

use super::*;

/// The source file without `keep_rejected`.
fn keeping_nothing() -> String {
    FILE.replace("  keep_rejected: {bodies_for: 24h}\n", "")
}

#[tokio::test]
async fn a_refusal_is_written_down_without_body_secret_or_values_that_could_be_one() {
    let world = World::new();
    let body = r#"{"email":"ana.perez@example.mx"}"#;
    assert_eq!(world.post("e1", body, "another-secret").await, 401);
    let records = world.records().await;
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!((record.reason.as_str(), record.status), ("no-match", 401));
    assert_eq!(record.first_at, world.clock.now());
    assert_eq!(record.facts.query, ["key"]);
    assert_eq!(record.facts.body_bytes, Some(32));
    let value = |name: &str| {
        let mut headers = record.facts.headers.iter();
        headers.find(|(each, _)| each == name).unwrap().1.clone()
    };
    assert_eq!(value("content-type").as_deref(), Some("application/json"));
    let form = value("x-signature");
    assert_eq!(form.as_deref(), Some("(64 hexadecimal digits)"));
    assert_eq!(value("authorization"), None);
    assert_eq!(value("x-event-id"), None);
    let shown = format!("{:?}", record.facts);
    for secret in ["ana", "in-a-header", "in-the-address", SECRET] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let plain = hex::encode(sha2::Digest::finalize(sha2::Digest::chain_update(
        <Sha256 as sha2::Digest>::new(),
        body,
    )));
    let hash = record.facts.body_hash.clone().unwrap();
    assert!(
        !plain.starts_with(&hash),
        "the body could be guessed by {hash}"
    );
}

#[tokio::test]
async fn of_what_stands_in_the_place_of_a_signature_only_the_form_is_kept() {
    // The second one is a token that looks like a signature, the third stands where signatures may not.
    let (odd, token) = ("a token and no signature", "5ec7e75e".repeat(8));
    let agent = keeping_nothing().replace("X-Signature", "User-Agent");
    let cases = [
        (keeping_nothing(), "x-signature", odd, "(24 characters)"),
        (
            keeping_nothing(),
            "x-signature",
            token.as_str(),
            "(64 hexadecimal digits)",
        ),
        (
            agent,
            "user-agent",
            token.as_str(),
            "(64 hexadecimal digits)",
        ),
    ];
    for (file, header, value, form) in cases {
        let world = World::with(&file, 10);
        let request = Request::post("/webhooks/school")
            .header("x-timestamp", world.clock.now().as_second())
            .header(header, value)
            .body(Body::from("{}"))
            .unwrap();
        assert_eq!(world.answer(request).await, 401);
        let record = world.records().await.remove(0);
        let shown = record.facts.headers.into_iter();
        let shown = shown.filter(|(name, _)| name == header).collect::<Vec<_>>();
        assert_eq!(shown, [(header.to_owned(), Some(form.to_owned()))]);
        world.store.file.close().await;
        for entry in std::fs::read_dir(world.folder.path().join("data")).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let mut parts = bytes.windows(value.len());
            let is_there = parts.any(|part| part == value.as_bytes());
            assert!(!is_there, "{header} in {}", path.display());
        }
    }
}

#[tokio::test]
async fn every_refusal_of_a_known_source_is_written_down_and_none_of_an_unknown_one() {
    let world = World::new();
    let get = Request::get("/webhooks/school")
        .body(Body::empty())
        .unwrap();
    assert_eq!(world.answer(get).await, 405);
    let large = Request::post("/webhooks/school")
        .body(Body::from(vec![b'x'; (2 << 20) + 1]))
        .unwrap();
    assert_eq!(world.answer(large).await, 413);
    let old = world.clock.now() - SignedDuration::from_mins(6);
    assert_eq!(world.post_signed_at(old, "e", "{}", SECRET).await, 401);
    let unknown = Request::post("/webhooks/nobody")
        .body(Body::empty())
        .unwrap();
    assert_eq!(world.answer(unknown).await, 404);
    assert_eq!(world.post("good", "{}", SECRET).await, 200);
    let records = world.records().await;
    let reasons: Vec<_> = records
        .iter()
        .map(|record| (record.reason.as_str(), record.status))
        .collect();
    assert_eq!(
        reasons,
        [
            ("method-not-allowed", 405),
            ("body-too-large", 413),
            ("timestamp-too-old", 401)
        ]
    );
    for (reason, _) in reasons {
        assert!(meaning(reason).is_some(), "{reason}");
    }
}

#[tokio::test]
async fn who_called_is_written_down_as_admission_saw_it() {
    let proxies = iter::once("10.0.0.0/8".parse().unwrap()).collect();
    let limits = "  allow_from: [192.0.2.0/24]\n  rate_limit: {per_minute: 1, burst: 1}\n  dedup:";
    let file = FILE.replace("  dedup:", limits);
    let world = World::behind(proxies, &file, 1000);
    let asked = async |from: [u8; 4], forwarded_for: &str| {
        let request = Request::post("/webhooks/school")
            .header("x-forwarded-for", forwarded_for)
            .body(Body::from("{}"))
            .unwrap();
        world.answer_from(from.into(), request).await
    };
    let ours = [10, 0, 0, 7];
    assert_eq!(asked(ours, "192.0.2.9, 203.0.113.5").await, 403);
    assert_eq!(asked([198, 51, 100, 1], "192.0.2.9").await, 403);
    assert_eq!(asked(ours, "203.0.113.5, 192.0.2.9").await, 401);
    let good = World::signed(world.clock.now(), "good", "{}", SECRET);
    let good = world.answer_from([192, 0, 2, 8].into(), good).await;
    assert_eq!(good, 200);
    assert_eq!(asked(ours, "192.0.2.10").await, 429);
    let records = world.records().await;
    let written: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record.reason.as_str(),
                record.facts.client.unwrap().to_string(),
            )
        })
        .collect();
    let expected = [
        ("not-allowed", "203.0.113.5"),
        ("not-allowed", "198.51.100.1"),
        ("missing-signature", "192.0.2.9"),
        ("too-many-requests", "192.0.2.10"),
    ];
    assert_eq!(
        written,
        expected.map(|(reason, client)| (reason, client.to_owned()))
    );
}

#[tokio::test]
async fn a_sender_that_tries_again_and_again_is_one_row_that_counts() {
    let world = World::with(&keeping_nothing(), 1000);
    for _ in 0..3 {
        assert_eq!(world.post("e1", "{}", "wrong").await, 401);
        world.clock.advance(Duration::from_mins(1));
        world.ingress.finish_rejected().await;
    }
    world.post("e1", "{\"another\":1}", "wrong").await;
    let records = world.records().await;
    let times: Vec<_> = records.iter().map(|record| record.times).collect();
    assert_eq!(times, [3, 1]);
    let span = records[0].last_at.duration_since(records[0].first_at);
    assert_eq!(span, SignedDuration::from_mins(2));
    assert_eq!(records[0].kept_until, None, "nobody asked for it");
}

#[tokio::test]
async fn a_flood_costs_one_batch_of_so_many_rows_and_the_rest_is_counted() {
    let world = World::with(&keeping_nothing(), 1000);
    for number in 0..500 {
        let body = format!("{{\"forged\":{number}}}");
        world.post("e", &body, "wrong").await;
    }
    assert_eq!(world.records().await.len(), 100);
    assert_eq!(world.store.batches.load(Ordering::Relaxed), 1);
    assert_eq!(
        world.metric("quentli_gateway_rejected_left_out_total{source=\"school\",cause=\"flood\""),
        400
    );
    assert_eq!(
        world.metric("quentli_gateway_rejected_written_total{source=\"school\""),
        100
    );
}

#[tokio::test]
async fn what_is_kept_whole_is_bounded_by_itself() {
    let world = World::with(FILE, 10);
    for number in 0..300 {
        let body = format!("{{\"real\":{number}}}");
        world.post("e", &body, "wrong").await;
    }
    let records = world.records().await;
    assert_eq!(records.len(), 300);
    assert!(records.iter().all(|record| record.kept_until.is_some()));
}

#[tokio::test]
async fn a_flood_on_one_source_leaves_room_to_keep_what_comes_to_another() {
    let world = World::new();
    let another = FILE.replace("source: school", "source: crm");
    std::fs::write(world.folder.path().join("mappings/crm.yaml"), another).unwrap();
    world.reload();
    let large = "x".repeat(900 << 10);
    let forge = async |source: &str, number: u32| {
        let request = Request::post(format!("/webhooks/{source}"))
            .header("x-timestamp", world.clock.now().as_second())
            .header("x-signature", "ab".repeat(32))
            .body(Body::from(format!("{number}{large}")))
            .unwrap();
        assert_eq!(world.answer(request).await, 401);
    };
    for number in 0..8 {
        forge("school", number).await;
    }
    forge("crm", 0).await;
    let kept = |records: &[RefusedRecord], source: &str| {
        let of_source = records
            .iter()
            .filter(|record| record.source.as_str() == source);
        of_source
            .filter(|record| record.kept_until.is_some())
            .count()
    };
    let records = world.records().await;
    assert_eq!((kept(&records, "school"), kept(&records, "crm")), (4, 1));
    let left_out = "quentli_gateway_rejected_left_out_total{source=\"school\",cause=\"body\"";
    assert_eq!(world.metric(left_out), 4);
}

#[tokio::test]
async fn batches_wait_a_second_and_longer_in_a_flood() {
    let world = World::with(&keeping_nothing(), 2);
    let ingress = Arc::clone(&world.ingress);
    let mut recorder = JoinSet::new();
    recorder.spawn(async move { ingress.write_down_rejected().await });
    // Waits until the recorder has done what it can do without the clock.
    let settle = async || {
        for _ in 0..2_000 {
            tokio::task::yield_now().await;
        }
        // A round trip through the writer, behind whatever it was sent.
        let limits = RefusedLimits {
            rows: 1000,
            kept: 1000,
            kept_bytes: 1 << 30,
        };
        world
            .store
            .tidy_refused(world.clock.now(), limits)
            .await
            .unwrap();
        for _ in 0..2_000 {
            tokio::task::yield_now().await;
        }
    };
    let batches = || world.store.batches.load(Ordering::Relaxed);
    let forge = async |many: u32| {
        for number in 0..many {
            world.post("e", &format!("{number}"), "wrong").await;
        }
        settle().await;
    };
    let pass = async |seconds: u64| {
        world.clock.advance(Duration::from_secs(seconds));
        settle().await;
    };
    settle().await;
    forge(1).await;
    assert_eq!(batches(), 0);
    pass(1).await;
    assert_eq!(batches(), 1);
    forge(9).await;
    pass(1).await;
    assert_eq!(batches(), 2, "this one could not take everything");
    forge(9).await;
    pass(4).await;
    assert_eq!(batches(), 2);
    pass(1).await;
    assert_eq!(batches(), 3);
}

#[tokio::test]
async fn nothing_is_written_down_where_that_is_switched_off() {
    let world = World::with(FILE, 0);
    assert_eq!(world.post("e1", "{}", "wrong").await, 401);
    assert_eq!(world.records().await, []);
    assert_eq!(world.store.batches.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_store_that_cannot_write_costs_the_rows_and_nothing_else() {
    let world = World::new();
    world.store.file.close().await;
    assert_eq!(world.post("e1", "{}", "wrong").await, 401);
    world.ingress.finish_rejected().await;
    assert_eq!(
        world.metric("quentli_gateway_rejected_left_out_total{source=\"school\",cause=\"store\""),
        1
    );
}
