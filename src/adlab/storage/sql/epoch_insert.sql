-- In: starts_on, ends_on, title, detail, metrics, source. Out: its number, or no row when there is
-- one of that day and title already.
INSERT INTO app.epoch (starts_on, ends_on, title, detail, metrics, source)
VALUES (:starts_on, :ends_on, :title, :detail, :metrics, :source)
ON CONFLICT (starts_on, title) DO NOTHING RETURNING epoch_id
