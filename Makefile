# Every target sets up .venv by itself, on a fresh Debian or Ubuntu machine with Python and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup
# Kilted's wheels beside Jazzy's; without torch, which no test of ROS needs.
KILTED := .venv-kilted
KILTED_STAMP := $(KILTED)/.setup
KILTED_EXTRAS := ros-kilted,sim,console,dataset,test
# A sourced ROS 2 brings its own rclpy, which pip must not shadow.
ifeq ($(ROS_DISTRO),)
EXTRAS := ros,sim,train,console,dataset,test
else
EXTRAS := sim,train,console,dataset,test
VENV_FLAGS := --system-site-packages
endif

.PHONY: setup setup-kilted check audit test test-kilted demo bench format clean

setup: $(STAMP)

$(STAMP): setup.py constraints.txt requirements-dev.txt tools/system_packages.sh
	bash tools/system_packages.sh
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[$(EXTRAS)]" -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-compare.txt
	touch $(STAMP)

setup-kilted: $(KILTED_STAMP)

$(KILTED_STAMP): setup.py constraints.txt requirements-dev.txt tools/system_packages.sh
	bash tools/system_packages.sh
	$(PYTHON) -m venv $(KILTED)
	$(KILTED)/bin/python -m pip install --quiet --upgrade pip
	$(KILTED)/bin/python -m pip install --quiet -c constraints.txt -e ".[$(KILTED_EXTRAS)]" \
		-r requirements-dev.txt "onnx>=1.17"
	touch $(KILTED_STAMP)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

# Asks PyPI about every installed package: not part of check, which works without a network.
audit: $(STAMP)
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet pip-audit
	$(BIN)/python tools/audit.py $(VENV)/audit/bin/pip-audit \
		"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What only computes runs on all cores, a thread each; what keeps real time then has them alone.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not real_time"
	$(BIN)/python -m pytest -m "not slow and real_time"

# The tests of ROS once more. A sourced ROS 2 has one rclpy, and `make test` is with that.
test-kilted: $(KILTED_STAMP)
	$(KILTED)/bin/python -m pytest -m "not slow" test/ros

demo: $(STAMP)
	$(BIN)/robot-vision demo

bench: $(STAMP)
	$(BIN)/robot-vision bench pipeline
	$(BIN)/robot-vision bench ros
	$(BIN)/robot-vision bench model
	$(BIN)/robot-vision bench tracker

clean:
	rm -rf $(VENV) $(KILTED) build install log out *.egg-info
