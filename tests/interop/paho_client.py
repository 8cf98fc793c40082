"""paho-mqtt against the broker, one case a run: paho_client.py MQTT_PORT STOMP_PORT CASE"""

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from mqtt_client import Client, properties
from waiting import run, same


def what_the_broker_announces(port, _):
    client = Client(port, "c")
    said = client.properties
    # What is left out is as good as said: all of it is supported (MQTT 5, 3.2.2.3).
    for feature in ["RetainAvailable", "WildcardSubscriptionAvailable", "SharedSubscriptionAvailable"]:
        same(getattr(said, feature, 1), 1, feature)
    same(getattr(said, "SubscriptionIdentifierAvailable", 1), 1)
    assert getattr(said, "MaximumQoS", 2) == 2
    assert getattr(said, "TopicAliasMaximum", 0) > 0
    assert getattr(said, "MaximumPacketSize", 1 << 24) >= 1 << 20
    client.leave()


def assigned_client_id(port, _):
    first, second = Client(port, ""), Client(port, "")
    names = [first.properties.AssignedClientIdentifier, second.properties.AssignedClientIdentifier]
    assert all(names) and names[0] != names[1], names
    first.leave()
    second.leave()


def session_expiry(port, _):
    keep = {"SessionExpiryInterval": 300}
    client = Client(port, "expiry", **keep)
    same(client.session_present, False)
    client.subscribe("s/#")
    client.leave()
    publisher = Client(port, "publisher")
    publisher.publish("s/1", "missed")
    client = Client(port, "expiry", clean=False, **keep)
    same(client.session_present, True)
    same(client.take().payload, b"missed")
    client.leave()
    # Takes the session up for the time of this connection only.
    client = Client(port, "expiry", clean=False)
    same(client.session_present, True)
    client.leave()
    publisher.leave()


def topic_alias(port, _):
    client = Client(port, "alias")
    client.subscribe("a/long/topic/name")
    client.publish("a/long/topic/name", "1", TopicAlias=3)
    client.publish("", "2", TopicAlias=3)
    client.publish("another/topic", "elsewhere", TopicAlias=3)
    client.publish("a/long/topic/name", "3", TopicAlias=4)
    for payload in [b"1", b"2", b"3"]:
        message = client.take()
        same((message.topic, message.payload), ("a/long/topic/name", payload))
    client.messages.nothing()
    client.leave()


def aliases_from_the_broker(port, _):
    reader = Client(port, "reader", TopicAliasMaximum=2)
    reader.subscribe("many/#")
    publisher = Client(port, "publisher")
    expected = []
    for n in range(12):
        topic = f"many/{n % 4}"
        publisher.publish(topic, str(n))
        expected.append((topic, str(n).encode()))
    known, got = {}, []
    for _ in expected:
        message = reader.take()
        alias = getattr(message.properties, "TopicAlias", None)
        topic = message.topic or known[alias]
        if alias is not None:
            assert 1 <= alias <= 2, alias
            known[alias] = topic
        got.append((topic, message.payload))
    same(got, expected)
    reader.leave()
    publisher.leave()


def subscription_identifiers(port, _):
    client = Client(port, "ids")
    client.subscribe("a/#", SubscriptionIdentifier=7)
    client.subscribe("a/b", SubscriptionIdentifier=300)
    client.subscribe("+/c")
    client.publish("a/x", "one")
    same(client.take().properties.SubscriptionIdentifier, [7])
    client.publish("a/b", "both")
    got = []
    # One copy with both, or a copy for each, as the broker likes (MQTT 5, 3.3.4).
    while len(got) < 2:
        got.extend(client.take().properties.SubscriptionIdentifier)
    same(sorted(got), [7, 300])
    client.publish("x/c", "none")
    assert not hasattr(client.take().properties, "SubscriptionIdentifier")
    client.leave()


def request_and_response(port, _):
    asker, answerer = Client(port, "asker"), Client(port, "answerer")
    answerer.subscribe("questions")
    asker.subscribe("answers/asker")
    asker.publish("questions", "why?", ResponseTopic="answers/asker", CorrelationData=b"\x00\xff7")
    question = answerer.take()
    same(question.properties.ResponseTopic, "answers/asker")
    answerer.publish(
        question.properties.ResponseTopic, "because", CorrelationData=question.properties.CorrelationData
    )
    answer = asker.take()
    same((answer.payload, answer.properties.CorrelationData), (b"because", b"\x00\xff7"))
    asker.leave()
    answerer.leave()


def publish_properties(port, _):
    client = Client(port, "properties")
    client.subscribe("p")
    pairs = [("colour", "red"), ("colour", "blue"), ("empty", ""), ("ä", "ö:\n")]
    client.publish("p", "text", UserProperty=pairs, ContentType="text/plain", PayloadFormatIndicator=1)
    message = client.take()
    same(message.properties.UserProperty, pairs)
    same(message.properties.ContentType, "text/plain")
    same(message.properties.PayloadFormatIndicator, 1)
    client.leave()


def message_expiry(port, _):
    client = Client(port, "expiry")
    client.subscribe("e")
    client.publish("e", "x", MessageExpiryInterval=100)
    left = client.take().properties.MessageExpiryInterval
    assert 95 <= left <= 100, left
    client.leave()


def no_matching_subscribers(port, _):
    client = Client(port, "lonely")
    for qos in [1, 2]:
        reason = client.publish("nobody/listens", "x", qos)
        assert reason.value in (0x00, 0x10), reason
        assert not reason.is_failure
    client.leave()


def no_local(port, _):
    client, other = Client(port, "self"), Client(port, "other")
    client.subscribe("n", no_local=True)
    client.publish("n", "mine")
    other.publish("n", "theirs")
    same(client.take().payload, b"theirs")
    client.messages.nothing()
    client.leave()
    other.leave()


def retain_as_published(port, _):
    plain, kept = Client(port, "plain"), Client(port, "kept")
    plain.subscribe("r")
    kept.subscribe("r", as_published=True)
    publisher = Client(port, "publisher")
    publisher.publish("r", "x", retain=True)
    same((plain.take().retain, kept.take().retain), (False, True))
    for client in [plain, kept, publisher]:
        client.leave()


def retain_handling(port, _):
    publisher = Client(port, "publisher")
    publisher.publish("r", "kept", retain=True)
    client = Client(port, "handling")
    client.subscribe("r", handling=1)
    message = client.take()
    same((message.payload, message.retain), (b"kept", True))
    client.subscribe("r", handling=1)
    client.messages.nothing()
    client.subscribe("r", handling=0)
    same(client.take().payload, b"kept")
    other = Client(port, "never")
    other.subscribe("r", handling=2)
    other.messages.nothing()
    for each in [client, other, publisher]:
        each.leave()


def maximum_packet_size(port, _):
    small = Client(port, "small", MaximumPacketSize=200)
    small.subscribe("m")
    publisher = Client(port, "publisher")
    publisher.publish("m", "x" * 1000)
    publisher.publish("m", "fits")
    same(small.take().payload, b"fits")
    small.leave()
    publisher.leave()


def will_with_properties(port, _):
    witness = Client(port, "witness")
    witness.subscribe("will")
    made = properties(PacketTypes.WILLMESSAGE, UserProperty=[("why", "lost")], ContentType="text/plain")
    will = {"topic": "will", "payload": "gone", "qos": 1, "properties": made}
    Client(port, "dying", will=will).vanish()
    message = witness.take()
    same((message.payload, message.properties.ContentType), (b"gone", "text/plain"))
    same(message.properties.UserProperty, [("why", "lost")])
    witness.leave()


def disconnect_with_will(port, _):
    witness = Client(port, "witness")
    witness.subscribe("will")
    will = {"topic": "will", "payload": "asked for", "qos": 1}
    client = Client(port, "leaving", will=will)
    client.leave(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
    same(witness.take().payload, b"asked for")
    Client(port, "leaving", will=will).leave()
    witness.messages.nothing()
    witness.leave()


def shared_subscription(port, _):
    members = [Client(port, f"member-{n}") for n in range(3)]
    for member in members:
        member.subscribe("$share/group/work/+")
    publisher = Client(port, "publisher")
    for n in range(30):
        publisher.publish(f"work/{n}", str(n))
    got = []
    for member in members:
        taken = [int(member.take().payload) for _ in range(10)]
        same(taken, sorted(taken))
        got.extend(taken)
    same(sorted(got), list(range(30)), "each once, in equal shares")
    for client in [*members, publisher]:
        client.leave()


def exactly_once_both_ways(port, _):
    reader, writer = Client(port, "reader"), Client(port, "writer")
    reader.subscribe("once", qos=2)
    for n in range(300):
        writer.client.publish("once", str(n), 2)
    for n in range(300):
        message = reader.take()
        same((message.payload, message.qos), (str(n).encode(), 2))
    for _ in range(300):
        writer.published.take("PUBCOMP")
    reader.messages.nothing()
    reader.leave()
    writer.leave()


def older(version):
    def case(port, _):
        client = Client(port, "old", version=version)
        client.subscribe("old/#", qos=2)
        for qos in range(3):
            client.publish(f"old/{qos}", "x", qos)
            message = client.take()
            same((message.topic, message.qos), (f"old/{qos}", qos))
        client.leave()

    return case


def system_topics(port, _):
    client = Client(port, "system")
    client.subscribe("$SYS/broker/#", 2)
    found = {}
    while "$SYS/broker/load/connections/15min" not in found:
        message = client.take()
        assert message.retain and message.qos == 2, (message.topic, message.qos)
        found[message.topic] = message.payload.decode()
    same(found["$SYS/broker/clients/connected"], "1")
    same(client.publish("$SYS/broker/uptime", "never", retain=True).value, 0x87)
    while True:
        message = client.take()
        if message.topic == "$SYS/broker/uptime" and not message.retain:
            break
    assert message.payload.endswith(b" seconds"), message.payload
    client.leave()


run(
    {
        "what_the_broker_announces": what_the_broker_announces,
        "assigned_client_id": assigned_client_id,
        "session_expiry": session_expiry,
        "topic_alias": topic_alias,
        "aliases_from_the_broker": aliases_from_the_broker,
        "subscription_identifiers": subscription_identifiers,
        "request_and_response": request_and_response,
        "publish_properties": publish_properties,
        "message_expiry": message_expiry,
        "no_matching_subscribers": no_matching_subscribers,
        "no_local": no_local,
        "retain_as_published": retain_as_published,
        "retain_handling": retain_handling,
        "maximum_packet_size": maximum_packet_size,
        "will_with_properties": will_with_properties,
        "disconnect_with_will": disconnect_with_will,
        "shared_subscription": shared_subscription,
        "system_topics": system_topics,
        "exactly_once_both_ways": exactly_once_both_ways,
        "version_3_1_1": older(mqtt.MQTTv311),
        "version_3_1": older(mqtt.MQTTv31),
    }
)
