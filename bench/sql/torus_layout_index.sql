-- The reference: its skip index for sections
ALTER TABLE torus_layout ADD INDEX by_section section_id TYPE minmax GRANULARITY 1
