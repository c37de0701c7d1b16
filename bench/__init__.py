"""Measurements: each module measures us and a reference in the same run, and prints the figures and their ratio.

make bench                       everything (about half an hour on two cores)
.venv/bin/python -m bench ingest questions --rows 1000000
"""
