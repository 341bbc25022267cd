//! `pause` and `resume`: stops and starts what a running gateway sends of a source, or to an organisation.

use serde_json::{Value, json};

use super::{
    Exit,
    operators::Port,
    output,
    table::{members, moment, text},
};
use crate::{config::Environment, diag::visible};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The source
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "organisation",
        conflicts_with = "organisation"
    )]
    source: Option<String>,
    /// The organisation, as in gateway.yaml; `default` where there is one
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// Why, for whoever finds it paused
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    #[command(flatten)]
    port: Port,
}

impl Arguments {
    fn wish(&self) -> Value {
        json!({"source": self.source, "organisation": self.organisation, "why": self.why})
    }

    fn what(&self) -> String {
        match (&self.source, &self.organisation) {
            (Some(source), _) => format!("source `{source}`"),
            (None, organisation) => {
                format!(
                    "organisation `{}`",
                    organisation.as_deref().unwrap_or_default()
                )
            }
        }
    }
}

pub(super) async fn pause(arguments: Arguments, environment: Environment) -> Exit {
    let (wish, what) = (arguments.wish(), arguments.what());
    let answer = match ask(arguments, &environment, "pause", &wish, "paused").await {
        Ok(answer) => answer,
        Err(exit) => return exit,
    };
    if answer.get("new") == Some(&Value::Bool(true)) {
        output::line(&format!("the {what} is paused"));
    } else {
        output::line(&format!("the {what} was paused already, and stays so"));
    }
    output::note("everything is received and kept meanwhile; `quentli-gateway resume` goes on");
    say_pauses(&answer);
    Exit::Fine
}

pub(super) async fn resume(arguments: Arguments, environment: Environment) -> Exit {
    let (wish, what) = (arguments.wish(), arguments.what());
    let answer = match ask(arguments, &environment, "resume", &wish, "resumed").await {
        Ok(answer) => answer,
        Err(exit) => return exit,
    };
    if answer.get("was_paused") == Some(&Value::Bool(true)) {
        output::line(&format!("the {what} goes on"));
    } else {
        output::line(&format!("nobody had paused the {what}; it goes on"));
    }
    say_pauses(&answer);
    Exit::Fine
}

async fn ask(
    arguments: Arguments,
    environment: &Environment,
    act: &str,
    wish: &Value,
    part: &str,
) -> Result<Value, Exit> {
    let operators = arguments.port.find(environment)?;
    let path = format!("/api/v1/{act}");
    operators.post(&path, wish, part).await
}

/// Whatever is paused now.
fn say_pauses(answer: &Value) {
    for pause in members(answer, "pauses") {
        let by = pause
            .get("by")
            .and_then(Value::as_str)
            .unwrap_or("somebody");
        let why = pause.get("why").and_then(Value::as_str);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        output::note(&format!(
            "paused: the {} `{}`, since {}, by {}{}",
            text(pause, "kind"),
            text(pause, "name"),
            moment(text(pause, "since")),
            visible(by),
            visible(&why),
        ));
    }
}
