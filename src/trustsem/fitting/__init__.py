"""One model, fitted: the one orchestrator, without formulas."""
