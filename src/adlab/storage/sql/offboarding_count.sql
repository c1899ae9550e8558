-- In: slug, name (of a table), rows. Adds to what was purged.
UPDATE app.offboarding SET purged = coalesce(purged, '{}') || jsonb_build_object(
  CAST(:name AS text),
  coalesce((purged ->> CAST(:name AS text))::bigint, 0) + CAST(:rows AS bigint))
WHERE slug = :slug
