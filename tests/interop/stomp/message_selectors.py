"""Selectors: which messages a subscription gets. message_selectors.py MQTT_PORT STOMP_PORT CASE"""

from kit import Client, rest, run, same

# All that STOMP carries is text; a selector compares it as numbers and truth values all the same.
SAMPLE = {
    "colour": "red",
    "weight": "3000",
    "ratio": "1.75",
    "flag": "true",
    "name": "a_b",
    "quote": "it's",
    "priority": "7",
    "correlation-id": "c1",
    "type": "t1",
    "JMSXGroupID": "g1",
}


def matching(feature, true, false=()):
    """A case: a message with the headers of SAMPLE matches each of `true` and none of `false`."""

    def case(_, port):
        queue = f"/queue/selectors.{feature}"
        client = Client(port)
        for selector in true:
            client.subscribe(queue, selector=selector)
            client.send(queue, selector, **SAMPLE)
            client.takes(selector)
            client.unsubscribe()
        for selector in false:
            client.subscribe(queue, selector=selector)
            client.send(queue, selector, **SAMPLE)
            client.nothing()
            client.unsubscribe()
        client.leave()
        same(rest(port, queue), list(false))

    return case


equality = matching(
    "equality",
    ["colour = 'red'", "colour <> 'blue'", "'red' = colour", "quote = 'it''s'", "colour = 'red' and flag = TRUE"],
    ["colour = 'blue'", "colour = 'RED'", "COLOUR = 'red'", "missing = 'red'", "missing <> 'red'"],
)
numbers = matching(
    "numbers",
    ["weight > 2500", "weight = 3000", "weight >= 3000.0", "2500 < weight", "weight = 3E3", "ratio > 1.5"],
    ["weight < 2500", "weight <> 3000", "colour = 3", "colour > 3", "missing > 5", "NOT (missing > 5)"],
)
like = matching(
    "like",
    ["colour LIKE 'r_d'", "colour LIKE 'r%'", "name LIKE 'a\\_%' ESCAPE '\\'", "colour NOT LIKE 'b%'"],
    ["colour LIKE 'r_'", "colour LIKE '\\_%' ESCAPE '\\'", "missing LIKE '%'"],
)
between = matching(
    "between",
    ["weight BETWEEN 10 AND 5000", "weight BETWEEN 3000 AND 3000", "weight NOT BETWEEN 1 AND 2"],
    ["weight BETWEEN 1 AND 2", "missing BETWEEN 1 AND 2"],
)
in_list = matching(
    "in",
    ["colour IN ('blue', 'red')", "colour NOT IN ('blue')", "weight IN ('3000')"],
    ["colour IN ('blue')", "missing IN ('blue')", "colour NOT IN ('red')"],
)
is_null = matching(
    "null",
    ["missing IS NULL", "colour IS NOT NULL"],
    ["colour IS NULL", "missing IS NOT NULL"],
)
arithmetic = matching(
    "arithmetic",
    ["JMSPriority * 2 > 13", "JMSPriority + 1 = 8", "(JMSPriority - 1) / 2 = 3", "JMSTimestamp + 5 > JMSTimestamp"],
    ["JMSPriority - 1 = 7", "JMSPriority * 2 = 7"],
)
boolean = matching(
    "boolean",
    ["flag = TRUE", "flag = 'true'", "TRUE", "missing = 'x' OR colour = 'red'", "NOT (colour = 'blue')"],
    ["flag = FALSE", "FALSE", "colour = 'red' AND missing = 'x'", "NOT (colour = 'red' OR colour = 'blue')"],
)
jms_headers = matching(
    "jms",
    [
        "JMSPriority > 6",
        "JMSPriority = 7",
        "JMSCorrelationID = 'c1'",
        "JMSType = 't1'",
        "JMSDeliveryMode = 'PERSISTENT'",
        "JMSMessageID LIKE 'ID:%'",
        "JMSTimestamp > 0",
        "JMSExpiration = 0",
        "JMSRedelivered = FALSE",
        "JMSXGroupID = 'g1'",
    ],
    ["JMSPriority = 4", "JMSDeliveryMode = 'NON_PERSISTENT'", "JMSType = 'c1'"],
)


def disjoint_consumers(_, port):
    queue = "/queue/selectors.disjoint"
    red, blue, writer = Client(port), Client(port), Client(port)
    red.subscribe(queue, selector="colour = 'red'")
    blue.subscribe(queue, selector="colour = 'blue'")
    for n, colour in enumerate(["green", "red", "blue", "red", "green"]):
        writer.send(queue, str(n), colour=colour)
    red.takes("1", "3")
    blue.takes("2")
    red.leave()
    blue.leave()
    writer.leave()
    same(rest(port, queue), ["0", "4"], "what nobody wanted")


def behind_others(_, port):
    """Found however many others lie before it. WharfMQ only: ActiveMQ looks at a few hundred."""
    queue = "/queue/selectors.behind"
    client = Client(port)
    for n in range(2000):
        client.send(queue, str(n), receipt=False, colour="blue")
    client.send(queue, "wanted", colour="red")
    client.subscribe(queue, selector="colour = 'red'")
    client.takes("wanted")
    client.leave()


def on_a_topic(_, port):
    client = Client(port)
    client.subscribe("/topic/selectors.topic", selector="weight > 10")
    for n in [5, 15, 7, 25]:
        client.send("/topic/selectors.topic", str(n), weight=str(n))
    client.takes("15", "25")
    client.nothing()
    client.leave()


def durable_subscription(_, port):
    topic, name = "/topic/selectors.durable", {"activemq.subscriptionName": "s"}
    identity = {"client-id": "selectors-durable"}
    client = Client(port, headers=identity)
    client.subscribe(topic, selector="colour = 'red'", **name)
    client.leave()
    writer = Client(port)
    writer.send(topic, "1", colour="red")
    writer.send(topic, "2", colour="blue")
    writer.send(topic, "3", colour="red")
    client = Client(port, headers=identity)
    client.subscribe(topic, selector="colour = 'red'", **name)
    client.takes("1", "3")
    client.nothing()
    client.leave()
    writer.leave()


def changed_selector(_, port):
    """Another selector makes another subscription: what the old one kept is gone."""
    topic, name = "/topic/selectors.changed", {"activemq.subscriptionName": "s"}
    identity = {"client-id": "selectors-changed"}
    client = Client(port, headers=identity)
    client.subscribe(topic, selector="colour = 'red'", **name)
    client.leave()
    writer = Client(port)
    writer.send(topic, "1", colour="red")
    client = Client(port, headers=identity)
    client.subscribe(topic, selector="colour = 'blue'", **name)
    writer.send(topic, "2", colour="red")
    writer.send(topic, "3", colour="blue")
    client.takes("3")
    client.nothing()
    client.leave()
    writer.leave()


def invalid(_, port):
    for selector in ["colour = = 'red'", "colour =", "weight > 5 or", "colour = (1", "BETWEEN 1 AND 2"]:
        client = Client(port)
        headers = {"id": "1", "destination": "/queue/selectors.invalid", "selector": selector}
        text = client.refused("SUBSCRIBE", headers)
        assert "elector" in text, text


run(
    {
        "equality": equality,
        "numbers": numbers,
        "like": like,
        "between": between,
        "in_list": in_list,
        "is_null": is_null,
        "arithmetic": arithmetic,
        "boolean": boolean,
        "jms_headers": jms_headers,
        "disjoint_consumers": disjoint_consumers,
        "behind_others": behind_others,
        "on_a_topic": on_a_topic,
        "durable_subscription": durable_subscription,
        "changed_selector": changed_selector,
        "invalid": invalid,
    }
)
