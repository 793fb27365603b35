"""One step: loss, precision, rates, memory, processes."""
