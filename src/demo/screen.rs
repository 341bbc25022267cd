//! What the demonstration prints.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where it talks to people"
)]

use super::stage::Stage;
use crate::{
    event::End,
    sender::Answer,
    store::{DeliveryRecord, Standing, Totals},
};

/// What became of one delivery.
pub(super) struct Line {
    customer: String,
    fields: String,
    outcome: String,
}

impl Line {
    /// `statuses` are Quentli's answers, first to last.
    pub(super) fn of(record: &DeliveryRecord, statuses: &[Option<u16>]) -> Self {
        let earlier: Vec<String> = statuses
            .iter()
            .take(statuses.len().saturating_sub(1))
            .map(|status| {
                status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
            })
            .collect();
        let outcome = match &record.standing {
            Standing::Ended {
                end: End::Delivered,
                ..
            } if !earlier.is_empty() => {
                format!("{}, then delivered", earlier.join(", "))
            }
            Standing::Ended {
                end: End::Superseded,
                ..
            } => "superseded: sent along with a later one".to_owned(),
            Standing::Ended { end, .. } => end.as_str().to_owned(),
            Standing::Open { reason, .. } => {
                format!(
                    "waits for a person: {}",
                    reason.as_deref().unwrap_or("no reason")
                )
            }
        };
        let sent = matches!(
            &record.standing,
            Standing::Ended {
                end: End::Delivered | End::Superseded,
                ..
            }
        );
        Self {
            customer: record
                .customer
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string),
            fields: if sent {
                fields(&record.fields)
            } else {
                "-".to_owned()
            },
            outcome,
        }
    }
}

/// The names of the fields; of metadata only how many keys.
fn fields(names: &[String]) -> String {
    let mut shown: Vec<String> = names
        .iter()
        .filter(|name| !name.starts_with("metadata."))
        .cloned()
        .collect();
    let keys = names.len() - shown.len();
    if keys > 0 {
        shown.push(format!("metadata ({keys})"));
    }
    shown.join(", ")
}

pub(super) fn opening(stage: &Stage) {
    println!(
        "A gateway at {} and a sandbox in Quentli's place at {}, both on this machine only;\n\
         a fresh database in a temporary folder. All people are made up.\n",
        stage.gateway.as_str().trim_end_matches('/'),
        stage.sandbox_url
    );
}

pub(super) fn heading() {
    row(
        "",
        "sender",
        "event",
        "answer",
        "customer",
        "outcome <- fields sent",
    );
    println!("{}", "-".repeat(150));
}

fn row(number: &str, sender: &str, event: &str, answer: &str, customer: &str, outcome: &str) {
    println!("{number:>2}  {sender:<25} {event:<30} {answer:<15} {customer:<25} {outcome}");
}

pub(super) fn event(number: u32, sender: &str, event: &str, answer: &Answer, lines: &[Line]) {
    let stored = answer.stored();
    let word = stored
        .as_ref()
        .map_or("refused", |stored| stored.status.as_str());
    let answer = format!("{} {word}", answer.status);
    let number = number.to_string();
    let Some((first, rest)) = lines.split_first() else {
        let outcome = if word == "duplicate" {
            "nothing to do: it is there already"
        } else {
            "nothing stored"
        };
        row(&number, sender, event, &answer, "-", outcome);
        return;
    };
    row(
        &number,
        sender,
        event,
        &answer,
        &first.customer,
        &first.what(),
    );
    for line in rest {
        row("", "", "", "", &line.customer, &line.what());
    }
}

impl Line {
    fn what(&self) -> String {
        if self.fields == "-" {
            self.outcome.clone()
        } else {
            format!("{} <- {}", self.outcome, self.fields)
        }
    }
}

pub(super) fn totals(totals: &Totals, refused: u32) {
    let ended: Vec<String> = End::ALL
        .iter()
        .zip(totals.ended)
        .filter(|(_, count)| *count > 0)
        .map(|(end, count)| format!("{count} {}", end.as_str()))
        .collect();
    println!(
        "\nTotals: {} requests accepted, {} duplicate, {refused} refused; {} deliveries = {}, {} dead (for a person), {} waiting",
        totals.accepted,
        totals.duplicate,
        totals.created,
        ended.join(", "),
        totals.dead,
        totals.waiting + totals.looking,
    );
}

pub(super) fn how_to_go_on(stage: &Stage) {
    let gateway = stage.gateway.as_str().trim_end_matches('/');
    println!(
        "
It keeps running until Ctrl-C.

  what Quentli would hold   {sandbox}/
  status                    {admin}/api/v1/status
  metrics                   {admin}/metrics

Change a phone number, as Kommo would:

  curl '{gateway}/webhooks/kommo?token={secret}' \\
    --data-urlencode 'contacts[update][0][id]=46855094' \\
    --data-urlencode 'contacts[update][0][updated_at]=1793527260' \\
    --data-urlencode 'contacts[update][0][custom_fields][0][code]=EMAIL' \\
    --data-urlencode 'contacts[update][0][custom_fields][0][values][0][value]=lucia.pena@correo.example' \\
    --data-urlencode 'contacts[update][0][custom_fields][1][code]=PHONE' \\
    --data-urlencode 'contacts[update][0][custom_fields][1][values][0][value]=81 8765 4321'",
        sandbox = stage.sandbox_url,
        admin = stage.admin,
        secret = stage.kommo_secret,
    );
}

pub(super) fn trouble(text: &str) {
    eprintln!("error: {text}");
}
