-- Whether this engine allocates with jemalloc, which keeps what is freed for a while (Linux)
SELECT value = '1' AS has_jemalloc FROM system.build_options WHERE name = 'USE_JEMALLOC'
