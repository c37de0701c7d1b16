-- OLI Torus's layout in one part a partition
OPTIMIZE TABLE torus_layout FINAL
