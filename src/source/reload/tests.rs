use std::fs;

use super::*;
use crate::{config::Environment, source::Seen};

const GOOD: &str = r"
mapping: 1
source: NAME
receive: {verify: github, secrets: [{file: secret-NAME}]}
otherwise: drop
rules:
  - {name: r, when: exists(a), drop: x}
tests:
  - {name: t, event: {a: 1}, expect: [{drop: x}]}
";
const BROKEN: &str = "mapping: 1\nsource: NAME\n";

/// A folder of source files beside their secrets.
struct World(tempfile::TempDir);

impl World {
    /// Each file is given as its name and text.
    fn of(files: &[(&str, &str)]) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            world.write(name, text);
            fs::write(world.0.path().join(format!("secret-{name}")), "s3cret").unwrap();
        }
        world
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(format!("{name}.yaml"));
        fs::write(path, text.replace("NAME", name)).unwrap();
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.0.path().join(file)).unwrap();
    }

    fn load(&self) -> Set {
        self.load_at(Timestamp::UNIX_EPOCH)
    }

    fn load_at(&self, now: Timestamp) -> Set {
        let (folder, nothing) = (self.0.path(), Environment::default());
        Set::load(folder, &nothing, folder, now, &mut Seen::default()).unwrap()
    }
}

/// The changes, or the file that the first reason against them names.
fn shown(verdict: Verdict, world: &World) -> String {
    match verdict {
        Verdict::Unchanged => "unchanged".to_owned(),
        Verdict::Take(changes) => {
            let Changes {
                added,
                changed,
                removed,
            } = changes;
            format!(
                "+{} ~{} -{}",
                added.join(","),
                changed.join(","),
                removed.join(",")
            )
        }
        Verdict::Refuse(lines) => {
            let folder = format!("{}/", world.0.path().display());
            let (_, file) = lines[0].split_once(&folder).unwrap();
            format!("refused: {}", file.split(':').next().unwrap())
        }
    }
}

#[test]
fn a_new_set_is_taken_as_a_whole_or_not_at_all() {
    type Change = fn(&World);
    // What there is, what is done, what comes of it. `b` is broken from the beginning where it is there.
    let cases: [(&[&str], Change, &str); 13] = [
        (&["a"], |_| {}, "unchanged"),
        (&["a", "b"], |_| {}, "unchanged"),
        (
            &["a"],
            |world| world.write("a", &format!("{GOOD}# more")),
            "+ ~a -",
        ),
        (
            &["a"],
            |world| fs::write(world.0.path().join("secret-a"), "new").unwrap(),
            "+ ~a -",
        ),
        (
            &["a"],
            |world| world.remove("secret-a"),
            "refused: secret-a",
        ),
        (&["a"], |world| world.write("a", BROKEN), "refused: a.yaml"),
        (
            &["a"],
            |world| {
                world.write("a", &format!("{GOOD}# more"));
                world.write("c", BROKEN);
            },
            "refused: c.yaml",
        ),
        // An unrelated file that was broken before does not hinder for ever,
        (
            &["a", "b"],
            |world| world.write("a", &format!("{GOOD}# more")),
            "+ ~a -",
        ),
        // but one that somebody just worked on and did not mend does,
        (
            &["a", "b"],
            |world| {
                world.write("a", &format!("{GOOD}# more"));
                world.write("b", &format!("{BROKEN}# still"));
            },
            "refused: b.yaml",
        ),
        // and neither does a good change of one make up for the breaking of another.
        (
            &["a", "b"],
            |world| {
                fs::write(world.0.path().join("secret-b"), "s3cret").unwrap();
                world.write("b", GOOD);
                world.write("a", BROKEN);
            },
            "refused: a.yaml",
        ),
        (&["a", "b"], |world| world.write("b", GOOD), "+ ~b -"),
        (&["a", "b"], |world| world.remove("b.yaml"), "+ ~ -b"),
        (
            &["a"],
            |world| {
                fs::rename(world.0.path().join("a.yaml"), world.0.path().join("a.yml")).unwrap();
            },
            "refused: a.yml",
        ),
    ];
    for (number, (files, change, expected)) in cases.into_iter().enumerate() {
        let text = |name: &str| if name == "b" { BROKEN } else { GOOD };
        let files: Vec<_> = files.iter().map(|name| (*name, text(name))).collect();
        let world = World::of(&files);
        let old = world.load();
        change(&world);
        let verdict = judge(&old, &world.load());
        assert_eq!(shown(verdict, &world), expected, "case {number}");
    }
}

#[test]
fn what_time_alone_mends_or_breaks_is_taken_and_hinders_nothing() {
    let until = "2026-03-02T00:00:00Z";
    let second = jiff::SignedDuration::from_secs(1);
    let after: Timestamp = until.parse().unwrap();
    let before = after - second;
    for (secrets, at_first) in [
        // Missing, and no longer needed after its end.
        (
            format!("{{file: secret-a}}, {{file: gone, until: {until}}}"),
            0,
        ),
        // Accepted, and nothing is after its end.
        (format!("{{file: secret-a, until: {until}}}"), 1),
    ] {
        let good = GOOD.replace("{file: secret-NAME}", &secrets);
        let world = World::of(&[("a", &good), ("c", GOOD)]);
        let old = world.load_at(before);
        assert_eq!(old.ready().count(), 1 + at_first, "{secrets}");
        assert_eq!(judge(&old, &world.load_at(before)), Verdict::Unchanged);
        let new = world.load_at(after);
        assert_eq!(new.ready().count(), 2 - at_first, "{secrets}");
        assert_eq!(shown(judge(&old, &new), &world), "+ ~a -", "{secrets}");
        assert_eq!(judge(&new, &world.load_at(after)), Verdict::Unchanged);
        world.write("c", &format!("{GOOD}# more"));
        let verdict = judge(&new, &world.load_at(after));
        assert_eq!(shown(verdict, &world), "+ ~c -", "{secrets}");
    }
    // Somebody wrote it like that.
    let world = World::of(&[("a", GOOD)]);
    let old = world.load_at(after);
    let ended = format!("{{file: secret-a, until: {until}}}");
    world.write("a", &GOOD.replace("{file: secret-NAME}", &ended));
    assert!(matches!(
        judge(&old, &world.load_at(after)),
        Verdict::Refuse(_)
    ));
}

#[test]
fn a_report_stays_short() {
    let lines: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let report = SourcesReport::refused(lines);
    assert_eq!(report.trouble.len(), MAX_LINES + 1);
    assert_eq!(report.trouble.last().unwrap(), "and 4900 more");
}

#[tokio::test]
async fn whoever_asks_before_a_reload_begins_is_answered_by_the_same() {
    let set = Set::default();
    let report = |trigger| Report {
        at: Timestamp::UNIX_EPOCH,
        trigger,
        sources: SourcesReport::unchanged(&set),
        keys: KeysReport {
            outcome: Outcome::Unchanged,
            renewed: Vec::new(),
            trouble: Vec::new(),
        },
        settings_changed: false,
    };
    let (reloads, mut desk) = Reloads::new(report(Trigger::Start));
    let (first, second) = (reloads.clone(), reloads.clone());
    let asked = async { tokio::join!(first.request(), second.request()) };
    for _ in 0..100 {
        reloads.signalled();
    }
    let answered = async {
        let mut reloads = 0;
        loop {
            let wanted = desk.next().await;
            reloads += 1;
            let (trigger, waiting) = (wanted.trigger, wanted.replies.len());
            desk.report(report(trigger), wanted);
            if waiting == 2 {
                return (reloads, trigger);
            }
        }
    };
    let ((first, second), (count, trigger)) = tokio::join!(asked, answered);
    assert_eq!(trigger, Trigger::Request);
    assert!(count <= 2, "{count} reloads for a burst of signals");
    assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
    assert_eq!(reloads.last().trigger, Trigger::Request);
    drop(desk);
    assert_eq!(reloads.request().await, None, "nobody is there any more");
}
