"""Runs a module in a process whose wall clock is wrong: `python -m tests.skewed SECONDS MODULE ARGUMENTS…`."""

import runpy
import sys
import time

_ahead_s = int(sys.argv[1])
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + _ahead_s
time.time_ns = lambda: _time_ns() + _ahead_s * 10**9

sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
