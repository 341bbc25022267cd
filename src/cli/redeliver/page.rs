//! What would become of deliveries, added up over pages, for people and programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::table::count;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Dead,
    /// What is dead, waits or is looked for.
    Open,
    /// What a source only observed.
    Observed,
}

/// Counts of one page or of several.
#[derive(Debug, Default)]
pub(super) struct Counts {
    kind: Kind,
    pub(super) found: u64,
    pub(super) redelivered: u64,
    /// Of these: those that are tried when a pause ends.
    paused: u64,
    /// What is expected of those, by the words of the answer.
    expected: BTreeMap<String, u64>,
    /// What became of events that were mapped again, by the words of the answer.
    remapped: BTreeMap<String, u64>,
    cannot: BTreeMap<String, u64>,
    /// No later delivery was counted.
    pub(super) up_to: Option<i64>,
}

impl Counts {
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, answer: &Value) {
        self.found += count(answer, "found");
        self.redelivered += count(answer, "redelivered");
        self.paused += count(answer, "paused");
        self.up_to = answer.get("up_to").and_then(Value::as_i64).max(self.up_to);
        for (name, sums) in [
            ("expected", &mut self.expected),
            ("remapped", &mut self.remapped),
            ("cannot", &mut self.cannot),
        ] {
            let members = answer.get(name).and_then(Value::as_object);
            for (word, count) in members.into_iter().flatten() {
                // Lists, such as the first steps, are not added up.
                if let Some(count) = count.as_u64() {
                    *sums.entry(word.clone()).or_default() += count;
                }
            }
        }
    }

    /// How many would end by mapping again, and never be sent.
    pub(super) fn given_up(&self) -> u64 {
        let of = |word: &str| self.remapped.get(word).copied().unwrap_or_default();
        of("drops") + of("gone")
    }

    /// Whether mapping again changes anything, if only what something died of.
    pub(super) fn changes_anything(&self) -> bool {
        let of = |word: &str| self.remapped.get(word).copied().unwrap_or_default();
        of("dies") + of("drops") + of("gone") > 0
    }

    /// Whether nothing was like what was asked for.
    pub(super) fn is_nothing(&self) -> bool {
        self.found == 0 && self.cannot.is_empty()
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "found": self.found, "redelivered": self.redelivered, "paused": self.paused, "expected": self.expected,
            "remapped": self.remapped, "cannot": self.cannot,
        })
    }

    /// How many were sent again, as `done` says, and whether a pause holds some.
    pub(super) fn done(&self, done: &str) -> String {
        let sent = self.redelivered;
        match self.paused {
            0 => format!("{sent} {done}"),
            paused if paused >= sent => {
                format!("{sent} {done}, once the pause of their source or organisation ends")
            }
            paused => format!(
                "{sent} {done}, {paused} of them once the pause of their source or organisation ends"
            ),
        }
    }

    /// One line for each kind.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.is_nothing() {
            let nothing = match self.kind {
                Kind::Dead => "no dead delivery is like that",
                Kind::Open => "no open delivery is like that",
                Kind::Observed => "nothing is left of what the source only observed",
            };
            return vec![nothing.to_owned()];
        }
        let mut lines = vec![format!("{:>7}  found", self.found)];
        let kinds = [
            (&EXPECTED[..], &self.expected),
            (&REMAPPED[..], &self.remapped),
        ];
        for (meanings, counts) in kinds {
            for (word, meaning) in meanings {
                if let Some(count) = counts.get(*word).filter(|count| **count > 0) {
                    lines.push(format!("{count:>7}  {meaning}"));
                }
            }
        }
        if self.paused > 0 {
            lines.push(format!(
                "{:>7}  of these are tried when the pause of their source or organisation ends; `status` shows it",
                self.paused
            ));
        }
        for (word, count) in &self.cannot {
            let meaning = CANNOT.iter().find(|(known, _)| known == word);
            let meaning = meaning.map_or(word.as_str(), |(_, meaning)| *meaning);
            lines.push(format!("{count:>7}  {meaning}"));
        }
        lines
    }
}

const EXPECTED: [(&str, &str); 7] = [
    ("send", "to be sent"),
    (
        "send_in_part",
        "to be sent, but for what something newer was applied to",
    ),
    ("overwrite", "to be sent over newer data"),
    (
        "unchanged",
        "that change nothing: Quentli confirmed these values already",
    ),
    (
        "stale",
        "with nothing left to send, since something newer was applied; `--overwrite` sends them all the same",
    ),
    (
        "waiting",
        "of these wait already: they would be tried now, or as soon as those before them are through",
    ),
    (
        "looking",
        "of these wait for a customer who was not found: they would be looked for now",
    ),
];

const REMAPPED: [(&str, &str); 6] = [
    ("events", "events mapped again; of their deliveries"),
    ("waits", "are to be sent as the mapping has them now"),
    ("dies", "stay dead, since the mapping fails or names nobody"),
    ("drops", "end as dropped, by a rule"),
    (
        "gone",
        "end as dropped, since the mapping gives nothing in their place any more",
    ),
    ("new", "of these are new: nothing was in their place before"),
];

const CANNOT: [(&str, &str); 7] = [
    (
        "mapping",
        "that cannot be sent as they are, since the mapping failed: mend the source's file and add `--remap`",
    ),
    (
        "no-customer-reference",
        "that cannot be sent as they are, since nobody can be found by them: mend the source's file and add `--remap`",
    ),
    (
        "no-organisation",
        "that cannot be sent, since their organisation is not in gateway.yaml",
    ),
    (
        "body-gone",
        "events that cannot be mapped again, since their body is not kept any more",
    ),
    (
        "no-source",
        "events that cannot be mapped again, since their source has no file, or one with mistakes",
    ),
    (
        "observes",
        "that are dead and stay so, since their source only observes: take `mode: observe` out of its file first",
    ),
    ("not-open", "that are not there, or ended"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_added_up_and_shown_by_kind() {
        let mut counts = Counts::default();
        for page in [
            json!({"found": 5, "redelivered": 4, "expected": {"send": 3, "unchanged": 1, "stale": 0}, "cannot": {"mapping": 1}}),
            json!({"found": 2, "redelivered": 1, "expected": {"send": 0, "unchanged": 0, "stale": 1, "waiting": 1, "looking": 0}, "cannot": {"not-open": 1}}),
        ] {
            counts.add(&page);
        }
        insta::assert_snapshot!(counts.lines().join("\n"), @"
          7  found
          3  to be sent
          1  that change nothing: Quentli confirmed these values already
          1  with nothing left to send, since something newer was applied; `--overwrite` sends them all the same
          1  of these wait already: they would be tried now, or as soon as those before them are through
          1  that cannot be sent as they are, since the mapping failed: mend the source's file and add `--remap`
          1  that are not there, or ended
    ");
        assert_eq!(counts.done("sent again"), "5 sent again");
        counts.add(&json!({"redelivered": 1, "paused": 1}));
        assert_eq!(
            counts.done("sent again"),
            "6 sent again, 1 of them once the pause of their source or organisation ends"
        );
        assert_eq!(Counts::default().lines(), ["no dead delivery is like that"]);
        let nothing = Counts::of(Kind::Observed).lines();
        assert_eq!(
            nothing,
            ["nothing is left of what the source only observed"]
        );
    }
}
