"""Memory that nobody uses any more goes back to the system."""

import ctypes

_MIB = 2**20
# glibc's names for what `mallopt` sets, and what a process of ours wants of each: blocks of more
# than this are mapped on their own (pictures of a camera below 2 megapixels are not: that would
# take pages anew every frame), so much may stay free at the end of an arena, and so many arenas.
_WANTED = {-3: 8 * _MIB, -1: 16 * _MIB, -8: 4}


def keep_large_blocks_apart() -> None:
    """Choose how this process takes memory; called once, before there are threads.

    Left alone, glibc answers one message of 20 MB by keeping all blocks below that size in its
    arenas from then on, one for nearly every thread: what such messages leave behind is never
    given back. Without glibc this does nothing.
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        for name, value in _WANTED.items():
            choose(name, value)


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
