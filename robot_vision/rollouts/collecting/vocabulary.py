"""The vocabulary of the simulated robot's instructions."""

from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.simulation.robot.work.phrases import CLASS_WORDS, all_words

ACTIONS = (
    "bring", "drop", "fetch", "get", "give", "grab", "grasp", "hold", "lay", "lift", "make",
    "move", "nudge", "pick", "place", "press", "push", "put", "raise", "rest", "set", "shift",
    "shove", "slide", "take",
)  # fmt: skip


def robot_vocabulary() -> Vocabulary:
    """All words used for tasks, in training and held out."""
    things = tuple(sorted({word for words in CLASS_WORDS.values() for word in words}))
    return Vocabulary(words=all_words(), things=things, actions=ACTIONS, max_words=24)
