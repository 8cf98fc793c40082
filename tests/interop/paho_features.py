"""paho-mqtt through the features of the matrix: paho_features.py SETTINGS FEATURE...

SETTINGS is JSON: the ports, the certificates. One line of JSON comes out for each feature, as from the script of
MQTT.js."""

import json
import os
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from mqtt_client import Client, properties
from waiting import Box, same

SETTINGS = json.loads(sys.argv[1])
PORTS = SETTINGS["ports"]
AT_ONCE = 6
KEEP = {"SessionExpiryInterval": 3600}


def open_client(name, **options):
    return Client(PORTS["mqtt"], name, **options)


def leave(*clients):
    for client in clients:
        client.leave()


def expect(client, topic, payload, **more):
    message = client.take()
    same((message.topic, message.payload), (topic, payload.encode() if isinstance(payload, str) else payload))
    for key, value in more.items():
        same(getattr(message, key), value, key)
    return message


def to_itself(client, topic):
    """Talks to itself with every quality of service."""
    client.subscribe(topic, qos=2)
    for qos in range(3):
        client.publish(topic, f"qos {qos}", qos)
        expect(client, topic, f"qos {qos}", qos=qos, retain=False, dup=False)
    client.leave()


def version(number):
    def case(name):
        client = open_client(name, version=number)
        same(client.session_present, False)
        to_itself(client, f"{name}/x")

    return case


def qos(granted):
    def case(name):
        reader, writer = open_client(f"{name}-r"), open_client(f"{name}-w")
        reader.subscribe(f"{name}/+", qos=granted)
        for n in range(50):
            for sent in range(3):
                writer.client.publish(f"{name}/{sent}", str(n), sent)
        seen = [0, 0, 0]
        for _ in range(150):
            message = reader.take()
            sent = int(message.topic.split("/")[1])
            same(message.payload, str(seen[sent]).encode(), "in order")
            same(message.qos, min(sent, granted))
            seen[sent] += 1
        reader.messages.nothing()
        leave(reader, writer)

    return case


def retained(name):
    writer = open_client(f"{name}-w")
    for topic, payload in [("a", "old"), ("a", "new"), ("b", "cleared"), ("b", "")]:
        writer.publish(f"{name}/{topic}", payload, retain=True)
    reader = open_client(f"{name}-r")
    reader.subscribe(f"{name}/#")
    expect(reader, f"{name}/a", "new", retain=True, qos=1)
    writer.publish(f"{name}/b", "live", retain=True)
    expect(reader, f"{name}/b", "live", retain=False)
    reader.messages.nothing()
    leave(reader, writer)


def retain_handling(name):
    writer, reader, other = (open_client(f"{name}-{n}") for n in range(3))
    writer.publish(name, "kept", retain=True)
    for handling in [2, 1]:
        reader.subscribe(name, handling=handling)
        reader.messages.nothing()
    reader.subscribe(name, handling=0)
    expect(reader, name, "kept", retain=True)
    other.subscribe(name, handling=1)
    expect(other, name, "kept", retain=True)
    leave(writer, reader, other)


def retain_as_published(name):
    plain, kept = open_client(f"{name}-p"), open_client(f"{name}-k")
    plain.subscribe(name)
    kept.subscribe(name, as_published=True)
    plain.publish(name, "x", retain=True)
    expect(plain, name, "x", retain=False)
    expect(kept, name, "x", retain=True)
    leave(plain, kept)


def wildcards(name):
    plus, every = open_client(f"{name}-p"), open_client(f"{name}-h")
    plus.subscribe(f"{name}/+/temp")
    every.subscribe(f"{name}/#")
    topics = [name, f"{name}/1/temp", f"{name}/1/temp/max", f"{name}//temp"]
    for topic in topics:
        plus.publish(topic, topic)
    for topic in [topics[1], topics[3]]:
        expect(plus, topic, topic)
    for topic in topics:
        expect(every, topic, topic)
    plus.messages.nothing()
    leave(plus, every)


def unsubscribe(name):
    client = open_client(name)
    client.subscribe(name)
    done = Box()
    client.client.on_unsubscribe = lambda *_: done.put(True)
    client.client.unsubscribe(name)
    done.take("UNSUBACK")
    client.publish(name, "x")
    client.messages.nothing()
    client.leave()


def will_of(topic, payload="gone", qos=1, retain=False, **values):
    return {
        "topic": topic,
        "payload": payload,
        "qos": qos,
        "retain": retain,
        "properties": properties(PacketTypes.WILLMESSAGE, **values),
    }


def will(name):
    witness = open_client(f"{name}-w")
    witness.subscribe(f"{name}/#")
    lost = will_of(f"{name}/5", retain=True, UserProperty=[("why", "lost")], ContentType="text/plain")
    open_client(f"{name}-d", will=lost).vanish()
    message = expect(witness, f"{name}/5", "gone", qos=1, retain=False)
    same(message.properties.ContentType, "text/plain")
    same(message.properties.UserProperty, [("why", "lost")])
    witness.subscribe(f"{name}/5")
    expect(witness, f"{name}/5", "gone", retain=True)
    for number, words in [(mqtt.MQTTv311, "too"), (mqtt.MQTTv31, "as well")]:
        older = {"topic": f"{name}/old", "payload": words, "qos": 0}
        open_client(f"{name}-d", will=older, version=number).vanish()
        expect(witness, f"{name}/old", words, qos=0)
    witness.leave()


def will_with_delay(name):
    witness = open_client(f"{name}-w")
    witness.subscribe(f"{name}/#")
    begun = time.monotonic()
    late = will_of(f"{name}/late", WillDelayInterval=1)
    open_client(f"{name}-a", will=late, **KEEP).vanish()
    expect(witness, f"{name}/late", "gone")
    assert time.monotonic() - begun >= 1, "too early"
    # Who comes back in time takes it back.
    open_client(f"{name}-b", will=will_of(f"{name}/never", WillDelayInterval=2), **KEEP).vanish()
    back = open_client(f"{name}-b", clean=False, **KEEP)
    same(back.session_present, True)
    open_client(f"{name}-c", will=will_of(f"{name}/last", WillDelayInterval=2), **KEEP).vanish()
    expect(witness, f"{name}/last", "gone")
    leave(witness, back)


def disconnect(name):
    witness = open_client(f"{name}-w")
    witness.subscribe(name)
    open_client(f"{name}-d", will=will_of(name)).leave()
    witness.messages.nothing()
    asked = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")
    open_client(f"{name}-d", will=will_of(name)).leave(asked)
    expect(witness, name, "gone")
    open_client(f"{name}-d", will=will_of(name)).vanish()
    expect(witness, name, "gone")
    witness.leave()


def persistent_session(name):
    writer = open_client(f"{name}-w")
    for number in [mqtt.MQTTv31, mqtt.MQTTv311, mqtt.MQTTv5]:
        who = f"{name[:8]}-{number}"
        options = {"version": number, "clean": False, **(KEEP if number == mqtt.MQTTv5 else {})}
        first = open_client(who, **options)
        same(first.session_present, False)
        first.subscribe(f"{name}/#", qos=2)
        first.leave()
        for sent in [0, 1, 2, 1, 2]:
            writer.publish(f"{name}/{sent}", str(sent), sent)
        second = open_client(who, **options)
        # MQTT 3.1 has no word for it.
        same(second.session_present, number != mqtt.MQTTv31)
        came = sorted((m.topic, m.payload, m.qos) for m in (second.take() for _ in range(4)))
        same(came, [(f"{name}/{n}", str(n).encode(), n) for n in [1, 1, 2, 2]])
        second.messages.nothing()
        second.leave()
        third = open_client(who, version=number)
        same(third.session_present, False)
        third.leave()
    writer.leave()


def session_expiry(name):
    witness = open_client(f"{name}-w")
    witness.subscribe(f"{name}/over")
    # A will that waits longer than the session lives comes when the session ends.
    over = will_of(f"{name}/over", WillDelayInterval=600)
    begun = time.monotonic()
    open_client(f"{name}-s", will=over, SessionExpiryInterval=1).vanish()
    open_client(f"{name}-l", SessionExpiryInterval=600).leave()
    expect(witness, f"{name}/over", "gone")
    assert time.monotonic() - begun >= 1, "too early"
    for who, present in [("s", False), ("l", True)]:
        client = open_client(f"{name}-{who}", clean=False)
        same(client.session_present, present, who)
        client.leave()
    witness.leave()


def shared_subscription(name):
    members = [open_client(f"{name}-{n}") for n in range(2)]
    for member in members:
        member.subscribe(f"$share/group/{name}/+")
    publisher = open_client(f"{name}-all")
    for n in range(20):
        publisher.publish(f"{name}/{n}", str(n))
    got = [int(member.take().payload) for member in members for _ in range(10)]
    same(sorted(got), list(range(20)), "each once, in equal shares")
    for member in members:
        member.messages.nothing()
    leave(*members, publisher)


def request_and_response(name):
    asker, worker = open_client(f"{name}-a"), open_client(f"{name}-w")
    worker.subscribe(f"{name}/questions")
    asker.subscribe(f"{name}/answers")
    data = b"\x00\xff7"
    asker.publish(f"{name}/questions", "why?", ResponseTopic=f"{name}/answers", CorrelationData=data)
    question = expect(worker, f"{name}/questions", "why?").properties
    same((question.ResponseTopic, question.CorrelationData), (f"{name}/answers", data))
    worker.publish(question.ResponseTopic, "because", CorrelationData=question.CorrelationData)
    same(expect(asker, f"{name}/answers", "because").properties.CorrelationData, data)
    leave(asker, worker)


def properties_of(**sent):
    def case(name):
        client = open_client(name)
        client.subscribe(name)
        client.publish(name, "text", **sent)
        came = expect(client, name, "text").properties
        for key, value in sent.items():
            same(getattr(came, key), value, key)
        client.publish(name, "bare")
        bare = expect(client, name, "bare").properties
        same([key for key in sent if hasattr(bare, key)], [])
        client.leave()

    return case


def message_expiry(name):
    session = open_client(f"{name}-s", **KEEP)
    session.subscribe(f"{name}/#")
    session.leave()
    writer = open_client(f"{name}-w")
    writer.subscribe(f"{name}-clock")
    writer.publish(f"{name}/short", "short", MessageExpiryInterval=1)
    writer.publish(f"{name}/long", "long", MessageExpiryInterval=600)
    # Two seconds of the broker's clock.
    open_client(f"{name}-c", will=will_of(f"{name}-clock", WillDelayInterval=2), **KEEP).vanish()
    expect(writer, f"{name}-clock", "gone")
    reader = open_client(f"{name}-s", clean=False, **KEEP)
    left = expect(reader, f"{name}/long", "long").properties.MessageExpiryInterval
    assert 560 <= left <= 598, left
    reader.messages.nothing()
    leave(reader, writer)


def subscription_identifiers(name):
    client = open_client(name)
    client.subscribe(f"{name}/a/#", SubscriptionIdentifier=7)
    client.subscribe(f"{name}/a/b", SubscriptionIdentifier=268435455)
    client.subscribe(f"{name}/+")
    client.publish(f"{name}/a/x", "one")
    same(expect(client, f"{name}/a/x", "one").properties.SubscriptionIdentifier, [7])
    client.publish(f"{name}/a/b", "both")
    got = []
    # One copy with both, or a copy for each, as the broker likes (MQTT 5, 3.3.4).
    while len(got) < 2:
        got.extend(expect(client, f"{name}/a/b", "both").properties.SubscriptionIdentifier)
    same(sorted(got), [7, 268435455])
    client.publish(f"{name}/none", "none")
    assert not hasattr(expect(client, f"{name}/none", "none").properties, "SubscriptionIdentifier")
    client.leave()


def no_local(name):
    client, other = open_client(f"{name}-s"), open_client(f"{name}-o")
    client.subscribe(name, no_local=True)
    client.publish(name, "mine")
    other.publish(name, "theirs")
    expect(client, name, "theirs")
    client.messages.nothing()
    leave(client, other)


def topic_alias_to_broker(name):
    client = open_client(name)
    client.subscribe(f"{name}/#")
    client.publish(f"{name}/long", "1", TopicAlias=3)
    client.publish("", "2", TopicAlias=3)
    client.publish(f"{name}/other", "3", TopicAlias=3)
    client.publish("", "4", TopicAlias=3)
    for n, topic in enumerate(["long", "long", "other", "other"]):
        expect(client, f"{name}/{topic}", str(n + 1))
    client.messages.nothing()
    client.leave()


def topic_alias_to_client(name):
    reader, writer = open_client(f"{name}-r", TopicAliasMaximum=2), open_client(f"{name}-w")
    reader.subscribe(f"{name}/#")
    for n in range(12):
        writer.publish(f"{name}/{n % 3}", str(n))
    known, shortened = {}, 0
    for n in range(12):
        message = reader.take()
        alias = getattr(message.properties, "TopicAlias", None)
        topic = message.topic or known[alias]
        shortened += not message.topic
        if alias is not None:
            assert 1 <= alias <= 2, alias
            known[alias] = topic
        same((topic, message.payload), (f"{name}/{n % 3}", str(n).encode()))
    assert shortened > 0, "no alias stood for a topic"
    leave(reader, writer)


def receive_maximum(name):
    reader = open_client(f"{name}-r", manual_ack=True, ReceiveMaximum=1)
    writer = open_client(f"{name}-w")
    reader.subscribe(name)
    for n in range(5):
        writer.publish(name, str(n))
    for n in range(5):
        message = expect(reader, name, str(n))
        reader.messages.nothing()
        reader.client.ack(message.mid, message.qos)
    leave(reader, writer)


def maximum_packet_size(name):
    small, writer = open_client(f"{name}-s", MaximumPacketSize=200), open_client(f"{name}-w")
    small.subscribe(name)
    writer.publish(name, "x" * 1000)
    writer.publish(name, "fits")
    expect(small, name, "fits")
    leave(small, writer)


def large(size):
    def case(name):
        reader, writer = open_client(f"{name}-r"), open_client(f"{name}-w")
        reader.subscribe(name)
        body = (bytes(range(251)) * (size // 251 + 1))[:size]
        writer.publish(name, body)
        message = reader.take()
        assert message.payload == body, "it came back changed"
        leave(reader, writer)

    return case


def empty_payload(name):
    client = open_client(name)
    client.subscribe(name, qos=2)
    for sent in range(3):
        client.publish(name, None, sent)
        expect(client, name, b"", qos=sent)
    client.leave()


def utf8_topics(name):
    client = open_client(f"{name}-🦀")
    client.subscribe(f"{name}/🚢/+/grüße")
    client.publish(f"{name}/🚢/港/grüße", "здравствуйте 🌍")
    expect(client, f"{name}/🚢/港/grüße", "здравствуйте 🌍")
    client.leave()


def over_tls(port, transport="tcp", certificate=(None, None)):
    def case(name):
        options = {"transport": transport, "certificate": certificate}
        to_itself(Client(PORTS[port], name, ca=SETTINGS["ca"], **options), name)
        # Who does not know the authority does not talk to the broker.
        refused(port, ca=SETTINGS["stranger"], transport=transport, certificate=certificate)

    return case


def refused(port, **options):
    try:
        Client(PORTS[port], "stranger", **options)
    except Exception:  # noqa: BLE001 - what says so differs from one OpenSSL to the next
        return
    raise AssertionError("a stranger got in")


def tls_client_certificate(name):
    over_tls("strict", certificate=(SETTINGS["cert"], SETTINGS["key"]))(name)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "nobody")
    client.tls_set(SETTINGS["ca"])
    said = Box()
    client.on_connect = lambda *_: said.put("in")
    client.on_disconnect = lambda *_: said.put("out")
    try:
        client.connect("127.0.0.1", PORTS["strict"])
    except OSError:
        return
    client.loop_start()
    same(said.take("the end of the connection"), "out")
    client.loop_stop()


def websocket(name):
    to_itself(Client(PORTS["ws"], name, transport="websockets"), name)


def refused_subscription(name):
    client = open_client(name)
    # More levels than any filter may have, and the answers of somebody else.
    for topic, code in [(name + "/x" * 128, 0x8F), ("$temp/others", 0x87)]:
        client.client.subscribe(topic, 1)
        same([reason.value for reason in client.subscribed.take("SUBACK")], [code])
    to_itself(client, name)


def no_subscribers(name):
    client = open_client(name)
    same(client.publish(name, "x", 1).value, 0x10)
    client.subscribe(name)
    for sent in [1, 2]:
        same(client.publish(name, "x", sent).value, 0x00)
    client.leave()


def queue(name):
    where = f"$queue/{name}"
    writer, first, second = (open_client(f"{name}-{n}") for n in range(3))
    for n in range(10):
        writer.publish(where, str(n))
    # What waits comes to whoever is there, and each message to one.
    first.subscribe(where)
    for n in range(10):
        expect(first, where, str(n), qos=1)
    second.subscribe(where)
    for n in range(10):
        writer.publish(where, str(n))
    came = [int(client.take().payload) for client in [first, second] for _ in range(5)]
    same(sorted(came), list(range(10)))
    for client in [first, second]:
        client.messages.nothing()
    leave(writer, first, second)


def password(name):
    login = (SETTINGS["user"], SETTINGS["password"])
    for number in [mqtt.MQTTv31, mqtt.MQTTv311, mqtt.MQTTv5]:
        to_itself(open_client(f"{name}-{number}", version=number, login=login), f"{name}/{number}")
        try:
            open_client(f"{name}-{number}", version=number, login=(login[0], "wrong"))
        except AssertionError as error:
            assert "user name or password" in str(error), error
        else:
            raise AssertionError("a wrong password was taken")


def keep_alive(name):
    # It looks at its clock once a second.
    client = open_client(name, keep_alive=3)
    pings = Box()
    client.client.on_log = lambda c, u, level, line: "Received PINGRESP" in line and pings.put(line)
    begun = time.monotonic()
    while time.monotonic() - begun < 2:
        pings.take("PINGRESP")
    to_itself(client, name)


def take_over(name):
    first = open_client(name, **KEEP)
    # It must not come back by itself.
    first.client.on_pre_connect = None
    first.client._reconnect_on_failure = False
    first.subscribe(name)
    second = open_client(name, clean=False, **KEEP)
    same(first.lost.take("DISCONNECT").value, 0x8E)
    same(second.session_present, True)
    second.publish(name, "x")
    expect(second, name, "x")
    second.leave()
    first.client.loop_stop()


def assigned_client_id(_):
    clients = [open_client(""), open_client("")]
    names = [client.properties.AssignedClientIdentifier for client in clients]
    assert all(names) and names[0] != names[1], names
    leave(*clients)


FEATURES = {
    "version_3_1": version(mqtt.MQTTv31),
    "version_3_1_1": version(mqtt.MQTTv311),
    "version_5": version(mqtt.MQTTv5),
    "qos_0": qos(0),
    "qos_1": qos(1),
    "qos_2": qos(2),
    "user_properties": properties_of(UserProperty=[("colour", "red"), ("colour", "blue"), ("", ""), ("ä", "ö:\n")]),
    "content_type": properties_of(ContentType="application/json"),
    "payload_format": properties_of(PayloadFormatIndicator=1),
    "megabyte": large(1 << 20),
    "ten_megabytes": large(10 << 20),
    "tls": over_tls("mqtts"),
    "websocket_tls": over_tls("wss", "websockets"),
}


def result(feature):
    case = FEATURES.get(feature) or globals()[feature]
    try:
        case(feature)
    except Exception:  # noqa: BLE001 - the test shows it
        return {"feature": feature, "ok": False, "error": traceback.format_exc()}
    return {"feature": feature, "ok": True}


with ThreadPoolExecutor(AT_ONCE) as pool:
    for line in pool.map(result, sys.argv[2:]):
        print(json.dumps(line), flush=True)
# Threads of clients whose case failed must not keep the process alive.
sys.stdout.flush()
os._exit(0)
