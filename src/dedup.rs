//! What need not be sent: repeated events by their keys, unchanged values by what Quentli confirmed.

mod unchanged;

pub use unchanged::{Known, Selection, confirmed, select};
