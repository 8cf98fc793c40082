"""One consumer of many queues, by a pattern. wildcards.py MQTT_PORT STOMP_PORT CASE"""

from kit import ON_ACTIVEMQ, Client, found, rest, run, same, shown


def names(frames):
    return [(frame.body, frame.headers["destination"]) for frame in frames]


def one_level(_, port):
    client = Client(port)
    client.subscribe("/queue/wild.one.*")
    for name in ["a", "a.b", "b"]:
        client.send(f"/queue/wild.one.{name}", name)
    client.send("/queue/wild.one", "none")
    same(names(client.takes("a", "b")), [("a", "/queue/wild.one.a"), ("b", "/queue/wild.one.b")])
    client.nothing()
    client.leave()


def all_below(_, port):
    """Queues that are made later are consumed as well; `X.>` holds X itself too."""
    client = Client(port)
    client.subscribe("/queue/wild.all.>")
    for name in [".a", ".a.b", ""]:
        client.send(f"/queue/wild.all{name}", name)
    frames = client.takes(".a", ".a.b", "")
    same(frames[1].headers["destination"], "/queue/wild.all.a.b")
    same(frames[1].headers["subscription"], "1")
    client.leave()


def backlog(_, port):
    """What lies in the queues already is delivered too. ActiveMQ needs a new message in each queue to notice."""
    writer = Client(port)
    writer.send("/queue/wild.backlog.1", "old 1")
    writer.send("/queue/wild.backlog.2", "old 2")
    client = Client(port)
    client.subscribe("/queue/wild.backlog.*")
    new = []
    if ON_ACTIVEMQ:
        client.nothing()
        writer.send("/queue/wild.backlog.1", "new 1")
        writer.send("/queue/wild.backlog.2", "new 2")
        new = ["new 1", "new 2"]
    client.takes_any("old 1", "old 2", *new)
    client.leave()
    writer.leave()


def individual_ack(_, port):
    client = Client(port)
    client.subscribe("/queue/wild.individual.*", ack="client-individual")
    for n, name in enumerate("abab"):
        client.send(f"/queue/wild.individual.{name}", str(n))
    frames = client.takes("0", "1", "2", "3")
    client.ack(frames[2])
    client.ack(frames[1])
    client.leave()
    same(rest(port, "/queue/wild.individual.a"), ["0"])
    same(rest(port, "/queue/wild.individual.b"), ["3"])


def cumulative_ack(_, port):
    """ACK in mode `client` holds for all queues of the subscription."""
    client = Client(port)
    client.subscribe("/queue/wild.cumulative.*", ack="client")
    for n, name in enumerate("abab"):
        client.send(f"/queue/wild.cumulative.{name}", str(n))
    frames = client.takes("0", "1", "2", "3")
    client.ack(frames[2])
    client.leave()
    same(rest(port, "/queue/wild.cumulative.a"), [])
    same(rest(port, "/queue/wild.cumulative.b"), ["3"])


def prefetch(_, port):
    """The prefetch is that of the subscription, not of each queue."""
    client = Client(port)
    client.subscribe("/queue/wild.prefetch.*", ack="client-individual", **{"activemq.prefetchSize": "1"})
    for n, name in enumerate("aba"):
        client.send(f"/queue/wild.prefetch.{name}", str(n))
    got = []
    for _ in range(3):
        frame = client.take()
        client.nothing()
        got.append(frame.body)
        client.ack(frame)
    same(sorted(got), ["0", "1", "2"])
    client.leave()


def unacknowledged_return(_, port):
    client = Client(port)
    client.subscribe("/queue/wild.return.*", ack="client-individual")
    client.send("/queue/wild.return.a", "a")
    client.send("/queue/wild.return.b", "b")
    client.takes("a", "b")
    client.unsubscribe()
    client.subscribe("/queue/wild.return.b", "2")
    same(shown(client.takes("b")[0], "redelivered"), ("true",))
    client.leave()
    same(rest(port, "/queue/wild.return.a"), ["a"])


def with_selector(_, port):
    client = Client(port)
    client.subscribe("/queue/wild.selector.*", selector="colour = 'red'")
    client.send("/queue/wild.selector.a", "1", colour="red")
    client.send("/queue/wild.selector.a", "2", colour="blue")
    client.send("/queue/wild.selector.b", "3", colour="red")
    same(names(client.takes("1", "3")), [("1", "/queue/wild.selector.a"), ("3", "/queue/wild.selector.b")])
    client.leave()
    same(rest(port, "/queue/wild.selector.a"), ["2"])


def competing(_, port):
    """Overlapping subscriptions share: every message goes to one of them."""
    client = Client(port)
    for number, pattern in enumerate(["/queue/wild.shared.>", "/queue/wild.shared.*", "/queue/wild.shared.a"]):
        client.subscribe(pattern, str(number))
    for n in range(6):
        client.send("/queue/wild.shared.a", str(n))
    frames = client.takes_any(*"012345")
    same({frame.headers["subscription"] for frame in frames}, {"0", "1", "2"})
    client.nothing()
    client.leave()


def refused_message(_, port):
    """A dead letter names the queue it lay in."""
    client = Client(port)
    client.subscribe("/queue/redelivery.refused.*", ack="client-individual")
    client.send("/queue/redelivery.refused.wild", "poison")
    client.nack(client.takes("poison")[0])
    dead = found(port, "/queue/ActiveMQ.DLQ", "poison")
    same(shown(dead, "original-destination"), ("/queue/redelivery.refused.wild",))
    client.leave()


run(
    {
        "one_level": one_level,
        "all_below": all_below,
        "backlog": backlog,
        "individual_ack": individual_ack,
        "cumulative_ack": cumulative_ack,
        "prefetch": prefetch,
        "unacknowledged_return": unacknowledged_return,
        "with_selector": with_selector,
        "competing": competing,
        "refused_message": refused_message,
    }
)
