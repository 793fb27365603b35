"""Returns unused memory to the system."""

import ctypes

_MIB = 2**20
# glibc's `mallopt` parameters and our settings: blocks larger than this are mapped separately
# (camera pictures below 2 megapixels are not: that would take new pages for every frame), this
# much may stay free at the end of an arena, and the number of arenas.
_WANTED = {-3: 8 * _MIB, -1: 16 * _MIB, -8: 4}


def keep_large_blocks_apart() -> None:
    """Configure this process's memory allocation; call it once, before starting threads.

    By default, after one message of 20 MB glibc keeps all blocks below that size in its arenas,
    one for nearly every thread: memory of such messages is never returned. Does nothing without
    glibc.
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        for name, value in _WANTED.items():
            choose(name, value)


def give_memory_back() -> None:
    """Return free pages; call it when nothing is waiting, as it takes some milliseconds.

    Any thread may load a model, and glibc keeps an arena per thread: memory freed by a closed
    model stays with the process, in pieces too small for the next one. Other threads continue
    meanwhile (the GIL is released). Does nothing without glibc.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
