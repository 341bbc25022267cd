//! The customer as Quentli knows it: its identifier, the ways to refer to it, and the fields that may be changed.
//!
//! The table of fields in [`Field`] is the program's copy of Quentli's update schema; a test compares it with
//! `quentli/customer.schema.json`. This module knows no other module and does no I/O.

mod field;
mod masked;
mod newcomer;
mod patch;
mod reference;

pub use field::{Field, FieldKind, Guard};
pub use masked::{Masked, masked_text};
pub use newcomer::Uncreatable;
pub use patch::{FieldValue, InvalidPatch, MetadataEntry, PartKey, Patch};
pub use reference::{
    CustomerId, CustomerReference, FindBy, InvalidCustomerId, OnConflict, OnMissing,
};
