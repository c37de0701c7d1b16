-- The reference: a table ordered by hash, as OLI Torus has it
CREATE TABLE torus_way
(
    user_id Nullable(String), home_page Nullable(String), section_id Nullable(UInt64), project_id Nullable(UInt64),
    publication_id Nullable(UInt64), enrollment_id Nullable(UInt64), timestamp DateTime64(3),
    event_type LowCardinality(String), verb_id LowCardinality(String), page_id Nullable(UInt64),
    content_element_id Nullable(String), video_url Nullable(String), video_time Nullable(Float64),
    video_length Nullable(Float64), video_progress Nullable(Float64), video_played_segments Nullable(String),
    video_seek_from Nullable(Float64), video_seek_to Nullable(Float64),
    activity_attempt_guid Nullable(String), activity_attempt_number Nullable(UInt32),
    page_attempt_guid Nullable(String), page_attempt_number Nullable(UInt32),
    part_attempt_guid Nullable(String), part_attempt_number Nullable(UInt32),
    activity_id Nullable(UInt64), activity_revision_id Nullable(UInt64), part_id Nullable(String), page_sub_type Nullable(String),
    score Nullable(Float64), out_of Nullable(Float64), scaled_score Nullable(Float64),
    success Nullable(Bool), completion Nullable(Bool), response Nullable(String), feedback Nullable(String),
    hints_requested Nullable(UInt32), attached_objectives Nullable(String), session_id Nullable(String),
    event_hash String, event_version DateTime64(3) DEFAULT now64(3), source_file Nullable(String), source_line Nullable(UInt32)
)
ENGINE = ReplacingMergeTree(event_version)
PARTITION BY toYYYYMM(timestamp)
ORDER BY event_hash
