-- Events: one row a statement
-- A statement is known by its section, time, learner and id; of several with the same key the first to arrive stands,
-- since `event_version` falls as arrival time rises. Read it with FINAL. Columns that OLI Torus has too keep its
-- names and types, so its queries run; key columns are never NULL: section 0 and user '' stand for none.
-- statement    as it came, less the white space around it
-- is_conflict  1 hides a row from FINAL: its id belongs to another statement, which came first
-- scores in points, scaled_score 0..1, video times in seconds, timestamps UTC with milliseconds
-- Parts stay compact up to half a gigabyte: with sixty columns, a file each would cost more to open than to fill. A merge
-- holds one granule of each part in memory, so granules are small.
-- shard: event_id
-- up
CREATE TABLE raw_events
(
    event_id UUID,
    event_digest FixedString(32),
    event_version UInt64 CODEC(Delta, ZSTD(1)),
    user_id String,
    platform LowCardinality(String),
    section_id UInt64,
    project_id Nullable(UInt64),
    publication_id Nullable(UInt64),
    enrollment_id Nullable(UInt64),
    timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    stored Nullable(DateTime64(3, 'UTC')),
    event_type LowCardinality(String),
    verb_id LowCardinality(String),
    object_id String,
    object_type LowCardinality(String),
    registration Nullable(String),
    page_id Nullable(UInt64),
    page_sub_type Nullable(String),
    content_element_id Nullable(String),
    video_url Nullable(String),
    video_time Nullable(Float64),
    video_length Nullable(Float64),
    video_progress Nullable(Float64),
    video_played_segments Nullable(String),
    video_seek_from Nullable(Float64),
    video_seek_to Nullable(Float64),
    page_attempt_guid Nullable(String),
    page_attempt_number Nullable(UInt32),
    activity_attempt_guid Nullable(String),
    activity_attempt_number Nullable(UInt32),
    part_attempt_guid Nullable(String),
    part_attempt_number Nullable(UInt32),
    activity_id Nullable(UInt64),
    activity_revision_id Nullable(UInt64),
    part_id Nullable(String),
    score Nullable(Float64),
    out_of Nullable(Float64),
    scaled_score Nullable(Float64),
    success Nullable(Bool),
    completion Nullable(Bool),
    response Nullable(String) CODEC(ZSTD(1)),
    hints_requested Nullable(UInt32),
    attached_objectives Nullable(String),
    session_id Nullable(String),
    source_file LowCardinality(String),
    source_etag LowCardinality(String),
    source_line UInt32 CODEC(Delta, ZSTD(1)),
    load_id UInt64,
    statement String CODEC(ZSTD(1)),
    inserted_at DateTime('UTC') DEFAULT now('UTC'),
    is_conflict UInt8 DEFAULT 0,
    event_hash String ALIAS lower(hex(event_digest)),
    home_page Nullable(String) ALIAS nullIf(toString(platform), ''),
    -- seldom asked for and often long, so read from the statement when it is
    feedback Nullable(String) ALIAS nullIf(coalesce(
        nullIf(JSONExtractRaw(statement, 'result', 'extensions', 'http://oli.cmu.edu/extensions/feedback'), ''),
        JSONExtractRaw(statement, 'result', 'extensions', 'https://oli.cmu.edu/extensions/feedback')), ''),
    INDEX by_project project_id TYPE set(100) GRANULARITY 1,
    INDEX by_event_type event_type TYPE set(0) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_load load_id TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(event_version, is_conflict)
PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (section_id, timestamp)
ORDER BY (section_id, timestamp, user_id, event_id)
SETTINGS min_bytes_for_wide_part = 536870912, max_compress_block_size = 262144, index_granularity_bytes = 2097152
-- down
DROP TABLE raw_events
