"""Priority of messages. priority.py MQTT_PORT STOMP_PORT CASE"""

from kit import Client, run, same


def sent(port, queue, *priorities):
    client = Client(port)
    for n, priority in enumerate(priorities):
        client.send(queue, f"{priority} {n}", priority=priority)
    return client


def honoured(_, port):
    queue = "/queue/priority.honoured"
    client = sent(port, queue, "4", "9", "0", "9", "4", "7")
    client.subscribe(queue)
    client.takes("9 1", "9 3", "7 5", "4 0", "4 4", "0 2")
    client.leave()


def only_carried(_, port):
    """Without the setting the order is that of arrival; the header is shown."""
    queue = "/queue/unprioritised"
    client = sent(port, queue, "4", "9", "0")
    client.subscribe(queue)
    frames = client.takes("4 0", "9 1", "0 2")
    same([frame.headers["priority"] for frame in frames], ["4", "9", "0"])
    client.leave()


def default(_, port):
    client = Client(port)
    client.subscribe("/queue/priority.default")
    client.send("/queue/priority.default", "x")
    same(client.take().headers["priority"], "4")
    client.leave()


run(
    {
        "honoured": honoured,
        "only_carried": only_carried,
        "default": default,
    }
)
