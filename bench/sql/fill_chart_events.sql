-- Events that every chart can ask about: one section of a tenth of all, its project of half of all, 400 sections together
-- One call fills one share of them (first and count number the events of all calls). Videos come as a play and its pause.
INSERT INTO raw_events (event_id, event_digest, event_version, user_id, platform, section_id, project_id, timestamp, event_type, verb_id, object_id, page_id, page_sub_type, video_url, video_time, video_length, page_attempt_number, activity_id, activity_attempt_number, score, out_of, scaled_score, hints_requested, attached_objectives, session_id)
WITH
    intDiv(number, 2) AS pair,
    number % 2 = 1 AS is_second,
    -- section 1: a tenth; 2 to 161: four tenths, with it the project of half of all; 162 to 400: the rest
    multiIf(pair % 10 = 0, 1, pair % 10 < 5, 2 + intHash32(pair + 7) % 160, 162 + intHash32(pair + 7) % 239) AS section,
    if(section = 1, 2000, 60) AS learners,
    intHash32(pair + 11) AS chance,
    multiIf(chance % 100 < 30, 'video', chance % 100 < 56, 'part_attempt', chance % 100 < 77, 'activity_attempt', chance % 100 < 98, 'page_viewed', 'page_attempt') AS kind,
    intHash32(pair + 13) % 40 AS page,
    intHash32(pair + 17) % 120 AS item,
    (intHash32(number + 19) % 4) / 3 AS share,
    intHash32(pair + 23) % 200 AS position
SELECT
    reinterpretAsUUID(sipHash128(number)),
    toFixedString(reinterpretAsString(sipHash128(number, 1)) || reinterpretAsString(sipHash128(number, 2)), 32),
    18446744073709551615 - number,
    toString(section * 10000 + chance % learners),
    {platform:String},
    section,
    if(section <= 161, 1, 2 + section % 20),
    toDateTime64('2026-01-12 00:00:00', 3, 'UTC') + toIntervalMillisecond(sipHash64(pair) % 9504000000 + is_second * 40000),
    kind,
    if(kind = 'video', if(is_second, 'https://w3id.org/xapi/video/verbs/paused', 'https://w3id.org/xapi/video/verbs/played'), 'http://adlnet.gov/expapi/verbs/completed'),
    concat({platform:String}, '/', kind, '/', toString(number)),
    100000 + page,
    if(kind = 'page_viewed', 'practice', NULL),
    if(kind = 'video', concat('https://video.example/', toString(page), '.mp4'), NULL),
    if(kind = 'video', position + is_second * 40, NULL),
    if(kind = 'video', 260, NULL),
    if(kind = 'page_attempt', 1 + chance % 3, NULL),
    if(kind IN ('part_attempt', 'activity_attempt'), 20000 + item, NULL),
    if(kind IN ('part_attempt', 'activity_attempt'), 1 + chance % 4, NULL),
    if(kind IN ('part_attempt', 'activity_attempt', 'page_attempt'), share * 3, NULL),
    if(kind IN ('part_attempt', 'activity_attempt', 'page_attempt'), 3, NULL),
    if(kind IN ('part_attempt', 'activity_attempt', 'page_attempt'), share, NULL),
    if(kind = 'part_attempt', chance % 3, NULL),
    if(kind = 'part_attempt', concat('[', toString(item % 30), ']'), NULL),
    toString(UUIDNumToString(toFixedString(reinterpretAsString(sipHash128(pair, 3)), 16)))
FROM numbers({first:UInt64}, {count:UInt64})
