-- The reference: the same columns in the layout of OLI Torus, which orders by hash and looks sections up by skip index
CREATE TABLE torus_layout AS raw_events
ENGINE = ReplacingMergeTree(event_version, is_conflict)
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY event_digest
ORDER BY event_digest
