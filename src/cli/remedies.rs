//! What to do about dead deliveries, by their reason.

use super::output::quoted;

/// Why a delivery is dead, in a few words.
pub(super) fn meaning(reason: &str) -> &'static str {
    match reason {
        "mapping" => "the event does not fit the rules of the source's file",
        "no-customer-reference" => "neither `id` nor any `find` line had a value",
        "customer-not-found" => "Quentli has nobody like that",
        "customer-ambiguous" => "more than one customer of Quentli's has this value",
        "refused" => "Quentli said no to the change",
        "forbidden" => "the key may not change this customer",
        "retries-exhausted" => "Quentli failed for as long as `retry.for`",
        "unreadable" => "what is stored of it cannot be read",
        "bug" => "an error of the gateway",
        _ => "see docs/OPERATIONS.md, States",
    }
}

/// What is to be done first, in a sentence.
pub(super) fn mend(reason: &str, source: &str) -> String {
    match reason {
        "mapping" => format!(
            "mend the rules in {source}.yaml, or the record in the sending system, which sends it again"
        ),
        "no-customer-reference" => {
            format!("mend `customer` in {source}.yaml, or the record in the sending system")
        }
        "customer-not-found" => "create the customer in Quentli, or mend the value by which it is found".to_owned(),
        "customer-ambiguous" => "mend the records in Quentli, so that only one has the value".to_owned(),
        "refused" => "see what Quentli says (`--reveal`): often another customer has the e-mail address or phone number".to_owned(),
        "forbidden" => "look whether the key is that of the right organisation".to_owned(),
        "retries-exhausted" => "see that Quentli answers again".to_owned(),
        _ => "report it, with the log around that time".to_owned(),
    }
}

/// Whether it must be mapped anew to be sent, which takes the body of its event.
pub(super) fn needs_body(reason: &str) -> bool {
    matches!(reason, "mapping" | "no-customer-reference")
}

/// How it is sent once more after that, where it can be: for deliveries of `which`, such as `--event 17`.
pub(super) fn again(reason: &str, which: &str) -> String {
    let remap = if needs_body(reason) { " --remap" } else { "" };
    format!("quentli-gateway redeliver {which}{remap}")
}

/// The filter of a source and a reason.
pub(super) fn which(source: &str, reason: &str) -> String {
    format!("--source {} --reason {}", quoted(source), quoted(reason))
}
