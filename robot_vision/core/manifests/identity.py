"""The identity of a policy: one hash over everything that determines its actions."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def identity_of(parts: Mapping[str, Any]) -> str:
    """SHA-256 over parts given as JSON (weights by their own hashes), keys in order.

    Two policies of one identity give the same actions for the same observation.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
