# Two commands matter: `make up` and `make test`. Everything else is a part of one of them.
PYTHON ?= python3
STACK ?= dev
LAB := $(PYTHON) -m lab
# Each recipe line starts from the lab's environment: tools, plugins, state, inventory.
ENV = eval "$$($(LAB) env)"

.PHONY: up test test-fast lint preview refresh drill drill-controls down down-stack status bench

up: ## the lab's hosts, then the stack on them, drills included
	$(LAB) up
	$(ENV) && "$$BACKSTOP_PYTHON" -m stack up -s $(STACK)

test: ## every test; tools build in the background while the fast tests run
	sh ./ci/test.sh

test-fast: ## what needs neither root nor tools
	VENV=$$($(LAB) venv) && "$$VENV/bin/python" -m pytest -q -m "not lab and not tools and not bench" -n 2

lint: ## formatting, lint and strict types
	VENV=$$($(LAB) venv) && "$$VENV/bin/ruff" format --check . && "$$VENV/bin/ruff" check . && "$$VENV/bin/mypy"

preview:
	$(ENV) && "$$BACKSTOP_PYTHON" -m stack preview -s $(STACK) -- --policy-pack policies

refresh:
	$(ENV) && "$$BACKSTOP_PYTHON" -m stack refresh -s $(STACK)

drill: ## every drill of the stack now, and the verdicts
	$(ENV) && "$$BACKSTOP_PYTHON" -m stack drill -s $(STACK)

drill-controls: ## every drill with every planted fault, each of which must turn it red
	$(ENV) && "$$BACKSTOP_PYTHON" -m stack drill control -s $(STACK)

down-stack: ## takes the stack away and leaves the store's host, its buckets and every backup
	$(ENV) && "$$BACKSTOP_PYTHON" -m stack destroy -s $(STACK)

down: ## takes the lab away, with everything in it
	$(LAB) down

status:
	$(LAB) status

bench: ## ratios, printed; nothing is asserted about seconds
	$(ENV) && "$$BACKSTOP_PYTHON" -m pytest -q -m bench tests/bench -s
