//! `forget-secret`: has a running gateway forget the secret that a sender named when it registered the address.

use http::Method;

use super::{
    Exit,
    operators::{Operators, Port},
    output,
};
use crate::{config::Environment, event::SourceName};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The source whose sender shall name another secret
    #[arg(value_name = "SOURCE")]
    source: SourceName,
    #[command(flatten)]
    port: Port,
}

pub(super) async fn run(arguments: Arguments, environment: Environment) -> Exit {
    match arguments.port.find(&environment) {
        Ok(operators) => forget(&operators, &arguments.source)
            .await
            .unwrap_or_else(|exit| exit),
        Err(exit) => exit,
    }
}

async fn forget(operators: &Operators, source: &SourceName) -> Result<Exit, Exit> {
    let path = format!("/api/v1/sources/{source}/forget-secret");
    let (status, answer) = operators.ask(Method::POST, &path).await?;
    if status != 200 || answer.get("forgotten").is_none() {
        return Err(operators.refused(status, &answer));
    }
    output::line(&format!("the secret of `{source}` is forgotten"));
    output::note(
        "every event of this source is refused until its sender names a secret: register the address with it now, before \
         somebody else does",
    );
    Ok(Exit::Fine)
}
