"""Memory that nobody uses any more goes back to the system."""

import ctypes
import gc


def give_memory_back() -> None:
    """Collect what is unreachable and hand free pages back; a thread that waits for nothing calls.

    ONNX Runtime's sessions come and go in threads of their own, and glibc keeps an arena of
    memory for each: what a closed session freed stays with the process, in pieces that the next
    session does not fit into. Where the C library is not glibc, this only collects.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
