"""Retroactive subscriptions: what a topic remembers. retroactive.py MQTT_PORT STOMP_PORT CASE

The retain flag has two names: WharfMQ's own `retain`, and ActiveMQ's `ActiveMQ.Retain`, which both know.
"""

from kit import ON_ACTIVEMQ, Client, run, same, shown

RETROACTIVE = {"activemq.retroactive": "true"}
RETAIN = {"ActiveMQ.Retain": "true"}


def published(port, topic, *bodies, **headers):
    writer = Client(port)
    for body in bodies:
        writer.send(topic, body, **headers)
    writer.leave()


def subscriber(port, topic, identity=None, **headers):
    client = Client(port, headers={"client-id": identity} if identity else None)
    client.subscribe(topic, **headers)
    return client


def retained(_, port):
    topic = "/topic/retroactive.retained"
    published(port, topic, "1", "2", **RETAIN)
    published(port, topic, "not retained")
    plain = subscriber(port, topic)
    plain.nothing()
    client = subscriber(port, topic, **RETROACTIVE)
    same(shown(client.takes("2")[0], "destination", "ActiveMQ.Retained"), (topic, "true"))
    published(port, topic, "3", **RETAIN)
    same(shown(client.takes("3")[0], "ActiveMQ.Retained"), (None,))
    plain.takes("3")
    client.leave()
    plain.leave()


def retained_by_its_short_name(_, port):
    """`retain:true`, which ActiveMQ passes on and nothing more."""
    topic = "/topic/retroactive.short"
    published(port, topic, "1", retain="true")
    client = subscriber(port, topic, **RETROACTIVE)
    if ON_ACTIVEMQ:
        client.nothing()
    else:
        client.takes("1")
    client.leave()


def retained_under_a_pattern(_, port):
    published(port, "/topic/retroactive.many.a", "a", **RETAIN)
    published(port, "/topic/retroactive.many.b.c", "c", **RETAIN)
    client = subscriber(port, "/topic/retroactive.many.>", **RETROACTIVE)
    client.takes_any("a", "c")
    client.leave()
    client = subscriber(port, "/topic/retroactive.many.*", **RETROACTIVE)
    client.takes("a")
    client.nothing()
    client.leave()


def retained_and_cleared(_, port):
    """An empty body of bytes clears it."""
    topic = "/topic/retroactive.cleared"
    published(port, topic, "1", **RETAIN)
    published(port, topic, "", **RETAIN, **{"content-length": "0"})
    client = subscriber(port, topic, **RETROACTIVE)
    client.nothing()
    client.leave()


def retained_for_a_selector(_, port):
    topic = "/topic/retroactive.chosen"
    published(port, topic, "1", colour="red", **RETAIN)
    client = subscriber(port, topic, selector="colour = 'blue'", **RETROACTIVE)
    client.nothing()
    client.leave()
    client = subscriber(port, topic, selector="colour = 'red'", **RETROACTIVE)
    client.takes("1")
    client.leave()


def last_ones(_, port):
    """`history = 10`: the last ten, in their order, then what comes."""
    topic = "/topic/retroactive.count.a"
    published(port, topic, *[str(n) for n in range(15)])
    client = subscriber(port, topic, **RETROACTIVE)
    client.takes(*[str(n) for n in range(5, 15)])
    published(port, topic, "15")
    client.takes("15")
    client.nothing()
    client.leave()
    client = subscriber(port, topic)
    client.nothing()
    client.leave()


def last_ones_with_selector(_, port):
    topic = "/topic/retroactive.count.chosen"
    for n in range(6):
        published(port, topic, str(n), colour=["red", "blue"][n % 2])
    client = subscriber(port, topic, selector="colour = 'red'", **RETROACTIVE)
    client.takes("0", "2", "4")
    client.nothing()
    client.leave()


def last_ones_under_a_pattern(_, port):
    published(port, "/topic/retroactive.count.many.a", "1", "2")
    published(port, "/topic/retroactive.count.many.b", "3")
    client = subscriber(port, "/topic/retroactive.count.many.*", **RETROACTIVE)
    client.takes_any("1", "2", "3")
    client.leave()


def last_minutes(_, port):
    """`history_age = "10m"`."""
    topic = "/topic/retroactive.time.a"
    published(port, topic, "1", "2", "3", persistent="false")
    client = subscriber(port, topic, **RETROACTIVE)
    client.takes("1", "2", "3")
    client.leave()


def last_value(_, port):
    """`history = 1`."""
    topic = "/topic/retroactive.last.a"
    published(port, topic, "1", "2", "3")
    client = subscriber(port, topic, **RETROACTIVE)
    client.takes("3")
    client.nothing()
    client.leave()


def durable(_, port):
    """A new durable subscription gets them too. To one that is there already ActiveMQ sends them every time."""
    topic, name = "/topic/retroactive.count.durable", {"activemq.subscriptionName": "s"}
    published(port, topic, "1", "2")
    client = subscriber(port, topic, "retroactive", **RETROACTIVE, **name)
    client.takes("1", "2")
    client.leave()
    client = subscriber(port, topic, "retroactive", **RETROACTIVE, **name)
    if ON_ACTIVEMQ:
        client.takes("1", "2")
    client.nothing()
    client.leave()


run(
    {
        "retained": retained,
        "retained_by_its_short_name": retained_by_its_short_name,
        "retained_under_a_pattern": retained_under_a_pattern,
        "retained_and_cleared": retained_and_cleared,
        "retained_for_a_selector": retained_for_a_selector,
        "last_ones": last_ones,
        "last_ones_with_selector": last_ones_with_selector,
        "last_ones_under_a_pattern": last_ones_under_a_pattern,
        "last_minutes": last_minutes,
        "last_value": last_value,
        "durable": durable,
    }
)
