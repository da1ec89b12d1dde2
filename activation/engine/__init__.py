"""The engine: landing, plan, guards, gate, deliver, settle. Runs with no scheduler installed."""
