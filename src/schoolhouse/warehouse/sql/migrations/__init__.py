"""Migrations: NNNN_verb_object.sql, each with an up and a down part."""
