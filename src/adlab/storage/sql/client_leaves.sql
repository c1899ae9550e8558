-- In: slug. A client that leaves is not read from Meta any more.
UPDATE app.client SET status = 'leaving' WHERE slug = :slug
