//! The clauses of the protocols, each against the running broker.

mod mqtt;
