"""Virtual topics: a topic whose subscribers are queues. virtual_topics.py MQTT_PORT STOMP_PORT CASE"""

from kit import Client, rest, run, same, shown


def consumer(port, queue, **headers):
    client = Client(port)
    client.subscribe(queue, **headers)
    return client


def send(port, topic, *bodies, **headers):
    writer = Client(port)
    for body in bodies:
        writer.send(topic, body, **headers)
    writer.leave()


def each_group_gets_all(_, port):
    topic = "/topic/VirtualTopic.orders"
    first = consumer(port, "/queue/Consumer.A.VirtualTopic.orders")
    second = consumer(port, "/queue/Consumer.B.VirtualTopic.orders")
    plain = consumer(port, topic)
    send(port, topic, "1", "2", colour="red")
    frames = first.takes("1", "2"), second.takes("1", "2"), plain.takes("1", "2")
    names = "destination", "original-destination", "colour"
    same(shown(frames[0][0], *names), ("/queue/Consumer.A.VirtualTopic.orders", topic, "red"))
    same(shown(frames[1][0], *names), ("/queue/Consumer.B.VirtualTopic.orders", topic, "red"))
    same(shown(frames[2][0], *names), (topic, None, "red"))
    same(len({frame[0].headers["message-id"] for frame in frames}), 1, "one message-id for all")
    for client in [first, second, plain]:
        client.leave()


def competing_in_a_group(_, port):
    queue, topic = "/queue/Consumer.A.VirtualTopic.shared", "/topic/VirtualTopic.shared"
    first, second = consumer(port, queue), consumer(port, queue)
    send(port, topic, "0", "1", "2", "3")
    got = [{client.take().body, client.take().body} for client in (first, second)]
    same(set.union(*got), {"0", "1", "2", "3"})
    first.nothing()
    second.nothing()
    first.leave()
    second.leave()


def kept_while_away(_, port):
    """From its first consumer on the queue collects; what came before is not there."""
    queue, topic = "/queue/Consumer.A.VirtualTopic.away", "/topic/VirtualTopic.away"
    send(port, topic, "too early")
    client = consumer(port, queue)
    client.nothing()
    client.leave()
    send(port, topic, "1", "2")
    same(rest(port, queue), ["1", "2"])


def direct_send(_, port):
    """The consumer's queue is a queue like any other."""
    queue, topic = "/queue/Consumer.A.VirtualTopic.direct", "/topic/VirtualTopic.direct"
    client = consumer(port, queue)
    client.send(queue, "direct")
    same(shown(client.takes("direct")[0], "destination", "original-destination"), (queue, None))
    send(port, topic, "by topic")
    client.takes("by topic")
    client.leave()


def below(_, port):
    """A queue of a pattern gets what is published below it."""
    queue = "/queue/Consumer.A.VirtualTopic.below.>"
    client = consumer(port, queue)
    send(port, "/topic/VirtualTopic.below.a", "a")
    send(port, "/topic/VirtualTopic.below.a.b", "a.b")
    frame = client.takes("a", "a.b")[1]
    same(shown(frame, "destination", "original-destination"), (queue, "/topic/VirtualTopic.below.a.b"))
    client.nothing()
    client.leave()


def name_of_one_level(_, port):
    """The name between `Consumer.` and `.VirtualTopic` is one level."""
    client = consumer(port, "/queue/Consumer.a.b.VirtualTopic.level")
    send(port, "/topic/VirtualTopic.level", "1")
    client.nothing()
    client.leave()


def with_selector(_, port):
    """A consumer's selector chooses from the queue; it does not keep anything out of it."""
    queue, topic = "/queue/Consumer.A.VirtualTopic.chosen", "/topic/VirtualTopic.chosen"
    client = consumer(port, queue, selector="colour = 'red'")
    send(port, topic, "1", colour="red")
    send(port, topic, "2", colour="blue")
    client.takes("1")
    client.nothing()
    client.leave()
    same(rest(port, queue), ["2"])


def non_persistent(_, port):
    client = consumer(port, "/queue/Consumer.A.VirtualTopic.light")
    send(port, "/topic/VirtualTopic.light", "1", persistent="false")
    same(shown(client.takes("1")[0], "persistent"), (None,))
    client.leave()


def in_a_transaction(_, port):
    topic = "/topic/VirtualTopic.transaction"
    client = consumer(port, "/queue/Consumer.A.VirtualTopic.transaction")
    client.begin("t")
    client.send(topic, "1", transaction="t")
    client.abort("t")
    client.begin("t")
    client.send(topic, "2", transaction="t")
    client.nothing()
    client.commit("t")
    client.takes("2")
    client.nothing()
    client.leave()


run(
    {
        "each_group_gets_all": each_group_gets_all,
        "competing_in_a_group": competing_in_a_group,
        "kept_while_away": kept_while_away,
        "direct_send": direct_send,
        "below": below,
        "name_of_one_level": name_of_one_level,
        "with_selector": with_selector,
        "non_persistent": non_persistent,
        "in_a_transaction": in_a_transaction,
    }
)
