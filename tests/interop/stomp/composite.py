"""Several destinations in one name, separated by commas. composite.py MQTT_PORT STOMP_PORT CASE"""

from kit import ON_ACTIVEMQ, Client, rest, run, same, shown


def listening(port, *destinations):
    """A client that subscribes to each, under its place in the list."""
    client = Client(port)
    for number, destination in enumerate(destinations):
        client.subscribe(destination, str(number))
    return client


def arrivals(client, count):
    """Where so many messages came from, sorted."""
    return sorted(client.take().headers["destination"] for _ in range(count))


def to_queues(_, port):
    """Every consumer sees its own destination, and the whole list as the original one."""
    a, b = "/queue/composite.q.a", "/queue/composite.q.b"
    client = listening(port, a, b)
    client.send(f"{a},{b}", "both", colour="red")
    frames = sorted(client.takes("both", "both"), key=lambda frame: frame.headers["destination"])
    same([shown(frame, "destination", "colour") for frame in frames], [(a, "red"), (b, "red")])
    same(shown(frames[0], "original-destination"), ("/queue/composite.q.a,queue://composite.q.b",))
    same(shown(frames[1], "original-destination"), ("/queue/composite.q.a,queue://composite.q.b",))
    # ActiveMQ's copies are one message; WharfMQ's are messages of their own.
    same(frames[0].headers["message-id"] == frames[1].headers["message-id"], ON_ACTIVEMQ)
    client.nothing()
    client.leave()


def to_a_queue_and_a_topic(_, port):
    queue, topic = "/queue/composite.qt.a", "/topic/composite.qt.b"
    client = listening(port, queue, topic)
    client.send(f"{queue},{topic}", "both")
    same(arrivals(client, 2), [queue, topic])
    client.leave()


def without_prefix(_, port):
    """What has no prefix is a queue, whatever stands before it; blanks before it don't count."""
    client = listening(port, "/queue/composite.plain.a", "/queue/composite.plain.b", "/topic/composite.plain.a")
    client.send("/queue/composite.plain.a,composite.plain.b", "1")
    same(arrivals(client, 2), ["/queue/composite.plain.a", "/queue/composite.plain.b"])
    client.send("/queue/composite.plain.a, composite.plain.b", "2")
    same(arrivals(client, 2), ["/queue/composite.plain.a", "/queue/composite.plain.b"])
    client.send("/topic/composite.plain.a,composite.plain.b", "3")
    same(arrivals(client, 2), ["/queue/composite.plain.b", "/topic/composite.plain.a"])
    client.nothing()
    client.leave()


def the_same_twice(_, port):
    queue = "/queue/composite.twice"
    client = listening(port, queue)
    client.send(f"{queue},{queue}", "once")
    client.takes("once")
    client.nothing()
    client.leave()


def empty_element(_, port):
    """Refused; ActiveMQ closes the connection without a word."""
    client = Client(port)
    client.refused("SEND", {"destination": "/queue/composite.e.a,,/queue/composite.e.b"}, "x", silent=ON_ACTIVEMQ)


def kept(_, port):
    """One of several is consumed; the others keep theirs."""
    names = ["/queue/composite.kept.a", "/queue/composite.kept.b", "/queue/composite.kept.c"]
    client = Client(port)
    client.send(",".join(names), "x")
    client.leave()
    same(rest(port, names[1]), ["x"])
    same(rest(port, names[0]), ["x"])
    same(rest(port, names[2]), ["x"])


def in_a_transaction(_, port):
    a, b = "/queue/composite.tx.a", "/queue/composite.tx.b"
    client = listening(port, a, b)
    client.begin("t")
    client.send(f"{a},{b}", "given up", transaction="t")
    client.abort("t")
    client.begin("t")
    client.send(f"{a},{b}", "both", transaction="t")
    client.nothing()
    client.commit("t")
    client.takes("both", "both")
    client.nothing()
    client.leave()


def subscribed(_, port):
    """One subscription to several queues; UNSUBSCRIBE ends it for all."""
    client = Client(port)
    client.subscribe("/queue/composite.sub.a,/queue/composite.sub.b", ack="client-individual")
    client.send("/queue/composite.sub.a", "a")
    client.send("/queue/composite.sub.b", "b")
    frames = client.takes("a", "b")
    same([frame.headers["destination"] for frame in frames], ["/queue/composite.sub.a", "/queue/composite.sub.b"])
    same([frame.headers["subscription"] for frame in frames], ["1", "1"])
    client.ack(frames[0])
    client.unsubscribe()
    client.send("/queue/composite.sub.a", "after")
    client.nothing()
    client.leave()
    same(rest(port, "/queue/composite.sub.a"), ["after"])
    same(rest(port, "/queue/composite.sub.b"), ["b"])


run(
    {
        "to_queues": to_queues,
        "to_a_queue_and_a_topic": to_a_queue_and_a_topic,
        "without_prefix": without_prefix,
        "the_same_twice": the_same_twice,
        "empty_element": empty_element,
        "kept": kept,
        "in_a_transaction": in_a_transaction,
        "subscribed": subscribed,
    }
)
