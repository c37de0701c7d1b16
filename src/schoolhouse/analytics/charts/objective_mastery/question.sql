-- Mastery of objectives
-- How many learners master each objective?
SELECT
    objective,
    count() AS learners,
    countIf(tries >= 3 AND recent_score >= 0.8) AS masters,
    masters / learners AS mastery_rate,
    sum(tries) AS attempts,
    sum(total) / attempts AS mean_score
FROM
(
    SELECT
        user_id,
        objective,
        count() AS tries,
        sum(score) AS total,
        arrayAvg(arrayMap(try -> try.3, arraySlice(
            arrayReverseSort(groupArray((timestamp, event_id, score))), 1, 3))) AS recent_score
    FROM
    (
        SELECT
            user_id,
            timestamp,
            event_id,
            assumeNotNull(scaled_score) AS score,
            arrayJoin(JSONExtractArrayRaw(assumeNotNull(attached_objectives))) AS objective_json,
            trim(BOTH '"' FROM objective_json) AS objective
        FROM raw_events FINAL
        WHERE section_id IN {section_ids:Array(UInt64)} AND platform = {platform:String}
            AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})
            AND timestamp >= {since:DateTime64(3, 'UTC')} AND timestamp < {until:DateTime64(3, 'UTC')}
            AND event_type = 'part_attempt' AND scaled_score IS NOT NULL AND attached_objectives IS NOT NULL
            AND user_id != ''
            AND (empty({activities:Array(String)}) OR ifNull(toString(activity_id), object_id) IN {activities:Array(String)})
            AND (empty({pages:Array(String)}) OR toString(page_id) IN {pages:Array(String)})
    )
    GROUP BY user_id, objective
)
GROUP BY objective
HAVING learners >= {min_group:UInt32}
ORDER BY mastery_rate, objective
LIMIT {top:UInt32}
