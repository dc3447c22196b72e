"""The trading engine: curve, orders, ledger, settlement and live fan-out. It knows neither Reflex nor the workers."""
