-- In: slug. Out: a row when a client of that slug was off-boarded.
SELECT 1 FROM app.offboarding WHERE slug = :slug
  AND NOT EXISTS (SELECT 1 FROM app.client c WHERE c.slug = :slug)
