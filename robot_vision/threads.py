"""Leaves the cores to the models: other libraries' idle threads would spin beside them."""

import cv2
from threadpoolctl import threadpool_limits


def leave_cores_to_models() -> None:
    """One thread each for OpenCV and BLAS in this process.

    Their work here is small, and after it their threads spin for a while: on two cores that
    takes one from the model's next run and stalls it (`robot-vision bench pipeline` shows it).
    """
    cv2.setNumThreads(1)
    threadpool_limits(limits=1, user_api="blas")
