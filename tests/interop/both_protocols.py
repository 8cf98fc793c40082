"""MQTT and STOMP through one broker, one case a run: both_protocols.py MQTT_PORT STOMP_PORT CASE"""

import stomp

import mqtt_client
from waiting import Box, run, same


class Stomp:
    """A STOMP connection that puts its messages into a box."""

    def __init__(self, port, auto_decode=True, headers=None):
        self.messages, self.receipts = Box(), Box()
        self.connection = stomp.Connection12([("127.0.0.1", port)], auto_decode=auto_decode)
        outer = self

        class Listener(stomp.ConnectionListener):
            def on_message(self, frame):
                outer.messages.put(frame)

            def on_receipt(self, frame):
                outer.receipts.put(frame.headers["receipt-id"])

        self.connection.set_listener("case", Listener())
        self.connection.connect(wait=True, headers=headers or {})

    def subscribe(self, destination, number="1", ack="auto", **headers):
        self.connection.subscribe(destination, number, ack, headers={**headers, "receipt": "s"})
        same(self.receipts.take("RECEIPT"), "s")

    def send(self, destination, body, **headers):
        self.connection.send(destination, body, headers={**headers, "receipt": "p"})
        same(self.receipts.take("RECEIPT"), "p")

    def take(self):
        return self.messages.take()

    def leave(self):
        self.connection.disconnect(receipt="bye")
        same(self.receipts.take("RECEIPT"), "bye")


def mqtt_to_stomp(mqtt_port, stomp_port):
    reader, writer = Stomp(stomp_port), mqtt_client.Client(mqtt_port, "writer")
    reader.subscribe("/topic/plant.line1.temp")
    writer.publish(
        "plant/line1/temp",
        "21.5 °C",
        UserProperty=[("unit", "C"), ("place", "a:b\nc")],
        ContentType="text/plain",
        CorrelationData=b"c-7",
        ResponseTopic="answers/line1",
    )
    frame = reader.take()
    same(frame.body, "21.5 °C")
    expected = {
        "destination": "/topic/plant.line1.temp",
        "unit": "C",
        "place": "a:b\nc",
        "content-type": "text/plain",
        "correlation-id": "c-7",
        "reply-to": "/topic/answers.line1",
    }
    same({name: frame.headers.get(name) for name in expected}, expected)
    writer.leave()
    old = mqtt_client.Client(mqtt_port, "old", version=mqtt_client.mqtt.MQTTv311)
    old.publish("plant/line1/temp", "22")
    same(reader.take().body, "22")
    old.leave()
    reader.leave()


def stomp_to_mqtt(mqtt_port, stomp_port):
    reader, writer = mqtt_client.Client(mqtt_port, "reader"), Stomp(stomp_port)
    old = mqtt_client.Client(mqtt_port, "old", version=mqtt_client.mqtt.MQTTv311)
    reader.subscribe("plant/line1/temp")
    old.subscribe("plant/line1/temp")
    headers = {
        "unit": "C",
        "place": "a:b",
        "content-type": "text/plain",
        "correlation-id": "c-7",
        "reply-to": "/topic/answers.line1",
        "persistent": "true",
    }
    writer.send("/topic/plant.line1.temp", "21.5 °C", **headers)
    message = reader.take()
    same((message.topic, message.payload.decode()), ("plant/line1/temp", "21.5 °C"))
    said = message.properties
    same((said.ContentType, said.CorrelationData), ("text/plain", b"c-7"))
    same(said.ResponseTopic, "answers/line1")
    same(dict(said.UserProperty), {"unit": "C", "place": "a:b"})
    same(old.take().payload.decode(), "21.5 °C")
    for client in [reader, writer, old]:
        client.leave()


def names_map_and_come_back(mqtt_port, stomp_port):
    mqtt, client = mqtt_client.Client(mqtt_port, "names"), Stomp(stomp_port)
    pairs = [
        ("a/b/c", "/topic/a.b.c"),
        ("a.b/c", "/topic/a/b.c"),
        ("/lead", "/topic/.lead"),
        ("trail/", "/topic/trail."),
        ("ä ö/ü", "/topic/ä ö.ü"),
    ]
    for number, (topic, destination) in enumerate(pairs):
        mqtt.subscribe(topic)
        client.subscribe(destination, str(number))
        client.send(destination, "from STOMP")
        same(mqtt.take().topic, topic)
        same(client.take().headers["destination"], destination)
        mqtt.publish(topic, "from MQTT")
        same(mqtt.take().topic, topic)
        same(client.take().headers["destination"], destination)
    mqtt.leave()
    client.leave()


def bytes_stay_bytes(mqtt_port, stomp_port):
    body = bytes(range(256))
    mqtt, client = mqtt_client.Client(mqtt_port, "bytes"), Stomp(stomp_port, auto_decode=False)
    mqtt.subscribe("b")
    client.subscribe("/topic/b")
    mqtt.publish("b", body)
    same((mqtt.take().payload, client.take().body), (body, body))
    client.send("/topic/b", body)
    same((mqtt.take().payload, client.take().body), (body, body))
    mqtt.leave()
    client.leave()


def wildcards_on_both_sides(mqtt_port, stomp_port):
    mqtt, client = mqtt_client.Client(mqtt_port, "wild"), Stomp(stomp_port)
    mqtt.subscribe("plant/#")
    client.subscribe("/topic/plant.>", "all")
    client.subscribe("/topic/plant.*.temp", "one")
    mqtt.publish("plant/line1/temp", "1")
    same(mqtt.take().payload, b"1")
    same(sorted(client.take().headers["subscription"] for _ in range(2)), ["all", "one"])
    client.send("/topic/plant.line1.speed", "2")
    same(mqtt.take().topic, "plant/line1/speed")
    same(client.take().headers["subscription"], "all")
    client.messages.nothing()
    mqtt.leave()
    client.leave()


def quality_of_service(mqtt_port, stomp_port):
    mqtt, client = mqtt_client.Client(mqtt_port, "qos"), Stomp(stomp_port)
    mqtt.subscribe("q", qos=1)
    client.send("/topic/q", "kept", persistent="true")
    same(mqtt.take().qos, 1)
    client.subscribe("/topic/q")
    mqtt.publish("q", "kept", qos=1)
    same(client.take().headers.get("persistent"), "true")
    mqtt.publish("q", "light", qos=0)
    same(client.take().headers.get("persistent", "false"), "false")
    mqtt.leave()
    client.leave()


def retained(mqtt_port, stomp_port):
    mqtt, client = mqtt_client.Client(mqtt_port, "retained"), Stomp(stomp_port)
    client.send("/topic/state.a", "from STOMP", retain="true", persistent="true")
    mqtt.subscribe("state/a")
    message = mqtt.take()
    same((message.payload, message.retain), (b"from STOMP", True))
    mqtt.leave()
    client.leave()


def to_a_durable_subscriber(mqtt_port, stomp_port):
    headers, name = {"client-id": "durable"}, {"activemq.subscriptionName": "d"}
    client = Stomp(stomp_port, headers=headers)
    client.subscribe("/topic/plant.>", "1", "client-individual", **name)
    client.leave()
    mqtt = mqtt_client.Client(mqtt_port, "writer")
    for n in range(3):
        mqtt.publish(f"plant/{n}", str(n))
    client = Stomp(stomp_port, headers=headers)
    client.subscribe("/topic/plant.>", "1", "auto", **name)
    same([client.take().body for _ in range(3)], ["0", "1", "2"])
    mqtt.leave()
    client.leave()


def to_an_absent_session(mqtt_port, stomp_port):
    keep = {"SessionExpiryInterval": 300}
    mqtt = mqtt_client.Client(mqtt_port, "absent", **keep)
    mqtt.subscribe("plant/#", qos=2)
    mqtt.leave()
    client = Stomp(stomp_port)
    for n in range(3):
        client.send(f"/topic/plant.{n}", str(n), persistent="true")
    mqtt = mqtt_client.Client(mqtt_port, "absent", clean=False, **keep)
    same([mqtt.take().payload for _ in range(3)], [b"0", b"1", b"2"])
    mqtt.leave()
    client.leave()


def a_queue_on_both_sides(mqtt_port, stomp_port):
    mqtt, client = mqtt_client.Client(mqtt_port, "mqtt"), Stomp(stomp_port)
    mqtt.publish("$queue/jobs/eu", "one", qos=1, UserProperty=[("unit", "C")], ResponseTopic="$queue/done/eu")
    client.subscribe("/queue/jobs.eu")
    frame = client.take()
    same((frame.body, frame.headers["destination"]), ("one", "/queue/jobs.eu"))
    same((frame.headers["unit"], frame.headers["reply-to"]), ("C", "/queue/done.eu"))
    client.send(frame.headers["reply-to"], "two", persistent="true", **{"reply-to": "/queue/jobs.eu"})
    mqtt.subscribe("$queue/done/eu", qos=2)
    message = mqtt.take()
    same((message.topic, message.payload, message.qos), ("$queue/done/eu", b"two", 2))
    same(message.properties.ResponseTopic, "$queue/jobs/eu")
    mqtt.leave()
    client.leave()


run(
    {
        "mqtt_to_stomp": mqtt_to_stomp,
        "stomp_to_mqtt": stomp_to_mqtt,
        "names_map_and_come_back": names_map_and_come_back,
        "bytes_stay_bytes": bytes_stay_bytes,
        "wildcards_on_both_sides": wildcards_on_both_sides,
        "quality_of_service": quality_of_service,
        "retained": retained,
        "to_a_durable_subscriber": to_a_durable_subscriber,
        "to_an_absent_session": to_an_absent_session,
        "a_queue_on_both_sides": a_queue_on_both_sides,
    }
)
