use super::*;
use crate::verify::PrivateKey;

const FILE: &str = r"
mapping: 1
source: school
receive: {verify: github, secrets: [{env: SECRET}]}
otherwise: drop
rules:
  - {name: r, when: exists(a), drop: x}
tests:
  - {name: from a sample, event_file: samples/a.json, expect: [{drop: x}]}
  - {name: in the file, event: {a: 1}, expect: [{drop: x}]}
";

fn load(folder: &Path, environment: &Environment) -> Set {
    let now = "2026-03-02T12:00:00Z".parse().unwrap();
    Set::load(folder, environment, folder, now, &mut Seen::default()).unwrap()
}

/// Which sources of a folder with this file receive, and which do not.
fn loaded(file: &str, sample: Option<&str>) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("school.yaml"), file).unwrap();
    if let Some(sample) = sample {
        std::fs::create_dir(folder.path().join("samples")).unwrap();
        std::fs::write(folder.path().join("samples/a.json"), sample).unwrap();
    }
    let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
    let set = load(folder.path(), &environment);
    let broken = set.sources().filter(|(_, mapping)| mapping.is_none());
    (set.ready().count(), broken.count())
}

#[test]
fn a_source_receives_without_the_samples_of_its_tests_but_not_with_a_failing_test() {
    assert_eq!(loaded(FILE, Some("{\"a\": 1}")), (1, 0));
    assert_eq!(loaded(FILE, None), (1, 0));
    assert_eq!(loaded(FILE, Some("{\"b\": 1}")), (0, 1));
    assert_eq!(loaded(FILE, Some("not JSON")), (0, 1));
    let failing = FILE.replace("event: {a: 1}", "event: {b: 1}");
    assert_eq!(loaded(&failing, None), (0, 1));
}

#[test]
fn a_failed_test_is_told_of_without_what_its_event_holds() {
    let folder = tempfile::tempdir().unwrap();
    let failing = FILE.replace("expect: [{drop: x}]", "expect: [{drop: zacarias}]");
    std::fs::write(folder.path().join("school.yaml"), failing).unwrap();
    let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
    let lines: Vec<String> = load(folder.path(), &environment).troubles().collect();
    let shown = lines.join("\n");
    let expected = "error map/test-failed: a test fails here (`quentli-gateway test` shows";
    assert!(
        shown.contains(expected) && !shown.contains("zacarias"),
        "{shown}"
    );
}

#[test]
fn a_secret_that_is_gone_matters_until_its_day_and_no_longer() {
    for (until, receives) in [("2026-03-03", 0), ("2026-03-01", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let secrets = format!("[{{env: SECRET}}, {{file: old, until: {until}}}]");
        let file = FILE.replace("[{env: SECRET}]", &secrets);
        std::fs::write(folder.path().join("school.yaml"), file).unwrap();
        let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
        let set = load(folder.path(), &environment);
        assert_eq!(set.ready().count(), receives, "{until}");
        let warns = |set: &Set| set.warnings().iter().any(|line| line.contains("file:old"));
        assert_eq!(warns(&set), receives == 1, "{until}");
        std::fs::write(folder.path().join("old"), "older").unwrap();
        let set = load(folder.path(), &environment);
        assert_eq!((set.ready().count(), warns(&set)), (1, false), "{until}");
    }
}

#[test]
fn a_secret_with_white_space_around_it_is_warned_of_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("school.yaml"), FILE).unwrap();
    let environment: Environment = [("SECRET", "s3cret ")].into_iter().collect();
    let set = load(folder.path(), &environment);
    assert_eq!(set.ready().count(), 1);
    let shown = set.warnings().join("\n");
    let expected = "source `school`: the secret env:SECRET begins or ends with white space";
    assert!(
        shown.contains(expected) && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[test]
fn a_public_key_in_a_file_is_seen_to_change_and_told_of_by_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = FILE.replace(
        "verify: github, secrets: [{env: SECRET}]",
        "verify: sendgrid, public_keys: [{file: key.pem}]",
    );
    std::fs::write(folder.path().join("school.yaml"), file).unwrap();
    let now = "2026-03-02T12:00:00Z".parse().unwrap();
    let load = || {
        let mut seen = Seen::default();
        let environment = Environment::default();
        let set = Set::load(folder.path(), &environment, folder.path(), now, &mut seen).unwrap();
        let troubles = set.troubles().collect::<Vec<_>>().join("\n");
        let warnings = set.warnings().iter();
        let warnings = warnings.filter(|line| line.starts_with("source")).count();
        (seen, set.ready().count(), troubles, warnings)
    };
    let (missing, ready, troubles, _) = load();
    let expected = "the public key file:key.pem of `receive.public_keys`: cannot read";
    assert!(ready == 0 && troubles.contains(expected), "{troubles}");

    let key = include_str!("../../verify/keys/p384.pub.pem");
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    let (wrong, ready, troubles, _) = load();
    let expected =
        "the public key `file:key.pem` cannot be used: it is a key for another elliptic curve";
    assert!(ready == 0 && troubles.contains(expected), "{troubles}");
    assert_ne!(missing, wrong);

    let private = include_str!("../../verify/keys/p256.pem");
    std::fs::write(folder.path().join("key.pem"), private).unwrap();
    let (_, ready, troubles, _) = load();
    let expected = "it is a private key";
    assert!(ready == 0 && troubles.contains(expected), "{troubles}");
    assert!(!troubles.contains("MIGHAg"), "{troubles}");

    let private = PrivateKey::read(&private.into()).unwrap();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        private.public_key()
    );
    std::fs::write(folder.path().join("key.pem"), pem).unwrap();
    // Its lines are nothing to warn of.
    let (right, ready, troubles, warnings) = load();
    assert_eq!((ready, troubles.as_str(), warnings), (1, "", 0));
    assert_ne!(wrong, right);
}

#[test]
fn a_source_does_not_receive_when_all_its_secrets_have_ended_and_warns_before() {
    for (secrets, receives, said) in [
        ("{env: SECRET}", true, ""),
        (
            "{env: SECRET, until: 2026-03-02}",
            true,
            "from 2026-03-03T00:00:00Z on",
        ),
        (
            "{env: SECRET, until: 2026-03-01}",
            false,
            "last at 2026-03-02T00:00:00Z",
        ),
        (
            "{env: SECRET}, {file: gone, until: 2026-03-01}",
            true,
            "file:gone",
        ),
        (
            "{file: gone, until: 2026-03-01}",
            false,
            "last at 2026-03-02T00:00:00Z",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = FILE.replace("[{env: SECRET}]", &format!("[{secrets}]"));
        std::fs::write(folder.path().join("school.yaml"), file).unwrap();
        let environment: Environment = [("SECRET", "s3cret")].into_iter().collect();
        let set = load(folder.path(), &environment);
        assert_eq!(set.ready().count() == 1, receives, "{secrets}");
        let warnings = set
            .warnings()
            .iter()
            .filter(|line| line.starts_with("source") || line.contains("recv/secrets-end"));
        let lines: Vec<String> = if receives {
            warnings.cloned().collect()
        } else {
            set.troubles().collect()
        };
        let lines = lines.join("\n");
        assert_eq!(lines.is_empty(), said.is_empty(), "{secrets}: {lines}");
        assert!(lines.contains(said), "{secrets}: {lines}");
    }
}
