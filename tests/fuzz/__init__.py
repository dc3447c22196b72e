"""Random operations by the million, with an invariant after each: `make fuzz-curve`."""
