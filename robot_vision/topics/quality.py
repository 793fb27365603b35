"""Quality of service of topics, without ROS."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Quality of service of a topic: whether delivery is reliable, how many messages are kept.

    What is `latched` also reaches those who subscribe later.
    """

    reliable: bool
    kept: int
    latched: bool = False


# Reliable, because results are small or requested; a few, so that slow readers lose none.
RESULTS = Quality(reliable=True, kept=5)
LATCHED = Quality(reliable=True, kept=1, latched=True)
# Best effort, which matches every publisher; only the newest counts.
NEWEST = Quality(reliable=False, kept=1)
# Messages of one frame on several topics, of which a slow callback must not lose any.
FRAMES = Quality(reliable=False, kept=2)
# Reliable for the arm; an old command is worth nothing.
COMMANDS = Quality(reliable=True, kept=1)
