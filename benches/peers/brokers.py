"""How each broker is installed, configured and started: on free ports of loopback, in a directory of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 90
STOP_SECONDS = 20
CERTIFICATES = Path(__file__).resolve().parents[2] / "certs-dev"
AUTHORITY = CERTIFICATES / "ca.pem"
CERTIFICATE = CERTIFICATES / "server.pem"
KEY = CERTIFICATES / "server.key"


class Unavailable(Exception):
    """This broker can't be measured here; the text says why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """One broker, started anew for every run so that none inherits what another run left."""

    name = ""
    packages = ()
    #: Listeners it is started with; a run may ask for more.
    speaks = ("mqtt",)
    login = {}

    def __init__(self, directory, more=()):
        self.directory = Path(directory)
        self.ports = {protocol: free_port() for protocol in dict.fromkeys((*self.speaks, *more))}
        self.process = None
        self.helpers = []
        self.start_ms = None

    def command(self):
        """Writes the configuration and answers with the command line and the environment."""
        raise NotImplementedError

    @classmethod
    def missing(cls):
        """Why this broker can't run here, or None."""
        return None

    @classmethod
    def version(cls):
        return ""

    def start(self):
        command, environment = self.command()
        log = open(self.directory / "output.log", "wb")
        started = time.monotonic()
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        for port in self.ports.values():
            self.wait_for(port, started + START_SECONDS)
        self.start_ms = (time.monotonic() - started) * 1000

    def wait_for(self, port, deadline):
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Unavailable(f"ended at once with code {self.process.returncode}: {self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.001)
        raise Unavailable(f"did not accept on port {port} within {START_SECONDS} s: {self.last_words()}")

    def last_words(self):
        text = (self.directory / "output.log").read_text(errors="replace").strip()
        return text[-300:] or "no output"

    def stop(self):
        for process in filter(None, [self.process, *self.helpers]):
            end_group(process)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()


def end_group(process):
    """Ends a process started here with all that it started: they share a process group of their own."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except (ProcessLookupError, PermissionError):
                break
            time.sleep(0.02)
    process.wait()


class WharfMQ(Broker):
    name = "wharfmq"
    speaks = ("mqtt", "mqtts", "stomp")
    binary = None
    extra = ()

    @classmethod
    def missing(cls):
        return None if cls.binary and cls.binary.exists() else f"{cls.binary} is not built"

    @classmethod
    def version(cls):
        return first_number(cls.binary, "--version")

    def command(self):
        listen = [part for scheme, port in self.ports.items()
                  for part in ("--listen", f"{scheme}://127.0.0.1:{port}")]
        config = self.directory / "wharfmq.toml"
        config.write_text(f'[tls.default]\ncertificate = "{CERTIFICATE}"\nkey = "{KEY}"\n')
        return [self.binary, "--config", config, *listen, "--data-dir", self.directory / "data", *self.extra], {}


class Bare(Broker):
    """The relay inside the load program: what remains of a broker that looks at nothing."""

    name = "bare"
    load = None

    def command(self):
        return [self.load, "relay", "--listen", f"127.0.0.1:{self.ports['mqtt']}"], {}


class Mosquitto(Broker):
    name = "mosquitto"
    speaks = ("mqtt", "mqtts")
    packages = ("mosquitto",)

    @classmethod
    def missing(cls):
        return None if shutil.which("mosquitto", path=system_path()) else "mosquitto is not installed (--install)"

    @classmethod
    def version(cls):
        return first_number(shutil.which("mosquitto", path=system_path()), "-h")

    def command(self):
        config = self.directory / "mosquitto.conf"
        config.write_text(
            "allow_anonymous true\n"
            "persistence false\n"
            "set_tcp_nodelay true\n"
            "max_inflight_messages 1000\n"
            "max_queued_messages 1000000\n"
            "log_dest none\n"
            f"listener {self.ports['mqtt']} 127.0.0.1\n"
            f"listener {self.ports['mqtts']} 127.0.0.1\n"
            f"certfile {CERTIFICATE}\n"
            f"keyfile {KEY}\n")
        return [shutil.which("mosquitto", path=system_path()), "-c", config], {}


class FlashMQ(Broker):
    """Not in Debian: built from its source beforehand."""

    name = "flashmq"
    speaks = ("mqtt", "mqtts")

    @classmethod
    def missing(cls):
        return None if shutil.which("flashmq", path=system_path()) else "no flashmq in the PATH: build it from its source"

    @classmethod
    def version(cls):
        return first_number(shutil.which("flashmq", path=system_path()), "--version")

    def command(self):
        listener = "listen {{\n protocol mqtt\n port {}\n inet_protocol ip4\n inet4_bind_address 127.0.0.1\n {}\n}}\n"
        config = self.directory / "flashmq.conf"
        config.write_text(
            "allow_anonymous true\n"
            f"storage_dir {self.directory}\n"
            f"log_file {self.directory}/flashmq.log\n"
            "log_level error\n"
            "max_qos_msg_pending_per_client 65535\n"
            "max_qos_bytes_pending_per_client 1000000000\n"
            + listener.format(self.ports["mqtt"], "")
            + listener.format(self.ports["mqtts"], f"fullchain {CERTIFICATE}\n privkey {KEY}"))
        return [shutil.which("flashmq", path=system_path()), "-c", config], {}


class RabbitMQ(Broker):
    name = "rabbitmq"
    packages = ("rabbitmq-server",)
    speaks = ("mqtt", "stomp")
    login = {"stomp": ("guest", "guest")}
    server = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

    @classmethod
    def missing(cls):
        return None if cls.server.exists() else "rabbitmq-server is not installed (--install)"

    @classmethod
    def version(cls):
        return package_version("rabbitmq-server")

    def command(self):
        epmd_port, node_port = free_port(), free_port()
        self.start_epmd(epmd_port)
        (self.directory / "enabled_plugins").write_text("[rabbitmq_mqtt,rabbitmq_stomp].\n")
        (self.directory / "rabbitmq.conf").write_text(
            "listeners.tcp = none\n"
            f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.ports['mqtt']}\n"
            "mqtt.allow_anonymous = true\n"
            "mqtt.prefetch = 1000\n"
            f"stomp.listeners.tcp.1 = 127.0.0.1:{self.ports['stomp']}\n"
            "log.console = false\n"
            "log.file = false\n")
        return [self.server], {
            "HOME": str(self.directory),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": f"load{node_port}@localhost",
            "RABBITMQ_DIST_PORT": str(node_port),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
        }

    def start_epmd(self, port):
        """The name service of Erlang, in the foreground: left to itself, the server would leave one behind."""
        epmd = subprocess.Popen(
            ["epmd", "-port", str(port), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.helpers.append(epmd)


class ActiveMQ(Broker):
    name = "activemq"
    # Debian's package leaves out the MQTT codec that its MQTT transport needs.
    packages = ("activemq", "libmqtt-client-java")
    speaks = ("mqtt", "stomp", "mqtt+nio")
    home = Path("/usr/share/activemq")
    mqtt_codec = Path("/usr/share/java/mqtt-client.jar")

    @classmethod
    def missing(cls):
        for jar in (cls.home / "bin/activemq.jar", cls.mqtt_codec):
            if not jar.exists():
                return f"{jar} is missing (--install)"
        return None if shutil.which("java") else "java is not installed"

    @classmethod
    def version(cls):
        return package_version("activemq")

    def command(self):
        # It calls its OpenWire listeners by their transport.
        transports = {"openwire": "tcp", "openwire+nio": "nio"}
        connectors = "".join(
            f'<transportConnector name="{scheme}"'
            f' uri="{transports.get(scheme, scheme)}://127.0.0.1:{port}?maximumConnections=100000"/>'
            for scheme, port in self.ports.items())
        (self.directory / "activemq.xml").write_text(f"""
            <beans xmlns="http://www.springframework.org/schema/beans"
                   xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                   xsi:schemaLocation="http://www.springframework.org/schema/beans
                     http://www.springframework.org/schema/beans/spring-beans.xsd
                     http://activemq.apache.org/schema/core
                     http://activemq.apache.org/schema/core/activemq-core.xsd">
              <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="load"
                      dataDirectory="{self.directory}/data">
                <persistenceAdapter><kahaDB directory="{self.directory}/data/kahadb"/></persistenceAdapter>
                <transportConnectors>{connectors}</transportConnectors>
              </broker>
            </beans>""".strip())
        (self.directory / "log4j.properties").write_text(
            "log4j.rootLogger=WARN, out\n"
            "log4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.SimpleLayout\n")
        (self.directory / "lib").mkdir()
        (self.directory / "lib" / self.mqtt_codec.name).symlink_to(self.mqtt_codec)
        return ["java", "-Xms512M", "-Xmx2G", "-Dorg.apache.activemq.UseDedicatedTaskRunner=false",
                f"-Dlog4j.configuration=file:{self.directory}/log4j.properties",
                f"-Dactivemq.home={self.home}", f"-Dactivemq.base={self.directory}",
                f"-Dactivemq.conf={self.directory}", f"-Dactivemq.data={self.directory}/data",
                "-jar", self.home / "bin/activemq.jar",
                "start", f"xbean:file:{self.directory}/activemq.xml"], {}


ALL = {broker.name: broker for broker in (WharfMQ, Bare, Mosquitto, FlashMQ, RabbitMQ, ActiveMQ)}


def install(names, more=()):
    """Installs the packages of these brokers and some more without letting any of them start as a service."""
    packages = [package for name in names for package in ALL[name].packages if ALL[name].missing()] + list(more)
    if not packages:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        subprocess.run([*sudo, "tee", policy], input=b"#!/bin/sh\nexit 101\n", stdout=subprocess.DEVNULL, check=True)
        subprocess.run([*sudo, "chmod", "755", policy], check=True)
    try:
        apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "install", "-y", "--no-install-recommends", *packages], check=True)
    finally:
        if ours:
            subprocess.run([*sudo, "rm", "-f", policy], check=True)


def system_path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


def package_version(package):
    return first_number("dpkg-query", "-W", "-f", "${Version}", package)


def first_number(*command):
    """The first thing that looks like a version in what the command prints."""
    try:
        shown = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+\.\d+(\.\d+)?", shown.stdout + shown.stderr)
    return found.group(0) if found else ""
