//! `quentli-gateway`: receives signed webhooks from school systems and CRMs, verifies and stores them, maps them by
//! declarative files, and brings the changes to Quentli, in order for each customer and without losing one that it
//! acknowledged.
//!
//! The modules stand in the order in which an event travels; `docs/ARCHITECTURE.md` shows the way as a whole and
//! which module may know which.

// The vocabulary, known to all.
pub mod clock;
pub mod customer;
pub mod diag;
pub mod event;
pub mod network;
pub mod yaml;

// The way of an event.
pub mod dedup;
pub mod delivery;
pub mod diagnosis;
pub mod ingress;
pub mod jwks;
pub mod keeper;
pub mod mapping;
pub mod quentli;
pub mod source;
pub mod store;
pub mod verify;

// What stands around it.
pub mod admin;
pub mod app;
pub mod backtest;
pub mod capture;
pub mod cli;
pub mod config;
mod demo;
pub mod lifecycle;
pub mod notify;
pub mod problem;
pub mod sandbox;
pub mod sender;
pub mod telemetry;
pub mod upkeep;
