"""Maps as JSON and XML. transformation.py MQTT_PORT STOMP_PORT CASE

A map over STOMP has the form in which XStream, the library that ActiveMQ uses for it, writes Java maps.
WharfMQ knows maps as JSON, in this form or as a plain object, and passes them on as that text. It refuses XML,
and what says it is a map and is none.
"""

from kit import ON_ACTIVEMQ, Client, run, same, shown

MAP = '{"map":{"entry":[{"string":["name","Dejan"]},{"string":"age","int":30}]}}'
ONE = '{"map":{"entry":{"string":["name","Dejan"]}}}'
XML = """<map>
  <entry>
    <string>name</string>
    <string>Dejan</string>
  </entry>
  <entry>
    <string>age</string>
    <int>30</int>
  </entry>
</map>"""


def text_client(port):
    """Without content-length: what has one is taken as bytes, which are never transformed."""
    return Client(port, auto_content_length=False)


def received(port, queue, sent, wanted, body):
    """What a subscriber with that transformation gets of a body that was sent with another; None for none."""
    client = text_client(port)
    client.subscribe(queue, **({"transformation": wanted} if wanted else {}))
    client.send(queue, body, **({"transformation": sent} if sent else {}))
    frame = client.take()
    client.leave()
    return frame


def transformed(frame, body, transformation, as_sent):
    """The frame is what ActiveMQ makes of a message, or that message `as_sent`, a body and a transformation."""
    expected = (body, transformation) if ON_ACTIVEMQ else as_sent
    same((frame.body, frame.headers["transformation"]), expected)


def json_to_json(_, port):
    for body in [MAP, ONE]:
        frame = received(port, "/queue/transformation.json", "jms-map-json", "jms-map-json", body)
        transformed(frame, body, "jms-map-json", as_sent=(body, "jms-map-json"))


def refused_by_wharfmq(port, body, **headers):
    client = text_client(port)
    client.refused("SEND", {"destination": "/queue/transformation.refused", **headers}, body)


def json_to_xml(_, port):
    if not ON_ACTIVEMQ:
        client = text_client(port)
        asked = {"id": "1", "destination": "/queue/transformation.xml", "transformation": "jms-map-xml"}
        client.refused("SUBSCRIBE", asked)
        return
    frame = received(port, "/queue/transformation.xml", "jms-map-json", "jms-map-xml", MAP)
    transformed(frame, XML, "jms-map-xml", as_sent=(MAP, "jms-map-json"))


def xml_to_json(_, port):
    if not ON_ACTIVEMQ:
        refused_by_wharfmq(port, XML, transformation="jms-map-xml")
        return
    for wanted in ["jms-map-json", "jms-json"]:
        frame = received(port, "/queue/transformation.back", "jms-map-xml", wanted, XML)
        transformed(frame, MAP, "jms-map-json", as_sent=(XML, "jms-map-xml"))


def untransformed(_, port):
    """Who doesn't ask for a transformation gets no body of a map."""
    frame = received(port, "/queue/transformation.none", "jms-map-json", None, MAP)
    transformed(frame, "", "jms-map-json", as_sent=(MAP, "jms-map-json"))


def ordinary_json(_, port):
    """JSON of another form stays the text it is; ActiveMQ says so in a header, WharfMQ takes an object for a map."""
    if not ON_ACTIVEMQ:
        refused_by_wharfmq(port, "not JSON", transformation="jms-map-json")
        frame = received(port, "/queue/transformation.text", "jms-map-json", "jms-map-json", '{"name":"Dejan"}')
        same(frame.body, '{"name":"Dejan"}')
        return
    for body in ['{"name":"Dejan","age":30}', "not JSON"]:
        for wanted in [None, "jms-map-json"]:
            frame = received(port, "/queue/transformation.text", "jms-map-json", wanted, body)
            same((frame.body, "transformation-error" in frame.headers), (body, ON_ACTIVEMQ))


def text_stays(_, port):
    """A subscriber that asks for a transformation gets text as it is."""
    frame = received(port, "/queue/transformation.plain", None, "jms-map-json", "plain text")
    same((frame.body, frame.headers.get("transformation-error")), ("plain text", None))


def unknown(_, port):
    """A transformation that nobody knows is a header like any other."""
    frame = received(port, "/queue/transformation.unknown", "nonsense", None, MAP)
    same((frame.body, *shown(frame, "transformation", "transformation-error")), (MAP, "nonsense", None))


def bytes_stay(_, port):
    """With a content-length the body is bytes, and is left alone."""
    client = Client(port)
    client.subscribe("/queue/transformation.bytes")
    client.send("/queue/transformation.bytes", MAP, transformation="jms-map-json")
    same(client.take().body, MAP)
    client.leave()


run(
    {
        "json_to_json": json_to_json,
        "json_to_xml": json_to_xml,
        "xml_to_json": xml_to_json,
        "untransformed": untransformed,
        "ordinary_json": ordinary_json,
        "text_stays": text_stays,
        "unknown": unknown,
        "bytes_stay": bytes_stay,
    }
)
