-- One load, by its id
SELECT * FROM loads FINAL WHERE load_id = {load_id:UInt64}
