//! Tests of source files as a whole.

mod gallery;
