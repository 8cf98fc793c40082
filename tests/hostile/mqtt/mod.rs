//! MQTT peers that break the rules.

mod acks;
mod answers;
mod bytes;
mod case;
mod connects;
mod corpus;
mod floods;
mod garbage;
mod goodbyes;
mod headers;
mod leaks;
mod login;
mod properties;
mod publishes;
mod subscribes;
mod texts;
