use std::{fs, os::unix::fs::symlink};

use super::*;

/// A folder as a load would see it: one source with a sample and a secret.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(world.path("mappings")).unwrap();
        fs::write(world.path("mappings/a.yaml"), "a: 1").unwrap();
        fs::write(world.path("mappings/a.json"), "{}").unwrap();
        fs::write(world.path("secret"), "s3cret\n").unwrap();
        fs::write(world.path("gateway.yaml"), "").unwrap();
        world
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        for file in seen.folder(&self.path("mappings")).unwrap() {
            seen.source(&file).unwrap();
        }
        seen.sample(&self.path("mappings/a.json")).unwrap();
        let secret = SecretReference::File("secret".into());
        seen.secret(&secret, &Environment::default(), self.folder.path())
            .unwrap();
        seen.settings(&self.path("gateway.yaml"));
        seen
    }
}

#[test]
fn every_change_of_content_is_seen_and_nothing_else_is() {
    type Change = fn(&World);
    let changes: [(&str, Change, bool); 14] = [
        ("nothing", |_| {}, false),
        (
            "the same written again",
            |world| fs::write(world.path("mappings/a.yaml"), "a: 1").unwrap(),
            false,
        ),
        (
            "another line end of the secret",
            |world| fs::write(world.path("secret"), "s3cret").unwrap(),
            false,
        ),
        (
            "a hidden file",
            |world| fs::write(world.path("mappings/.a.yaml.swp"), "x").unwrap(),
            false,
        ),
        (
            "a file of another ending",
            |world| fs::write(world.path("mappings/b.yml"), "x").unwrap(),
            true,
        ),
        (
            "a file that is nobody's sample",
            |world| fs::write(world.path("mappings/b.json"), "x").unwrap(),
            false,
        ),
        (
            "the source",
            |world| fs::write(world.path("mappings/a.yaml"), "a: 2").unwrap(),
            true,
        ),
        (
            "its sample",
            |world| fs::write(world.path("mappings/a.json"), "[]").unwrap(),
            true,
        ),
        (
            "its secret",
            |world| fs::write(world.path("secret"), "another").unwrap(),
            true,
        ),
        (
            "a secret that is gone",
            |world| fs::remove_file(world.path("secret")).unwrap(),
            true,
        ),
        (
            "one more source",
            |world| fs::write(world.path("mappings/b.yaml"), "").unwrap(),
            true,
        ),
        (
            "another name of the source",
            |world| {
                fs::rename(world.path("mappings/a.yaml"), world.path("mappings/b.yaml")).unwrap();
            },
            true,
        ),
        (
            "a folder that is gone",
            |world| fs::remove_dir_all(world.path("mappings")).unwrap(),
            true,
        ),
        (
            "the settings",
            |world| fs::write(world.path("gateway.yaml"), "log: {}").unwrap(),
            true,
        ),
    ];
    for (what, change, is_seen) in changes {
        let world = World::new();
        let seen = world.seen();
        change(&world);
        assert_eq!(seen.again() != seen, is_seen, "{what}");
        assert_eq!(
            seen.settings_differ(&seen.again()),
            what == "the settings",
            "{what}"
        );
    }
}

#[test]
fn a_link_that_leads_elsewhere_is_a_change() {
    let world = World::new();
    let mount = world.path("mount");
    for (version, text) in [("..v1", "a: 1"), ("..v2", "a: 2")] {
        fs::create_dir_all(mount.join(version)).unwrap();
        fs::write(mount.join(version).join("a.yaml"), text).unwrap();
    }
    symlink("..v1", mount.join("..data")).unwrap();
    symlink("..data/a.yaml", mount.join("a.yaml")).unwrap();
    let mut seen = Seen::default();
    let files = seen.folder(&mount).unwrap();
    assert_eq!(files, [mount.join("a.yaml")], "a version is no source");
    seen.source(&files[0]).unwrap();
    assert_eq!(seen.again(), seen);
    symlink("..v2", mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    assert_ne!(seen.again(), seen);
}

#[test]
fn a_change_counts_when_it_has_settled_and_once() {
    let world = World::new();
    let write = |text: &str| fs::write(world.path("mappings/a.yaml"), text).unwrap();
    let mut watch = Watch::new(world.seen());
    assert!(!watch.look());
    write("a: 2");
    assert!(!watch.look(), "it may still be changing");
    write("a: 2 # and more");
    assert!(!watch.look(), "it was still changing");
    assert!(watch.look());
    watch.know(world.seen());
    assert!(!watch.look() && !watch.look());
    write("a: 3");
    assert!(!watch.look());
    write("a: 2 # and more");
    assert!(!watch.look() && !watch.look(), "it was taken back");
}

#[test]
fn what_was_read_before_it_settled_counts_once_it_has() {
    let world = World::new();
    let mut watch = Watch::new(world.seen());
    fs::write(world.path("mappings/a.yaml"), "a: 2").unwrap();
    watch.miss(world.seen());
    assert!(!watch.look(), "it may still be changing");
    assert!(watch.look());
    assert!(!watch.look() && !watch.look());
}

#[test]
fn what_changed_between_two_who_read_it_is_a_change() {
    let world = World::new();
    let secret = SecretReference::File("secret".into());
    let read = |text: &str| {
        fs::write(world.path("secret"), text).unwrap();
        let mut seen = Seen::default();
        let (nothing, base) = (Environment::default(), world.folder.path());
        seen.secret(&secret, &nothing, base).unwrap();
        seen
    };
    for (texts, is_change) in [
        (["old", "old"], false),
        (["old", "new"], true),
        (["old", "old\n"], false),
    ] {
        let mut seen = Seen::default();
        for text in texts {
            seen.extend(&read(text));
        }
        assert_eq!(seen.again() != seen, is_change, "{texts:?}");
        let mut watch = Watch::new(seen);
        assert!(!watch.look());
        assert_eq!(watch.look(), is_change, "{texts:?}");
    }
}

#[test]
fn what_is_too_large_or_no_file_is_not_read() {
    let world = World::new();
    let path = world.path("mappings/a.yaml");
    let kind = |path: &Path| Seen::default().source(path).unwrap_err().kind();
    fs::write(&path, vec![b' '; yaml::MAX_BYTES]).unwrap();
    assert!(Seen::default().source(&path).is_ok());
    fs::write(&path, vec![b' '; yaml::MAX_BYTES + 1]).unwrap();
    assert_eq!(kind(&path), io::ErrorKind::FileTooLarge);
    assert_eq!(kind(Path::new("/dev/zero")), io::ErrorKind::InvalidInput);
    assert_eq!(kind(&world.path("mappings")), io::ErrorKind::InvalidInput);
}

#[test]
fn no_hash_of_a_secret_is_shown() {
    let shown = format!("{:?}", World::new().seen());
    assert!(shown.contains("secret\"): Hash"), "{shown}");
}
