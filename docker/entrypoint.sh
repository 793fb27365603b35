#!/usr/bin/env bash
# ROS and the workspace, then the command. The package's scripts run in the venv by themselves.
set -eo pipefail
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ws/install/setup.bash
export PATH="/ws/install/lib/robot_vision:/opt/venv/bin:$PATH"
exec "$@"
