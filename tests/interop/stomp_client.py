"""stomp.py against the broker, one case a run: stomp_client.py MQTT_PORT STOMP_PORT CASE"""

import stomp

from stomp_kit import Client, rest
from waiting import run, same

QUEUE = "/queue/stomp.py"


def version(kind, number):
    def case(_, port):
        client = Client(port, kind)
        if number == "1.0":
            assert client.greeting.get("version", "1.0") == "1.0", client.greeting
        else:
            same(client.greeting["version"], number)
        client.subscribe(QUEUE)
        text = "Grüße, 'world'" if number == "1.0" else "Grüße:\nworld \\ :"
        headers = {"colour": "red"} if number == "1.0" else {"colour": "red: a\\b\nc"}
        client.send(QUEUE, text, **headers)
        frame = client.take()
        same(frame.body, text)
        same(frame.headers["colour"], headers["colour"])
        same(frame.headers["destination"], QUEUE)
        assert frame.headers["message-id"]
        client.leave()

    return case


def fill(port, count):
    client = Client(port)
    for n in range(count):
        client.send(QUEUE, str(n))
    return client


def ack_auto(_, port):
    client = fill(port, 3)
    client.subscribe(QUEUE, ack="auto")
    same([client.take().body for _ in range(3)], ["0", "1", "2"])
    client.leave()
    same(rest(port, QUEUE), [])


def ack_client(_, port):
    client = fill(port, 5)
    client.subscribe(QUEUE, ack="client")
    frames = [client.take() for _ in range(5)]
    client.ack(frames[2])
    client.leave()
    same(rest(port, QUEUE), ["3", "4"])


def ack_client_individual(_, port):
    client = fill(port, 4)
    client.subscribe(QUEUE, ack="client-individual")
    frames = [client.take() for _ in range(4)]
    client.ack(frames[2])
    client.ack(frames[0])
    client.leave()
    same(rest(port, QUEUE), ["1", "3"])


def nack(_, port):
    client = fill(port, 2)
    client.subscribe(QUEUE, ack="client-individual")
    first, second = client.take(), client.take()
    client.nack(first)
    client.ack(second)
    again = client.take()
    same((again.body, again.headers["redelivered"]), ("0", "true"))
    client.ack(again)
    client.leave()
    same(rest(port, QUEUE), [])


def transaction_commit(_, port):
    client, reader = Client(port), Client(port)
    reader.subscribe(QUEUE)
    transaction = client.connection.begin()
    client.send(QUEUE, "1", transaction=transaction)
    client.send(QUEUE, "2", transaction=transaction)
    reader.heard.messages.nothing()
    client.connection.commit(transaction)
    same([reader.take().body, reader.take().body], ["1", "2"])
    client.leave()
    reader.leave()


def transaction_abort(_, port):
    client = Client(port)
    transaction = client.connection.begin()
    client.send(QUEUE, "1", transaction=transaction)
    client.connection.abort(transaction)
    client.send(QUEUE, "2")
    client.leave()
    same(rest(port, QUEUE), ["2"])


def transacted_ack(_, port):
    client = fill(port, 2)
    client.subscribe(QUEUE, ack="client-individual")
    first, second = client.take(), client.take()
    transaction = client.connection.begin()
    client.ack(first, transaction=transaction)
    client.connection.abort(transaction)
    transaction = client.connection.begin()
    client.ack(second, transaction=transaction)
    client.connection.commit(transaction)
    client.leave()
    same(rest(port, QUEUE), ["0"])


def receipts(_, port):
    client = Client(port)
    for n in range(100):
        client.connection.send(QUEUE, str(n), headers={"persistent": "true", "receipt": str(n)})
    same([client.heard.receipts.take() for _ in range(100)], [str(n) for n in range(100)])
    client.connection.disconnect(receipt="bye")
    same(client.heard.receipts.take(), "bye")


def heart_beats(_, port):
    client = Client(port, heartbeats=(300, 300))
    send, want = (int(part) for part in client.greeting["heart-beat"].split(","))
    assert 0 < send <= 30_000 and 0 < want <= 30_000, client.greeting
    client.subscribe(QUEUE)
    client.send(QUEUE, "alive")
    same(client.take().body, "alive")
    client.leave()
    client = Client(port, heartbeats=(0, 0))
    client.send(QUEUE, "without")
    client.leave()


def durable_subscription(_, port):
    topic, name = "/topic/news", {"activemq.subscriptionName": "reader"}
    client = Client(port, headers={"client-id": "subscriber"})
    client.subscribe(topic, "1", "client-individual", **name)
    client.leave()
    publisher = Client(port)
    publisher.send(topic, "missed 1")
    publisher.send(topic, "missed 2")
    client = Client(port, headers={"client-id": "subscriber"})
    client.subscribe(topic, "1", "client-individual", **name)
    for body in ["missed 1", "missed 2"]:
        frame = client.take()
        same(frame.body, body)
        client.ack(frame)
    client.connection.unsubscribe("1", **name)
    client.leave()
    publisher.send(topic, "after the end")
    client = Client(port, headers={"client-id": "subscriber"})
    client.subscribe(topic, "1", "auto", **name)
    client.heard.messages.nothing()
    client.leave()
    publisher.leave()


def binary_body(_, port):
    client = Client(port, auto_decode=False)
    client.subscribe(QUEUE)
    body = bytes(range(256)) * 20
    client.send(QUEUE, body)
    same(client.take().body, body)
    client.leave()


def refusal(_, port):
    client = Client(port)
    client.connection.send("nowhere", "x", headers={"receipt": "r"})
    error = client.heard.errors.take("ERROR")
    same(error.headers["receipt-id"], "r")
    assert "destination" in error.headers["message"] + error.body, error
    client.heard.lost.take("the end of the connection")
    client = Client(port)
    client.connection.subscribe(QUEUE, "1", headers={"selector": "colour ="})
    error = client.heard.errors.take("ERROR")
    assert "selector" in error.headers["message"] + error.body, error


def selectors(_, port):
    client = Client(port)
    for number, destination, selector in [
        ("1", "/topic/lots", "colour = 'red' AND weight > 5"),
        ("2", "/topic/lots", "colour IN ('blue') OR JMSPriority = 9"),
        ("3", QUEUE, "weight BETWEEN 6 AND 8"),
    ]:
        client.subscribe(destination, number, selector=selector)
    for weight, colour in [(5, "red"), (6, "red"), (7, "blue")]:
        for destination in ("/topic/lots", QUEUE):
            client.send(destination, str(weight), colour=colour, weight=str(weight))
    client.send("/topic/lots", "urgent", priority="9")
    got = sorted((frame.headers["subscription"], frame.body) for frame in (client.take() for _ in range(5)))
    same(got, [("1", "6"), ("2", "7"), ("2", "urgent"), ("3", "6"), ("3", "7")])
    client.heard.messages.nothing()
    client.subscribe(QUEUE, "4")
    same(client.take().body, "5")
    client.leave()


def wildcards(_, port):
    client = Client(port)
    client.subscribe("/topic/plant.>", "1")
    client.subscribe("/topic/plant.*.temp", "2")
    client.send("/topic/plant.1.temp", "both")
    got = sorted(client.take().headers["subscription"] for _ in range(2))
    same(got, ["1", "2"])
    client.send("/topic/plant.1.speed", "one")
    same(client.take().headers["subscription"], "1")
    client.heard.messages.nothing()
    client.leave()


run(
    {
        "version_1_0": version(stomp.Connection10, "1.0"),
        "version_1_1": version(stomp.Connection11, "1.1"),
        "version_1_2": version(stomp.Connection12, "1.2"),
        "ack_auto": ack_auto,
        "ack_client": ack_client,
        "ack_client_individual": ack_client_individual,
        "nack": nack,
        "transaction_commit": transaction_commit,
        "transaction_abort": transaction_abort,
        "transacted_ack": transacted_ack,
        "receipts": receipts,
        "heart_beats": heart_beats,
        "durable_subscription": durable_subscription,
        "binary_body": binary_body,
        "refusal": refusal,
        "selectors": selectors,
        "wildcards": wildcards,
    }
)
