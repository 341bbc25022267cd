//! The typed client of Quentli's REST API.
