-- In: dates, bases, quotes, rates (arrays of one length), source. Stores rates, replacing those of
-- the same day and pair.
INSERT INTO app.fx_rate (date, base, quote, rate, source)
SELECT n.date, n.base, n.quote, n.rate, :source
FROM unnest(CAST(:dates AS date[]), CAST(:bases AS text[]), CAST(:quotes AS text[]),
            CAST(:rates AS numeric[])) AS n (date, base, quote, rate)
ON CONFLICT (base, quote, date) DO UPDATE
SET rate = excluded.rate, source = excluded.source, loaded_at = now()
