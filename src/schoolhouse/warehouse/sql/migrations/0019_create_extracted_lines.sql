-- Lines with their fields, on their way through the mapping
-- Stores nothing. `body` is the line without the white space around it, `s` the fields that the mapping knows (the same type
-- stands in the view `extract_fields`).
-- up
CREATE TABLE extracted_lines
(
    body String,
    event_digest FixedString(32),
    s Tuple(
        id Nullable(String),
        timestamp Nullable(String),
        stored Nullable(String),
        version Nullable(String),
        authority Nullable(String),
        registration Nullable(String),
        actor Tuple(
        `[]` Nullable(String),
        objectType Nullable(String),
        account Tuple(homePage Nullable(String), name Nullable(String)),
        mbox Nullable(String),
        mbox_sha1sum Nullable(String),
        openid Nullable(String)),
        verb Tuple(`[]` Nullable(String), id Nullable(String)),
        object Tuple(
        `[]` Nullable(String),
        id Nullable(String),
        objectType Nullable(String),
        definition Tuple(
            type Nullable(String),
            subType Nullable(String),
            extensions Tuple(
                `https://w3id.org/xapi/video/extensions/length` Nullable(Float64),
                `http://id.tincanapi.com/extension/attempt-id` Nullable(UInt32),
                `http://oli.cmu.edu/extensions/page_sub_type` Nullable(String)))),
        result Tuple(
        score Tuple(scaled Nullable(Float64), raw Nullable(Float64), max Nullable(Float64)),
        success Nullable(Bool),
        completion Nullable(Bool),
        response Nullable(String),
        extensions Tuple(
            `https://w3id.org/xapi/video/extensions/time` Nullable(Float64),
            `https://w3id.org/xapi/video/extensions/time-from` Nullable(Float64),
            `https://w3id.org/xapi/video/extensions/time-to` Nullable(Float64),
            `https://w3id.org/xapi/video/extensions/progress` Nullable(Float64),
            `https://w3id.org/xapi/video/extensions/length` Nullable(Float64),
            `https://w3id.org/xapi/video/extensions/played-segments` Nullable(String))),
        context Tuple(
        registration Nullable(String),
        contextActivities Tuple(parent Nullable(String), grouping Nullable(String)),
        extensions Tuple(
            `http://oli.cmu.edu/extensions/section_id` Nullable(UInt64),
            `http://oli.cmu.edu/extensions/project_id` Nullable(UInt64),
            `http://oli.cmu.edu/extensions/publication_id` Nullable(UInt64),
            `http://oli.cmu.edu/extensions/enrollment_id` Nullable(UInt64),
            `http://oli.cmu.edu/extensions/page_id` Nullable(UInt64),
            `http://oli.cmu.edu/extensions/resource_id` Nullable(UInt64),
            `http://oli.cmu.edu/extensions/activity_id` Nullable(UInt64),
            `http://oli.cmu.edu/extensions/activity_revision_id` Nullable(UInt64),
            `http://oli.cmu.edu/extensions/page_attempt_number` Nullable(UInt32),
            `http://oli.cmu.edu/extensions/activity_attempt_number` Nullable(UInt32),
            `http://oli.cmu.edu/extensions/part_attempt_number` Nullable(UInt32),
            `http://oli.cmu.edu/extensions/page_attempt_guid` Nullable(String),
            `http://oli.cmu.edu/extensions/activity_attempt_guid` Nullable(String),
            `http://oli.cmu.edu/extensions/part_attempt_guid` Nullable(String),
            `http://oli.cmu.edu/extensions/part_id` Nullable(String),
            `http://oli.cmu.edu/extensions/session_id` Nullable(String),
            `http://oli.cmu.edu/extensions/content_element_id` Nullable(String),
            `http://oli.cmu.edu/extensions/hints_requested` Nullable(String),
            `http://oli.cmu.edu/extensions/attached_objectives` Nullable(String),
            `http://oli.cmu.edu/extensions/experiment_attributions` Nullable(String),
            `https://w3id.org/xapi/video/extensions/length` Nullable(Float64),
            `https://w3id.org/xapi/video/extensions/session-id` Nullable(String),
            `https://w3id.org/xapi/openedx/extensions/session-id` Nullable(String)))),
    line_bytes UInt32,
    source_file LowCardinality(String),
    source_etag LowCardinality(String),
    source_line UInt32,
    load_id UInt64,
    received_at DateTime64(9, 'UTC'),
    max_line_bytes UInt32,
    is_rebuild UInt8
)
ENGINE = Null
-- down
DROP TABLE extracted_lines
