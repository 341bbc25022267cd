//! Customer systems and mailing. The rows are as [`table`](super::table) describes them.

use super::{Preset, PresetDedup};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "activecampaign",
        description: "ActiveCampaign: signs nothing; a token that you put into the URL, `?token=…`; the body is not signed",
        url: "https://developers.activecampaign.com/page/webhooks",
        settings: r#"type: token
token_source: "query:token"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "copper",
        description: "Copper: a token in the body, given as `secret: {token: …}` when subscribing; the body is not signed",
        url: "https://developer.copper.com/webhooks/create-new-subscription.html",
        settings: r#"type: token
token_source: "json:token"
"#,
        dedup: PresetDedup::Expressions(&["subscription_id", "event", "ids", "timestamp"]),
    },
    Preset {
        name: "dataverse",
        description: "Dataverse, Dynamics 365: the key of `WebhookKey` in the URL; the body is not signed",
        url: "https://learn.microsoft.com/power-apps/developer/data-platform/use-webhooks",
        settings: r#"type: token
token_source: "query:code"
"#,
        dedup: PresetDedup::Expressions(&["OperationId", "MessageName"]),
    },
    Preset {
        name: "hubspot-v2",
        description: "HubSpot, signature version 2: SHA-256 of secret, method, public address and body, without a time; somebody can append to a recorded body; prefer hubspot-v3",
        url: "https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation",
        settings: r#"type: digest
signature_header: X-HubSpot-Signature
encoding: hex
signed: "{secret}{method}{url}{body}"
require_headers: [{name: X-HubSpot-Signature-Version, value: v2}]
"#,
        dedup: PresetDedup::Expressions(&[
            "portalId",
            "subscriptionId",
            "eventId",
            "objectId",
            "occurredAt",
            "propertyName ?? '-'",
        ]),
    },
    Preset {
        name: "kommo",
        description: "Kommo, webhooks of an account: signs nothing; a token that you put into the URL, `?token=…`; the body is not signed",
        url: "https://developers.kommo.com/docs/webhooks-general",
        settings: r#"type: token
token_source: "query:token"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "kommo-chats",
        description: "Kommo, webhooks of a chat channel: HMAC-SHA1 of the body with the channel secret",
        url: "https://developers.kommo.com/reference/receiving-chat-webhooks",
        settings: r#"type: hmac
algorithm: sha1
signature_header: X-Signature
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "mailchimp",
        description: "Mailchimp: signs nothing; a token that you put into the URL, `?token=…`; the body is not signed",
        url: "https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/",
        settings: r#"type: token
token_source: "query:token"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "ms-graph",
        description: "Microsoft Graph: the `clientState` of every notification; the body is not signed",
        url: "https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
        settings: r#"type: token
token_source: "json:value[].clientState"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "rd-station",
        description: "RD Station Marketing: a key in the header `x-rdstation-auth`, which you name so when you add the webhook; the body is not signed",
        url: "https://developers.rdstation.com/en/reference/webhooks",
        settings: r#"type: token
token_source: "header:x-rdstation-auth"
"#,
        dedup: PresetDedup::Body,
    },
];
