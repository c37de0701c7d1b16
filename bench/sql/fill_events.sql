-- Narrow events in 400 sections: section 1 has 25,000, section 2 a million, the others share the rest of ten million
-- One call fills one share of them (first and count number the events of all calls).
INSERT INTO raw_events (event_id, event_digest, event_version, user_id, platform, section_id, project_id, timestamp, event_type, verb_id, scaled_score)
SELECT
    reinterpretAsUUID(sipHash128(number)),
    toFixedString(reinterpretAsString(sipHash128(number)), 32),
    18446744073709551615 - number,
    toString(section_id * 1000 + intHash32(number) % 300),
    {platform:String},
    multiIf(number % 10000 < 25, 1, number % 10000 < 1025, 2, 3 + intHash32(number + 7) % 398) AS section_id,
    intDiv(section_id, 40),
    toDateTime64('2026-01-12 00:00:00', 3, 'UTC') + toIntervalMillisecond(sipHash64(number) % 9504000000),
    ['part_attempt', 'page_viewed', 'video', 'activity_attempt', 'page_attempt'][1 + intHash32(number + 3) % 5] AS kind,
    kind,
    (intHash32(number) % 100) / 100
FROM numbers({first:UInt64}, {count:UInt64})
