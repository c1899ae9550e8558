-- Out: per base, quote and source: how many days, the first, the newest, and its rate.
SELECT f.base, f.quote, f.source, count(*) AS days, min(f.date) AS since, max(f.date) AS until,
       (array_agg(f.rate ORDER BY f.date DESC))[1] AS newest_rate, max(f.loaded_at) AS loaded_at
FROM app.fx_rate f GROUP BY f.base, f.quote, f.source ORDER BY f.base, f.quote, f.source
