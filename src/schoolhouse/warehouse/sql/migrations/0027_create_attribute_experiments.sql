-- Entries of experiment_attributions, one row each
-- An entry is known by its key (or its place in the list, if it has none) within its statement.
-- up
CREATE MATERIALIZED VIEW attribute_experiments TO experiment_attributions AS
WITH
    lower(hex(event_digest)) AS event_hash,
    arrayJoin(arrayEnumerate(JSONExtractArrayRaw(experiment_attributions))) AS place,
    JSONExtract(
        JSONExtractArrayRaw(experiment_attributions)[place],
        'Tuple(
            role Nullable(String),
            attribution_type Nullable(String),
            key Nullable(String),
            experiment_id Nullable(UInt64),
            experiment_uuid Nullable(String),
            condition_id Nullable(UInt64),
            condition_code Nullable(String),
            assignment_id Nullable(UInt64),
            assignment_key Nullable(String),
            assignment_scope Nullable(String),
            algorithm Nullable(String),
            assigned_by_policy Nullable(String),
            policy_version Nullable(String),
            enrollment_id Nullable(UInt64),
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
            page_revision_id Nullable(UInt64))') AS a
SELECT
    event_hash AS raw_event_hash,
    lower(hex(SHA256(concat(event_hash, ':', entry)))) AS attribution_hash,
    event_id,
    coalesce(nullIf(a.key, ''), toString(place)) AS entry,
    event_version,
    event_type AS raw_event_type,
    timestamp,
    user_id,
    platform,
    section_id,
    project_id,
    publication_id,
    coalesce(a.enrollment_id, enrollment_id) AS enrollment_id,
    ifNull(a.role, '') AS experiment_role,
    ifNull(a.attribution_type, '') AS attribution_type,
    multiIf(
        experiment_role = 'rollup', attribution_type IN ('outcome', 'reward'),
        experiment_role = 'media_interaction', attribution_type = 'assignment',
        experiment_role = attribution_type
            AND experiment_role IN ('assignment', 'exposure', 'outcome', 'reward', 'policy_update')) AS is_valid,
    a.experiment_id AS experiment_id, a.experiment_uuid AS experiment_uuid, a.condition_id AS condition_id, a.condition_code AS condition_code, a.assignment_id AS assignment_id,
    coalesce(a.assignment_key, a.key) AS assignment_key,
    coalesce(nullIf(a.assignment_scope, ''), 'intervention') AS assignment_scope,
    coalesce(a.algorithm, a.assigned_by_policy) AS algorithm,
    a.policy_version AS policy_version,
    a.content_revision_id AS content_revision_id,
    a.reward_value AS reward_value,
    a.reward_source AS reward_source,
    a.intervention_id AS intervention_id,
    a.intervention_key AS intervention_key,
    a.assessment_binding_id AS assessment_binding_id,
    a.assessment_page_resource_id AS assessment_page_resource_id,
    a.resource_attempt_id AS resource_attempt_id,
    a.disposition AS disposition,
    a.reward_threshold AS reward_threshold,
    a.normalized_score AS normalized_score,
    a.page_revision_id AS page_revision_id,
    source_file,
    source_etag,
    source_line,
    load_id
FROM parsed_statements
WHERE verdict = '' AND experiment_attributions != '' AND is_rebuild = 0
-- down
DROP VIEW attribute_experiments
