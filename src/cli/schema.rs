//! `schema`: the JSON Schema of source files, for editors.

use super::{Exit, output};
use crate::source::schema::text_of_schema;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments) -> Exit {
    output::line(text_of_schema().trim_end());
    Exit::Fine
}
