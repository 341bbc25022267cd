//! The programs before gateways, and what they need.

/// The text of a file of the project.
pub(crate) fn file(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}

/// The first of some names by which a program answers to `-v`; Debian has daemons where the search path of other users does not
/// lead. Nothing, and a word about the test that is left out, where none does.
pub(crate) fn program<'a>(test: &str, names: [&'a str; 2]) -> Option<&'a str> {
    let answers = |name: &&str| {
        let asked = std::process::Command::new(name)
            .arg("-v")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    };
    let found = names.into_iter().find(answers);
    if found.is_none() {
        crate::support::left_out(test, &format!("{} is not installed", names[0]));
    }
    found
}

/// Taken by nobody at this moment; these programs do not tell which port they took of themselves.
pub(crate) fn free_port() -> std::net::SocketAddr {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    port.local_addr().unwrap()
}
