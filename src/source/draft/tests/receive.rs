//! How a draft says that requests prove themselves.

use super::*;

#[test]
fn what_a_sender_proves_itself_with_is_never_written() {
    let event = json!({
        "type": "contact.updated", "token": "s3cr3t-t0ken", "data": {"id": "c-1", "name": "Ana Luna", "webhook_secret": "hush-hush"},
    });
    let given = [Given::json("sample", &event)];
    for values in [Values::Invented, Values::Kept] {
        let text = drafted(&given, &DraftOptions { values, ..OPTIONS });
        assert!(!text.contains("s3cr3t") && !text.contains("hush"), "{text}");
    }
    assert!(drafted(&given, &OPTIONS).contains("  secrets:\n    - env: MY_CRM_SECRET\n"));
}

#[test]
fn the_samples_may_propose_a_preset() {
    for (system, proposed) in [
        ("hubspot", Some("hubspot-v3")),
        ("intercom", Some("intercom")),
        ("close", Some("close")),
        ("pipedrive", Some("pipedrive")),
        ("zoho-crm", Some("zoho-crm")),
        ("moodle", Some("moodle")),
        ("standard-webhooks", Some("standard-webhooks")),
        ("school-system", None),
        ("avela", None),
        ("kommo", None),
    ] {
        let (_, given) = shipped()
            .into_iter()
            .find(|(name, _)| name == system)
            .unwrap();
        let text = drafted(&given, &OPTIONS);
        let line = text
            .lines()
            .find(|line| line.contains("If they are, write"));
        assert_eq!(line.is_some(), proposed.is_some(), "{system}");
        if let (Some(line), Some(proposed)) = (line, proposed) {
            assert!(line.contains(&format!("`verify: {proposed}`")), "{line}");
            let options = DraftOptions {
                preset: Some(proposed),
                ..OPTIONS
            };
            let text = drafted(&given, &options);
            assert!(
                text.contains(&format!("\n  verify: {proposed}\n")),
                "{text}"
            );
            assert_eq!(findings(&text, &given, "my-crm"), [""; 0], "{system}");
        }
    }
}

#[test]
fn every_mark_names_a_preset() {
    for (preset, _) in MARKS {
        assert!(presets::find(preset).is_some(), "{preset}");
    }
}

#[test]
fn a_draft_with_any_preset_passes_a_strict_check() {
    let given = [Given::json("sample", &school_event())];
    for preset in presets::all() {
        let options = DraftOptions {
            preset: Some(preset.name),
            ..OPTIONS
        };
        let text = drafted(&given, &options);
        assert_eq!(
            findings(&text, &given, "my-crm"),
            [""; 0],
            "{}",
            preset.name
        );
    }
}
