"""Messages of JMS clients in stomp.py, and the reverse: jms_messages.py MQTT_PORT STOMP_PORT CASE"""

import json

from stomp_kit import Client
from waiting import run, same

# What the Java client cannot read back is not in it: in maps and properties it takes no pairs of surrogates.
BMP = "h\u00e9llo \u20ac"
TEXT = "h\u00e9llo \u20ac \U0001f600"
MAP = {"bool": True, "byte": -7, "char": "\u20ac", "long": 1 << 40, "double": -2.25, "text": TEXT, "bytes": "CP8=", "null": None}


def read(_, port):
    """What `Messages send` has sent to the queue to.stomp."""
    client = Client(port, auto_decode=False)
    client.subscribe("/queue/to.stomp")
    frame = client.take()
    same(frame.body.decode(), TEXT)
    for name, value in {
        "type": "greeting", "correlation-id": "c:1", "reply-to": "/queue/re.ply", "bool": "true", "byte": "-7",
        "short": "3000", "int": "-70000", "long": str(1 << 40), "float": "1.5", "double": "-2.25", "text": TEXT,
        "persistent": "true",
    }.items():
        same(frame.headers[name], value)
    assert "content-length" not in frame.headers, frame.headers
    assert frame.headers["JMSMessageID"].startswith("ID:"), frame.headers
    same(client.take().body, b"")
    frame = client.take()
    same((frame.body, frame.headers["content-length"]), (b"\x00\x01\xff", "3"))
    frame = client.take()
    same((json.loads(frame.body), frame.headers["transformation"]), (MAP, "jms-map-json"))
    frame = client.take()
    same((json.loads(frame.body), frame.headers["transformation"]), ([7, TEXT, "CP8="], "jms-stream-json"))
    assert client.take().body.startswith(b"\xac\xed"), "a serialised object"
    same(len(client.take().body), 5_000_000)
    client.leave()


def write(_, port):
    """For `Messages receive` of the queue to.jms."""
    client = Client(port, auto_content_length=False)
    to = "/queue/to.jms"
    headers = {"type": "greeting", "correlation-id": "c:1", "reply-to": "/queue/re.ply", "colour": "red"}
    client.send(to, TEXT, **headers)
    client.send(to, "", **headers)
    client.send(to, "abc", **{"amq-msg-type": "bytes"})
    client.send(to, json.dumps({"a": 1, "b": 1 << 40, "c": 1.5, "d": True, "e": BMP}), transformation="jms-map-json")
    typed = '{"map":{"entry":[{"string":["a","x"]},{"string":"b","short":5},{"string":"c","byte-array":"CP8="}]}}'
    client.send(to, typed, transformation="jms-map-json")
    client.send(to, json.dumps([1, "x", None]), transformation="jms-stream-json")
    client.leave()


run({"read": read, "write": write})
