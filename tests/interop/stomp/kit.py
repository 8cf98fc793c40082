"""What every script of this folder imports: the helpers of the folder above."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from stomp_kit import ON_ACTIVEMQ, Client, found, rest, shown  # noqa: E402, F401
from waiting import Box, run, same  # noqa: E402, F401
