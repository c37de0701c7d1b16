-- Say at the door that actors are pseudonyms
-- Every program that loads statements looks here first.
ALTER TABLE ingest MODIFY COMMENT 'Actors are pseudonyms here.'
