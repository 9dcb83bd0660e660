"""Several gateways on one Redis, seen from outside: limits that hold, and a Redis that goes away. ``make chaos``."""
