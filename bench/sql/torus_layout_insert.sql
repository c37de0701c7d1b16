-- The same events in OLI Torus's layout
INSERT INTO torus_layout SELECT * FROM raw_events
