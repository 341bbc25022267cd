//! What need not be sent: repeated events by their keys, unchanged values by what Quentli confirmed.

mod keys;
mod lookup;
mod recent;
mod unchanged;

pub use keys::{Found, Keys, StandIn, item_keys, request_key};
pub use lookup::key_of_parts;
pub use recent::RecentKeys;
pub use unchanged::{Candidate, Known, Selection, Share, confirmed, select};
