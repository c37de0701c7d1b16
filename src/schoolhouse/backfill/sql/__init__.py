"""The SQL of backfills in ClickHouse, one statement a file; `schoolhouse.warehouse.statements` reads it."""
