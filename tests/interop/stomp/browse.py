"""Browsing: looking at a queue without taking anything. browse.py MQTT_PORT STOMP_PORT CASE"""

from kit import ON_ACTIVEMQ, Client, rest, run, same, shown


def filled(port, queue, count):
    client = Client(port)
    for n in range(count):
        client.send(queue, str(n), colour=["red", "blue"][n % 2])
    return client


def look(client, queue, ack="auto", **headers):
    """Browses the queue; gives the frames before the one that ends it."""
    client.subscribe(queue, "look", ack, browser="true", **headers)
    frames = []
    while "browser" not in (frame := client.take()).headers:
        frames.append(frame)
    same(shown(frame, "browser", "subscription", "destination"), ("end", "look", queue))
    same(frame.body, "")
    client.unsubscribe("look")
    return frames


def bodies(frames):
    return [frame.body for frame in frames]


def everything(_, port):
    queue = "/queue/browse.all"
    client = filled(port, queue, 4)
    frames = look(client, queue)
    same(bodies(frames), ["0", "1", "2", "3"])
    same(shown(frames[0], "destination", "colour", "redelivered"), (queue, "red", None))
    client.leave()
    same(rest(port, queue), ["0", "1", "2", "3"])


def nothing_after_the_end(_, port):
    queue = "/queue/browse.end"
    client = filled(port, queue, 1)
    client.subscribe(queue, browser="true")
    same([client.take().headers.get("browser") for _ in range(2)], [None, "end"])
    client.send(queue, "later")
    client.nothing()
    same(bodies(look(client, queue)), ["0", "later"])
    client.leave()


def empty(_, port):
    client = Client(port)
    same(look(client, "/queue/browse.empty"), [])
    client.leave()


def with_selector(_, port):
    queue = "/queue/browse.selector"
    client = filled(port, queue, 5)
    same(bodies(look(client, queue, selector="colour = 'blue'")), ["1", "3"])
    client.leave()


def in_flight(_, port):
    """What another consumer holds is shown as well."""
    queue = "/queue/browse.flight"
    client = filled(port, queue, 3)
    client.subscribe(queue, ack="client-individual", **{"activemq.prefetchSize": "1"})
    client.takes("0")
    looker = Client(port)
    same(bodies(look(looker, queue)), ["0", "1", "2"])
    looker.leave()
    client.leave()


def acknowledged(_, port):
    """ACK of what was only looked at does nothing; WharfMQ gives it no id for one."""
    queue = "/queue/browse.ack"
    client = filled(port, queue, 2)
    frames = look(client, queue, ack="client-individual")
    same(["ack" in frame.headers for frame in frames], [ON_ACTIVEMQ] * 2)
    if ON_ACTIVEMQ:
        client.frame("ACK", id=frames[0].headers["ack"])
    client.leave()
    same(rest(port, queue), ["0", "1"])


def many(_, port):
    queue = "/queue/browse.many"
    client = Client(port)
    for n in range(1000):
        client.send(queue, str(n), receipt=False)
    client.send(queue, "last")
    same(bodies(look(client, queue)), [*[str(n) for n in range(1000)], "last"])
    client.leave()


def under_a_pattern(_, port):
    client = Client(port)
    client.send("/queue/browse.pattern.a", "a")
    client.send("/queue/browse.pattern.b", "b")
    frames = look(client, "/queue/browse.pattern.*")
    same(sorted(bodies(frames)), ["a", "b"])
    same({frame.headers["destination"] for frame in frames}, {"/queue/browse.pattern.a", "/queue/browse.pattern.b"})
    client.leave()


def not_a_topic(_, port):
    client = Client(port)
    client.refused("SUBSCRIBE", {"id": "1", "destination": "/topic/browse.topic", "browser": "true"})


def browse_from(_, port):
    """`browse-from` begins behind a message: page by page. WharfMQ only."""
    queue = "/queue/browse.from"
    client = filled(port, queue, 5)
    frames = look(client, queue)
    behind = look(client, queue, **{"browse-from": frames[2].headers["message-id"]})
    same(bodies(behind), ["3", "4"])
    same(look(client, queue, **{"browse-from": frames[4].headers["message-id"]}), [])
    client.leave()


run(
    {
        "everything": everything,
        "nothing_after_the_end": nothing_after_the_end,
        "empty": empty,
        "with_selector": with_selector,
        "in_flight": in_flight,
        "acknowledged": acknowledged,
        "many": many,
        "under_a_pattern": under_a_pattern,
        "not_a_topic": not_a_topic,
        "browse_from": browse_from,
    }
)
