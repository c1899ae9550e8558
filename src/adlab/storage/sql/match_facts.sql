-- What the staged file holds. Out: objects and days as one row.
SELECT count(*) AS rows, min(date) AS since, max(date) AS until
FROM (SELECT DISTINCT key, date FROM stage_match) AS f
