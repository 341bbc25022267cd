//! Problem details (RFC 9457): the catalogue of refusals.
