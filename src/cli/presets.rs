//! `presets`: the senders whose settings are known, and the settings of one, written out.

use serde_json::{Value, json};

use super::{
    Exit,
    output::{self, ColourFlag, Format, Tone, painted, wrapped},
};
use crate::{
    config::Environment,
    diag::{Style, did_you_mean},
    source::receive::written,
    verify::{
        BodyCoverage,
        presets::{self, Preset},
    },
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One preset, written out as the section `receive` that it stands for
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How they are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    colour: ColourFlag,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    let one = arguments.name.as_deref().map(find).transpose();
    let one = match one {
        Ok(one) => one,
        Err(message) => {
            output::error(&message);
            return Exit::Usage;
        }
    };
    let style = arguments.colour.of_result(environment);
    match (arguments.format, one) {
        (Format::Json, one) => {
            let shown = one.map_or(presets::all(), std::slice::from_ref);
            let all: Vec<Value> = shown.iter().map(json).collect();
            output::line(&format!("{:#}", Value::from(all)));
        }
        (Format::Human, Some(preset)) => output::line(written::written_out(preset).trim_end()),
        (Format::Human, None) => table(style),
    }
    Exit::Fine
}

fn find(name: &str) -> Result<&'static Preset, String> {
    presets::find(name).ok_or_else(|| {
        let known = presets::all().iter().map(|preset| preset.name);
        let help = did_you_mean(name, known)
            .unwrap_or_else(|| "`quentli-gateway presets` lists all".to_owned());
        format!("no preset `{name}`: {help}")
    })
}

/// The longest line of what is said about a preset.
const ABOUT: usize = 80;

/// Whether a change of the body is noticed.
const fn body_is_signed(body: &BodyCoverage) -> &'static str {
    match body {
        BodyCoverage::Whole | BodyCoverage::Form => "yes",
        BodyCoverage::Fields(_) => "a part",
        BodyCoverage::Nothing => "no",
    }
}

fn table(style: Style) {
    let longest = presets::all().iter().map(|preset| preset.name.len()).max();
    let width = longest.unwrap_or_default();
    let row = |name: &str, signed: &str, about: &str| format!("{name:width$}  {signed:6}  {about}");
    let heading = row("verify:", "body", "sender, and how it proves a request");
    output::line(&painted(&heading, Tone::Heading, style));
    let below = row("", "signed", "");
    output::line(&painted(below.trim_end(), Tone::Heading, style));
    for preset in presets::all() {
        let signed = body_is_signed(&preset.verify_settings().coverage().body);
        let mut columns = (preset.name, signed);
        for part in wrapped(preset.description, ABOUT) {
            output::line(&row(columns.0, columns.1, &part));
            columns = ("", "");
        }
        let dedup = format!("dedup: {}", written::dedup(preset.dedup));
        for part in wrapped(&dedup, ABOUT)
            .iter()
            .map(String::as_str)
            .chain([preset.url])
        {
            output::line(&painted(&row("", "", part), Tone::Faint, style));
        }
    }
    output::line("");
    output::line("`quentli-gateway presets NAME` writes one out, ready to be changed.");
}

fn json(preset: &Preset) -> Value {
    let settings = preset.verify_settings();
    let coverage = settings.coverage();
    json!({
        "name": preset.name,
        "about": preset.description,
        "source": preset.url,
        "type": settings.type_name(),
        "isBodySigned": settings.covers_body(),
        "signed": coverage.signed(),
        "unsigned": coverage.unsigned(),
        "needsPublicUrl": settings.signs_url(),
        "secret": settings.secret_form(),
        "dedup": written::dedup(preset.dedup),
        "receive": written::written_out(preset),
    })
}
