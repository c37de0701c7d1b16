-- When a load last began or ended
-- Has anything arrived since the sections were counted?
-- newest  nanoseconds since 1970, 0 when nothing was ever loaded
SELECT max(version) AS newest FROM loads
