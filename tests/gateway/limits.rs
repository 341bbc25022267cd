//! Slow, silent and half-finished clients.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
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
