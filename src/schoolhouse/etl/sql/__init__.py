"""The SQL of the ETL, one statement a file; `schoolhouse.warehouse.statements` reads it."""
