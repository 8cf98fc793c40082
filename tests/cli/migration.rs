//! What people bring from ActiveMQ's configuration: each word that means nothing here is refused by name.

use std::fs;

use super::{Run, run};

/// Attributes and elements of a policyEntry that have a counterpart of another name, or none.
const POLICIES: &[&str] = &[
    "abortSlowAckConsumerStrategy",
    "abortSlowConsumerStrategy",
    "advanceMessageExpiry",
    "advisoryForConsumed",
    "advisoryForDelivery",
    "advisoryForDiscardingMessages",
    "advisoryForFastProducers",
    "advisoryForSlowConsumers",
    "advisoryWhenFull",
    "allConsumersExclusiveByDefault",
    "alwaysRetroactive",
    "blockedProducerWarningInterval",
    "consumersBeforeDispatchStarts",
    "cursorMemoryHighWaterMark",
    "deadLetterStrategy",
    "dispatchPolicy",
    "durableTopicPrefetch",
    "enableAudit",
    "expireMessagesPeriod",
    "gcInactiveDestinations",
    "inactiveTimeoutBeforeGC",
    "lazyDispatch",
    "maxBrowsePageSize",
    "maxDestinations",
    "maxExpirePageSize",
    "maxPageSize",
    "maxProducersToAudit",
    "memoryLimit",
    "messageEvictionStrategy",
    "messageGroupMapFactory",
    "minimumMessageSize",
    "networkBridgeFilterFactory",
    "optimizedDispatch",
    "pendingDurableSubscriberPolicy",
    "pendingMessageLimitStrategy",
    "pendingQueuePolicy",
    "pendingSubscriberPolicy",
    "persistJMSRedelivered",
    "prioritizedMessages",
    "producerFlowControl",
    "queueBrowserPrefetch",
    "queuePrefetch",
    "reduceMemoryFootprint",
    "sendAdvisoryIfNoConsumers",
    "slowConsumerStrategy",
    "storeUsageHighWaterMark",
    "strictOrderDispatch",
    "subscriptionRecoveryPolicy",
    "timeBeforeDispatchStarts",
    "topicPrefetch",
    "useCache",
    "useConsumerPriority",
    "usePrefetchExtension",
];

/// Elements and attributes of a broker.
const SECTIONS: &[&str] = &[
    "advisorySupport",
    "destinationInterceptors",
    "destinationPolicy",
    "destinations",
    "jobSchedulerStore",
    "managementContext",
    "networkConnectors",
    "offlineDurableSubscriberTimeout",
    "persistenceAdapter",
    "persistent",
    "plugins",
    "populateJMSXUserID",
    "schedulePeriodForDestinationPurge",
    "schedulerSupport",
    "sslContext",
    "systemUsage",
    "transportConnectors",
    "useJmx",
    "useVirtualTopics",
];

/// Schemes of transports that are written otherwise here, or do not exist.
const SCHEMES: &[&str] =
    &["auto+nio", "http", "mqtt+ssl", "multicast", "nio", "nio+ssl", "stomp+ssl", "udp", "vm"];

/// Options of a transport connector.
const OPTIONS: &[&str] = &[
    "maximumConnections=1000",
    "needClientAuth=true",
    "transport.closeAsync=false",
    "transport.enabledProtocols=TLSv1.2",
    "wireFormat.maxFrameSize=104857600",
    "wireFormat.maxInactivityDuration=60000",
];

#[test]
fn policies_are_no_keys() {
    let lines: String = POLICIES.iter().map(|policy| format!("{policy} = 1\n")).collect();
    let checked = check("w.toml", &format!("[[address]]\nmatch = \"queue://>\"\n{lines}"));
    for policy in POLICIES {
        checked.failed(2, &[&format!("unknown key `{policy}` in [[address]]")]);
    }
}

#[test]
fn sections_are_none() {
    let lines: String = SECTIONS.iter().map(|section| format!("[{section}]\n")).collect();
    let checked = check("w.toml", &lines);
    for section in SECTIONS {
        checked.failed(2, &[&format!("unknown key `{section}`")]);
    }
}

#[test]
fn transports_are_told_apart() {
    let listeners: String =
        SCHEMES.iter().map(|scheme| format!("[[listener]]\nurl = \"{scheme}://127.0.0.1:1\"\n")).collect();
    let checked = check("w.toml", &listeners);
    for scheme in SCHEMES {
        let line = checked.err.lines().find(|line| line.contains(&format!("`{scheme}`")));
        assert!(line.is_some_and(|line| line.contains("scheme")), "{scheme}: {}", checked.err);
    }
    check("w.toml", "[[listener]]\nurl = \"amqp://127.0.0.1\"\n").failed(2, &["does not speak amqp yet"]);
    check("w.toml", "[[listener]]\nurl = \"admin://127.0.0.1\"\n").failed(2, &["does not speak admin yet"]);
}

#[test]
fn options_of_transports_are_none() {
    for option in OPTIONS {
        let (name, _) = option.split_once('=').unwrap();
        let listener = format!("[[listener]]\nurl = \"tcp://127.0.0.1:61616?{option}\"\n");
        check("w.toml", &listener).failed(2, &[&format!("unknown option `{name}`; there are `tls`")]);
    }
}

#[test]
fn xml_is_no_configuration() {
    check("activemq.xml", "<beans>\n  <broker brokerName=\"b\"/>\n</beans>\n")
        .failed(2, &["activemq.xml:1:1: "]);
}

/// What `wharfmq config check` says of a file.
fn check(name: &str, text: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    run(&format!("config check {}", file.display()))
}
