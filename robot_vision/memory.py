"""Memory that nobody uses any more goes back to the system."""

import ctypes


def give_memory_back() -> None:
    """Hand free pages back; called where nothing waits, it takes some milliseconds.

    A model is loaded by whatever thread has time, and glibc keeps an arena of memory for each:
    what a closed model freed stays with the process, in pieces that the next one does not fit
    into. Other threads run on meanwhile (Python's lock is let go of). Without glibc this does
    nothing.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
