//! A draft of a source file, made from sample events: the mapping's draft with a `receive` section and a head.
//!
//! What cannot be seen in a body is how its request proves itself. So `receive` is what the caller names as a preset,
//! else a keyed hash as most senders make it, with the other ways in comments; where the shape of the samples is that
//! of a system with a preset, a comment proposes it. No secret is ever written, only the name of a variable.
//!
//! It reads and writes no files; [`CannotDraft`] and the promises are those of [`mapping::draft`](crate::mapping::draft).

use std::path::Path;

use super::{
    file::SourceFile,
    receive::written::{claims, public_key_variable, secret_variable, verify_token_variable},
    watch::MAX_SAMPLE_BYTES,
};
use crate::{
    diag::{did_you_mean, render_lines},
    event::{InvalidName, SourceName},
    mapping::{UnreadableSamples, draft::Draft},
    verify::{
        VerifySettings,
        presets::{self, Preset, PresetDedup},
    },
};

pub use crate::mapping::draft::{CannotDraft, Sample, Values};

/// What a draft is to be.
#[derive(Clone, Copy, Debug)]
pub struct DraftOptions<'a> {
    /// The name of the source.
    pub source: &'a str,
    /// Where the file will lie, for the comments.
    pub path: Option<&'a Path>,
    /// The name of a preset of verification.
    pub preset: Option<&'a str>,
    /// For events that are written into the file.
    pub values: Values,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error("there is no preset `{name}` ({help})")]
    Preset { name: String, help: String },
    #[error("{0}: the sample is larger than 4 MiB, more than `check` reads: take a shorter event")]
    TooLong(String),
    #[error(transparent)]
    Cannot(#[from] CannotDraft),
}

/// The options, read.
struct Settled<'a> {
    source: SourceName,
    path: Option<&'a Path>,
    preset: Option<&'static Preset>,
}

/// Presets, and the paths by which their systems' events are known: all of a line. The more particular ones first.
/// Shapes as their senders document them.
const MARKS: [(&str, &[&str]); 18] = [
    ("hubspot-v3", &["portalId", "subscriptionType", "objectId"]),
    (
        "intercom",
        &["app_id", "topic", "delivery_attempts", "data.item"],
    ),
    (
        "close",
        &["subscription_id", "event.object_type", "event.action"],
    ),
    (
        "pipedrive",
        &["meta.entity", "meta.action", "meta.webhook_id"],
    ),
    (
        "zoho-crm",
        &["channel_id", "operation", "ids", "server_time"],
    ),
    (
        "moodle",
        &["eventname", "objecttable", "contextid", "token"],
    ),
    ("bitrix24", &["event", "auth.application_token"]),
    ("typeform", &["event_id", "form_response"]),
    ("calendly", &["event", "created_by", "payload"]),
    ("stripe", &["api_version", "livemode", "data.object"]),
    ("square", &["merchant_id", "event_id", "data.object"]),
    ("slack", &["team_id", "api_app_id", "event"]),
    ("meta-whatsapp", &["object", "entry.changes"]),
    ("twilio", &["AccountSid", "From"]),
    (
        "canvas-live-events",
        &["metadata.root_account_uuid", "metadata.event_name"],
    ),
    ("google-pubsub", &["message.messageId", "subscription"]),
    ("monday", &["event.boardId", "event.triggerUuid"]),
    ("standard-webhooks", &["type", "timestamp", "data"]),
];

/// Makes the draft.
///
/// # Errors
/// An option is wrong, there is nothing to make a draft of, or it would not pass its own check, which is a fault of this
/// program.
pub fn draft(options: &DraftOptions<'_>, samples: &[Sample<'_>]) -> Result<String, DraftError> {
    let settled = Settled {
        source: options.source.parse()?,
        path: options.path,
        preset: options.preset.map(find_preset).transpose()?,
    };
    let is_too_long = |sample: &&Sample<'_>| {
        u64::try_from(sample.body.len()).is_ok_and(|length| length > MAX_SAMPLE_BYTES)
    };
    if let Some(sample) = samples.iter().find(is_too_long) {
        return Err(DraftError::TooLong(sample.name.to_owned()));
    }
    let draft = Draft::new(samples)?;
    let head = head(&settled, samples.len());
    let receive = receive(&settled, &draft, samples);
    let text = draft.write(&settled.source, &head, &receive, options.values)?;
    check(&settled.source, &text, samples)?;
    Ok(text)
}

fn find_preset(name: &str) -> Result<&'static Preset, DraftError> {
    presets::find(name).ok_or_else(|| {
        let names: Vec<&str> = presets::all().iter().map(|preset| preset.name).collect();
        DraftError::Preset {
            name: name.to_owned(),
            help: did_you_mean(name, names.iter().copied())
                .unwrap_or_else(|| format!("presets are {}", names.join(", "))),
        }
    })
}

/// What `check` would say of it.
fn check(source: &SourceName, text: &str, samples: &[Sample<'_>]) -> Result<(), CannotDraft> {
    let read_sample = |path: &str| {
        samples
            .iter()
            .find(|sample| sample.event_file == Some(path))
            .map(|sample| sample.body.to_vec())
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let checked = SourceFile::check(
        &format!("{source}.yaml"),
        source.as_str(),
        text.to_owned(),
        &read_sample,
        UnreadableSamples::Refuse,
    );
    if checked.findings.has_errors() {
        return Err(CannotDraft::Broken {
            findings: render_lines(&checked.findings).join("; "),
        });
    }
    Ok(())
}

/// The comments at the top: what editors read, and what a person does next.
fn head(options: &Settled<'_>, count: usize) -> String {
    let source = &options.source;
    let is_public = options
        .preset
        .is_some_and(|preset| preset.verify_settings().takes_public_keys());
    let (key, variable) = if is_public {
        ("public key", public_key_variable(source.as_str()))
    } else {
        ("secret", secret_variable(source.as_str()))
    };
    let samples = if count == 1 {
        "a sample event".to_owned()
    } else {
        format!("{count} sample events")
    };
    let path = options
        .path
        .and_then(Path::to_str)
        .filter(|path| !path.chars().any(char::is_control));
    let path = path.map_or_else(|| format!("{source}.yaml"), str::to_owned);
    format!(
        "\
# yaml-language-server: $schema=source.schema.json
#
# {source}: a draft, made of {samples} by `quentli-gateway new`. Nobody has judged it yet.
#
# What to do next; docs/MAPPING.md explains the language:
#   1. Read `rules`: is it the right customer, and does each field get the right value?
#   2. Add what is missing. A list of everything in the samples stands below the rules.
#   3. Say under `receive` how requests prove that they are genuine, and put the {key} into the environment variable
#      {variable} of the gateway.
#   4. Compare the tests at the end with what you want. Add an event of each kind. After each change run
#      quentli-gateway check {path}
#   5. Register https://<your gateway>/webhooks/{source} in the sending system.
"
    )
}

fn receive(options: &Settled<'_>, draft: &Draft<'_>, samples: &[Sample<'_>]) -> String {
    let lookalike = lookalike(draft).filter(|_| options.preset.is_none());
    let verify = match options.preset {
        Some(preset) => verify_by_preset(preset),
        None => verify_by_hash(lookalike),
    };
    let source = options.source.as_str();
    let settings = options.preset.map(Preset::verify_settings);
    let form = match settings.as_ref().map(VerifySettings::type_name) {
        Some("basic") => "         # user:password",
        _ => "",
    };
    let handshake = options.preset.and_then(Preset::handshake_settings);
    let proof = match (&settings, &handshake) {
        (_, Some(handshake)) if handshake.learns() => LEARNED.to_owned(),
        (Some(settings), _) if settings.needs_key_set() => {
            claims(settings, &|place| value_at(samples, place))
        }
        (Some(settings), _) if settings.takes_public_keys() => format!(
            "  public_keys:\n    - env: {}         # or the key itself\n",
            public_key_variable(source)
        ),
        _ => format!("  secrets:\n    - env: {}{form}\n", secret_variable(source)),
    };
    let handshake = match &handshake {
        Some(settings) if settings.needs_token() => {
            let variable = verify_token_variable(source);
            format!(
                "  # Make up a text, put it into this variable, and give it to the sender when it asks for a verify token.\n  \
                 handshake: {{verify_token: {{env: {variable}}}}}\n"
            )
        }
        _ => String::new(),
    };
    let dedup = dedup(options.preset, lookalike, draft);
    format!("receive:\n{verify}{proof}{handshake}{dedup}")
}

/// A text that a sample holds at names joined by `.`.
fn value_at(samples: &[Sample<'_>], place: &str) -> Option<String> {
    samples.iter().find_map(|sample| {
        let event: serde_json::Value = serde_json::from_slice(sample.body).ok()?;
        let pointer = format!("/{}", place.replace('.', "/"));
        event.pointer(&pointer)?.as_str().map(str::to_owned)
    })
}

const LEARNED: &str = "  # The sender names the secret when the address is registered with it; the gateway keeps it.\n";

fn verify_by_preset(preset: &Preset) -> String {
    let address = if preset.verify_settings().signs_url() {
        "  # It signs the address it calls: give the gateway its `public_url`.\n"
    } else {
        ""
    };
    format!(
        "  # {}\n{address}  verify: {}\n",
        preset.description, preset.name
    )
}

const HASH: &str = r#"  # A keyed hash of the body, which most systems can send. Ask yours for the name of the header and for the encoding.
  verify:
    type: hmac                    # or `token` or `basic`, where a system cannot sign
    algorithm: sha256
    signature_header: X-Signature
    encoding: hex                 # or base64
  # Other ways: a preset, such as `verify: standard-webhooks`; `signature_format: {style: prefix, prefix: "sha256="}`; a
  # fixed token, `verify: {type: token, token_source: "header:X-Token"}`; user and password, `verify: {type: basic}`.
"#;

const DEDUP_BODY: &str = "  # An event that is sent twice is known by its whole body: a change back to earlier values would look like that. If each
  # event has a number of its own, name it instead, such as `dedup: [eventId]` or `dedup: {header: X-Event-Id}`.
  dedup: body
";

const DEDUP_UNTIL_PRESET: &str =
    "  # Remove this line with the lines above: the preset knows better.
  dedup: body
";

const DEDUP_NUMBER: &str = "  # What numbers the events, so that one that is sent twice is applied once. It must be another for each event; if it is
  # not, name the parts that together are, such as `[id, updatedAt]`.
";

fn verify_by_hash(lookalike: Option<&Preset>) -> String {
    let Some(Preset {
        name, description, ..
    }) = lookalike
    else {
        return HASH.to_owned();
    };
    format!(
        "  # The samples look like those of a known sender:\n  #   {description}\n  # If they are, write `verify: {name}` \
         instead of the lines below, or make the draft again with `--preset {name}`.\n{HASH}"
    )
}

/// The preset of the system whose events look like these.
fn lookalike(draft: &Draft<'_>) -> Option<&'static Preset> {
    let mut marks = MARKS.iter();
    let (preset, _) = marks.find(|(_, paths)| paths.iter().all(|path| draft.has(path)))?;
    presets::find(preset)
}

/// How a repeated event is recognised.
fn dedup(preset: Option<&Preset>, lookalike: Option<&Preset>, draft: &Draft<'_>) -> String {
    let knows = |preset: &Preset| preset.dedup != PresetDedup::Body;
    match (preset, draft.dedup()) {
        (Some(preset), _) if knows(preset) => {
            let by = match preset.dedup {
                PresetDedup::Header(name) => format!("the header {name}"),
                PresetDedup::Expressions(paths) => paths.join(", "),
                PresetDedup::Body => String::new(),
            };
            format!("  # An event that is sent twice is known by {by}: the preset says so.\n")
        }
        _ if lookalike.is_some_and(knows) => DEDUP_UNTIL_PRESET.to_owned(),
        (_, Some(path)) => format!("{DEDUP_NUMBER}  dedup: [{path}]\n"),
        (_, None) => DEDUP_BODY.to_owned(),
    }
}

#[cfg(test)]
mod tests;
