#!/usr/bin/env bash
# Recreates a robot computer's environment in FOLDER, and only there, on Debian 12: its Python
# 3.11 with NumPy 1.24 and a compiled cv_bridge (Debian's, of ROS 1: the same module), rclpy's
# wheels and colcon. docs/distributions.md explains its use.
#   bash tools/robot_like_system.sh FOLDER && source FOLDER/env.sh
set -euo pipefail

folder=$(realpath -m "$1")
root=$folder/root
mkdir -p "$folder/debs" "$root"
cd "$folder/debs"
# What cv_bridge links to and this machine lacks; its own Python is needed in any case.
needed=$(apt-get install -s --no-install-recommends libcv-bridge2d libboost-python1.74.0 \
  python3-numpy | awk '/^Inst/ {print $2}')
# shellcheck disable=SC2086  # words are packages
apt-get download -q $needed python3-cv-bridge python3.11 python3.11-minimal python3.11-venv \
  libpython3.11-minimal libpython3.11-stdlib libpython3.11
for package in *.deb; do dpkg -x "$package" "$root"; done
ln -sf python3.11 "$root/usr/bin/python3"

/usr/bin/python3 -m venv "$folder/ros"
"$folder/ros/bin/pip" install --quiet "ros-jazzy-rclpy[fastrtps]==7.1.6" \
  ros-common-interfaces==5.3.6 colcon-common-extensions "setuptools<80"
site=$folder/ros/lib/python3.11/site-packages
# Behind Debian's own packages, so that theirs is the NumPy that is found.
echo "$site" > "$root/usr/lib/python3/dist-packages/ros.pth"

libraries=$folder/ros/lib
for more in "$site"/ros_*.libs "$root"/usr/lib/x86_64-linux-gnu{,/blas,/lapack} "$root/usr/lib"; do
  libraries=$libraries:$more
done
cat > "$folder/env.sh" <<END
export PATH=$root/usr/bin:/usr/bin:/bin LD_LIBRARY_PATH=$libraries
export AMENT_PREFIX_PATH=$folder/ros _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
ROS_DISTRO=jazzy  # for the README's lines; not exported, as no ROS is sourced
END
echo "$folder: source $folder/env.sh"
