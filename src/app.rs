//! Builds all parts from the configuration and hands them to each other.
