-- Out: what continuous aggregates are made of, quoted: materialisations, partial and direct views.
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = '_timescaledb_internal' AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname ~ '^_(materialized|partial|direct)_'
ORDER BY 1
