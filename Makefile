# `make demo` and `make test` do all set-up themselves on a bare Debian or Ubuntu.
.DEFAULT_GOAL := help
.PHONY: help setup image image-office demo scene test check fix unit torture attack vm lock clean
BIN := .venv/bin
# one more than cores, as some tests only wait, and four at most: each real machine needs memory of its own
BESIDE := -n $(shell expr $$(nproc) + 1) --maxprocesses 4 --dist worksteal --durations 15

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Install system packages, the virtual environment and all packages of this checkout
	@scripts/setup

image: setup ## Build the virtual machine's image, once per recipe
	@$(BIN)/deskmate image build

image-office: setup ## Build the image that renders documents, once per recipe: about six minutes, 0.9 GB
	@$(BIN)/deskmate image build office

demo: image ## Review a contract in a virtual machine (CONTRACT=path for your own, MODEL_URL= a local server)
	@$(BIN)/python examples/make_contract.py demo/sample
	@DESKMATE_MODEL_URL="$${DESKMATE_MODEL_URL:-$(MODEL_URL)}" $(BIN)/deskmate demo $(if $(CONTRACT),--contract "$(CONTRACT)",--contract "demo/sample/Northlight - Harbour mutual NDA.docx" --playbook demo/sample/playbook.yaml)

scene: image ## Edit an Excel model, make a deck and a brief, read a PDF in one recorded thread; then catch a lie at every gate
	@$(BIN)/python examples/office_scene.py demo

test: setup ## Everything that CI runs
	@$(MAKE) --no-print-directory -j2 image check
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory vm

check: setup ## Format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup ## Unit, contract and integration tests without a virtual machine
	$(BIN)/pytest $(BESIDE) -m "not vm and not slow"

torture: image-office ## The long sweeps of injected faults, minutes of work
	$(BIN)/pytest -m slow

attack: image ## Try every attack, long ones too, and write the table of results
	@$(BIN)/pytest -m attack --attack-table build/attack; code=$$?; cp build/attack/security-results.md docs/reference/; exit $$code

vm: image ## Tests that run real virtual machines
	$(BIN)/pytest $(BESIDE) -m "vm and not slow"

fix: setup ## Format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## Resolve the pinned requirements anew
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --universal --python-version 3.11 requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --universal --python-version 3.11 requirements/node.in -o requirements/node.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --python-platform x86_64-manylinux_2_34 --only-binary :all: requirements/guest.in -o core/src/deskmate/sandbox/guest.txt

clean: ## Remove what the checkout built (images and threads stay in your home folder)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache demo
