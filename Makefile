# Every target sets up .venv by itself, on a fresh Debian or Ubuntu machine with Python and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup
# Kilted's wheels beside Jazzy's; without torch, which no test of ROS needs.
KILTED := .venv-kilted
KILTED_STAMP := $(KILTED)/.setup
KILTED_EXTRAS := ros-kilted,sim,console,dataset,remote,test
# What lives closest to rclpy: nodes, executors, shutting down, QoS, parameters, actions. It judges
# no speed, so that it may run where CI is busy.
KILTED_QUICK := rclpy_internals node executor own_thread shutdown shared_memory any_qos topics \
	perception_topics parameters arguments message_numbers bounded run policy_node goals \
	joint_actions console_end
# NumPy 1, as on Ubuntu 22.04 and 24.04: what a robot with Humble, Jazzy or Kilted has.
NUMPY1 := .venv-numpy1
NUMPY1_STAMP := $(NUMPY1)/.setup
NUMPY1_TESTS := backends codecs core datasets formats model_store perception policies replay sync \
	tracking viz test_doctor.py test_packaging.py test_pipeline.py
BOUNDS := -c constraints.txt
# A sourced ROS 2 brings its own rclpy, which pip must not shadow, and a cv_bridge that is built for
# the NumPy of its distribution.
ifeq ($(ROS_DISTRO),)
EXTRAS := ros,sim,train,console,dataset,similar,sentences,remote,groot,foundation,explain,compress,openvino,test
else
EXTRAS := sim,train,console,dataset,similar,sentences,remote,groot,foundation,explain,compress,openvino,test
VENV_FLAGS := --system-site-packages
BOUNDS += -c constraints/$(ROS_DISTRO).txt
endif

.PHONY: setup setup-kilted setup-numpy1 check audit test test-slow test-kilted test-kilted-quick test-numpy1 demo docs bench format clean

setup: $(STAMP)

$(STAMP): setup.py constraints.txt $(wildcard constraints/*.txt) requirements-dev.txt requirements-references.txt tools/system_packages.sh
	bash tools/system_packages.sh
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(BOUNDS) -e ".[$(EXTRAS)]" -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-compare.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-references.txt
	touch $(STAMP)

setup-kilted: $(KILTED_STAMP)

$(KILTED_STAMP): setup.py constraints.txt requirements-dev.txt tools/system_packages.sh
	bash tools/system_packages.sh
	$(PYTHON) -m venv $(KILTED)
	$(KILTED)/bin/python -m pip install --quiet --upgrade pip
	$(KILTED)/bin/python -m pip install --quiet -c constraints.txt -e ".[$(KILTED_EXTRAS)]" \
		-r requirements-dev.txt "onnx>=1.17"
	touch $(KILTED_STAMP)

setup-numpy1: $(NUMPY1_STAMP)

$(NUMPY1_STAMP): setup.py constraints/jazzy.txt requirements-dev.txt
	$(PYTHON) -m venv $(NUMPY1)
	$(NUMPY1)/bin/python -m pip install --quiet --upgrade pip
	$(NUMPY1)/bin/python -m pip install --quiet -c constraints/jazzy.txt \
		-e ".[ros,console,dataset,remote,test]" -r requirements-dev.txt "onnx>=1.17"
	touch $(NUMPY1_STAMP)

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

# Minutes of work each, together some 35 on two quiet cores; in CI as well.
test-slow: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m "slow and not real_time"
	$(BIN)/python -m pytest -m "slow and real_time"

# The tests of ROS once more. A sourced ROS 2 has one rclpy, and `make test` is with that.
test-kilted: $(KILTED_STAMP)
	$(KILTED)/bin/python -m pytest -m "not slow" test/ros

test-kilted-quick: $(KILTED_STAMP)
	$(KILTED)/bin/python -m pytest -m "not slow" $(KILTED_QUICK:%=test/ros/test_%.py)

# What runs on a robot: neither training nor simulation.
test-numpy1: $(NUMPY1_STAMP)
	OMP_NUM_THREADS=1 $(NUMPY1)/bin/python -m pytest -n auto --dist loadfile \
		-m "not slow and not real_time" $(addprefix test/,$(NUMPY1_TESTS))
	$(NUMPY1)/bin/python -m pytest -m "not slow" test/ros/test_convert.py test/ros/test_cv_bridge.py \
		test/ros/test_node.py

demo: $(STAMP)
	$(BIN)/robot-vision demo

# The website in out/docs; a warning, such as a link that leads nowhere, ends it.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "out/docs/index.html; with search: $(BIN)/python -m http.server -d out/docs"

bench: $(STAMP)
	$(BIN)/robot-vision bench pipeline
	$(BIN)/robot-vision bench ros
	$(BIN)/robot-vision bench model
	$(BIN)/robot-vision bench tracker

clean:
	rm -rf $(VENV) $(KILTED) $(NUMPY1) build install log out *.egg-info
