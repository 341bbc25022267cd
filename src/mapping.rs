//! The mapping language: turns the body of a request into customer updates.
