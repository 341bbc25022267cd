//! The labels of the metrics. Their values come from closed sets and from names in the configuration.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use crate::event::{MappingHash, OrganisationName, SourceName};

/// A word of a closed set, or a configured name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Word {
    Fixed(&'static str),
    Source(SourceName),
    Organisation(OrganisationName),
    Secret(String),
    Mapping(MappingHash),
}

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let text = match self {
            Self::Fixed(word) => word,
            Self::Source(name) => name.as_str(),
            Self::Organisation(name) => name.as_str(),
            Self::Secret(name) => name.as_str(),
            Self::Mapping(hash) => return EncodeLabelValue::encode(&hash.to_string(), encoder),
        };
        EncodeLabelValue::encode(&text, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) source: Word,
    pub(super) result: Word,
    pub(super) reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestResultLabels {
    pub(super) source: Word,
    pub(super) result: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LeftOutLabels {
    pub(super) source: Word,
    pub(super) cause: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HandshakeLabels {
    pub(super) source: Word,
    pub(super) kind: Word,
    pub(super) outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SecretLabels {
    pub(super) source: Word,
    pub(super) secret: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabels {
    pub(super) source: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabels {
    pub(super) outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KeySetLabels {
    pub(super) source: Word,
    pub(super) outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EndLabels {
    pub(super) source: Word,
    pub(super) end: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DeadLabels {
    pub(super) source: Word,
    pub(super) reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AttemptLabels {
    pub(super) organisation: Word,
    pub(super) outcome: Word,
    pub(super) error: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabels {
    pub(super) organisation: Word,
    pub(super) call: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OrganisationLabels {
    pub(super) organisation: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OrganisationStateLabels {
    pub(super) organisation: Word,
    pub(super) state: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub(super) kind: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StateLabels {
    pub(super) state: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct MappingLabels {
    pub(super) source: Word,
    pub(super) mapping: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReloadLabels {
    pub(super) part: Word,
    pub(super) trigger: Word,
    pub(super) outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PartLabels {
    pub(super) part: Word,
}
