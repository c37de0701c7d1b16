-- An experiment with two conditions for the learners of section 1
INSERT INTO experiment_attributions (event_id, entry, event_version, raw_event_type, timestamp, user_id, platform, section_id, experiment_role, attribution_type, is_valid, experiment_uuid, condition_code)
SELECT
    reinterpretAsUUID(sipHash128(number, 9)), '1', 1, 'experiment', toDateTime64('2026-01-12 00:00:00', 3, 'UTC'),
    toString(10000 + number), {platform:String}, 1, 'assignment', 'assignment', true, 'e1', if(number % 2, 'control', 'treatment')
FROM numbers(2000)
