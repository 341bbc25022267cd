//! `functions`: the functions of the mapping language, as the catalogue describes them.

use serde_json::{Value, json};

use super::{
    Exit,
    output::{self, ColourFlag, Format, Tone, painted, wrapped},
};
use crate::{
    config::Environment,
    diag::{Style, did_you_mean},
    mapping::Function,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One function, in detail
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How they are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    colour: ColourFlag,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    let functions = match arguments.name.as_deref() {
        None => Function::ALL.to_vec(),
        Some(name) => {
            let Some(function) = Function::from_name(name) else {
                let help = did_you_mean(name, Function::ALL.into_iter().map(Function::name))
                    .unwrap_or_else(|| "`quentli-gateway functions` lists all".to_owned());
                output::error(&format!("no function `{name}`: {help}"));
                return Exit::Usage;
            };
            vec![function]
        }
    };
    let style = arguments.colour.of_result(environment);
    match (arguments.format, functions.as_slice()) {
        (Format::Json, all) => {
            let all: Vec<Value> = all.iter().map(|function| json(*function)).collect();
            output::line(&format!("{:#}", Value::from(all)));
        }
        (Format::Human, [one]) if arguments.name.is_some() => details(*one, style),
        (Format::Human, all) => table(all, style),
    }
    Exit::Fine
}

/// The longest line of what is said about a function.
const ABOUT: usize = 80;

/// How a function is written, in its shortest form first.
fn forms(function: Function) -> impl Iterator<Item = &'static str> {
    function.usage().split(", or ")
}

fn table(all: &[Function], style: Style) {
    fn shortest(function: Function) -> &'static str {
        forms(function).next().unwrap_or_default()
    }
    let width = |of: fn(Function) -> &'static str| {
        let lengths = all.iter().map(|function| of(*function).chars().count());
        lengths.max().unwrap_or_default()
    };
    let write = width(shortest);
    let gives = width(Function::gives);
    let row =
        |left: &str, middle: &str, right: &str| format!("{left:write$}  {middle:gives$}  {right}");
    let heading = row("write", "gives", "which is");
    output::line(&painted(&heading, Tone::Heading, style));
    for function in all {
        let about = wrapped(function.about(), ABOUT);
        for (index, part) in about.iter().enumerate() {
            let (form, gives) = if index == 0 {
                (shortest(*function), function.gives())
            } else {
                ("", "")
            };
            output::line(&row(form, gives, part));
        }
    }
}

fn details(function: Function, style: Style) {
    for form in forms(function) {
        output::line(&painted(form, Tone::Heading, style));
    }
    output::line(&format!("  gives {}:", function.gives()));
    for line in wrapped(function.about(), ABOUT) {
        output::line(&format!("  {line}"));
    }
    output::line("");
    let examples = function.examples();
    let lengths = examples.iter().map(|(written, _)| written.chars().count());
    let width = lengths.max().unwrap_or_default();
    for (written, gives) in examples {
        output::line(&format!("  {written:width$}  {gives}"));
    }
    if let Some(needed) = function.examples_need() {
        output::line("");
        output::line(&format!("  with  {needed}"));
    }
}

fn json(function: Function) -> Value {
    let example = |(written, gives): &(&str, &str)| json!({"expression": written, "gives": gives});
    let examples: Vec<Value> = function.examples().iter().map(example).collect();
    json!({
        "name": function.name(),
        "usage": function.usage(),
        "gives": function.gives(),
        "about": function.about(),
        "isPiped": function.is_piped(),
        "examples": examples,
        "examplesNeed": function.examples_need(),
    })
}
