//! OpenWire peers that break the rules.

mod case;
mod client;
mod consumers;
mod corpus;
mod floods;
mod greetings;
mod ids;
mod logins;
mod loiterers;
mod sends;
mod transactions;
mod unasked;
