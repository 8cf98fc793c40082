"""What is measured: each scenario says which arguments the load program gets and who can take part."""

from dataclasses import dataclass, field

STOMP = ("wharfmq", "rabbitmq", "activemq")
MQTT = ("wharfmq", "mosquitto", "flashmq", "rabbitmq", "activemq")
JMS = ("wharfmq", "activemq")
#: Those that have all of MQTT 5 and TLS here.
FULL = ("wharfmq", "mosquitto", "flashmq")


#: The encrypted listener, whichever broker it is.
ALWAYS_TLS = dict.fromkeys(FULL, "mqtts")


@dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    brokers: tuple
    protocol: str = "mqtt"
    arguments: tuple = ()
    timed: bool = True
    #: What one "message" of the table is.
    unit: str = "message"
    #: Listener to use instead of the protocol's ordinary one, by broker.
    listener: dict = field(default_factory=dict)
    #: The disk bounds this one, so its time of a synced write is measured beside it.
    synced: bool = False
    #: What is held against the disk: so many messages share a synced write and so many microseconds.
    floor: tuple = ()


def mqtt(name, what, *arguments, brokers=MQTT, **more):
    return Scenario(name, what, brokers, "mqtt", ("mqtt-pubsub", *arguments), **more)


def stomp(name, what, *arguments):
    arguments = ("stomp-queue", "--size", "1024", *arguments)
    return Scenario(name, what, STOMP, "stomp", arguments, unit="confirmed message", synced=True, floor=(8, 100))


def jms(name, what, *arguments, **more):
    return Scenario(name, what, JMS, "openwire", arguments, **more)


def persistent(name, what, *arguments, unit="confirmed message", **more):
    """Sends that the client waits for."""
    return jms(name, what, "queue", "--persistent", "--size", "1024", *arguments, unit=unit, synced=True, **more)


ALL = {scenario.name: scenario for scenario in (
    mqtt("qos0-1to1", "MQTT QoS 0, one publisher to one subscriber, 64 bytes",
         "--qos", "0", "--ahead", "20000", brokers=(*MQTT, "bare")),
    mqtt("qos1-1to1", "MQTT QoS 1, one to one, 100 in flight, 64 bytes",
         "--qos", "1", "--window", "100"),
    mqtt("qos1-8to8", "MQTT QoS 1, eight pairs, 100 in flight each, 64 bytes",
         "--qos", "1", "--window", "100", "--clients", "8"),
    mqtt("qos2-1to1", "MQTT QoS 2, one to one, 100 in flight, 64 bytes",
         "--qos", "2", "--window", "100", brokers=FULL),
    mqtt("shared-2to4", "MQTT QoS 0, two publishers to one shared subscription of four members, 64 bytes",
         "--qos", "0", "--topics", "shared", "--clients", "2", "--members", "4", "--ahead", "20000", brokers=FULL),
    mqtt("shared-qos1-2to4", "the same with QoS 1, 100 in flight each",
         "--qos", "1", "--window", "100", "--topics", "shared", "--clients", "2", "--members", "4", brokers=FULL),
    mqtt("fanout-100", "MQTT QoS 0, one publisher to 100 subscribers, 64 bytes",
         "--qos", "0", "--topics", "fan-out", "--clients", "100", "--ahead", "1000",
         brokers=(*MQTT, "bare"), unit="delivery"),
    mqtt("fanin-100", "MQTT QoS 0, 100 publishers to one subscriber, 64 bytes",
         "--qos", "0", "--topics", "fan-in", "--clients", "100", "--ahead", "1000", brokers=(*MQTT, "bare")),
    mqtt("tls-1k", "MQTT QoS 0, one to one over TLS 1.3 (AES-256-GCM), 1 KiB",
         "--qos", "0", "--size", "1024", "--ahead", "2000", brokers=FULL, listener=ALWAYS_TLS),
    mqtt("others-200k", "MQTT QoS 0, four pairs with 1,000 topics each, beside 200,000 subscriptions of others, 64 bytes",
         "--qos", "0", "--clients", "4", "--spread", "1000", "--others", "200000", "--ahead", "5000", brokers=FULL),
    mqtt("latency-10k", "MQTT QoS 1, one to one, 10,000 a second by the clock, 64 bytes",
         "--qos", "1", "--window", "1000", "--rate", "10000"),
    mqtt("latency-10k-qos0", "the same with QoS 0",
         "--qos", "0", "--rate", "10000", brokers=FULL),
    stomp("stomp-receipt-16", "STOMP, 16 producers that wait for each receipt, 4 consumers, persistent, 1 KiB",
          "--producers", "16", "--consumers", "4", "--window", "1"),
    stomp("stomp-window-100", "STOMP, 16 producers with 100 receipts outstanding, 4 consumers, persistent, 1 KiB",
          "--producers", "16", "--consumers", "4", "--window", "100", "--ahead", "2000"),
    stomp("stomp-store-16", "STOMP, 16 producers that wait for each receipt, nobody consumes, persistent, 1 KiB",
          "--producers", "16", "--consumers", "0", "--window", "1"),
    stomp("stomp-store-100", "STOMP, 16 producers with 100 receipts outstanding, nobody consumes, persistent, 1 KiB",
          "--producers", "16", "--consumers", "0", "--window", "100"),
    persistent("jms-send-1", "JMS, one producer of persistent messages, nobody consumes, 1 KiB",
               "--producers", "1", "--consumers", "0", floor=(1, 150)),
    persistent("jms-send-16", "JMS, 16 producers of persistent messages, nobody consumes, 1 KiB",
               "--producers", "16", "--consumers", "0"),
    persistent("jms-queue-16", "JMS, 16 producers of persistent messages, 4 consumers with AUTO_ACKNOWLEDGE, 1 KiB",
               "--producers", "16", "--consumers", "4", unit="delivery"),
    persistent("jms-tx-100", "JMS, one to one, transactions of 100 persistent messages on both sides, 1 KiB",
               "--batch", "100", unit="delivery"),
    persistent("jms-tx-100-4to4", "the same with four producers and four consumers",
               "--batch", "100", "--producers", "4", "--consumers", "4", "--ahead", "4000", unit="delivery"),
    jms("jms-nonpersistent", "JMS, one to one, non-persistent through a queue with AUTO_ACKNOWLEDGE, 256 bytes",
        "queue", unit="delivery"),
    jms("jms-nonpersistent-1", "the same with one message under way at a time",
        "queue", "--ahead", "1", unit="delivery"),
    jms("jms-topic-10", "JMS, one to ten, non-persistent through a topic with AUTO_ACKNOWLEDGE, 256 bytes",
        "topic", "--consumers", "10", unit="delivery"),
    jms("jms-idle", "memory for an idle JMS connection with a consumer of a queue of its own",
        "idle", timed=False, listener={"activemq": "openwire+nio"}),
    Scenario("idle-memory", "memory for an idle MQTT connection with one subscription", MQTT, "mqtt",
             ("mqtt-idle",), timed=False, listener={"activemq": "mqtt+nio"}),
    Scenario("start-time", "from the start of the process to all listeners accepting, and memory two seconds later",
             MQTT, "mqtt", (), timed=False),
)}
