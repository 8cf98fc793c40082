//! Every limit of the core, in one place.

/// Bytes of a destination name, as MQTT has it.
pub const NAME_BYTES_MAX: usize = 65_535;
/// Levels of a destination name.
pub const NAME_LEVELS_MAX: usize = 128;
/// Queues and subscriptions of one broker.
pub const QUEUES_MAX: usize = 1 << 20;
/// Consumers of one queue.
pub const CONSUMERS_PER_QUEUE_MAX: usize = 65_535;
/// Deliveries one consumer may hold unacknowledged.
pub const UNACKED_PER_CONSUMER_MAX: usize = 1 << 20;
/// Entries looked at under one hold of a queue's lock by anything that scans.
pub const SCAN_BUDGET: usize = 1_024;
/// Bytes of a queue's messages kept in memory ahead of its consumers; what lies behind is paged out.
pub const RESIDENT_BYTES_PER_QUEUE: u64 = 8 << 20;
/// Entries asked for in one page-in.
pub const LOAD_ENTRIES: usize = 256;
/// Bytes asked for in one page-in; one message larger than this is loaded alone.
pub const LOAD_BYTES: u64 = 1 << 20;
/// Bytes waiting for one connection from which its publishers are held back.
pub const OUTBOX_SOFT_BYTES: usize = 1 << 20;
/// Bytes waiting for one connection beyond which storage-less messages are dropped and counted.
pub const OUTBOX_HARD_BYTES: usize = 16 << 20;
/// For how long, in milliseconds, a subscriber over its soft bound may hold its publishers back. One
/// that has not drained by then is slow: it delays nobody until it has.
pub const SLOW_AFTER_MS: u64 = 1_000;
/// Bytes of the routes that the router keeps at hand, all shards together. A shard holds one route of
/// any size.
pub const ROUTE_CACHE_BYTES: usize = 64 << 20;
/// Topics that may have a retained message.
pub const RETAINED_TOPICS_MAX: usize = 10_000_000;
/// Bytes of all retained messages.
pub const RETAINED_BYTES_MAX: u64 = 4 << 30;
/// Longest pause, in milliseconds, to which a back-off grows before a message is delivered again.
pub const REDELIVERY_DELAY_MAX_MS: u64 = 24 * 3_600 * 1_000;
/// Identities that one queue remembers against duplicates; beyond it the oldest are forgotten early.
pub const DEDUP_IDS_MAX: usize = 1 << 20;
/// Groups of messages whose consumer one queue remembers; beyond it one of them may go to another.
pub const GROUPS_PER_QUEUE_MAX: usize = 1 << 16;
/// Messages found ahead for the consumers of one selector.
pub const FOUND_AHEAD: usize = 1_024;
/// Time ahead, in milliseconds, from which on the body of a delayed message leaves memory.
pub const DELAY_RESIDENT_MS: u64 = 5_000;
/// Messages that may wait to be sent later, beside those that wait in the queues they go to.
pub const JOBS_MAX: u64 = 10_000_000;
/// How often a message may be sent again after the first time, where there is an end to it.
pub const REPEATS_MAX: u32 = 1_000;
/// Bytes of the name of a group of messages.
pub const GROUP_NAME_BYTES_MAX: usize = 1_024;
/// Bytes of what tells a message from its duplicates.
pub const IDENTITY_BYTES_MAX: usize = 256;
/// Bytes of the value by which a later message replaces earlier ones.
pub const LAST_VALUE_BYTES_MAX: usize = 1_024;
/// Longest delay of a message, in milliseconds: five years.
pub const DELAY_MAX_MS: u64 = 5 * 365 * 24 * 3_600 * 1_000;
/// Bytes of a message selector.
pub const SELECTOR_BYTES_MAX: usize = 64 << 10;
/// Parentheses, `NOT` and signs that may stand inside each other in a selector.
pub const SELECTOR_DEPTH_MAX: usize = 64;
/// Names, literals and operators of a selector; a list of `IN` counts as one. What is looked for at every
/// place of a text counts [`SELECTOR_FLOATING_TERMS`] for each character.
pub const SELECTOR_TERMS_MAX: usize = 4_096;
/// What a character counts that stands beside a `_` between two `%`.
pub const SELECTOR_FLOATING_TERMS: usize = 16;
/// Literals in one list of `IN`.
pub const SELECTOR_LIST_MAX: usize = 1_024;
/// Bytes of one pattern of `LIKE`. Where `_` follows `%`, matching takes time in proportion to the
/// pattern times the text.
pub const SELECTOR_PATTERN_BYTES_MAX: usize = 1_024;
/// Steps from a destination along forwards, so that those that lead in a circle have an end.
pub const FORWARD_DEPTH_MAX: usize = 8;
/// Destinations that one publication reaches by forwards; what lies beyond is not reached.
pub const FORWARD_STEPS_MAX: usize = 1_024;
/// Messages of one topic that are kept for subscribers that come later.
pub const HISTORY_MESSAGES_MAX: u64 = 100_000;
/// Messages of the past that one subscription is given.
pub const RECENT_MESSAGES_MAX: usize = 100_000;
/// Bytes of messages of the past that one subscription is given.
pub const RECENT_BYTES_MAX: u64 = 16 << 20;
/// Bytes of the text of a cron entry.
pub const CRON_BYTES_MAX: usize = 256;
