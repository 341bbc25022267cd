//! Where the settings of `receive` stand in a source file, so that advice can point at them.

use std::sync::Arc;

use crate::{
    diag::{Collector, SourceText, Span},
    verify::{
        doctor::Settings,
        presets::{self, Preset},
    },
    yaml::{self, Node},
};

/// The `verify` section of a file as it is written.
#[derive(Debug)]
pub struct Written {
    file: Arc<SourceText>,
    receive: Node,
    settings: Settings,
    preset: Option<&'static Preset>,
}

impl Written {
    /// Reads it out of a file that was checked before. `None` where nothing is verified.
    pub fn read(file: &Arc<SourceText>) -> Option<Self> {
        let mut out = Collector::new(Arc::clone(file));
        let root = yaml::parse(&mut out)?;
        let receive = root.get("receive")?.clone();
        let verify = receive.get("verify")?;
        let preset = verify.as_text().and_then(presets::find);
        let mut settings = match preset {
            Some(preset) => Settings::of_preset(preset),
            None => Settings::of_node(verify)?,
        };
        for key in ["jwks", "claims"] {
            if let Some(node) = receive.get(key) {
                settings = settings.beside(key, node);
            }
        }
        Some(Self {
            file: Arc::clone(file),
            receive,
            settings,
            preset,
        })
    }

    /// The long form, be it in the file or of the preset.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The preset that the file names.
    pub const fn preset(&self) -> Option<&'static Preset> {
        self.preset
    }

    /// The place of a key of `receive` with its value.
    pub fn entry(&self, key: &str) -> Option<Span> {
        entry(&self.receive, key).map(|(span, _)| span)
    }

    /// The place of a setting of `verify` with its value; `timestamp.format` is a key inside. `None` where the file
    /// does not have it.
    pub fn setting(&self, key: &str) -> Option<Span> {
        let mut node = self.receive.get("verify")?;
        let mut place = None;
        for part in key.split('.') {
            let (span, value) = entry(node, part)?;
            place = Some(span);
            node = value;
        }
        place
    }

    /// Line and column of a place, from 1.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        self.file.line_column(span.start)
    }

    /// The text at a place.
    pub fn text(&self, span: Span) -> &str {
        self.file.slice(span)
    }
}

fn entry<'a>(node: &'a Node, key: &str) -> Option<(Span, &'a Node)> {
    let entry = node.as_map()?.iter().find(|entry| entry.key == key)?;
    let span = Span::new(entry.key_span.start, entry.value.span.end);
    Some((span, &entry.value))
}
