//! The demonstration: the whole way of an event, shown on one screen.
