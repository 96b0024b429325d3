"""The host's side of the guest agent: frames, a session over a byte stream, a `Transport`.

The guest's side is ``images/programs/agent.c``; ``docs/agent.md`` describes the protocol.
"""

from lpharness.guests.agent.channel import Channel
from lpharness.guests.agent.transport import AgentTransport

__all__ = ["AgentTransport", "Channel"]
