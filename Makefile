# Each target builds what it needs, first of all the virtual environment. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
PY = $(VENV)/bin/python
PIP = $(PY) -m pip --disable-pip-version-check
export PIP_CONSTRAINT = $(CURDIR)/constraints.txt
DATA ?= ../shared/data
RUN ?= runs/medsegr-tiny
HARDWARE ?= this machine
PYTEST ?= -n 2 --dist loadfile --no-loadscope-reorder
# For training on a processor: glibc keeps freed memory, 2 to 3 times faster at large batches (docs/how-to/train.md).
ALLOCATOR = MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456
EXPORT = $(PY) -m medsegr.training.checkpoint --data $(DATA) --mirror --closer --hardware "$(HARDWARE)"

.PHONY: help venv viewer wheel demo test lint format docs lexicon bench-speed bench-backends bench-io bench-scale bench-serve train-default clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /: /'

$(VENV)/.stamp: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q torch        # first and alone: pip takes the build that this place offers
	$(PIP) install -q -e ".[dev]"  # torch is there now, so nothing replaces it
	touch $@

venv: $(VENV)/.stamp  ## build the virtual environment in .venv

viewer:  ## build the viewer's page (needs Node.js; without it nothing fails, and the server says what is missing)
	@sh web/build.sh

wheel: $(VENV)/.stamp viewer  ## build the wheel, with the viewer inside, into dist/
	$(PIP) wheel -q --no-deps -w dist .

demo: $(VENV)/.stamp viewer  ## run the main job on two images and write demo/
	$(VENV)/bin/medsegr demo -o demo

test: lint viewer  ## lint, types, import contracts, then all tests
	$(PY) -m pytest -q $(PYTEST)

lint: $(VENV)/.stamp  ## ruff, ruff format, mypy --strict, import-linter
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict src
	$(VENV)/bin/lint-imports

format: $(VENV)/.stamp  ## put the code into its format
	$(PY) -m ruff check --fix-only -q .
	$(PY) -m ruff format .

docs: $(VENV)/.stamp  ## write the generated pages of docs/reference
	$(PY) docs/generate.py

lexicon: $(VENV)/.stamp  ## compile the lexicon, after a change of report/lexicon
	$(PY) -m medsegr.report.lexicon.tables

bench-speed: $(VENV)/.stamp  ## print seconds and memory of the main job on this machine
	$(PY) -m medsegr.bench.speed

bench-backends: $(VENV)/.stamp  ## print Dice of every backend beside torch's, on made images and the sets below DATA
	$(PY) -m medsegr.bench.backends --data $(DATA)

bench-io: $(VENV)/.stamp  ## print seconds and memory of reading medical files, beside SimpleITK and dcm2niix
	$(PY) -m medsegr.bench.io

bench-scale: $(VENV)/.stamp  ## print images a second and memory of a batch by its workers, on processes and on Ray
	$(PY) -m medsegr.bench.scale

bench-serve: $(VENV)/.stamp  ## print seconds over HTTP beside local ones, the first mask, 20 clients at once, memory
	$(PY) -m medsegr.bench.serve --page

train-default: $(VENV)/.stamp  ## train the embedded checkpoint again (hours, and minutes of a GPU; resumes; DATA=folder of sets)
	$(ALLOCATOR) OMP_NUM_THREADS=1 $(VENV)/bin/torchrun --nproc-per-node 2 -m medsegr.fit \
		--config configs/medsegr-tiny.toml --data $(DATA) --out $(RUN)
	$(ALLOCATOR) OMP_NUM_THREADS=1 $(VENV)/bin/torchrun --nproc-per-node 2 -m medsegr.fit \
		--config configs/medsegr-tiny-polish.toml --data $(DATA) --out $(RUN)-polish --warm $(RUN)/last.pt
	OMP_NUM_THREADS=1 $(PY) -m medsegr.fit --config configs/medsegr-tiny-accelerator.toml --data $(DATA) \
		--out $(RUN)-accelerator --warm $(RUN)-polish/last.pt
	OMP_NUM_THREADS=1 $(PY) -m medsegr.fit --config configs/medsegr-tiny-words.toml --data $(DATA) \
		--out $(RUN)-words --warm $(RUN)-accelerator/last.pt
	OMP_NUM_THREADS=1 $(PY) -m medsegr.fit --config configs/medsegr-tiny-absent.toml --data $(DATA) \
		--out $(RUN)-absent --warm $(RUN)-words/last.pt
	for stage in accelerator absent; do $(EXPORT) --run $(RUN)-$$stage --config configs/medsegr-tiny-$$stage.toml \
		--folder $(RUN)-$$stage/checkpoint || exit 1; done
	$(PY) -m medsegr.training.averaging --of $(RUN)-accelerator/checkpoint=0.5 --of $(RUN)-absent/checkpoint=0.5 --folder $(RUN)-half
	OMP_NUM_THREADS=1 $(PY) -m medsegr.fit --config configs/medsegr-tiny-rare.toml --data $(DATA) \
		--out $(RUN)-rare --warm $(RUN)-half/medsegr-tiny.safetensors
	$(EXPORT) --run $(RUN)-rare --config configs/medsegr-tiny-rare.toml --folder $(RUN)-rare/checkpoint
	$(PY) -m medsegr.training.averaging --of $(RUN)-accelerator/checkpoint=0.5833 --of $(RUN)-absent/checkpoint=0.25 \
		--of $(RUN)-rare/checkpoint=0.1667 --folder $(RUN)-mean --warm-start "five earlier stages (docs/log.md)"
	$(PY) -m medsegr.training.image_head --model $(RUN)-mean --kinds configs/kinds/medsegr-tiny.toml --data $(DATA) \
		--most 60 --folder $(RUN)-kinds
	OMP_NUM_THREADS=1 $(PY) -m medsegr.fit --config configs/medsegr-tiny-slices.toml --data $(DATA) \
		--out $(RUN)-slices --warm $(RUN)-kinds/medsegr-tiny.safetensors
	$(EXPORT) --run $(RUN)-slices --config configs/medsegr-tiny-slices.toml --folder $(RUN)-slices/checkpoint
	$(PY) -m medsegr.training.averaging --of $(RUN)-kinds=0.3 --of $(RUN)-slices/checkpoint=0.7 --folder $(RUN)-seven \
		--warm-start "six earlier stages (docs/log.md)"
	OMP_NUM_THREADS=1 $(PY) -m medsegr.fit --config configs/medsegr-tiny-long.toml --data $(DATA) \
		--out $(RUN)-long --warm $(RUN)-seven/medsegr-tiny.safetensors
	$(EXPORT) --run $(RUN)-long --config configs/medsegr-tiny-long.toml --folder $(RUN)-long/checkpoint
	$(PY) -m medsegr.training.averaging --of $(RUN)-seven=0.3 --of $(RUN)-long/checkpoint=0.7 --folder $(RUN)-eight \
		--warm-start "seven earlier stages (docs/log.md)"
	$(ALLOCATOR) OMP_NUM_THREADS=1 $(VENV)/bin/torchrun --nproc-per-node 2 -m medsegr.fit \
		--config configs/medsegr-tiny-nodded.toml --data $(DATA) --out $(RUN)-nodded --warm $(RUN)-eight/medsegr-tiny.safetensors
	$(EXPORT) --run $(RUN)-nodded --config configs/medsegr-tiny-nodded.toml --folder $(RUN)-nodded/checkpoint
	$(PY) -m medsegr.training.averaging --of $(RUN)-eight=0.6 --of $(RUN)-nodded/checkpoint=0.4 --folder $(RUN)-nine \
		--warm-start "eight earlier stages (docs/log.md)"
	$(ALLOCATOR) OMP_NUM_THREADS=1 $(VENV)/bin/torchrun --nproc-per-node 2 -m medsegr.fit \
		--config configs/medsegr-tiny-bodies.toml --data $(DATA) --out $(RUN)-bodies --warm $(RUN)-nine/medsegr-tiny.safetensors
	$(EXPORT) --run $(RUN)-bodies --config configs/medsegr-tiny-bodies.toml --folder $(RUN)-bodies/checkpoint
	$(PY) -m medsegr.training.averaging --of $(RUN)-nine=0.4 --of $(RUN)-bodies/checkpoint=0.6 --folder $(RUN)-all \
		--warm-start "nine earlier stages (docs/log.md)"
	$(ALLOCATOR) OMP_NUM_THREADS=1 $(VENV)/bin/torchrun --nproc-per-node 2 -m medsegr.fit \
		--config configs/medsegr-tiny-near.toml --data $(DATA) --out $(RUN)-near --warm $(RUN)-all/medsegr-tiny.safetensors
	$(EXPORT) --run $(RUN)-near --config configs/medsegr-tiny-near.toml --folder $(RUN)-near/checkpoint
	$(PY) -m medsegr.training.averaging --of $(RUN)-all=0.25 --of $(RUN)-near/checkpoint=0.75 --folder $(RUN)-eleven \
		--warm-start "ten earlier stages (docs/log.md)"
	$(ALLOCATOR) OMP_NUM_THREADS=1 $(VENV)/bin/torchrun --nproc-per-node 2 -m medsegr.fit \
		--config configs/medsegr-tiny-presence.toml --data $(DATA) --out $(RUN)-presence \
		--warm $(RUN)-eleven/medsegr-tiny.safetensors
	$(EXPORT) --run $(RUN)-presence --config configs/medsegr-tiny-near.toml --folder $(RUN)-presence/checkpoint \
		--warm-start "eleven earlier stages (docs/log.md)"
	$(PY) -m medsegr.training.image_head --model $(RUN)-presence/checkpoint --kinds configs/kinds/medsegr-tiny.toml \
		--data $(DATA) --folder $(RUN)-twelve
	$(ALLOCATOR) OMP_NUM_THREADS=1 $(VENV)/bin/torchrun --nproc-per-node 2 -m medsegr.fit \
		--config configs/medsegr-tiny-panels.toml --data $(DATA) --out $(RUN)-panels --warm $(RUN)-twelve/medsegr-tiny.safetensors
	$(EXPORT) --run $(RUN)-panels --config configs/medsegr-tiny-panels.toml --folder $(RUN)-panels/checkpoint
	$(PY) -m medsegr.training.averaging --of $(RUN)-panels/checkpoint=0.5 --of $(RUN)-twelve=0.5 \
		--keep host.image_encoder --keep attributes --folder $(RUN)-thirteen --warm-start "twelve earlier stages (docs/log.md)"
	$(PY) -m medsegr.training.image_head --model $(RUN)-thirteen --kinds configs/kinds/medsegr-tiny.toml \
		--data $(DATA) --folder $(RUN)-shipped
	$(PY) -m medsegr.bench.validate --model $(RUN)-shipped --config configs/medsegr-tiny-panels.toml --data $(DATA) --card
	$(PY) -m medsegr.bench.temperature --model $(RUN)-shipped --config configs/medsegr-tiny-panels.toml --data $(DATA) \
		--most 10 --card

clean:  ## remove what the other targets made, but not runs/
	rm -rf $(VENV) web/node_modules src/medsegr/serve/static demo dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
