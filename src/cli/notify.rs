//! `notify --test`: has a running gateway post a notification that says it is a test.

use http::Method;

use super::{Exit, operators::Port, output};
use crate::config::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Post a test to the address of `notify.url`
    #[arg(long, required = true)]
    test: bool,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    match test(arguments, &environment).await {
        Ok(()) => Exit::Fine,
        Err(exit) => exit,
    }
}

async fn test(arguments: Arguments, environment: &Environment) -> Result<(), Exit> {
    let operators = arguments.port.find(environment)?;
    let answer = operators
        .answered(Method::POST, "/api/v1/notify/test", "posted")
        .await?;
    let to = answer.get("to").and_then(serde_json::Value::as_str);
    output::line(&format!("posted to {}", to.unwrap_or_default()));
    Ok(())
}
