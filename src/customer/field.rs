//! Quentli's updatable customer fields: names, types, which may be cleared, which need permission.
//!
//! Facts: Quentli's OpenAPI document of 2026-08-05, `PATCH /v1/customers/{id}`, `input.data`. `meta` is another
//! spelling of `metadata` and is never sent; `password` and `otp` are secrets and are not fields here at all.

use std::fmt;

/// A field of `input.data`, in the order in which they are sent and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Name,
    Username,
    Email,
    PhoneNumber,
    SecondaryPhoneNumber,
    Tags,
    AssigneeId,
    SkipTaxInvoice,
    ReplyWithAssistant,
    OptedOutWhatsappAt,
    Metadata,
    AcceptedServiceAgreement,
    TosIp,
    Signature,
    EmailVerified,
    PhoneNumberVerified,
    HasChangedPassword,
}

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Text that is not blank.
    Text,
    Email,
    /// A telephone number in E.164.
    Phone,
    /// RFC 3339, UTC, milliseconds.
    DateTime,
    Bool,
    TextList,
    /// Entries of key and text, where null removes the key.
    KeyedText,
}

/// What a mapping must say before it may set a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    None,
    /// Replaces a whole list that cannot be read back.
    WholeList,
    /// A proof of the customer's consent.
    Consent,
    /// The state of the customer's account.
    Account,
}

impl Field {
    pub const ALL: [Self; 17] = [
        Self::Name,
        Self::Username,
        Self::Email,
        Self::PhoneNumber,
        Self::SecondaryPhoneNumber,
        Self::Tags,
        Self::AssigneeId,
        Self::SkipTaxInvoice,
        Self::ReplyWithAssistant,
        Self::OptedOutWhatsappAt,
        Self::Metadata,
        Self::AcceptedServiceAgreement,
        Self::TosIp,
        Self::Signature,
        Self::EmailVerified,
        Self::PhoneNumberVerified,
        Self::HasChangedPassword,
    ];

    /// Those of which Quentli takes no value that another customer has.
    pub const CONTACT: [Self; 3] = [Self::Username, Self::Email, Self::PhoneNumber];

    /// The name in Quentli's JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Username => "username",
            Self::Email => "email",
            Self::PhoneNumber => "phoneNumber",
            Self::SecondaryPhoneNumber => "secondaryPhoneNumber",
            Self::Tags => "tags",
            Self::AssigneeId => "assigneeId",
            Self::SkipTaxInvoice => "skipTaxInvoice",
            Self::ReplyWithAssistant => "replyWithAssistant",
            Self::OptedOutWhatsappAt => "optedOutWhatsappAt",
            Self::Metadata => "metadata",
            Self::AcceptedServiceAgreement => "acceptedServiceAgreement",
            Self::TosIp => "tosIp",
            Self::Signature => "signature",
            Self::EmailVerified => "emailVerified",
            Self::PhoneNumberVerified => "phoneNumberVerified",
            Self::HasChangedPassword => "hasChangedPassword",
        }
    }

    /// The field of this exact name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }

    pub const fn kind(self) -> FieldKind {
        match self {
            Self::Name | Self::Username | Self::AssigneeId | Self::TosIp | Self::Signature => {
                FieldKind::Text
            }
            Self::Email => FieldKind::Email,
            Self::PhoneNumber | Self::SecondaryPhoneNumber => FieldKind::Phone,
            Self::Tags => FieldKind::TextList,
            Self::SkipTaxInvoice
            | Self::ReplyWithAssistant
            | Self::AcceptedServiceAgreement
            | Self::EmailVerified
            | Self::PhoneNumberVerified
            | Self::HasChangedPassword => FieldKind::Bool,
            Self::OptedOutWhatsappAt => FieldKind::DateTime,
            Self::Metadata => FieldKind::KeyedText,
        }
    }

    /// Whether Quentli takes null, which clears the field.
    pub const fn is_nullable(self) -> bool {
        matches!(
            self,
            Self::Email
                | Self::PhoneNumber
                | Self::SecondaryPhoneNumber
                | Self::AssigneeId
                | Self::ReplyWithAssistant
                | Self::OptedOutWhatsappAt
                | Self::Signature
        )
    }

    pub const fn guard(self) -> Guard {
        match self {
            Self::Tags => Guard::WholeList,
            Self::AcceptedServiceAgreement | Self::TosIp | Self::Signature => Guard::Consent,
            Self::EmailVerified | Self::PhoneNumberVerified | Self::HasChangedPassword => {
                Guard::Account
            }
            _ => Guard::None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_table_says_what_the_shipped_schema_says() {
        let schema: Value =
            serde_json::from_str(include_str!("../quentli/customer.schema.json")).unwrap();
        let fields = &schema["$defs"]["UpdateCustomerData"]["properties"];
        let mut unlisted: Vec<&String> = fields.as_object().unwrap().keys().collect();
        for field in Field::ALL {
            unlisted.retain(|name| *name != field.as_str());
            let property = &fields[field.as_str()];
            assert!(property.is_object(), "{field} is not in the schema");
            let types = property.to_string();
            let nullable = types.contains("null") || types.contains("OrNull");
            assert_eq!(field.is_nullable(), nullable, "{field}: {types}");
            let is = |text: &str| types.contains(text);
            match field.kind() {
                FieldKind::Bool => assert!(is("boolean"), "{field}: {types}"),
                FieldKind::TextList | FieldKind::KeyedText => {
                    assert!(is("array"), "{field}: {types}");
                }
                FieldKind::DateTime => assert!(is("Instant"), "{field}: {types}"),
                FieldKind::Text | FieldKind::Email | FieldKind::Phone => {
                    assert!(is("Text") || is("string"), "{field}: {types}");
                }
            }
            assert_eq!(Field::from_name(field.as_str()), Some(field));
        }
        assert_eq!(
            unlisted,
            ["meta", "password"],
            "fields of the schema that the table lacks"
        );
    }
}
