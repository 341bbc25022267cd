//! Lists that are shown newest first, a page at a time.

use http::Method;
use serde_json::Value;

use super::{
    Exit,
    operators::{Port, escaped},
    output::{self, Format},
};
use crate::config::Environment;

/// Which page, and how it is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Newest {
    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Only those with a smaller number: the next page
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
    /// How they are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    port: Port,
}

impl Newest {
    /// Asks for a page of `/api/v1/` and this list, with these filters, and shows it.
    ///
    /// # Errors
    /// What the gateway said against it; that is shown.
    pub(super) async fn show(
        self,
        list: &str,
        filters: &[(&str, Option<&str>)],
        environment: &Environment,
        page: impl Fn(&Value),
    ) -> Result<Exit, Exit> {
        let before = self.before.map(|before| before.to_string());
        let filters = filters
            .iter()
            .copied()
            .chain([("before", before.as_deref())]);
        let filters: String = filters
            .filter_map(|(name, text)| Some(format!("&{name}={}", escaped(text?))))
            .collect();
        let path = format!("/api/v1/{list}?limit={}{filters}", self.limit);
        let operators = self.port.find(environment)?;
        let answer = operators.answered(Method::GET, &path, list).await?;
        match self.format {
            Format::Json => output::line(&format!("{answer:#}")),
            Format::Human => page(&answer),
        }
        Ok(Exit::Fine)
    }
}

/// Says how to go on, where there is more.
pub(super) fn note_more(answer: &Value) {
    if let Some(next) = answer.get("next").and_then(Value::as_i64) {
        output::note(&format!("there are more: add `--before {next}`"));
    }
}
