//! No acknowledgement without a commit, shown from both sides: by the system calls of the executable, and by real
//! failures of the disk.
//!
//! These tests need Linux, strace, and for the small file system the right to mount. Where something is missing, the
//! test says aloud that it was left out; `./test` lists it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: a surprise ends the test"
)]

mod damage;
mod full_disk;
mod io_error;
mod locked;
mod order;

#[path = "../support/support.rs"]
mod support;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    executable::Setup,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE},
};

/// A gateway whose Quentli does not answer, so that everything accepted keeps waiting.
fn setup() -> Setup {
    Setup::new("http://127.0.0.1:9")
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET)
}

/// Whether strace can be used here.
fn can_trace(test: &str) -> bool {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        support::left_out(test, "strace is not installed or may not trace");
    }
    can
}

/// The database file of a data folder.
fn database(data: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_database = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("db" | "sqlite" | "sqlite3"))
    };
    files.find(is_database).unwrap()
}

/// The contact names of all events stored in a data folder that no process uses now.
fn stored_names(data: &Path) -> BTreeSet<String> {
    let connection = rusqlite::Connection::open(database(data)).unwrap();
    let mut statement = connection.prepare("SELECT body FROM event").unwrap();
    let bodies = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap();
    let name = |body: rusqlite::Result<Vec<u8>>| {
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        body["contact"]["name"].as_str().unwrap().to_owned()
    };
    bodies.map(name).collect()
}
