"""Leaves the cores to the models: other libraries' idle threads would compete by spinning."""

import cv2
from threadpoolctl import threadpool_limits


def leave_cores_to_models() -> None:
    """One thread each for OpenCV and BLAS in this process.

    Their work here is small, but afterwards their threads spin for a while: on two cores that
    takes one from the model's next run and stalls it (see `robot-vision bench pipeline`).
    """
    cv2.setNumThreads(1)
    threadpool_limits(limits=1, user_api="blas")
