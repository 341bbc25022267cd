//! The command `presets`.

use serde_json::Value;

use crate::support::executable::Setup;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn setup() -> Setup {
    Setup::new("http://127.0.0.1:9")
}

fn all() -> Vec<Value> {
    let output = setup().run(&["presets", "--format", "json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_preset_stands_in_the_table_with_what_it_signs() {
    let table = text(&setup().run(&["presets"]).stdout);
    let all = all();
    assert!(all.len() >= 26);
    for preset in &all {
        let name = preset["name"].as_str().unwrap();
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap_or_else(|| panic!("{name}: {table}"));
        let says_no = row.split_whitespace().nth(1) == Some("no");
        assert!(!says_no || preset["isBodySigned"] == false, "{row}");
        assert!(table.contains(preset["source"].as_str().unwrap()), "{name}");
    }
}

#[test]
fn one_preset_is_a_section_that_check_takes() {
    let section = setup().run(&["presets", "stripe"]);
    assert_eq!(section.status.code(), Some(0));
    let section = text(&section.stdout);
    insta::assert_snapshot!(section, @r#"
    receive:
      # Stripe: HMAC-SHA256 of time and body; the whole secret, with its `whsec_`, is the key.
      # From https://docs.stripe.com/webhooks#verify-manually
      # Signed: the body, the time. Not signed: the method, the address, headers.
      verify:
        type: hmac
        signature_header: Stripe-Signature
        signature_format: {style: pairs, key: v1}
        encoding: hex
        signed: "{timestamp}.{body}"
        timestamp: {source: "pair:t", format: unix_s, tolerance: 5m}
      secrets:
        # the secret exactly as the sender shows it
        - env: STRIPE_SECRET
      dedup: [id]
    "#);
    let rest = "otherwise: drop\nrules: [{name: r, drop: x}]\ntests: [{name: t, event: {id: evt_1}, expect: [{drop: x}]}]\n";
    let file = format!("mapping: 1\nsource: shop\n{section}{rest}");
    let output = setup().source("shop", &file).run(&["check", "--strict"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{file}",
        text(&output.stderr)
    );
}

#[test]
fn a_preset_says_what_else_it_needs() {
    let setup = setup();
    let shown = |name| text(&setup.run(&["presets", name]).stdout);
    insta::assert_snapshot!(shown("hubspot-v3"), @r#"
    receive:
      # HubSpot, signature version 3: HMAC-SHA256 of method, public address, body and time.
      # From https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
      # Signed: the body, the time, the method, the address. Not signed: headers.
      # It signs the address it calls: give the gateway its `public_url`.
      verify:
        type: hmac
        signature_header: X-HubSpot-Signature-v3
        encoding: base64
        signed: "{method}{url_decoded}{body}{timestamp}"
        timestamp: {source: "header:X-HubSpot-Request-Timestamp", format: unix_ms, tolerance: 5m}
      secrets:
        # the secret exactly as the sender shows it
        - env: HUBSPOT_V3_SECRET
      dedup: [portalId, subscriptionId, eventId, objectId, occurredAt, propertyName ?? '-']
    "#);
    insta::assert_snapshot!(shown("pipedrive"), @r"
    receive:
      # Pipedrive: Basic authentication; the body is not signed.
      # From https://pipedrive.readme.io/docs/guide-for-webhooks-v2
      # Signed: nothing. Not signed: the body, the time, the method, the address, headers.
      verify:
        type: basic
      secrets:
        # the secret is `user:password`
        - env: PIPEDRIVE_SECRET
      dedup: [meta.id]
    ");
}

#[test]
fn a_misspelt_preset_is_answered_with_the_one_that_was_meant() {
    let output = setup().run(&["presets", "hubspot-3"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("did you mean `hubspot-v3`?"));
    let output = setup().run(&["presets", "quickbooks"]);
    assert!(text(&output.stderr).contains("`quentli-gateway presets` lists all"));
}
