"""Headers of SUBSCRIBE, and options in the name. subscribe_headers.py MQTT_PORT STOMP_PORT CASE"""

from kit import ON_ACTIVEMQ, Client, run, same


def sent(port, destination, *bodies, **headers):
    writer = Client(port)
    for body in bodies:
        writer.send(destination, body, **headers)
    writer.leave()


def prefetch(_, port):
    queue = "/queue/headers.prefetch"
    client = Client(port)
    client.subscribe(queue, ack="client-individual", **{"activemq.prefetchSize": "1"})
    sent(port, queue, "0", "1", "2")
    for n in range(3):
        frame = client.takes(str(n))[0]
        client.nothing()
        client.ack(frame)
    client.leave()


def prefetch_and_cumulative_ack(_, port):
    queue = "/queue/headers.cumulative"
    client = Client(port)
    client.subscribe(queue, ack="client", **{"activemq.prefetchSize": "2"})
    sent(port, queue, "0", "1", "2", "3", "4")
    frames = client.takes("0", "1")
    client.nothing()
    client.ack(frames[1])
    client.takes("2", "3")
    client.nothing()
    client.leave()


def prefetch_without_ack(_, port):
    """In mode `auto` a message is done with once it is sent, so the prefetch holds nothing back."""
    queue = "/queue/headers.auto"
    client = Client(port)
    client.subscribe(queue, **{"activemq.prefetchSize": "1"})
    sent(port, queue, "0", "1", "2")
    client.takes("0", "1", "2")
    client.leave()


def fair_share(_, port):
    """With a prefetch of 1 the one that is free gets the next message."""
    queue = "/queue/headers.fair"
    one = {"activemq.prefetchSize": "1"}
    busy, idle = Client(port), Client(port)
    busy.subscribe(queue, ack="client-individual", **one)
    sent(port, queue, "0")
    busy.takes("0")
    idle.subscribe(queue, ack="client-individual", **one)
    sent(port, queue, "1", "2")
    idle.ack(idle.takes("1")[0])
    idle.takes("2")
    busy.nothing()
    busy.leave()
    idle.leave()


def no_local(_, port):
    topic = "/topic/headers.local"
    client = Client(port)
    client.subscribe(topic, **{"activemq.noLocal": "true"})
    client.send(topic, "own")
    sent(port, topic, "other")
    client.takes("other")
    client.nothing()
    client.leave()


def dispatch_async(_, port):
    """Accepted; it has no meaning for a client."""
    topic = "/topic/headers.async"
    for value in ["true", "false"]:
        client = Client(port)
        client.subscribe(topic, **{"activemq.dispatchAsync": value})
        sent(port, topic, value)
        client.takes(value)
        client.leave()


def pending_limit(_, port):
    """Messages of a topic that wait for a slow consumer: ActiveMQ drops the oldest beyond this limit.

    WharfMQ bounds them by their bytes, and lets the header be.
    """
    topic = "/topic/headers.pending"
    client = Client(port)
    limits = {"activemq.prefetchSize": "1", "activemq.maximumPendingMessageLimit": "2"}
    client.subscribe(topic, ack="client-individual", **limits)
    sent(port, topic, *[str(n) for n in range(10)], persistent="false")
    for body in "089" if ON_ACTIVEMQ else "0123456789":
        client.ack(client.takes(body)[0])
    client.nothing()
    client.leave()


def options_in_the_name(_, port):
    """ActiveMQ strips them from a name that comes over STOMP, and forgets them."""
    queue = "/queue/headers.options"
    client = Client(port)
    client.subscribe(f"{queue}?consumer.prefetchSize=1", ack="client-individual")
    sent(port, queue, "0", "1")
    frame = client.takes("0")[0]
    same(frame.headers["destination"], queue)
    if ON_ACTIVEMQ:
        client.takes("1")
    else:
        client.nothing()
        client.ack(frame)
        client.takes("1")
    client.leave()


def exclusive_in_the_name(_, port):
    queue = "/queue/headers.exclusive"
    plain, exclusive = Client(port), Client(port)
    plain.subscribe(queue)
    exclusive.subscribe(f"{queue}?consumer.exclusive=true&consumer.priority=5")
    sent(port, queue, "0", "1")
    if ON_ACTIVEMQ:
        plain.take()
        exclusive.take()
    else:
        exclusive.takes("0", "1")
        plain.nothing()
    plain.leave()
    exclusive.leave()


def options_of_send(_, port):
    """They belong to consumers; in SEND they are stripped."""
    queue = "/queue/headers.send"
    client = Client(port)
    client.subscribe(queue)
    client.send(f"{queue}?consumer.prefetchSize=1", "x")
    same(client.takes("x")[0].headers["destination"], queue)
    client.leave()


run(
    {
        "prefetch": prefetch,
        "prefetch_and_cumulative_ack": prefetch_and_cumulative_ack,
        "prefetch_without_ack": prefetch_without_ack,
        "fair_share": fair_share,
        "no_local": no_local,
        "dispatch_async": dispatch_async,
        "pending_limit": pending_limit,
        "options_in_the_name": options_in_the_name,
        "exclusive_in_the_name": exclusive_in_the_name,
        "options_of_send": options_of_send,
    }
)
