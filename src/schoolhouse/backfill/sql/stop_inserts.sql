-- Stop the insert that carries a tag in its log comment
-- tag: the query id of the chunk
KILL QUERY WHERE query_kind = 'Insert' AND position(Settings['log_comment'], {tag:String}) > 0 ASYNC
