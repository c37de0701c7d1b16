"""The warehouse: ClickHouse, embedded (chDB) or on a server, behind one client and one SQL mapping.

- `connection`  opens handles and maps the driver's errors; the only module that imports the driver
- `statements`  reads the `.sql` files
- `migrations`  creates and changes the tables, with a checksummed ledger
- `loads`       brings raw lines in through the table `ingest`, and accounts for each of them
- `health`      what an operator asks: versions, sizes, checks, sample questions
- `maintenance` optimize, backup, restore, reprocess
"""
