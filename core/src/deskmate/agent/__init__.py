"""The agent: a pure decision over stored events, and the driver that carries it out."""
