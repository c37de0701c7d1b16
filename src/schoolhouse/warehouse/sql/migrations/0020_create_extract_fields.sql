-- Lines, parsed: the first half of the mapping
-- The line is parsed once, with one typed JSONExtract; the view `parse_ingest` picks every column from the result. It is a view
-- of its own because the engine writes an alias out wherever it is used: in one view, planning cost a fifth of a second
-- an insert. All fields are Nullable, or a wrong type would turn into 0 or '' without a word. An array in the place of an
-- object is read by position: the fields `[]` catch it.
-- up
CREATE MATERIALIZED VIEW extract_fields TO extracted_lines AS
WITH
    -- white space around a line, and a byte order mark, are no part of the statement
    trimBoth(line, ' \t\r\n\v\f\xEF\xBB\xBF') AS body,
    SHA256(body) AS event_digest,
    -- early uploaders wrote the extensions of OLI Torus with https
    position(body, 'https://oli.cmu.edu/extensions/') > 0 AS has_https,
    if(has_https,
       replaceAll(if(has_https, body, ''), 'https://oli.cmu.edu/extensions/', 'http://oli.cmu.edu/extensions/'),
       body) AS text,
    JSONExtract(
        text,
        'Tuple(
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
                    `https://w3id.org/xapi/openedx/extensions/session-id` Nullable(String))))') AS s
SELECT
    body,
    event_digest,
    s,
    toUInt32(length(line) + NOT endsWith(line, '\n')) AS line_bytes,
    source_file,
    source_etag,
    source_line,
    load_id,
    received_at,
    max_line_bytes,
    is_rebuild
FROM ingest
-- down
DROP VIEW extract_fields
