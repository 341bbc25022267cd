//! Proxies from the environment.

use std::process::Command;

use crate::support::{World, client};

/// Runs the test below in a process of its own, whose environment names a proxy that does not exist.
#[test]
fn calls_to_loopback_never_go_through_a_proxy() {
    let proxy = "http://127.0.0.1:1";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "proxy::with_a_proxy_in_the_environment",
        ])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("HTTP_PROXY", proxy)
        .env("http_proxy", proxy)
        .env("ALL_PROXY", proxy)
        .env("all_proxy", proxy)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by the test above, in an environment with a proxy"]
async fn with_a_proxy_in_the_environment() {
    let world = World::new().await;
    let plain = reqwest::Client::builder().build().unwrap();
    let through_proxy = plain.get(world.running.url()).send().await;
    assert!(through_proxy.is_err(), "the environment names no proxy");
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}", world.running.address().port());
        client(&url).probe().await.unwrap();
    }
}
