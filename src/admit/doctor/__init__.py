"""Findings: what is wrong with webhook configurations, in files and live."""
