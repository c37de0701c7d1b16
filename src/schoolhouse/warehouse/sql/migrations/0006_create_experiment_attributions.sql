-- Experiment attributions: one row for each entry of a statement's experiment_attributions
-- Torus's columns by their names; an invalid pair of role and type is kept and marked, never thrown away. An entry is known by
-- its statement's id and its own key (its place in the list, counted from 1, if it has none), so a statement that arrives
-- again written another way adds nothing. raw_event_hash and attribution_hash compare with Torus's.
-- shard: event_id
-- up
CREATE TABLE experiment_attributions
(
    raw_event_hash String,
    attribution_hash String,
    event_id UUID,
    entry String,
    event_version UInt64,
    raw_event_type LowCardinality(String),
    timestamp DateTime64(3, 'UTC'),
    user_id String,
    platform LowCardinality(String),
    section_id UInt64,
    project_id Nullable(UInt64),
    publication_id Nullable(UInt64),
    enrollment_id Nullable(UInt64),
    experiment_role LowCardinality(String),
    attribution_type LowCardinality(String),
    is_valid Bool,
    experiment_id Nullable(UInt64),
    experiment_uuid Nullable(String),
    condition_id Nullable(UInt64),
    condition_code Nullable(String),
    assignment_id Nullable(UInt64),
    assignment_key Nullable(String),
    assignment_scope LowCardinality(String),
    algorithm Nullable(String),
    policy_version Nullable(String),
    content_revision_id Nullable(UInt64),
    reward_value Nullable(Float64),
    reward_source Nullable(String),
    intervention_id Nullable(UInt64),
    intervention_key Nullable(String),
    assessment_binding_id Nullable(UInt64),
    assessment_page_resource_id Nullable(UInt64),
    resource_attempt_id Nullable(UInt64),
    disposition Nullable(String),
    reward_threshold Nullable(Float64),
    normalized_score Nullable(Float64),
    page_revision_id Nullable(UInt64),
    source_file LowCardinality(String),
    source_etag LowCardinality(String),
    source_line UInt32,
    load_id UInt64,
    inserted_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree(event_version)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (section_id, event_id, entry)
-- down
DROP TABLE experiment_attributions
