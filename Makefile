# Everything that is installed lies in .venv/, everything that is made in out/.
VENV ?= .venv
PYTHON ?= python3
ROS_WHEELS ?= jazzy
TORCH_INDEX ?=

export VENV := $(abspath $(VENV))
RUN := scripts/with_ros python
ENVIRONMENT = $(PYTHON) scripts/ros_env.py --venv "$(VENV)" --ros "$(ROS_WHEELS)" --torch-index "$(TORCH_INDEX)"

.DEFAULT_GOAL := help
.PHONY: help venv build

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

venv:  ## make .venv: ROS 2 (the sourced one, else wheels), build tools and run-time packages
	@$(ENVIRONMENT) --extras cpu

build: venv  ## colcon build into out/install
	@scripts/build
