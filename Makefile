# Every target sets up what it needs by itself, once: see scripts/prepare.py.
PYTHON := $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$each; break; fi; done)
VENV_PYTHON := .venv/bin/python

.PHONY: ledger mutants crowd simulate run demo up test check bench bench-settlement faulty bench-soak kills reconcile soak fuzz-curve build python failover bench-fan-out

run: build  ## start the local chain and the app; prints the address
	@$(VENV_PYTHON) scripts/start.py

demo: build  ## the same, with simulated traders
	@$(VENV_PYTHON) scripts/start.py --demo

up: build  ## the full stack: two backends behind HAProxy, on RabbitMQ, PostgreSQL and Redis
	@$(VENV_PYTHON) -m scripts.up

test: build  ## every test
	@$(VENV_PYTHON) -m pytest

kills: python  ## a trade worker killed twenty times at 500 orders a second, on the real servers
	@BLITZ_TEST_KILLS=20 $(VENV_PYTHON) -m pytest tests/integration/trading/test_worker_kills.py

crowd: python  ## a graduation under a thousand orders, killed at each point by itself, on both stacks
	@BLITZ_TEST_CROWD=all $(VENV_PYTHON) -m pytest tests/integration/graduation/test_crowd.py

SCHEDULES ?= 1000
simulate: python  ## crash schedules of the whole trade path, in virtual time
	@$(VENV_PYTHON) -m tests.simulation --schedules $(SCHEDULES)

check: python  ## formatting, lint, types, and a lock file without addresses
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m mypy
	@if grep -rn '://' reflex.lock; then echo 'reflex.lock must not hold an address.'; exit 1; fi

bench: python  ## orders a second through the whole trade path
	@$(VENV_PYTHON) -m benchmarks.trade_path

bench-soak: python  ## a million orders through one worker process, and the memory it holds then
	@$(VENV_PYTHON) -m benchmarks.soak

reconcile: python  ## ledger against chain, once, with what is in flight; exit code 1 where they differ
	@$(VENV_PYTHON) -m workers reconcile --explain

fuzz-curve: python  ## random operations on curves and pools, OPS of them, every invariant after each
	@$(VENV_PYTHON) -m tests.fuzz --ops $(or $(OPS),1000000) $(if $(SEED),--seed $(SEED))

soak: python  ## half an hour of everything that moves money, reconciled all the while: any alarm would be false
	@$(VENV_PYTHON) -m tests.soak --minutes 30

bench-fan-out: python  ## 8,000 market sockets of one stream process, and the naive way beside it
	@$(VENV_PYTHON) -m benchmarks.fan_out

ledger: python  ## the engine against a plain model, RUNS other runs of 100 random steps, killed and started again
	@BLITZ_LEDGER_RUNS=$(or $(RUNS),5000) $(VENV_PYTHON) -m pytest -q tests/property/test_ledger_machine.py

mutants: python  ## twelve known bugs, planted one at a time in a copy: the tests must find each
	@$(VENV_PYTHON) -m tests.mutants

failover: python  ## how long nobody serves 5,000 tokens when a trade worker starts, joins, dies or stops
	@$(VENV_PYTHON) -m benchmarks.failover

bench-settlement: python  ## 5 minutes at 100 trades a second onto the chain, and what saturates settlement
	@$(VENV_PYTHON) -m benchmarks.settlement --seconds 300

faulty: python  ## 2,000 trades onto a chain that drops, delays, lies and cuts; each must be there exactly once
	@$(VENV_PYTHON) -m tests.faulty

build: python
	@$(VENV_PYTHON) scripts/prepare.py all

python:
	@if [ -z "$(PYTHON)" ]; then echo 'BlitzHub needs Python 3.11 or newer as python3.'; exit 1; fi
	@$(PYTHON) scripts/prepare.py python
