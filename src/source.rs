//! One source file, loaded: how it receives, its compiled mapping, its tests.

pub mod receive;
