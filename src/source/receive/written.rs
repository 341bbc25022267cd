//! A preset, written out as the section `receive` that it stands for.

use crate::verify::{
    VerifySettings,
    handshake::HandshakeSettings,
    presets::{Preset, PresetDedup},
};

/// The section with everything that the preset brings, ready to be changed: it loads to the same settings as the
/// preset's name. The secret is a variable named after the preset.
pub fn written_out(preset: &Preset) -> String {
    let settings = preset.verify_settings();
    let coverage = settings.coverage();
    let signed = match coverage.signed() {
        parts if parts.is_empty() => "nothing".to_owned(),
        parts => parts.join(", "),
    };
    let mut lines = vec![
        "receive:".to_owned(),
        format!("  # {}.", preset.description),
        format!("  # From {}", preset.url),
        format!(
            "  # Signed: {signed}. Not signed: {}.",
            coverage.unsigned().join(", ")
        ),
    ];
    if settings.signs_url() {
        let needed = "  # It signs the address it calls: give the gateway its `public_url`.";
        lines.push(needed.to_owned());
    }
    lines.push("  verify:".to_owned());
    lines.extend(preset.settings.lines().map(|line| format!("    {line}")));
    let handshake = preset.handshake_settings();
    let is_learned = handshake.as_ref().is_some_and(HandshakeSettings::learns);
    if let Some(form) = settings.secret_form().filter(|_| !is_learned) {
        lines.push("  secrets:".to_owned());
        lines.push(format!("    # {form}"));
        lines.push(format!("    - env: {}", secret_variable(preset.name)));
    }
    let value = |_: &str| None;
    lines.extend(claims(&settings, &value).lines().map(str::to_owned));
    if settings.takes_public_keys() {
        lines.push("  public_keys:".to_owned());
        lines.push("    # or the key itself, as the sender shows it".to_owned());
        lines.push(format!("    - env: {}", public_key_variable(preset.name)));
    }
    if let Some(text) = preset.handshake() {
        let needs_token = handshake.is_some_and(|settings| settings.needs_token());
        lines.push(match text.strip_suffix('}').filter(|_| needs_token) {
            Some(open) => format!(
                "  handshake: {open}, verify_token: {{env: {}}}}}",
                verify_token_variable(preset.name)
            ),
            None => format!("  handshake: {text}"),
        });
    }
    lines.push(format!("  dedup: {}", dedup(preset.dedup)));
    lines.join("\n") + "\n"
}

/// Stands for what only a person can know.
const UNKNOWN: &str = "REPLACE-ME";

/// The lines `claims` of a source whose sender signs for all its customers with the same keys; empty for others.
/// `value` knows what a place holds in events of the source's own.
pub(in crate::source) fn claims(
    settings: &VerifySettings,
    value: &dyn Fn(&str) -> Option<String>,
) -> String {
    let places = settings.claims_of_source();
    if places.is_empty() {
        return String::new();
    }
    let mut lines =
        "  claims:                         # which of the sender's customers you are\n".to_owned();
    for place in places {
        let value = value(&place).unwrap_or_else(|| UNKNOWN.to_owned());
        // JSON is YAML.
        let value = serde_json::Value::from(value);
        lines.extend(["    ", &place, ": ", &value.to_string(), "\n"]);
    }
    lines
}

/// What tells repeated events apart, as it is written after `dedup:`.
pub fn dedup(rule: PresetDedup) -> String {
    match rule {
        PresetDedup::Header(name) => format!("{{header: {name}}}"),
        PresetDedup::Expressions(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| in_a_list(part)).collect();
            format!("[{}]", parts.join(", "))
        }
        PresetDedup::Body => "body".to_owned(),
    }
}

/// An expression as an element of a list in one line.
fn in_a_list(expression: &str) -> String {
    let is_plain = expression.starts_with(|c: char| c.is_ascii_alphabetic())
        && !expression.contains([',', '[', ']', '{', '}', '"', '\\', '#', ':']);
    if is_plain {
        expression.to_owned()
    } else {
        let escaped = expression.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    }
}

/// The variable that holds the secret of a source: `my-crm` gives `MY_CRM_SECRET`.
pub fn secret_variable(source: &str) -> String {
    variable(source, "SECRET")
}

/// The variable that holds the public key of a source: `my-crm` gives `MY_CRM_PUBLIC_KEY`.
pub fn public_key_variable(source: &str) -> String {
    variable(source, "PUBLIC_KEY")
}

/// The variable that holds the text which the sender repeats in its handshake.
pub fn verify_token_variable(source: &str) -> String {
    variable(source, "VERIFY_TOKEN")
}

fn variable(source: &str, purpose: &str) -> String {
    let name = source.to_uppercase().replace('-', "_");
    // A variable's name does not begin with a digit.
    let front = if name.starts_with(|c: char| c.is_ascii_digit()) {
        "SOURCE_"
    } else {
        ""
    };
    format!("{front}{name}_{purpose}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::{Collector, SourceText, render_lines},
        source::receive::{DedupRule, Receive},
        verify::presets,
        yaml,
    };

    fn read(section: &str) -> Receive {
        let mut out = Collector::new(SourceText::new("preset.yaml", section));
        let root = yaml::parse(&mut out).expect(section);
        let node = &root.as_map().expect(section)[0].value;
        let receive = Receive::read(node, &mut out);
        receive.unwrap_or_else(|| panic!("{section}\n{:?}", render_lines(&out.finish())))
    }

    #[test]
    fn every_preset_written_out_loads_to_the_same_settings() {
        for preset in presets::all() {
            let long = read(&written_out(preset));
            let variable = secret_variable(preset.name);
            let settings = preset.verify_settings();
            let keys = if settings.takes_public_keys() {
                let variable = public_key_variable(preset.name);
                format!("  public_keys: [{{env: {variable}}}]\n")
            } else if settings.needs_secret() {
                format!("  secrets: [{{env: {variable}}}]\n")
            } else {
                String::new()
            };
            let claims = claims(&settings, &|_| None);
            let handshake = match preset.handshake_settings() {
                Some(settings) if settings.needs_token() => {
                    format!("  handshake: {{verify_token: {{env: {variable}}}}}\n")
                }
                _ => String::new(),
            };
            let short = read(&format!(
                "receive:\n  verify: {}\n{keys}{claims}{handshake}",
                preset.name
            ));
            let settings = |receive: &Receive| {
                let handshake = receive.handshake.as_ref();
                handshake.map(|handshake| handshake.settings.clone())
            };
            assert_eq!(settings(&long), settings(&short), "{}", preset.name);
            let is_learned = settings(&long).is_some_and(|settings| settings.learns());
            assert_eq!(long.verify, short.verify, "{}", preset.name);
            let has_keys = long.verify.needs_secret() || long.verify.takes_public_keys();
            assert_eq!(
                long.secrets.len() + long.public_keys.len(),
                usize::from(!is_learned && has_keys),
                "{}",
                preset.name
            );
            let texts = |receive: Receive| match receive.dedup {
                DedupRule::Expressions(parts) => {
                    Ok(parts.into_iter().map(|part| part.text).collect::<Vec<_>>())
                }
                other => Err(other),
            };
            assert_eq!(texts(long), texts(short), "{}", preset.name);
        }
    }

    #[test]
    fn an_expression_is_quoted_where_a_list_would_cut_it() {
        let parts = &["id", "propertyName ?? '-'", "join(',', ids[])", "'a\"\\b'"];
        let section = format!(
            "receive: {{verify: github, secrets: [{{env: A}}], dedup: {}}}",
            dedup(PresetDedup::Expressions(parts))
        );
        let DedupRule::Expressions(read) = read(&section).dedup else {
            panic!("{section}");
        };
        let read: Vec<&str> = read.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(read, parts);
    }
}
