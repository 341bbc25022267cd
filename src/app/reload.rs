//! Reloads while the gateway runs: reads the files on a thread of its own, and puts in force what is good.
//!
//! One task does this, one reload after the other. It begins one when somebody asks for it and when what the files hold
//! has changed and settled; whoever asks while one is under way gets another after it. What the network threads see is
//! one swap of a pointer: requests under way end on the source they began with. Shutdown ends it at once, whatever it
//! is doing; a set that is still being read then is thrown away.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::{sync::Mutex, task::spawn_blocking};

use super::reading::{Fresh, Reading};
use crate::{
    clock::Clock,
    config::SecretError,
    delivery::Handle,
    event::OrganisationName,
    jwks::KeySets,
    source::{
        LearnedSecrets, LoadError, Seen, Set, Sources, Watch,
        reload::{
            Desk, KeysReport, Outcome, Report, SourcesReport, Trigger, Verdict, Wanted, judge,
        },
    },
    telemetry::{Metrics, ReloadPart},
};

/// How often files that change while they are read are read, and the wait between.
const TRIES: u32 = 5;
const SETTLE: Duration = Duration::from_millis(200);

/// What a reload works on.
pub(super) struct Reloader {
    pub(super) reading: Arc<Reading>,
    pub(super) sources: Sources,
    pub(super) learned: LearnedSecrets,
    pub(super) key_sets: KeySets,
    /// Of all organisations.
    pub(super) keys: BTreeMap<OrganisationName, Key>,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    /// Between two looks at the files; zero is never.
    pub(super) poll: Duration,
    /// What was there at the start.
    pub(super) start: Seen,
}

/// The key in force, and who uses it.
pub(super) struct Key {
    pub(super) key: SecretString,
    pub(super) handle: Handle,
}

impl Reloader {
    /// Reloads for ever.
    pub(super) async fn run(mut self, mut desk: Desk) {
        let watch = Arc::new(Mutex::new(Watch::new(self.start.clone())));
        loop {
            let wanted = tokio::select! {
                biased;
                wanted = desk.next() => wanted,
                () = self.change(&watch) => Wanted::of(Trigger::Change),
            };
            let report = self.reload(wanted.trigger, &watch).await;
            desk.report(report, wanted);
        }
    }

    /// Waits until what the files hold has changed and settled. Cancel-safe.
    async fn change(&self, watch: &Arc<Mutex<Watch>>) {
        if self.poll.is_zero() {
            std::future::pending::<()>().await;
        }
        loop {
            self.clock.sleep(self.poll).await;
            let mut watch = Arc::clone(watch).lock_owned().await;
            let look = spawn_blocking(move || watch.look());
            // A look that panicked, which would be a bug, found nothing.
            if look.await.unwrap_or_default() {
                return;
            }
        }
    }

    async fn reload(&mut self, trigger: Trigger, watch: &Mutex<Watch>) -> Report {
        let mut report = Report {
            at: self.clock.now(),
            trigger,
            sources: refused("they were not read"),
            keys: KeysReport::unchanged(),
            settings_changed: false,
        };
        if let Some((fresh, is_settled)) = self.read().await {
            // A look that is still under way is waited for, so that it does not undo this.
            let mut watch = watch.lock().await;
            if is_settled {
                watch.know(fresh.seen.clone());
            } else {
                watch.miss(fresh.seen.clone());
            }
            drop(watch);
            report.settings_changed = self.start.settings_differ(&fresh.seen);
            if is_settled {
                report.keys = self.take_keys(fresh.keys);
                report.sources = self.take_set(fresh.set);
            } else {
                report.sources = refused(
                    "the files change while they are read; ask again when they have settled",
                );
            }
        } else {
            report.sources =
                refused("reading them met a bug of the gateway; please report it with the files");
        }
        self.tell(&report);
        report
    }

    /// Reads everything, once more where something changed meanwhile, and says whether it came to rest. `None` where
    /// our own code failed.
    async fn read(&self) -> Option<(Fresh, bool)> {
        let mut tries = 1;
        loop {
            let reading = Arc::clone(&self.reading);
            let read = spawn_blocking(move || {
                let fresh = reading.all();
                let is_settled = fresh.seen.again() == fresh.seen;
                (fresh, is_settled)
            });
            let (fresh, is_settled) = read.await.ok()?;
            if is_settled || tries == TRIES {
                return Some((fresh, is_settled));
            }
            tries += 1;
            self.clock.sleep(SETTLE).await;
        }
    }

    /// Puts a set in force, or does not.
    fn take_set(&self, set: Result<Set, LoadError>) -> SourcesReport {
        let set = match set {
            Ok(set) => set,
            Err(error) => return SourcesReport::not_loaded(&error),
        };
        match judge(&self.sources.set(), &set) {
            Verdict::Unchanged => SourcesReport::unchanged(&set),
            Verdict::Refuse(reasons) => SourcesReport::refused(reasons),
            Verdict::Take(changes) => {
                let report = SourcesReport::loaded(&set, changes);
                self.metrics.sources(set.sources(), self.clock.now());
                self.metrics.observing(set.observing());
                self.metrics.secret_ends(set.secret_ends());
                self.key_sets.adopt(&set);
                self.learned.warn_of_unused(&set);
                // All organisations have a key.
                for (organisation, key) in &self.keys {
                    key.handle.find_by(set.metadata_looked_for(organisation));
                }
                self.sources.swap(Arc::new(set));
                report
            }
        }
    }

    /// Uses those keys that are new and good.
    fn take_keys(
        &mut self,
        read: Vec<(OrganisationName, Result<SecretString, SecretError>)>,
    ) -> KeysReport {
        let mut report = KeysReport::unchanged();
        for (organisation, read) in read {
            let Some(known) = self.keys.get_mut(&organisation) else {
                continue;
            };
            let key = match read {
                Ok(key) if key.expose_secret() == known.key.expose_secret() => continue,
                Ok(key) => key,
                Err(error) => {
                    report.refused(&organisation, &error);
                    continue;
                }
            };
            match known.handle.set_key(&key) {
                Ok(()) => {
                    known.key = key;
                    report.renewed(&organisation);
                }
                Err(error) => report.refused(&organisation, &error),
            }
        }
        report
    }

    /// Says in log and metrics what came of it.
    fn tell(&self, report: &Report) {
        let trigger = report.trigger.as_str();
        let outcomes = [
            (ReloadPart::Sources, report.sources.outcome),
            (ReloadPart::Keys, report.keys.outcome),
        ];
        for (part, outcome) in outcomes {
            let is_refused = outcome == Outcome::Refused;
            self.metrics
                .reload(part, trigger, outcome.as_str(), is_refused);
        }
        let sources = &report.sources;
        match sources.outcome {
            Outcome::Loaded => tell_loaded(trigger, sources),
            Outcome::Unchanged => tracing::info!(trigger, "reload: the sources are unchanged"),
            Outcome::Refused => {
                for line in &sources.trouble {
                    tracing::error!(
                        trigger,
                        "a reload was refused, all sources stay as they were: {line}"
                    );
                }
            }
        }
        for organisation in &report.keys.renewed {
            tracing::info!(trigger, %organisation, "reload: a new key is used from now on");
        }
        for line in &report.keys.trouble {
            tracing::error!(trigger, "a key was not taken, the one before stays: {line}");
        }
        if report.settings_changed {
            tracing::warn!(
                "{} is not what the gateway started with; it is read at a start only, so restart to use it",
                self.reading.settings().display()
            );
        }
    }
}

fn tell_loaded(trigger: &'static str, sources: &SourcesReport) {
    let changes = &sources.changes;
    tracing::info!(
        trigger,
        sources.added = changes.added.join(","),
        sources.changed = changes.changed.join(","),
        sources.removed = changes.removed.join(","),
        "reload: the sources were loaded"
    );
    for name in &changes.removed {
        tracing::warn!(
            "the source `{name}` was removed: its address answers 404 from now on; what waits of it is still delivered"
        );
    }
    for line in &sources.warnings {
        tracing::warn!("{line}");
    }
    for line in &sources.trouble {
        tracing::error!("a source does not receive (it answers 503): {line}");
    }
}

fn refused(reason: &str) -> SourcesReport {
    SourcesReport::refused(vec![reason.to_owned()])
}
