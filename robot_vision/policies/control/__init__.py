"""From chunks to one command per tick: `controller` joins `plan` and `motion`."""
