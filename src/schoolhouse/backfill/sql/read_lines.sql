-- Lines that were read here
-- found: the lines
SELECT arrayJoin({found:Array(String)}) AS line
