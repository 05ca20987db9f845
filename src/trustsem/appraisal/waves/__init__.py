"""Theories over several waves."""
