"""Waiting with a deadline, and running one case by its name."""

import queue
import sys
import traceback

PATIENCE = 20.0
QUIET = 0.3


class Box(queue.Queue):
    """What callbacks put in and a case takes out."""

    def take(self, what="a message", seconds=None):
        patience = seconds or PATIENCE
        try:
            return self.get(timeout=patience)
        except queue.Empty:
            raise AssertionError(f"no {what} within {patience} s") from None

    def nothing(self, seconds=QUIET):
        try:
            came = self.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"something came: {came}")


def same(got, expected, what=""):
    assert got == expected, f"{what}: got {got!r}, not {expected!r}"


def run(cases):
    """Runs the case that the third argument names; the first two are the ports of MQTT and STOMP."""
    mqtt_port, stomp_port, case = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    try:
        cases[case](mqtt_port, stomp_port)
    except Exception:  # noqa: BLE001 - the test shows it
        traceback.print_exc()
        # Threads of the clients must not keep a failed case alive.
        sys.stderr.flush()
        import os

        os._exit(1)
    print("done", flush=True)
