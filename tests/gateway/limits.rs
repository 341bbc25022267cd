//! Slow, silent and half-finished clients.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{World, support::PATIENCE};

/// What the gateway says before it closes the connection.
async fn until_closed(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    drop(closed.expect("the connection is closed in the end"));
    String::from_utf8_lossy(&said).into_owned()
}

async fn world() -> World {
    let settings = "limits: {header_timeout: 300ms, body_timeout: 300ms, connections: 2}\n";
    World::with(|setup| setup.settings(settings)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_half_head_clients_are_cut_off_and_hold_no_place_for_long() {
    let world = world().await;
    let silent = TcpStream::connect(world.gateway.listen).await.unwrap();
    let mut half = TcpStream::connect(world.gateway.listen).await.unwrap();
    half.write_all(b"POST /webhooks/school HTTP/1.1\r\nHost: x\r\nX-Half")
        .await
        .unwrap();
    // Both places are taken; an honest request waits in the queue and is served when they are cut off.
    let url = world.gateway.url();
    let answer = world.school.rename(&url, "1", &world.customer, "A");
    let (silent, half, answer) = tokio::join!(until_closed(silent), until_closed(half), answer);
    assert!(!silent.contains("200") && !half.contains("200"));
    assert_eq!(answer.unwrap().status, 200);
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_given_up_with_408() {
    let world = world().await;
    let mut slow = TcpStream::connect(world.gateway.listen).await.unwrap();
    let head = "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart";
    slow.write_all(head.as_bytes()).await.unwrap();
    let said = until_closed(slow).await;
    assert!(
        said.starts_with("HTTP/1.1 408") && said.contains("/problems/body-timeout"),
        "{said}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_announced_length_is_held_to_the_same_limit() {
    let world = World::with(|setup| setup.settings("limits: {body: 1 KiB}\n")).await;
    let mut stream = TcpStream::connect(world.gateway.listen).await.unwrap();
    let head = "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    for _ in 0..4 {
        // The gateway may close while we still write.
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let said = until_closed(stream).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_bodies_cannot_take_more_memory_than_they_may() {
    let settings = "limits: {body: 64 KiB, memory: 128 KiB}\n";
    let world = World::with(|setup| setup.settings(settings)).await;
    let mut unfinished = Vec::new();
    let part = "x".repeat(60_000);
    let head = "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nContent-Length: 65000\r\n\r\n";
    let mut refused = String::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(world.gateway.listen).await.unwrap();
        stream
            .write_all(format!("{head}{part}").as_bytes())
            .await
            .unwrap();
        unfinished.push(stream);
    }
    for stream in &mut unfinished {
        let mut said = [0; 2048];
        if let Ok(Ok(count)) = timeout(Duration::from_millis(500), stream.read(&mut said)).await {
            refused = String::from_utf8_lossy(&said[..count]).into_owned();
        }
    }
    assert!(
        refused.starts_with("HTTP/1.1 503") && refused.contains("/problems/busy"),
        "{refused}"
    );
    drop(unfinished);
    // What was refused or given up holds nothing: honest requests come through again.
    let url = world.gateway.url();
    crate::support::until("an honest request to be taken", async || {
        let answer = world
            .school
            .rename(&url, "1", &world.customer, "A")
            .await
            .unwrap();
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer)
        }
    })
    .await;
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_that_stop_keep_no_small_event_out_and_are_given_up_soon() {
    let settings = "limits: {body: 1 MiB, memory: 4 MiB}\n";
    let world = World::with(|setup| setup.settings(settings)).await;
    let head = "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n";
    let text = format!("{head}{}", "x".repeat(1_048_575));
    let started = std::time::Instant::now();
    let mut strangers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (listen, text) = (world.gateway.listen, text.clone());
        strangers.spawn(async move {
            let mut stream = TcpStream::connect(listen).await.unwrap();
            // The gateway may refuse it while we still write.
            stream.write_all(text.as_bytes()).await.ok();
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await.ok();
            String::from_utf8_lossy(&said).into_owned()
        });
    }
    // Three of them fit, and are held.
    for _ in 0..5 {
        let said = strangers.join_next().await.unwrap().unwrap();
        assert!(!said.contains("408"), "{said}");
    }
    let url = world.gateway.url();
    let answer = world.school.rename(&url, "1", &world.customer, "A").await;
    assert_eq!(answer.unwrap().status, 200);
    for said in strangers.join_all().await {
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_framing_is_a_bad_request() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(world.gateway.listen).await.unwrap();
    let broken =
        "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    stream.write_all(broken.as_bytes()).await.unwrap();
    let said = until_closed(stream).await;
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_dribbles_in_takes_nobodys_turn() {
    let world = World::with(|setup| setup.settings("limits: {requests: 1}\n")).await;
    let mut slow = TcpStream::connect(world.gateway.listen).await.unwrap();
    let head = "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart";
    slow.write_all(head.as_bytes()).await.unwrap();
    let url = world.gateway.url();
    for number in 0..5 {
        let id = number.to_string();
        let answer = world
            .school
            .rename(&url, &id, &world.customer, &id)
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    drop(slow);
    world.gateway.settled().await;
    world.end().await;
}

/// Sends all of a text, as far as the gateway lets us, and gives what it says.
async fn say(world: &World, text: &str) -> String {
    let mut stream = TcpStream::connect(world.gateway.listen).await.unwrap();
    // The gateway may answer and close while we still write.
    stream.write_all(text.as_bytes()).await.ok();
    let mut said = [0; 4096];
    let count = timeout(PATIENCE, stream.read(&mut said)).await.unwrap();
    String::from_utf8_lossy(&said[..count.unwrap_or(0)]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_no_honest_sender_makes_are_answered_431_and_the_next_request_is_served() {
    let world = World::new().await;
    let fields = "X-Field: 1\r\n".repeat(101);
    let large = format!("X-Large: {}\r\n", "x".repeat(100_000));
    for more in [fields, large] {
        let head = format!("POST /webhooks/school HTTP/1.1\r\nHost: x\r\n{more}\r\n");
        let said = say(&world, &head).await;
        assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    }
    let url = world.gateway.url();
    let answer = world.school.rename(&url, "1", &world.customer, "A").await;
    assert_eq!(answer.unwrap().status, 200);
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_a_row_on_one_connection_are_answered_in_order() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(world.gateway.listen).await.unwrap();
    let get = |path: &str, last: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{last}\r\n");
    let row = [
        get("/live", ""),
        get("/elsewhere", ""),
        get("/ready", "Connection: close\r\n"),
    ];
    stream.write_all(row.concat().as_bytes()).await.unwrap();
    let said = until_closed(stream).await;
    let statuses: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once("HTTP/1.1 "))
        .map(|(_, status)| status.get(..3).unwrap())
        .collect();
    assert_eq!(statuses, ["200", "404", "200"], "{said}");
    world.end().await;
}

/// Writes one byte now and then until the gateway closes the connection.
async fn dribble(world_listen: std::net::SocketAddr, beginning: &str) {
    let mut stream = TcpStream::connect(world_listen).await.unwrap();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.split();
    let mut said = Vec::new();
    let dribbles = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if to.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let closed = async { from.read_to_end(&mut said).await.ok() };
    let ended = timeout(PATIENCE, async {
        tokio::select! { () = dribbles => {}, _ = closed => {} }
    });
    ended
        .await
        .expect("a client that dribbles is cut off, however long it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_its_answers_is_cut_off() {
    let settings = "limits: {header_timeout: 1h, answer_timeout: 300ms, connections: 1}\n";
    let world = World::with(|setup| setup.settings(settings)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(world.gateway.listen).await.unwrap();
    let row = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    // Answers fill all buffers on the way back; from then on nothing is read from this side, either.
    let asks = async { while deaf.write_all(row.as_bytes()).await.is_ok() {} };
    timeout(PATIENCE, asks)
        .await
        .expect("a client that does not read is cut off");
    // Its place, the only one, is free again.
    let url = world.gateway.url();
    let answer = world.school.rename(&url, "1", &world.customer, "A").await;
    assert_eq!(answer.unwrap().status, 200);
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_slow_clients_of_every_kind_keep_no_honest_one_out() {
    let settings = "limits: {header_timeout: 400ms, body_timeout: 400ms, connections: 40}\n";
    let world = World::with(|setup| setup.settings(settings)).await;
    let listen = world.gateway.listen;
    let mut slow = tokio::task::JoinSet::new();
    // Three times as many as there is room for.
    for _ in 0..40 {
        slow.spawn(dribble(listen, ""));
        slow.spawn(dribble(
            listen,
            "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nX-Half",
        ));
        let body = "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
        slow.spawn(dribble(listen, body));
    }
    let url = world.gateway.url();
    for number in 0..5 {
        let id = number.to_string();
        let answer = world.school.rename(&url, &id, &world.customer, &id).await;
        assert_eq!(answer.unwrap().status, 200, "{number}");
    }
    slow.join_all().await;
    world.gateway.settled().await;
    world.end().await;
}
