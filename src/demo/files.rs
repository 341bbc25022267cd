//! The shipped source files and samples, carried inside the executable so that the demonstration needs no checkout.

use std::{fs, io, path::Path};

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../mappings/", $name)))),*]
    };
}

/// By path below `mappings/`: the sources of the demonstration, and the samples that their tests name.
const FILES: &[(&str, &str)] = shipped![
    "hubspot.yaml",
    "kommo.yaml",
    "school-system.yaml",
    "standard-webhooks.yaml",
    "samples/hubspot/contact-created.json",
    "samples/hubspot/contact-deleted.json",
    "samples/hubspot/contact-property-cleared.json",
    "samples/hubspot/contact-two-properties.json",
    "samples/hubspot/redelivery.json",
    "samples/kommo/contact-added.form",
    "samples/kommo/contact-deleted.form",
    "samples/kommo/contact-updated.form",
    "samples/kommo/two-contacts-updated.form",
    "samples/school-system/connection-test.json",
    "samples/school-system/family-created.json",
    "samples/school-system/family-updated.json",
    "samples/school-system/guardian-opted-in-again.json",
    "samples/school-system/unreadable-phone.json",
    "samples/standard-webhooks/contact-created.json",
    "samples/standard-webhooks/thin-event.json",
];

/// Writes them below a folder.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

/// The text of a sample, without the line end that its file has.
pub(super) fn sample(name: &str) -> &'static str {
    let found = FILES
        .iter()
        .find(|(known, _)| known.strip_prefix("samples/") == Some(name));
    found
        .map(|(_, text)| text.trim_end())
        .expect("the script names samples that are carried along")
}
