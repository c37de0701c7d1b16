-- Rows that stand after OLI Torus's way
SELECT count() AS rows FROM torus_way FINAL
