-- Give memory that the engine has freed back to the system (embedded only)
SYSTEM JEMALLOC PURGE
