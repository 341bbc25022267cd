//! What somebody should look at, the most urgent first, each with what helps.

use jiff::Timestamp;
use serde_json::Value;

use super::{age, at, organisations};
use crate::cli::{
    output::quoted,
    remedies,
    table::{count, members, moment, text},
};

/// Above this, in seconds, what waits has waited for long.
const LONG: i64 = 3_600;
/// Up to this, dead deliveries are counted.
const COUNTED: u64 = 1_000;

/// Something to look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Events are refused, or nothing is delivered.
    pub(super) is_urgent: bool,
    pub(super) what: String,
    pub(super) help: Vec<String>,
    pub(super) commands: Vec<String>,
}

impl Trouble {
    fn new(what: String) -> Self {
        Self {
            is_urgent: false,
            what,
            help: Vec::new(),
            commands: Vec::new(),
        }
    }

    fn urgent(mut self) -> Self {
        self.is_urgent = true;
        self
    }

    fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    fn command(mut self, text: impl Into<String>) -> Self {
        self.commands.push(text.into());
        self
    }
}

pub(super) fn troubles(status: &Value) -> Vec<Trouble> {
    let mut all: Vec<Trouble> = store(status).into_iter().collect();
    for (name, organisation) in organisations(status) {
        let pause = paused(status, "organisation").find(|pause| text(pause, "name") == name);
        all.extend(of_organisation(name, organisation, pause, at(status)));
    }
    all.extend(paused(status, "source").map(|pause| of_paused_source(pause, at(status))));
    all.extend(members(status, "sources").iter().filter_map(of_source));
    all.extend(reload(status));
    for cause in members(status, "dead_causes") {
        all.push(dead(cause));
    }
    all.sort_by_key(|trouble| !trouble.is_urgent);
    all
}

fn store(status: &Value) -> Option<Trouble> {
    let store = status.get("store")?;
    if store.get("writable") == Some(&Value::Bool(true)) {
        return None;
    }
    let what = format!("Nothing can be accepted: {}.", text(store, "trouble"));
    Some(
        Trouble::new(what)
            .urgent()
            .help("Senders get 503 and most try again; what was accepted is safe. Free space on the disk of the data directory; the gateway goes on by itself."),
    )
}

/// What people paused of a kind.
fn paused<'s>(status: &'s Value, kind: &'static str) -> impl Iterator<Item = &'s Value> {
    let pauses = members(status, "pauses").iter();
    pauses.filter(move |pause| text(pause, "kind") == kind)
}

/// `ana paused it: the new key comes on Monday`.
fn told(pause: Option<&Value>) -> String {
    let said = |name| pause.map(|pause| text(pause, name)).unwrap_or_default();
    let who = Some(said("by")).filter(|by| !by.is_empty());
    let who = who.unwrap_or("somebody");
    match said("why") {
        "" => format!("{who} paused it"),
        why => format!("{who} paused it ({why})"),
    }
}

fn of_paused_source(pause: &Value, now: Option<Timestamp>) -> Trouble {
    let name = text(pause, "name");
    let since = age(pause, "since", now).map_or_else(String::new, |age| format!(" for {age}"));
    Trouble::new(format!(
        "Nothing of the source {name} is sent{since}: {}. It receives, and everything is kept.",
        told(Some(pause))
    ))
    .help("When it may go on:")
    .command(format!("quentli-gateway resume --source {}", quoted(name)))
}

fn of_organisation(
    name: &str,
    organisation: &Value,
    pause: Option<&Value>,
    now: Option<Timestamp>,
) -> Vec<Trouble> {
    let mut found = Vec::new();
    let since =
        age(organisation, "since", now).map_or_else(String::new, |age| format!(" for {age}"));
    let state = text(organisation, "state");
    let reason = text(organisation, "reason");
    match (state, reason) {
        ("paused", "key-refused") => found.push(
            Trouble::new(format!(
                "Nothing is sent to the organisation {name}{since}: Quentli refuses its key. Everything is kept."
            ))
            .urgent()
            .help("Look in Quentli whether the key was revoked, and put the new one in its place. One in a file is read by itself, or at once with the command; for one in the environment restart the gateway.")
            .command("quentli-gateway reload"),
        ),
        ("paused", _) => found.push(
            Trouble::new(format!(
                "Nothing is sent to the organisation {name}{since}: {}. Everything is kept.",
                told(pause)
            ))
            .urgent()
            .help("When it may go on:")
            .command(format!("quentli-gateway resume --organisation {name}")),
        ),
        ("breaker-open", _) => found.push(
            Trouble::new(format!(
                "Quentli cannot be reached for the organisation {name}{since}. Everything is kept."
            ))
            .urgent()
            .help(format!(
                "There is nothing to do here: it is asked again at {}, and what waits goes out when it answers. If only this machine cannot reach it, look at its network.",
                moment(text(organisation, "until"))
            )),
        ),
        ("unclaimed", _) => found.push(
            Trouble::new(format!(
                "No replica delivers for the organisation {name}. Everything is kept."
            ))
            .urgent()
            .help("After a replica has died another takes over within half a minute. If nobody does: does any replica that runs have this organisation in its settings, and does the store answer them? Their logs say."),
        ),
        _ => found.extend(late(name, organisation, now)),
    }
    let directory = organisation.get("directory");
    match directory.map(|directory| text(directory, "state")) {
        Some("full") => found.push(
            Trouble::new(format!(
                "The directory of the organisation {name} is full, so customers are not found by metadata; their updates wait."
            ))
            .urgent()
            .help("Raise `limits.directory` in gateway.yaml, and restart."),
        ),
        Some("unusable") => found.push(
            Trouble::new(format!(
                "Quentli's list of customers cannot be used for the organisation {name}, so customers are not found by metadata; their updates wait."
            ))
            .urgent()
            .help("The log says what was wrong with the list. docs/OPERATIONS.md, \"Customers are not found by metadata\", says what to do."),
        ),
        _ => {}
    }
    found
}

/// What waits for long although everything is delivered.
fn late(name: &str, organisation: &Value, now: Option<Timestamp>) -> Option<Trouble> {
    let oldest: Timestamp = text(organisation, "oldest_waiting").parse().ok()?;
    if now?.duration_since(oldest).as_secs() < LONG {
        return None;
    }
    let age = age(organisation, "oldest_waiting", now)?;
    Some(
        Trouble::new(format!(
            "The oldest delivery for the organisation {name} has waited for {age}."
        ))
        .help("After a first load or an import this is normal. If it is always the same one, see what Quentli answers:")
        .command(format!(
            "quentli-gateway events deliveries --organisation {name} --state waiting --oldest-first --limit 5"
        )),
    )
}

fn of_source(source: &Value) -> Option<Trouble> {
    let name = text(source, "source");
    if source.get("receives") != Some(&Value::Bool(true)) {
        let lines = members(source, "trouble").iter().filter_map(Value::as_str);
        let mut trouble = Trouble::new(format!(
            "The source {name} does not receive; its sender gets 503 and tries again."
        ))
        .urgent();
        trouble.help.extend(lines.take(5).map(str::to_owned));
        return Some(trouble.command("quentli-gateway check"));
    }
    let secrets = members(source, "secrets");
    let is_accepted = |secret: &Value| secret.get("accepted") == Some(&Value::Bool(true));
    if !secrets.is_empty() && !secrets.iter().any(is_accepted) {
        return Some(
            Trouble::new(format!(
                "Every request of the source {name} is refused: all its secrets have passed their `until`."
            ))
            .urgent()
            .help("docs/VERIFICATION.md, \"Rotate a secret\", says how a new one is put in place."),
        );
    }
    None
}

fn reload(status: &Value) -> Vec<Trouble> {
    let mut found = Vec::new();
    let Some(reload) = status.get("reload") else {
        return found;
    };
    for (part, what) in [("sources", "source files"), ("keys", "Quentli keys")] {
        let Some(of_part) = reload.get(part) else {
            continue;
        };
        if text(of_part, "outcome") != "refused" {
            continue;
        }
        let when = moment(text(reload, "at"));
        let mut trouble = Trouble::new(format!(
            "A change of the {what} is not in force, seen at {when}: it cannot be used. What was in force before stays."
        ));
        let lines = members(of_part, "trouble").iter().filter_map(Value::as_str);
        trouble.help.extend(lines.take(5).map(str::to_owned));
        found.push(trouble.command("quentli-gateway reload"));
    }
    if reload.get("settings_changed") == Some(&Value::Bool(true)) {
        found.push(
            Trouble::new("gateway.yaml is not what the gateway started with.".to_owned())
                .help("Restart the gateway to use it."),
        );
    }
    found
}

fn dead(cause: &Value) -> Trouble {
    let (source, reason) = (text(cause, "source"), text(cause, "reason"));
    let number = count(cause, "count");
    let deliveries = if number >= COUNTED {
        format!("{number} deliveries or more of {source} are dead")
    } else if number == 1 {
        format!("1 delivery of {source} is dead")
    } else {
        format!("{number} deliveries of {source} are dead")
    };
    let which = remedies::which(source, reason);
    let source_only = quoted(source);
    let example = text_of_events(cause);
    Trouble::new(format!(
        "{deliveries}, {reason}: {}. {example}",
        remedies::meaning(reason)
    ))
    .help(format!(
        "This can wait until morning. What to do: {}. Then have them sent again.",
        remedies::mend(reason, source)
    ))
    .command(format!(
        "quentli-gateway events deliveries --source {source_only} --state dead --reason {}",
        quoted(reason)
    ))
    .command(remedies::again(reason, &which))
}

/// `Event 3.`, `Events 3 to 77.`
fn text_of_events(cause: &Value) -> String {
    let (first, last) = (count(cause, "first_event"), count(cause, "last_event"));
    if first == last {
        format!("Event {first}.")
    } else {
        format!("Events {first} to {last}.")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{cli::status::page, diag::Style};

    fn shown(status: &Value) -> String {
        page(status, &troubles(status), Style::Plain).join("\n")
    }

    fn well() -> Value {
        json!({
            "version": "1.2.3", "at": "2026-03-02T12:00:00Z",
            "store": {"writable": true, "totals": {
                "accepted": 120, "duplicate": 3, "created": 130, "waiting": 0, "looking": 0, "dead": 0,
                "ended": {"delivered": 100, "unchanged": 30, "stale": 0},
            }},
            "sources": [{"source": "crm", "receives": true, "secrets": [{"secret": "env:A", "accepted": true}]}],
            "reload": {"at": "2026-03-02T11:00:00Z", "sources": {"outcome": "loaded"}, "keys": {"outcome": "unchanged"}, "settings_changed": false},
            "organisations": {"default": {"state": "delivering", "lanes": 0, "in_flight": 0, "looking": 0, "loading": false}},
            "dead_causes": [], "rejected": [], "dead": [],
        })
    }

    #[test]
    fn a_gateway_that_is_well_says_so() {
        insta::assert_snapshot!(shown(&well()), @"
        quentli-gateway 1.2.3 at 2026-03-02 12:00:00 UTC

        requests       120 accepted, 3 known already
        deliveries     0 waiting, 0 looking, 0 dead
        ended          100 delivered, 30 unchanged
        sources        1 of 1 receive
        organisation   default: delivering, 0 customers with something open

        All is well.
        ");
    }

    #[test]
    fn everything_that_is_stuck_is_named_with_what_helps() {
        let mut status = well();
        status["store"] = json!({"writable": false, "trouble": "the store cannot write now: the disk is nearly full"});
        status["organisations"] = json!({
            "centro": {"state": "paused", "reason": "asked", "since": "2026-03-02T11:30:00Z", "lanes": 3, "in_flight": 0, "looking": 1, "loading": true},
            "default": {"state": "paused", "reason": "key-refused", "since": "2026-03-01T02:00:00Z", "lanes": 12, "in_flight": 1, "looking": 0, "loading": false, "oldest_waiting": "2026-03-01T01:59:00Z"},
            "norte": {"state": "breaker-open", "since": "2026-03-02T11:59:30Z", "until": "2026-03-02T12:00:10Z", "lanes": 1, "in_flight": 0, "looking": 0, "loading": false,
                "directory": {"state": "unusable", "reading": 200}},
            "sur": {"state": "delivering", "lanes": 1, "in_flight": 0, "looking": 0, "loading": false, "oldest_waiting": "2026-02-27T12:00:00Z",
                "directory": {"state": "full"}},
        });
        status["sources"] = json!([
            {"source": "crm", "receives": false, "trouble": ["mappings/crm.yaml:3:1: no such key", "another"]},
            {"source": "erp", "receives": true, "secrets": [{"secret": "env:A", "accepted": false}]},
        ]);
        status["reload"]["sources"] =
            json!({"outcome": "refused", "trouble": ["mappings/crm.yaml:3:1: no such key"]});
        status["reload"]["settings_changed"] = json!(true);
        status["dead_causes"] = json!([
            {"source": "crm", "reason": "customer-not-found", "count": 1000, "first_event": 3, "last_event": 7700},
            {"source": "crm", "reason": "mapping", "count": 1, "first_event": 9, "last_event": 9},
        ]);
        status["pauses"] = json!([
            {"kind": "organisation", "name": "centro", "since": "2026-03-02T11:30:00Z", "by": "ana", "why": "new key"},
            {"kind": "source", "name": "crm", "since": "2026-03-02T11:30:00Z"},
        ]);
        status["rejected"] = json!([{"source": "crm", "requests": 12, "kept": 3}]);
        insta::assert_snapshot!(shown(&status), @r#"
        quentli-gateway 1.2.3 at 2026-03-02 12:00:00 UTC

        sources        1 of 2 receive
        organisation   centro: paused, still reading in what waits, 3 customers with something open, 1 customer looked for
        organisation   default: paused, 12 customers with something open, 1 attempt under way; the oldest waits for 34 h
        organisation   norte: breaker-open, 1 customer with something open; directory unusable, 200 customers read
        organisation   sur: delivering, 1 customer with something open; the oldest waits for 3 days; directory full
        rejected       12 can be looked at: quentli-gateway rejected

        14 things to look at:

         1. Nothing can be accepted: the store cannot write now: the disk is nearly full.
            Senders get 503 and most try again; what was accepted is safe. Free space on the disk of the
            data directory; the gateway goes on by itself.

         2. Nothing is sent to the organisation centro for 30 min: ana paused it (new key). Everything
            is kept.
            When it may go on:
              quentli-gateway resume --organisation centro

         3. Nothing is sent to the organisation default for 34 h: Quentli refuses its key. Everything is
            kept.
            Look in Quentli whether the key was revoked, and put the new one in its place. One in a file
            is read by itself, or at once with the command; for one in the environment restart the
            gateway.
              quentli-gateway reload

         4. Quentli cannot be reached for the organisation norte for 30 s. Everything is kept.
            There is nothing to do here: it is asked again at 2026-03-02 12:00:10 UTC, and what waits
            goes out when it answers. If only this machine cannot reach it, look at its network.

         5. Quentli's list of customers cannot be used for the organisation norte, so customers are not
            found by metadata; their updates wait.
            The log says what was wrong with the list. docs/OPERATIONS.md, "Customers are not found by
            metadata", says what to do.

         6. The directory of the organisation sur is full, so customers are not found by metadata; their
            updates wait.
            Raise `limits.directory` in gateway.yaml, and restart.

         7. The source crm does not receive; its sender gets 503 and tries again.
            mappings/crm.yaml:3:1: no such key
            another
              quentli-gateway check

         8. Every request of the source erp is refused: all its secrets have passed their `until`.
            docs/VERIFICATION.md, "Rotate a secret", says how a new one is put in place.

         9. The oldest delivery for the organisation sur has waited for 3 days.
            After a first load or an import this is normal. If it is always the same one, see what
            Quentli answers:
              quentli-gateway events deliveries --organisation sur --state waiting --oldest-first --limit 5

        10. Nothing of the source crm is sent for 30 min: somebody paused it. It receives, and
            everything is kept.
            When it may go on:
              quentli-gateway resume --source crm

        11. A change of the source files is not in force, seen at 2026-03-02 11:00:00 UTC: it cannot be
            used. What was in force before stays.
            mappings/crm.yaml:3:1: no such key
              quentli-gateway reload

        12. gateway.yaml is not what the gateway started with.
            Restart the gateway to use it.

        13. 1000 deliveries or more of crm are dead, customer-not-found: Quentli has nobody like that.
            Events 3 to 7700.
            This can wait until morning. What to do: create the customer in Quentli, or mend the value
            by which it is found. Then have them sent again.
              quentli-gateway events deliveries --source crm --state dead --reason customer-not-found
              quentli-gateway redeliver --source crm --reason customer-not-found

        14. 1 delivery of crm is dead, mapping: the event does not fit the rules of the source's file.
            Event 9.
            This can wait until morning. What to do: mend the rules in crm.yaml, or the record in the
            sending system, which sends it again. Then have them sent again.
              quentli-gateway events deliveries --source crm --state dead --reason mapping
              quentli-gateway redeliver --source crm --reason mapping --remap
        "#);
    }
}
