//! What is known of a customer's record at Quentli, part by part.

use jiff::Timestamp;

use crate::{
    customer::PartKey,
    event::{DeliveryPos, OrderBy, SourceName},
};

/// What is known of a part of a customer's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedPart {
    pub part: PartKey,
    /// A keyed hash of the value that Quentli last confirmed, never the value.
    pub value: [u8; 16],
    /// Whether something was sent since of which it is not known what became: Quentli may hold another value by now.
    pub is_in_doubt: bool,
    /// Whose update was last confirmed.
    pub source: SourceName,
    /// When the value was confirmed.
    pub at: Timestamp,
    /// The greatest position of a delivery that was applied to the part, or whose value was there already.
    pub pos: DeliveryPos,
    /// The greatest version that each source had applied to it, also where another source has written it since. At
    /// most one for each source.
    pub versions: Vec<(SourceName, OrderBy)>,
}

impl AppliedPart {
    /// The greatest version of this source.
    pub fn version_of(&self, source: &SourceName) -> Option<OrderBy> {
        self.versions
            .iter()
            .find(|(of, _)| of == source)
            .map(|(_, version)| *version)
    }
}
