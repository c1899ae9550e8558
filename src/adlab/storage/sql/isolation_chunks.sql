-- Out: tables TimescaleDB keeps behind ours, quoted: chunks, compressed chunks, materialisations.
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = '_timescaledb_internal' AND c.relkind IN ('r', 'p', 'm')
  AND (c.relname LIKE '\_hyper%' OR c.relname LIKE 'compress%' OR c.relname LIKE '\_compressed%')
ORDER BY 1
