.PHONY: demo test lint docs clean install models

VENV := .venv/bin
READY := .venv/.ready

# The whole pipeline on small real models that come as packages; nothing else is needed.
demo: models
	$(VENV)/staragents run configs/demo.yaml

# Two at a time: runs on a local Ray mostly wait for processes to start. Files stay together for their fixtures,
# and in order, as the long ones come first. Threads that spin would take the other process's core.
test: models
	OMP_WAIT_POLICY=PASSIVE $(VENV)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25

lint: $(READY)
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy

# The site of docs/; a test builds it too.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --strict

install: $(READY)

$(READY): pyproject.toml constraints.txt overrides.txt deploy/install.sh
	sh deploy/install.sh
	touch $(READY)

models: $(READY)
	$(VENV)/python -m staragents.packaged_models

clean:
	rm -rf .venv runs/demo build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
