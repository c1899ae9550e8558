-- In: date, base, quote, rate, source. Stores one rate, replacing the one of that day and pair.
INSERT INTO app.fx_rate (date, base, quote, rate, source)
VALUES (:date, :base, :quote, :rate, :source)
ON CONFLICT (base, quote, date) DO UPDATE
SET rate = excluded.rate, source = excluded.source, loaded_at = now()
