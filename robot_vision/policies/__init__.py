"""From instructions and perception to actions: what to do, and what may be sent to the arm."""
