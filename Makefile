# Every target sets up what it needs by itself, once: see scripts/prepare.py.
PYTHON := $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$each; break; fi; done)
VENV_PYTHON := .venv/bin/python

.PHONY: browser-soak chaos mutants-ledger crash freezes outages storms ledger mutants crowd simulate run demo up test check bench bench-settlement faulty bench-soak kills reconcile soak fuzz-curve build python failover bench-fan-out dashboard-size

run: build  ## start the local chain and the app; prints the address
	@$(VENV_PYTHON) scripts/start.py

demo: build  ## the same, with simulated traders
	@$(VENV_PYTHON) scripts/start.py --demo

up: build  ## the full stack: two backends behind HAProxy, on RabbitMQ, PostgreSQL and Redis
	@$(VENV_PYTHON) -m scripts.up

# What a person would wait for is timed, and alerts are: browser, full stacks and drills have the machine to themselves.
ALONE := tests/ui tests/crash $(addprefix tests/integration/test_,alerts.py fan_out_benchmark.py operators_stack.py up_stack.py up_watched.py)
test: build  ## every test
	@$(VENV_PYTHON) -m pytest --numprocesses 2 --dist loadfile $(addprefix --ignore ,$(ALONE))
	@$(VENV_PYTHON) -m pytest $(ALONE)

kills: python  ## a trade worker killed twenty times at 500 orders a second, on the real servers
	@BLITZ_TEST_KILLS=20 $(VENV_PYTHON) -m pytest tests/integration/trading/test_worker_kills.py

crowd: python  ## a graduation under a thousand orders, killed at each point by itself, on both stacks
	@BLITZ_TEST_CROWD=all $(VENV_PYTHON) -m pytest tests/integration/graduation/test_crowd.py

crash: build  ## every process killed before and after each point of an order's path, three times, on real servers
	@$(VENV_PYTHON) -m tests.crash points

freezes: build  ## twenty workers frozen at random points, and woken when others have done their work
	@$(VENV_PYTHON) -m tests.crash freezes

outages: build  ## RabbitMQ, PostgreSQL, Redis, local chain and signer killed under load, three times each
	@$(VENV_PYTHON) -m tests.crash servers

storms: build  ## bytes late, torn and lost between the processes and their servers, five times
	@$(VENV_PYTHON) -m tests.crash storms

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

browser-soak: build  ## ten minutes of a token's page at ten updates a second: latency of clicks, and its memory
	@$(VENV_PYTHON) -m tests.ui.soak

chaos: python  ## ten minutes of trades to 4,000 sockets: the bus cut, frames lost, a process restarted; all must agree
	@$(VENV_PYTHON) -m tests.chaos

ledger: python  ## the engine against a plain model, RUNS other runs of 100 random steps, killed and started again
	@BLITZ_LEDGER_RUNS=$(or $(RUNS),5000) $(VENV_PYTHON) -m pytest -q tests/property/test_ledger_machine.py

mutants: python  ## twelve known bugs, planted one at a time in a copy: the tests must find each
	@$(VENV_PYTHON) -m tests.mutants

mutants-ledger: python  ## bugs of a few lamports, planted likewise: the plain model alone must find each
	@$(VENV_PYTHON) -m tests.mutants --ledger

failover: python  ## how long nobody serves 5,000 tokens when a trade worker starts, joins, dies or stops
	@$(VENV_PYTHON) -m benchmarks.failover

dashboard-size: python  ## the operators' dashboard with a million trades and 5,000 tokens: seconds and statements
	@$(VENV_PYTHON) -m benchmarks.dashboard

bench-settlement: python  ## 5 minutes at 100 trades a second onto the chain, and what saturates settlement
	@$(VENV_PYTHON) -m benchmarks.settlement --seconds 300

faulty: python  ## 2,000 trades onto a chain that drops, delays, lies and cuts; each must be there exactly once
	@$(VENV_PYTHON) -m tests.faulty

build: python
	@$(VENV_PYTHON) scripts/prepare.py all

python:
	@if [ -z "$(PYTHON)" ]; then echo 'BlitzHub needs Python 3.11 or newer as python3.'; exit 1; fi
	@$(PYTHON) scripts/prepare.py python
