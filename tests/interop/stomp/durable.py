"""Durable subscriptions. durable.py MQTT_PORT STOMP_PORT CASE"""

import stomp

from kit import ON_ACTIVEMQ, Client, run, same

NAME = "activemq.subscriptionName"


def subscriber(port, identity, topic, name="s", number="1", ack="client-individual", **headers):
    client = Client(port, headers={"client-id": identity})
    client.subscribe(topic, number, ack, **{NAME: name}, **headers)
    return client


def published(port, topic, *bodies, **headers):
    writer = Client(port)
    for body in bodies:
        writer.send(topic, body, **headers)
    writer.leave()


def offline(_, port):
    topic = "/topic/durable.offline"
    subscriber(port, "d-offline", topic).leave()
    published(port, topic, "1", "2")
    published(port, topic, "light", persistent="false")
    client = subscriber(port, "d-offline", topic)
    frames = client.takes_any("1", "2", "light")
    first = [frame for frame in frames if frame.body == "1"]
    client.ack(first[0])
    client.leave()
    client = subscriber(port, "d-offline", topic)
    client.takes_any("2", "light")
    client.leave()


def acknowledged_and_gone(_, port):
    topic = "/topic/durable.gone"
    client = subscriber(port, "d-gone", topic, ack="client")
    published(port, topic, "1", "2", "3", "4")
    frames = client.takes("1", "2", "3", "4")
    client.ack(frames[2])
    client.leave()
    client = subscriber(port, "d-gone", topic)
    client.takes("4")
    client.leave()


def inactive_after_unsubscribe(_, port):
    """UNSUBSCRIBE by its id alone ends the delivery; the subscription goes on collecting."""
    topic = "/topic/durable.inactive"
    client = subscriber(port, "d-inactive", topic)
    client.unsubscribe()
    published(port, topic, "1")
    client.nothing()
    client.subscribe(topic, "2", **{NAME: "s"})
    client.takes("1")
    client.leave()


def deleted(_, port):
    """UNSUBSCRIBE with the name deletes it; ActiveMQ wants it to be inactive before."""
    topic = "/topic/durable.deleted"
    client = subscriber(port, "d-deleted", topic)
    client.unsubscribe()
    client.unsubscribe("1", **{NAME: "s"})
    published(port, topic, "lost")
    client.subscribe(topic, "2", **{NAME: "s"})
    client.nothing()
    client.leave()


def deleted_while_active(_, port):
    topic = "/topic/durable.active"
    client = subscriber(port, "d-active", topic)
    if ON_ACTIVEMQ:
        text = client.refused("UNSUBSCRIBE", {"id": "1", NAME: "s"})
        assert "Durable consumer is in use" in text, text
        return
    client.unsubscribe("1", **{NAME: "s"})
    published(port, topic, "lost")
    client.leave()
    client = subscriber(port, "d-active", topic)
    client.nothing()
    client.leave()


def deleted_from_afar(_, port):
    """By another connection of the same client, which never subscribed."""
    topic = "/topic/durable.afar"
    subscriber(port, "d-afar", topic).leave()
    published(port, topic, "1")
    client = Client(port, headers={"client-id": "d-afar"})
    client.unsubscribe("any", **{NAME: "s"})
    client.leave()
    client = subscriber(port, "d-afar", topic)
    client.nothing()
    client.leave()


def two_connections_of_one_client(_, port):
    """ActiveMQ refuses the second connection, WharfMQ its subscription; in both the first goes on."""
    topic = "/topic/durable.twice"
    client = subscriber(port, "d-twice", topic)
    try:
        second = Client(port, headers={"client-id": "d-twice"})
    except stomp.exception.ConnectFailedException:
        second = None
    same(second is None, ON_ACTIVEMQ, "whether the second was refused")
    if second:
        second.refused("SUBSCRIBE", {"id": "1", "destination": topic, NAME: "s"})
    published(port, topic, "1")
    client.takes("1")
    client.leave()
    client = subscriber(port, "d-twice", topic)
    client.takes("1")
    client.leave()


def active_twice(_, port):
    topic = "/topic/durable.again"
    client = subscriber(port, "d-again", topic)
    client.refused("SUBSCRIBE", {"id": "2", "destination": topic, NAME: "s"})


def two_names(_, port):
    topic = "/topic/durable.names"
    client = subscriber(port, "d-names", topic, "first")
    client.subscribe(topic, "2", **{NAME: "second"})
    published(port, topic, "1")
    same({frame.headers["subscription"] for frame in client.takes("1", "1")}, {"1", "2"})
    client.leave()


def other_topic(_, port):
    """The same name for another topic replaces the subscription with all it kept."""
    subscriber(port, "d-other", "/topic/durable.other.a").leave()
    published(port, "/topic/durable.other.a", "lost")
    client = subscriber(port, "d-other", "/topic/durable.other.b")
    published(port, "/topic/durable.other.a", "not mine")
    published(port, "/topic/durable.other.b", "mine")
    client.takes("mine")
    client.nothing()
    client.leave()


def under_a_pattern(_, port):
    topic = "/topic/durable.pattern.>"
    subscriber(port, "d-pattern", topic).leave()
    published(port, "/topic/durable.pattern.a", "1")
    published(port, "/topic/durable.pattern.b.c", "2")
    client = subscriber(port, "d-pattern", topic)
    frames = client.takes("1", "2")
    same(frames[1].headers["destination"], "/topic/durable.pattern.b.c")
    client.leave()


def no_local(_, port):
    topic = "/topic/durable.local"
    client = subscriber(port, "d-local", topic, **{"activemq.noLocal": "true"})
    client.send(topic, "own")
    published(port, topic, "other")
    client.takes("other")
    client.nothing()
    client.leave()


def of_a_queue(_, port):
    client = Client(port, headers={"client-id": "d-queue"})
    client.refused("SUBSCRIBE", {"id": "1", "destination": "/queue/durable.queue", NAME: "s"})


def without_client_id(_, port):
    """Refused; ActiveMQ makes a subscription that nobody can find again."""
    client = Client(port)
    headers = {"id": "1", "destination": "/topic/durable.nobody", NAME: "s"}
    if ON_ACTIVEMQ:
        client.frame("SUBSCRIBE", **headers)
        client.leave()
    else:
        assert "client-id" in client.refused("SUBSCRIBE", headers)


run(
    {
        "offline": offline,
        "acknowledged_and_gone": acknowledged_and_gone,
        "inactive_after_unsubscribe": inactive_after_unsubscribe,
        "deleted": deleted,
        "deleted_while_active": deleted_while_active,
        "deleted_from_afar": deleted_from_afar,
        "two_connections_of_one_client": two_connections_of_one_client,
        "active_twice": active_twice,
        "two_names": two_names,
        "other_topic": other_topic,
        "under_a_pattern": under_a_pattern,
        "no_local": no_local,
        "of_a_queue": of_a_queue,
        "without_client_id": without_client_id,
    }
)
