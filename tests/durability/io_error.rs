//! A disk that fails to sync: the store takes nothing more, the process ends, and a new one finds everything that was
//! acknowledged.

use crate::{can_trace, setup, stored_names, support::school::School};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_nothing_is_acknowledged_and_the_process_ends() {
    if !can_trace("after_a_failed_sync_nothing_is_acknowledged_and_the_process_ends") {
        return;
    }
    let plain = setup();
    // The first start makes the database, so that the failing syncs are those of events.
    assert!(plain.start().terminate().success());
    let setup = plain.wrapped(&[
        "strace",
        "-f",
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        "signal=none",
        "-o",
        "/dev/null",
        "-e",
        "inject=fsync,fdatasync:error=EIO:when=20+",
    ]);
    let school = School::new();
    let mut gateway = setup.start();
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for number in 0..200 {
        let name = format!("n{number}");
        match school.rename(&gateway.url(), &name, "cus_1", &name).await {
            Ok(answer) if answer.status == 200 => {
                assert_eq!(refused, 0, "acknowledged after a failed sync: {answer:?}");
                acknowledged.push(name);
            }
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{answer:?}");
                refused += 1;
            }
            // The process has ended.
            Err(_) => break,
        }
    }
    assert!(
        !acknowledged.is_empty() && refused > 0,
        "{} acknowledged",
        acknowledged.len()
    );
    let status = gateway.wait();
    let log = gateway.log().join("\n");
    assert_eq!(
        status.code(),
        Some(70),
        "a supervisor must see that it failed:\n{log}"
    );
    drop(gateway);
    let stored = stored_names(setup.data());
    for name in acknowledged {
        assert!(
            stored.contains(&name),
            "{name} was acknowledged and is not stored"
        );
    }
}
