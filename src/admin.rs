//! The operators' HTTP side.
