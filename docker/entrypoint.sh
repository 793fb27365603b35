#!/usr/bin/env bash
# ROS and the workspace, which puts robot-vision on PATH; its scripts run in the venv by themselves.
set -eo pipefail
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ws/install/setup.bash
export PATH="/opt/venv/bin:$PATH"
exec "$@"
