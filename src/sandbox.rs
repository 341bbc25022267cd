//! A local stand-in for Quentli's customers endpoints.
