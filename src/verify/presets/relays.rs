//! Services and programs that send webhooks for others. The rows are as [`table`](super::table) describes them.

use super::{Preset, PresetDedup};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "convoy-advanced",
        description: "Convoy, advanced signatures: HMAC-SHA256 of time and body, version `v1`; change `algorithm` and `encoding` to what your sender chose",
        url: "https://github.com/frain-dev/convoy/blob/main/pkg/signature/signature.go",
        settings: r#"type: hmac
signature_header: X-Convoy-Signature
signature_format: {style: pairs, key: v1}
encoding: hex
signed: "{timestamp},{body}"
timestamp: {source: "pair:t", format: unix_s, tolerance: 5m}
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "convoy-simple",
        description: "Convoy, simple signatures: HMAC-SHA256 of the body; change `algorithm` and `encoding` to what your sender chose",
        url: "https://github.com/frain-dev/convoy/blob/main/pkg/signature/signature.go",
        settings: r#"type: hmac
signature_header: X-Convoy-Signature
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "hook0",
        description: "Hook0: HMAC-SHA256 of time, the headers that the request lists, and body",
        url: "https://github.com/hook0/hook0/blob/master/clients/rust/src/signature.rs",
        settings: r#"type: hmac
signature_header: X-Hook0-Signature
signature_format: {style: pairs, key: v1}
encoding: hex
signed: "{timestamp}.{header_names}.{header_values}.{body}"
signed_headers: {source: "pair:h"}
timestamp: {source: "pair:t", format: unix_s, tolerance: 5m}
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "hook0-v0",
        description: "Hook0, signature version 0: HMAC-SHA256 of time and body; prefer hook0",
        url: "https://github.com/hook0/hook0/blob/master/clients/rust/src/signature.rs",
        settings: r#"type: hmac
signature_header: X-Hook0-Signature
signature_format: {style: pairs, key: v0}
encoding: hex
signed: "{timestamp}.{body}"
timestamp: {source: "pair:t", format: unix_s, tolerance: 5m}
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "outpost",
        description: "Outpost: HMAC-SHA256 of the body",
        url: "https://github.com/hookdeck/outpost/blob/main/examples/demos/nodejs/src/verify-signature.ts",
        settings: r#"type: hmac
signature_header: X-Outpost-Signature
signature_format: {style: prefix, prefix: "v0=", item_sep: ","}
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "standard-webhooks-ed25519",
        description: "Standard Webhooks with a key pair (`v1a`): Ed25519 over id, time and body; public keys begin with `whpk_`",
        url: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        settings: r#"type: public-key
algorithm: ed25519
signature_header: webhook-signature
signature_format: {style: list, version: v1a}
encoding: base64
signed: "{id}.{timestamp}.{body}"
timestamp: {source: "header:webhook-timestamp", format: unix_s, tolerance: 5m}
id_header: webhook-id
"#,
        dedup: PresetDedup::Header("webhook-id"),
    },
    Preset {
        name: "svix-ed25519",
        description: "Svix with a key pair: Standard Webhooks (`v1a`) with header names of its own",
        url: "https://github.com/svix/svix-webhooks",
        settings: r#"type: public-key
algorithm: ed25519
signature_header: svix-signature
signature_format: {style: list, version: v1a}
encoding: base64
signed: "{id}.{timestamp}.{body}"
timestamp: {source: "header:svix-timestamp", format: unix_s, tolerance: 5m}
id_header: svix-id
"#,
        dedup: PresetDedup::Header("svix-id"),
    },
];
