//! What need not be sent: repeated events by their keys, unchanged values by what Quentli confirmed.

mod keys;
mod lookup;
mod unchanged;

pub use keys::{Keys, group_items};
pub use lookup::key_of_parts;
pub use unchanged::{Candidate, Known, Selection, Share, confirmed, select};
