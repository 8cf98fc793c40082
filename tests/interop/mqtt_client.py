"""A paho-mqtt client whose callbacks can be waited for."""

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from waiting import Box


def properties(kind, **values):
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Client:
    """A connected client; every call waits for its answer."""

    def __init__(
        self,
        port,
        name="",
        version=mqtt.MQTTv5,
        clean=True,
        will=None,
        keep_alive=60,
        transport="tcp",
        ca=None,
        certificate=(None, None),
        manual_ack=False,
        login=None,
        **connect,
    ):
        options = {} if version == mqtt.MQTTv5 else {"clean_session": clean}
        options["transport"] = transport
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=version, **options)
        if ca is not None:
            self.client.tls_set(ca, *certificate)
        self.client.manual_ack_set(manual_ack)
        if login is not None:
            self.client.username_pw_set(*login)
        self.version = version
        self.messages, self.connected, self.lost = Box(), Box(), Box()
        self.subscribed, self.published = Box(), Box()
        self.client.on_connect = lambda c, u, flags, reason, props: self.connected.put((flags, reason, props))
        self.client.on_message = lambda c, u, message: self.messages.put(message)
        self.client.on_subscribe = lambda c, u, mid, reasons, props: self.subscribed.put(reasons)
        self.client.on_publish = lambda c, u, mid, reason, props: self.published.put(reason)
        self.client.on_disconnect = lambda c, u, flags, reason, props: self.lost.put(reason)
        if will is not None:
            self.client.will_set(**will)
        if version == mqtt.MQTTv5:
            made = properties(PacketTypes.CONNECT, **connect)
            self.client.connect("127.0.0.1", port, keep_alive, clean_start=clean, properties=made)
        else:
            self.client.connect("127.0.0.1", port, keep_alive)
        self.client.loop_start()
        flags, self.reason, self.properties = self.connected.take("CONNACK")
        assert not self.reason.is_failure, self.reason
        self.session_present = flags.session_present

    def subscribe(self, topic, qos=1, no_local=False, as_published=False, handling=0, **values):
        if self.version == mqtt.MQTTv5:
            options = SubscribeOptions(qos, no_local, as_published, handling)
            made = properties(PacketTypes.SUBSCRIBE, **values)
            self.client.subscribe(topic, options=options, properties=made)
        else:
            self.client.subscribe(topic, qos)
        reasons = self.subscribed.take("SUBACK")
        assert not any(reason.is_failure for reason in reasons), reasons

    def publish(self, topic, payload, qos=1, retain=False, **values):
        """Publishes and gives the reason code of the answer."""
        made = properties(PacketTypes.PUBLISH, **values) if self.version == mqtt.MQTTv5 else None
        self.client.publish(topic, payload, qos, retain, properties=made)
        return self.published.take("the answer to PUBLISH")

    def take(self):
        return self.messages.take()

    def leave(self, reason=None, **values):
        if self.version == mqtt.MQTTv5:
            made = properties(PacketTypes.DISCONNECT, **values)
            self.client.disconnect(reason, made)
        else:
            self.client.disconnect()
        self.lost.take("the end of the connection")
        self.client.loop_stop()

    def vanish(self):
        """Closes the socket without a word."""
        self.client.loop_stop()
        self.client._sock_close()
