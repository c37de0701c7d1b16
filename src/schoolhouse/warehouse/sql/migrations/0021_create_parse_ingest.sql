-- The mapping: each parsed line becomes one event, or one reject with its reason
-- Nothing here may throw: a view that throws leaves the rows of the other views behind. Verdicts, event types and fields are
-- explained in docs/mapping.md. Loads run it without short-circuit evaluation, so a dear function gets '' where its answer
-- is not needed.
-- up
CREATE MATERIALIZED VIEW parse_ingest TO parsed_statements AS
WITH
    s.actor AS actor,
    s.object AS object,
    object.definition AS definition,
    s.result AS result,
    result.extensions AS r,
    s.context AS context,
    -- read by tupleElement: resolving `c.name` through the alias takes a third of a millisecond more, each time
    context.extensions AS c,

    -- who
    toString(ifNull(actor.account.homePage, '')) AS platform,
    coalesce(
        nullIf(actor.account.name, ''), nullIf(actor.mbox, ''), nullIf(actor.mbox_sha1sum, ''), nullIf(actor.openid, ''),
        '') AS user_id,

    -- did what
    if(isNull(s.verb.`[]`), ifNull(s.verb.id, ''), '') AS verb_id,
    ifNull(definition.type, '') AS object_type,
    transform(
        concat(verb_id, '|', object_type),
        [
            'http://adlnet.gov/expapi/verbs/completed|http://adlnet.gov/expapi/activities/question',
            'http://adlnet.gov/expapi/verbs/completed|http://oli.cmu.edu/extensions/activity_attempt',
            'http://adlnet.gov/expapi/verbs/completed|http://oli.cmu.edu/extensions/page_attempt',
            'http://id.tincanapi.com/verb/viewed|http://oli.cmu.edu/extensions/types/page',
            'http://activitystrea.ms/schema/1.0/create|http://oli.cmu.edu/extensions/tutor_message',
            'http://activitystrea.ms/schema/1.0/create|http://oli.cmu.edu/extensions/tutor_activity_message',
            'http://adlnet.gov/expapi/verbs/completed|http://adlnet.gov/expapi/activities/cmi.interaction'],
        [
            'part_attempt',
            'activity_attempt',
            'page_attempt',
            'page_viewed',
            'tutor_message',
            'tutor_message',
            'problem'],
        transform(
            object_type,
            [
            'https://w3id.org/xapi/video/activity-type/video',
            'http://id.tincanapi.com/activitytype/discussion',
            'http://id.tincanapi.com/activitytype/solution',
            'https://w3id.org/xapi/acrossx/extensions/supplemental-info',
            'http://oli.cmu.edu/extensions/types/condition_assignment'],
            [
            'video',
            'forum',
            'hint',
            'hint',
            'experiment'],
            transform(
                verb_id,
                [
            'http://adlnet.gov/expapi/verbs/experienced',
            'https://w3id.org/xapi/video/verbs/played',
            'https://w3id.org/xapi/video/verbs/paused',
            'https://w3id.org/xapi/video/verbs/seeked',
            'https://w3id.org/xapi/video/verbs/completed',
            'http://oli.cmu.edu/extensions/verbs/experiment_condition_assigned',
            'http://adlnet.gov/expapi/verbs/registered',
            'http://id.tincanapi.com/verb/unregistered',
            'https://w3id.org/xapi/acrossx/verbs/evaluated',
            'http://adlnet.gov/expapi/verbs/attempted',
            'http://adlnet.gov/expapi/verbs/answered',
            'https://w3id.org/xapi/dod-isd/verbs/navigated',
            'http://id.tincanapi.com/verb/earned',
            'http://adlnet.gov/expapi/verbs/passed',
            'http://adlnet.gov/expapi/verbs/failed',
            'http://adlnet.gov/expapi/verbs/scored',
            'http://adlnet.gov/expapi/verbs/progressed',
            'http://adlnet.gov/expapi/verbs/completed',
            'https://w3id.org/xapi/adl/verbs/satisfied',
            'https://w3id.org/xapi/adl/verbs/waived'],
                [
            'video',
            'video',
            'video',
            'video',
            'video',
            'experiment',
            'enrollment',
            'enrollment',
            'problem',
            'problem',
            'problem',
            'navigation',
            'grade',
            'grade',
            'grade',
            'grade',
            'completion',
            'completion',
            'completion',
            'completion'],
                'other'))) AS event_type,
    event_type = 'video' AS is_video,

    -- to what: a template of OLI Torus left a stray brace behind its attempt ids
    ifNull(object.id, '') AS whole_object_id,
    substring(
        whole_object_id,
        1,
        length(whole_object_id) - endsWith(whole_object_id, '}') * (position(whole_object_id, '{') = 0)) AS object_id,

    -- when: only a full date and time counts; without an offset it is UTC
    text -> if(match(
           text,
           '^(1989|199[0-9]|2[0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?$'),
       parseDateTime64BestEffortOrNull(text, 3, 'UTC'),
       NULL) AS moment,
    moment(replaceOne(upper(ifNull(s.timestamp, '')), ',', '.')) AS time,
    -- from 1990 to a day after arrival, in milliseconds: comparing times of two scales throws for far years
    toUnixTimestamp64Milli(time) AS time_ms,
    ifNull(time_ms >= 631152000000 AND time_ms < toUnixTimestamp64Milli(received_at) + 86400000, 0) AS has_time,

    -- where: the section's number, or the course run that the activities name
    ifNull(tupleElement(c, 'http://oli.cmu.edu/extensions/section_id'), 0) AS section_number,
    ifNull(context.contextActivities.parent, '') AS parent_json,
    ifNull(context.contextActivities.grouping, '') AS grouping_json,
    arrayConcat(
        JSONExtract(
            concat(startsWith(parent_json, '{') ? '[' : '', parent_json, startsWith(parent_json, '{') ? ']' : ''),
            'Array(Tuple(id String, definition Tuple(type String, name String)))'),
        JSONExtract(
            concat(startsWith(grouping_json, '{') ? '[' : '', grouping_json, startsWith(grouping_json, '{') ? ']' : ''),
            'Array(Tuple(id String, definition Tuple(type String, name String)))')) AS activities,
    arrayFirst(
        x -> match(x.1, '(?:^|/)(?:course|ccx)-v1:') OR x.2.1 = 'http://adlnet.gov/expapi/activities/course',
        activities) AS course,
    object_type = 'http://adlnet.gov/expapi/activities/course' AS is_course,
    multiIf(
        section_number != 0, '',
        is_course, object_id,
        course.1 != '', course.1,
        position(object_id, '-v1:') > 0, object_id,
        '') AS course_text,
    -- functions of arrays of one, because an alias is written out wherever it is used and a lambda's argument is not
    arrayMap(
        (text, is_named) -> multiIf(
            extract(text, '((?:course|ccx)-v1:[^/?#\\s+]+\\+[^/?#\\s+]+\\+[^/?#\\s+]+(?:\\+ccx@[0-9]+)?)') != '',
            extract(text, '((?:course|ccx)-v1:[^/?#\\s+]+\\+[^/?#\\s+]+\\+[^/?#\\s+]+(?:\\+ccx@[0-9]+)?)'),
            extract(text, 'block-v1:([^/?#\\s+:]+\\+[^/?#\\s+]+\\+[^/?#\\s+]+(?:\\+ccx@[0-9]+)?)') != '',
            concat(
                position(text, 'ccx-block-v1:') > 0 ? 'ccx-v1:' : 'course-v1:',
                extract(text, 'block-v1:([^/?#\\s+:]+\\+[^/?#\\s+]+\\+[^/?#\\s+]+(?:\\+ccx@[0-9]+)?)')),
            is_named,
            coalesce(nullIf(extract(text, '((?:course|ccx)-v1:[^/?#\\s]+)'), ''), text),
            ''),
        [course_text],
        [is_course OR course.1 != ''])[1] AS course_key,
    -- 52 bits, exact in JavaScript; never 0, which means no section
    section_number
        + arrayMap(
            (key, host) -> (key != '') * greatest(bitShiftRight(sipHash64(concat(host, '\n', key)), 12), 1),
            [course_key],
            [platform])[1] AS section_id,
    if(is_course, JSONExtractRaw(if(is_course, body, ''), 'object', 'definition', 'name'), course.2.2) AS title_json,
    arrayMap(
        names -> coalesce(
            nullIf(JSONExtractString(names, 'en'), ''),
            nullIf(JSONExtractString(names, 'en-US'), ''),
            JSONExtractKeysAndValues(names, 'String')[1].2),
        [title_json])[1] AS title,

    -- what is wrong with it, if anything: what looks like a statement is one, and only the rest is looked at closely
    isNotNull(actor.`[]`) OR (isNull(actor.objectType) AND platform = '' AND user_id = '') AS lacks_actor,
    isNotNull(object.`[]`) OR (isNull(object.id) AND isNull(object.objectType) AND isNull(definition.type)) AS lacks_object,
    startsWith(body, '{') AND NOT (lacks_actor OR verb_id = '' OR lacks_object) AS looks_whole,
    if(looks_whole, '', body) AS suspect,
    multiIf(
        length(body) > max_line_bytes, 'line_too_long',
        body = '', 'blank',
        looks_whole, if(has_time, '', 'bad_timestamp'),
        NOT isValidJSON(suspect), 'not_json',
        JSONType(suspect) != 'Object', 'not_object',
        lacks_actor AND JSONType(suspect, 'actor') != 'Object', 'missing_actor',
        verb_id = '', 'missing_verb',
        lacks_object AND JSONType(suspect, 'object') != 'Object', 'missing_object',
        has_time, '',
        'bad_timestamp') AS verdict,

    ifNull(s.id, '') AS own_id,
    -- the sum of the hashes of its pieces: the same in any order of keys, less what a store adds to a statement
    text -> arraySum(arrayMap(
        piece -> if(piece = '', 0, cityHash64(piece)),
        splitByChar(',', translate(text, '{}[] \t\r\n', ',,,,')))) AS hash_pieces,
    ifNull(tupleElement(c, 'http://oli.cmu.edu/extensions/hints_requested'), '') AS hints,
    ifNull(result.response, '') AS response_text
SELECT
    verdict,
    multiIf(
        own_id = '', reinterpretAsUUID(substring(event_digest, 1, 16)),
        ifNull(toUUIDOrNull(own_id), reinterpretAsUUID(MD5(own_id)))) AS event_id,
    event_digest,
    18446744073709551615 - toUInt64(toUnixTimestamp64Nano(received_at)) - source_line AS event_version,
    -- 0 without an id of its own: the id then follows from the content
    if(own_id = '',
       0,
       hash_pieces(if(own_id = '', '', body))
           - if(isNull(s.stored), 0, cityHash64(concat('"stored":"', translate(assumeNotNull(s.stored), ' ', ''), '"')))
           - if(isNull(s.version), 0, cityHash64(concat('"version":"', assumeNotNull(s.version), '"')))
           - if(isNull(s.authority), 0, hash_pieces(concat('"authority":', assumeNotNull(s.authority))))) AS content_hash,
    user_id,
    platform,
    section_id,
    tupleElement(c, 'http://oli.cmu.edu/extensions/project_id') AS project_id,
    tupleElement(c, 'http://oli.cmu.edu/extensions/publication_id') AS publication_id,
    tupleElement(c, 'http://oli.cmu.edu/extensions/enrollment_id') AS enrollment_id,
    ifNull(time, toDateTime64(0, 3, 'UTC')) AS timestamp,
    moment(replaceOne(upper(ifNull(s.stored, '')), ',', '.')) AS stored,
    event_type,
    verb_id,
    object_id,
    object_type,
    coalesce(context.registration, s.registration) AS registration,
    coalesce(
        tupleElement(c, 'http://oli.cmu.edu/extensions/page_id'),
        tupleElement(c, 'http://oli.cmu.edu/extensions/resource_id')) AS page_id,
    coalesce(definition.subType, definition.extensions.`http://oli.cmu.edu/extensions/page_sub_type`) AS page_sub_type,
    tupleElement(c, 'http://oli.cmu.edu/extensions/content_element_id') AS content_element_id,
    if(is_video, object_id, NULL) AS video_url,
    if(is_video, tupleElement(r, 'https://w3id.org/xapi/video/extensions/time'), NULL) AS video_time,
    if(is_video,
       coalesce(
           tupleElement(r, 'https://w3id.org/xapi/video/extensions/length'),
           tupleElement(c, 'https://w3id.org/xapi/video/extensions/length'),
           definition.extensions.`https://w3id.org/xapi/video/extensions/length`),
       NULL) AS video_length,
    if(is_video, tupleElement(r, 'https://w3id.org/xapi/video/extensions/progress'), NULL) AS video_progress,
    if(is_video,
       tupleElement(r, 'https://w3id.org/xapi/video/extensions/played-segments'),
       NULL) AS video_played_segments,
    if(is_video, tupleElement(r, 'https://w3id.org/xapi/video/extensions/time-from'), NULL) AS video_seek_from,
    if(is_video, tupleElement(r, 'https://w3id.org/xapi/video/extensions/time-to'), NULL) AS video_seek_to,
    tupleElement(c, 'http://oli.cmu.edu/extensions/page_attempt_guid') AS page_attempt_guid,
    tupleElement(c, 'http://oli.cmu.edu/extensions/page_attempt_number') AS page_attempt_number,
    tupleElement(c, 'http://oli.cmu.edu/extensions/activity_attempt_guid') AS activity_attempt_guid,
    coalesce(
        tupleElement(c, 'http://oli.cmu.edu/extensions/activity_attempt_number'),
        definition.extensions.`http://id.tincanapi.com/extension/attempt-id`) AS activity_attempt_number,
    tupleElement(c, 'http://oli.cmu.edu/extensions/part_attempt_guid') AS part_attempt_guid,
    tupleElement(c, 'http://oli.cmu.edu/extensions/part_attempt_number') AS part_attempt_number,
    tupleElement(c, 'http://oli.cmu.edu/extensions/activity_id') AS activity_id,
    tupleElement(c, 'http://oli.cmu.edu/extensions/activity_revision_id') AS activity_revision_id,
    tupleElement(c, 'http://oli.cmu.edu/extensions/part_id') AS part_id,
    result.score.raw AS score,
    result.score.max AS out_of,
    coalesce(result.score.scaled, if(result.score.max > 0, result.score.raw / result.score.max, NULL)) AS scaled_score,
    result.success AS success,
    result.completion AS completion,
    if(startsWith(response_text, '{'),
       coalesce(JSONExtract(response_text, 'input', 'Nullable(String)'), response_text),
       result.response) AS response,
    if(startsWith(hints, '['), toUInt32(JSONLength(hints)), toUInt32OrNull(hints)) AS hints_requested,
    tupleElement(c, 'http://oli.cmu.edu/extensions/attached_objectives') AS attached_objectives,
    coalesce(
        tupleElement(c, 'http://oli.cmu.edu/extensions/session_id'),
        tupleElement(c, 'https://w3id.org/xapi/openedx/extensions/session-id'),
        tupleElement(c, 'https://w3id.org/xapi/video/extensions/session-id')) AS session_id,
    source_file,
    source_etag,
    source_line,
    load_id,
    body AS statement,
    line_bytes,
    if(section_number != 0, toString(section_number), course_key) AS section_key,
    title AS section_title,
    ifNull(tupleElement(c, 'http://oli.cmu.edu/extensions/experiment_attributions'), '') AS experiment_attributions,
    received_at,
    is_rebuild
FROM extracted_lines
-- down
DROP VIEW parse_ingest
