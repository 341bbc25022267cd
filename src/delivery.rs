//! Brings deliveries to Quentli, one at a time for each customer, and records what became of them.
