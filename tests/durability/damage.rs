//! A damaged database.

use std::{
    fs::OpenOptions,
    io::{Seek as _, SeekFrom, Write as _},
};

use crate::{database, setup, support::school::School};

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_named_with_what_to_do_and_is_kept() {
    let setup = setup();
    let school = School::new();
    let gateway = setup.start();
    for number in 0..50 {
        let number = number.to_string();
        let sent = school
            .rename(&gateway.url(), &number, "cus_1", &number)
            .await
            .unwrap();
        assert_eq!(sent.status, 200);
    }
    assert!(gateway.terminate().success());
    let path = database(setup.data());
    let length = std::fs::metadata(&path).unwrap().len();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    for page in 1..length / 8192 {
        file.seek(SeekFrom::Start(page * 8192)).unwrap();
        file.write_all(&[0xA5; 512]).unwrap();
    }
    drop(file);

    let output = setup.run(&["serve"]);
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{shown}");
    assert!(shown.contains("damaged"), "{shown}");
    let kept = std::fs::read(&path).unwrap();
    assert_eq!(
        kept.get(8192..8192 + 512),
        Some(&[0xA5; 512][..]),
        "the file is kept for a rescue"
    );
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let setup = setup();
    assert!(setup.start().terminate().success());
    let path = database(setup.data());
    std::fs::write(&path, "this is not a database, but somebody's notes").unwrap();
    let output = setup.run(&["serve"]);
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{shown}");
    assert!(shown.contains("not a"), "{shown}");
}
