"""The load program for JMS: compiled from `jms/` against the client that Debian packages."""

import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "jms"
CLASSES = Path(__file__).resolve().parents[2] / "target/jms-load"
JARS = Path("/usr/share/java")
PACKAGES = ("default-jdk-headless", "libactivemq-java")
#: The client and what it needs; all but the last are a must.
NEEDED = ("activemq-client.jar", "geronimo-jms_1.1_spec.jar", "geronimo-j2ee-management-1.1-spec.jar", "hawtbuf.jar",
          "slf4j-api.jar")
#: Keeps the client's log silent.
SILENCE = "slf4j-nop.jar"


def missing():
    """Why it can't be compiled here, or None."""
    for program in ("java", "javac"):
        if not shutil.which(program):
            return f"{program} is not installed (--install)"
    for jar in NEEDED:
        if not (JARS / jar).exists():
            return f"{JARS / jar} is missing (--install)"
    return None


def compile():
    CLASSES.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-Xlint:all", "-Werror", "-d", CLASSES, "-cp", class_path(),
                    *sorted(SOURCES.glob("*.java"))], check=True)


def command():
    """A small stack for the threads, of which the client has two or three a connection."""
    return ["java", "-Xms256M", "-Xmx1G", "-Xss256k", "-cp", f"{CLASSES}:{class_path()}", "JmsLoad"]


def class_path():
    return ":".join(str(JARS / jar) for jar in (*NEEDED, SILENCE))
