#!/usr/bin/env bash
# Debian packages that pip cannot bring: venv, OpenGL for rendering scenes without a screen, and
# Chromium for the tests of web pages. Installs them if permitted (root or password-less sudo), else
# lists what to install.
set -euo pipefail

missing=()
python3 -c "import venv, ensurepip" 2>/dev/null || missing+=(python3-venv)
for entry in libEGL.so.1:libegl1 libOSMesa.so.8:libosmesa6 libGL.so.1:libgl1 libGLESv2.so.2:libgles2; do
  ldconfig -p | grep -q "${entry%%:*}" || missing+=("${entry##*:}")
done
ls /usr/lib/*/dri/swrast_dri.so >/dev/null 2>&1 || missing+=(libgl1-mesa-dri)

browser=()
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null; then
  # Ubuntu's package is a snap, which containers cannot install.
  if grep -qsx 'ID=debian' /etc/os-release; then browser=(chromium)
  else echo "robot_vision: no chromium: tests of web pages will be skipped" >&2
  fi
fi
[ ${#missing[@]} -eq 0 ] && [ ${#browser[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ]; then as_root=(env DEBIAN_FRONTEND=noninteractive)
elif sudo -n true 2>/dev/null; then as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
else
  echo "robot_vision: please install: sudo apt-get install ${missing[*]} ${browser[*]}" >&2
  echo "robot_vision: continuing without; features that need OpenGL will report it," \
    "tests of web pages need chromium" >&2
  exit 0
fi
echo "robot_vision: installing Debian packages: ${missing[*]} ${browser[*]}"
"${as_root[@]}" apt-get update -qq || [ ${#missing[@]} -eq 0 ]
install=("${as_root[@]}" apt-get install -y -qq --no-install-recommends)
[ ${#missing[@]} -eq 0 ] || "${install[@]}" "${missing[@]}" >/dev/null
# Only tests need it: setting up goes on without.
[ ${#browser[@]} -eq 0 ] || "${install[@]}" "${browser[@]}" >/dev/null ||
  echo "robot_vision: chromium was not installed: tests of web pages will be skipped" >&2
